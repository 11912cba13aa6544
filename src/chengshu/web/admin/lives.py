"""The life of a case: its moves drawn from the table, and told one by one. Also for printing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from markupsafe import Markup

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Kind, Move, State
from chengshu.parties.roles import STAFF, Role
from chengshu.web import words
from chengshu.web.admin import diagram
from chengshu.web.admin.diagram import Arrow, Box
from chengshu.web.admin.field_words import word
from chengshu.web.context import DESK
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import local

NEEDS = {
    "unit": gettext_noop("a unit"),
    "note": gettext_noop("words"),
    "type": gettext_noop("a case type"),
    "evidence": gettext_noop("evidence"),
    "type_evidence": gettext_noop("the evidence that its case type asks for"),
    "rating": gettext_noop("a rating"),
    "tasks_done": gettext_noop("that all assisting tasks are done"),
    "task": gettext_noop("an open task of one's own unit"),
    "target": gettext_noop("another case"),
    "until": gettext_noop("a time"),
    "tracker": gettext_noop("a person who tracks"),
    "window": gettext_noop("to be within the time for reopening"),
    "undo": gettext_noop("to be done at once, by who made the step"),
}
DOES = {
    "create_task": gettext_noop("gives the unit a task"),
    "finish_tasks": gettext_noop("finishes the tasks"),
    "cancel_tasks": gettext_noop("takes the tasks back"),
    "task_done": gettext_noop("marks the task as done"),
    "count_return": gettext_noop("counts a return"),
    "count_rework": gettext_noop("counts a rework"),
    "merge": gettext_noop("joins the case to another"),
    "split": gettext_noop("gives another unit a task"),
    "urge": gettext_noop("counts an urging"),
    "track": gettext_noop("names a tracker"),
    "escalate": gettext_noop("raises the level of escalation"),
    "extend": gettext_noop("moves the due time"),
    "undo": gettext_noop("takes the step back"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A move in words: from where to where, who may, what it needs, what it does, what happens to the clocks, why."""

    code: str
    label: str
    starts: Sequence[str]
    end: str
    roles: str
    needs: Sequence[str]
    not_who: Sequence[str]
    does: Sequence[str]
    clocks: Sequence[str]
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LifePage:
    """One kind of case: its diagram, its states, and all its moves."""

    kinds: Sequence[Kind]
    kind: Kind
    picture: Markup
    states: Sequence[tuple[State, Sequence[Told]]]
    moves: Sequence[Told]


@page(roles=DESK | {Role.ADMINISTRATOR, Role.STEWARD})
def show(request: Request) -> HttpResponse:
    """The life of a kind of case."""
    catalog, asked = known(request), text(request, "kind", 60)
    kinds = [kind for kind in catalog.kinds.values() if kind.pk in catalog.opening_moves]
    kind = next((kind for kind in kinds if kind.code == asked), kinds[0])
    states = sorted((s for s in catalog.states.values() if s.kind_id == kind.pk and s.phase != "new"), key=_rank)
    moves = _moves(catalog, kind)
    told = {code: _told(catalog, rows) for code, rows in moves.items()}
    return respond(
        request,
        "admin/moves.html",
        LifePage(
            kinds=kinds,
            kind=kind,
            picture=_picture(kind, states, moves, told),
            states=[
                (s, [told[c] for c, rows in moves.items() if any(m.from_state_id == s.pk for m in rows)])
                for s in states
            ],
            moves=list(told.values()),
        ),
    )


def _rank(state: State) -> int:
    return state.rank


def _moves(catalog: Catalog, kind: Kind) -> dict[str, list[Move]]:
    """The moves of a kind by code, in the order of the pack; not the opening, which every case has."""
    rows = [m for m in catalog.moves.values() if m.kind_id == kind.pk and m.code != "open"]
    found: dict[str, list[Move]] = {}
    for move in sorted(rows, key=lambda m: (m.rank, catalog.states[m.from_state_id].rank)):
        found.setdefault(move.code, []).append(move)
    return found


def _told(catalog: Catalog, rows: Sequence[Move]) -> Told:
    move = rows[0]
    stays = all(m.from_state_id == m.to_state_id for m in rows)
    labels = {m.code: local(m, "label") for m in catalog.moves.values() if m.kind_id == move.kind_id}
    return Told(
        code=move.code,
        label=local(move, "label"),
        starts=[local(catalog.states[m.from_state_id], "label") for m in rows],
        end=_("stays") if stays else local(catalog.states[move.to_state_id], "label"),
        roles=_roles(move.roles),
        needs=[word(NEEDS, code) for code in move.needs],
        not_who=[_("who reported it") if code == "open" else labels.get(code, code) for code in move.not_who],
        does=[word(DOES, code) for code in move.does],
        clocks=list(_clocks(move)),
        why=local(move, "why"),
    )


def _roles(roles: Iterable[str]) -> str:
    codes = set(roles)
    if set(STAFF) <= codes:
        return _("everybody on the staff")
    return _(", ").join(words.role(role.value) for role in Role if role.value in codes)


def _clocks(move: Move) -> Iterable[str]:
    if move.clocks_pause:
        yield _("all clocks stand still")
    if move.clocks_resume:
        yield _("all clocks go on")
    for sentence, stages in ((_("stops: %(stages)s"), move.clocks_stop), (_("starts: %(stages)s"), move.clocks_start)):
        if stages:
            named = _(", ").join(_("all") if stage == "all" else words.stage(stage) for stage in stages)
            yield sentence % {"stages": named}


def _picture(kind: Kind, states: Sequence[State], moves: dict[str, list[Move]], told: dict[str, Told]) -> Markup:
    codes = {state.pk: state.code for state in states}
    stays = {pk: sum(m.from_state_id == pk == m.to_state_id for rows in moves.values() for m in rows) for pk in codes}
    boxes = [Box(code=s.code, label=local(s, "label"), phase=s.phase, stays=stays[s.pk]) for s in states]
    ends: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for code, rows in moves.items():
        for move in rows:
            if move.from_state_id != move.to_state_id and "undo" not in move.does:
                title = f"{told[code].label}: {told[code].roles}. {told[code].why}"
                pair = codes[move.from_state_id], codes[move.to_state_id]
                ends.setdefault(pair, []).append((f"#move-{code}", told[code].label, title))
    arrows = [Arrow(start=start, end=end, moves=own) for (start, end), own in ends.items()]
    return diagram.draw(boxes, arrows, title=local(kind, "label"))
