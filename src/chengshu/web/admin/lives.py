"""The life of a case: its moves drawn from the table, and told one by one. Also for printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Kind, Move, State
from chengshu.packs.records import OPEN, Pack
from chengshu.parties.roles import STAFF, Role
from chengshu.web import words
from chengshu.web.admin import diagram, life_changes
from chengshu.web.admin.diagram import Arrow, Box
from chengshu.web.admin.field_words import DOES, NEEDS, word
from chengshu.web.admin.frame import READERS, Past, may_edit
from chengshu.web.context import DESK
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import local


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
    may_edit: bool
    history: Sequence[Past] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A move from one state to another as the diagram shows it; `title` is what a pointer is told."""

    code: str
    label: str
    title: str
    start: str
    end: str
    undo: bool


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
            picture=picture(
                local(kind, "label"),
                [(s.code, local(s, "label"), s.phase) for s in states],
                list(_drawn(catalog, moves, told)),
            ),
            states=[
                (s, [told[c] for c, rows in moves.items() if any(m.from_state_id == s.pk for m in rows)])
                for s in states
            ],
            moves=list(told.values()),
            may_edit=may_edit(request),
            history=life_changes.history(catalog, kind.code) if request.principal.role in READERS else None,
        ),
    )


def _rank(state: State) -> int:
    return state.rank


def _moves(catalog: Catalog, kind: Kind) -> dict[str, list[Move]]:
    """The moves of a kind by code, in the order of the pack; not the opening, which every case has."""
    rows = [m for m in catalog.moves.values() if m.kind_id == kind.pk and m.code != OPEN]
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
        not_who=[_("who reported it") if code == OPEN else labels.get(code, code) for code in move.not_who],
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


def _drawn(catalog: Catalog, moves: dict[str, list[Move]], told: dict[str, Told]) -> Iterable[Drawn]:
    states = catalog.states
    for code, rows in moves.items():
        title = f"{told[code].label}: {told[code].roles}. {told[code].why}"
        for move in rows:
            ends = {"start": states[move.from_state_id].code, "end": states[move.to_state_id].code}
            yield Drawn(code=code, label=told[code].label, title=title, undo="undo" in move.does, **ends)


def drawn(pack: Pack, kind: str) -> Markup:
    """The life of a kind as a pack has it: the preview of a change."""
    states = [(s.code, local(s, "label"), s.phase) for s in pack.states if s.kind == kind and s.phase != "new"]
    moves = [
        Drawn(
            code=m.code, label=local(m, "label"), title=f"{local(m, 'label')}: {_roles(m.roles)}. {local(m, 'why')}",
            start=m.from_state, end=m.to_state, undo="undo" in m.does,
        )
        for m in sorted(pack.moves, key=lambda m: m.rank) if m.kind == kind and m.code != OPEN
    ]  # fmt: skip
    return picture(next(local(k, "label") for k in pack.kinds if k.code == kind), states, moves)


def picture(title: str, states: Sequence[tuple[str, str, str]], moves: Sequence[Drawn]) -> Markup:
    """States as boxes (code, words, phase) and moves as arrows; taking a step back is not drawn."""
    stays = Counter(move.start for move in moves if move.start == move.end)
    boxes = [Box(code=code, label=label, phase=phase, stays=stays[code]) for code, label, phase in states]
    ends: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for move in moves:
        if move.start != move.end and not move.undo:
            ends.setdefault((move.start, move.end), []).append((f"#move-{move.code}", move.label, move.title))
    arrows = [Arrow(start=start, end=end, moves=own) for (start, end), own in ends.items()]
    return diagram.draw(boxes, arrows, title=title)
