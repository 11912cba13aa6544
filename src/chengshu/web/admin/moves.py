"""One move of the life of a case as a form: checked, shown with the diagram it would make, saved with a reason, taken back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import STAGES
from chengshu.core.errors import ChengshuError, NotFound
from chengshu.packs import editing, lives, revisions
from chengshu.packs.editing import Proposal
from chengshu.packs.life_files import SAME
from chengshu.packs.records import OPEN
from chengshu.parties.roles import Role
from chengshu.places.models import City
from chengshu.web import words
from chengshu.web.admin import field_words, life_changes
from chengshu.web.admin.field_words import DOES, NEEDS
from chengshu.web.admin.frame import ADMIN, READERS, Difference, Wrong, changed_wrong, may_edit, why
from chengshu.web.admin.lives import drawn
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, page, respond, text

TEXTS = ("code", "label", "label_en", "to", "why", "why_en")
LISTS = ("from", "roles", "needs", "not_who", "does", "stop", "start")
HOLDS = ("pause", "resume")
MOST = 60  # things chosen of one list
ALL = "all"

_CODE = re.compile(r"[a-z][a-z0-9_]*")

Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class MovePage:
    """The form of a move: its texts, what is chosen of each list, what the lists offer, and what saving would change.

    `code` is that of a move which is there, empty for a new one; `picture` the diagram that the change would make.
    """

    kind: str
    kind_name: str
    code: str
    title: str
    form: Form
    chosen: Mapping[str, Sequence[str]]
    offers: Mapping[str, Options]
    seen: str
    may_edit: bool
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)
    differences: Sequence[Difference] | None = None
    notes: Sequence[str] = ()
    picture: Markup | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierPage:
    """The life of a kind as it was before a change: its diagram, and what going back to it would change."""

    kind: str
    kind_name: str
    number: str
    seen: str
    may_edit: bool
    differences: Sequence[Difference]
    notes: Sequence[str]
    picture: Markup
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """One move, or the form for a new one."""
    city, kind, code = known(request).city, _kind(request), text(request, "code", 60)
    entry, seen = lives.opened(city, kind, code)
    return respond(request, "admin/move.html", _page(request, kind, code, {"to": SAME} | entry, seen))


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Check, save or retire a move."""
    city, kind, code = editing.editor(request.principal), _kind(request), text(request, "code_now", 60)
    entry = _read(request) | ({"code": code} if code else {})
    page = replace(_page(request, kind, code, entry, text(request, "seen", 20)), why=why(request))
    retiring = text(request, "do", 10) == "retire"
    if not retiring and not _complete(page.form, page.chosen):
        return respond(request, "admin/move.html", page, status=422)
    try:
        proposal = _proposal(city, kind, code, entry, retiring=retiring)
        if text(request, "do", 10) == "check":
            return respond(request, "admin/move.html", _checked(request, page, proposal))
        saved = editing.save(request.principal, proposal, why=page.why, seen=page.seen)
    except ChengshuError as error:
        wrong = Wrong.of(error, field_words.field)
        return respond(request, "admin/move.html", replace(page, wrong=wrong), status=error.status)
    return _saved(request, kind, saved)


def _proposal(city: City, kind: str, code: str, entry: Mapping[str, Any], *, retiring: bool) -> Proposal:
    return lives.retire_move(city, kind, code) if retiring else lives.propose_move(city, kind, entry, code=code)


def _checked(request: Request, page: MovePage, proposal: Proposal) -> MovePage:
    names = life_changes.Names.of(known(request), page.kind, proposal)
    return replace(
        page,
        wrong=changed_wrong(known(request).city, proposal, page.seen),
        differences=life_changes.proposed(names, proposal),
        notes=_notes(proposal),
        picture=drawn(proposal.pack, page.kind),
    )


@page("GET", roles=READERS)
def show_earlier(request: Request) -> HttpResponse:
    """The life of a kind as it was before a change."""
    proposal = _earlier(request)
    return respond(request, "admin/move_earlier.html", _earlier_page(request, proposal, proposal.seen))


@page("POST", roles=ADMIN)
def go_back(request: Request) -> HttpResponse:
    """Put the life of a kind back to what it was before a change."""
    editing.editor(request.principal)
    proposal, seen = _earlier(request), text(request, "seen", 20)
    try:
        how = revisions.RETURN
        saved = editing.save(request.principal, proposal, why=why(request), seen=seen, how=how)
    except ChengshuError as error:
        page = replace(_earlier_page(request, proposal, seen), why=why(request))
        wrong = Wrong.of(error, field_words.field)
        return respond(request, "admin/move_earlier.html", replace(page, wrong=wrong), status=error.status)
    return _saved(request, proposal.key, saved)


def _earlier(request: Request) -> Proposal:
    number = text(request, "number", 18)
    wanted = int(number) if number.isascii() and number.isdecimal() else 0
    return lives.earlier(known(request).city, _kind(request), wanted)


def _earlier_page(request: Request, proposal: Proposal, seen: str) -> EarlierPage:
    names = life_changes.Names.of(known(request), proposal.key, proposal)
    return EarlierPage(
        kind=proposal.key,
        kind_name=names.kind,
        number=text(request, "number", 18),
        seen=seen,
        may_edit=may_edit(request),
        differences=life_changes.proposed(names, proposal),
        notes=_notes(proposal),
        picture=drawn(proposal.pack, proposal.key),
    )


def _notes(proposal: Proposal) -> list[str]:
    return [*([] if proposal.plan.changes else [_("Nothing would change.")]), *proposal.plan.obstacles]


def _saved(request: Request, kind: str, saved: object) -> HttpResponse:
    if saved:
        messages.success(request, _("Saved: it counts from now on."))
    else:
        messages.info(request, _("Nothing was changed: it is so already."))
    return HttpResponseRedirect(f"{reverse('admin_moves')}?{urlencode({'kind': kind})}")


def _kind(request: Request) -> str:
    kind = text(request, "kind", 60)
    if kind not in known(request).kind_codes:
        raise NotFound(_("There is no such kind of case."), where=kind, remedy=_("Choose one of the list."))
    return kind


def _read(request: Request) -> dict[str, Any]:
    """The entry of moves.yaml that a form describes; what is empty is left out, as in the file."""
    texts = {name: text(request, name, 2_000) for name in TEXTS if name != "why"} | {
        "why": text(request, "because", 2_000)
    }
    lists = {name: [one[:60] for one in request.POST.getlist(name)[:MOST]] for name in LISTS}
    clocks: dict[str, Any] = {name: lists[name] for name in ("stop", "start") if lists[name]}
    clocks |= {name: ALL for name in HOLDS if text(request, name, 5)}
    more: dict[str, Any] = {name: lists[name] for name in ("needs", "not_who", "does") if lists[name]}
    more |= {"clocks": clocks} if clocks else {}
    more |= {"why_en": texts["why_en"]} if texts["why_en"] else {}
    return {name: texts[name] for name in ("code", "label", "label_en", "to", "why")} | {
        "from": lists["from"], "roles": lists["roles"], **more,
    }  # fmt: skip


def _complete(form: Form, chosen: Mapping[str, Sequence[str]]) -> bool:
    """Whether all that a move must have was filled in; what was not is an error of the form."""
    form.require("label", _("Enter the name."))
    form.require("label_en", _("Enter the name in English."))
    form.require("because", _("Say what the move is for: people read it where they choose."))
    if not _CODE.fullmatch(form.require("code", _("Enter a code."))):
        form.errors.setdefault("code", _("Use small letters, digits and _ only in the code, a letter first."))
    if not chosen["from"]:
        form.errors["from"] = _("Choose at least one state from which the move is made.")
    if not chosen["roles"]:
        form.errors["roles"] = _("Choose at least one role that makes the move.")
    return form.ok


def _page(request: Request, kind: str, code: str, entry: Mapping[str, Any], seen: str) -> MovePage:
    catalog = known(request)
    names = life_changes.Names.of(catalog, kind)
    clocks = entry.get("clocks", {})
    values = {name: str(entry.get(name, "")) for name in TEXTS if name != "why"} | {
        "because": str(entry.get("why", ""))
    }
    return MovePage(
        kind=kind,
        kind_name=names.kind,
        code=code,
        title=names.moves.get(code, code),
        form=Form(values=values),
        chosen={name: entry.get(name, clocks.get(name, ())) for name in LISTS}
        | {name: [name] if name in clocks else [] for name in HOLDS},
        offers=_offers(catalog, kind, names),
        seen=seen,
        may_edit=may_edit(request),
    )


def _offers(catalog: Catalog, kind: str, names: life_changes.Names) -> dict[str, Options]:
    own = catalog.kind_codes[kind].pk
    states = sorted((s for s in catalog.states.values() if s.kind_id == own and s.phase != "new"), key=lambda s: s.rank)
    made = [m for m in catalog.moves.values() if m.kind_id == own and m.code != OPEN and "undo" not in m.does]
    others = dict.fromkeys(m.code for m in sorted(made, key=lambda m: m.rank))
    stages = [(stage, words.stage(stage)) for stage in STAGES]
    return {
        "from": [(s.code, names.states[s.code]) for s in states],
        "to": [(SAME, _("stays where it is")), *((s.code, names.states[s.code]) for s in states)],
        "roles": [(role.value, words.role(role.value)) for role in Role],
        "needs": [(need, _(told)) for need, told in NEEDS.items() if need != "undo"],
        "not_who": [(OPEN, _("who reported it")), *((code, names.moves[code]) for code in others)],
        "does": [(effect, _(told)) for effect, told in DOES.items()],
        "stop": [*stages, (ALL, _("all"))],
        "start": stages,
    }
