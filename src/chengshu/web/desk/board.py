"""The desk: the cases that a post sees, narrowed by what it is looking for, and moves on several at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from chengshu.cases import choices, search
from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog
from chengshu.cases.detail import explain
from chengshu.cases.models import CaseType, Move, State
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.core.errors import Invalid
from chengshu.parties.models import Department
from chengshu.places.models import Division
from chengshu.web.context import DESK
from chengshu.web.pages import Request, back, known, page, respond, text
from chengshu.web.words import local

VIEWS = {
    "todo": gettext_noop("For me to do"),
    "open": gettext_noop("Open"),
    "overdue": gettext_noop("Overdue"),
    "soon": gettext_noop("Due within a day"),
    "urgent": gettext_noop("Urgent"),
    "escalated": gettext_noop("Escalated"),
    "suspended": gettext_noop("Suspended"),
    "unassigned": gettext_noop("Without unit"),
    "today": gettext_noop("Reported today"),
    "ended_today": gettext_noop("Ended today"),
    "ended": gettext_noop("Ended"),
    "all": gettext_noop("All"),
}
HIDDEN = {"today", "ended_today"}  # reached from the overview; shown among the views only while looked at
OPEN: Mapping[str, bool | None] = {"ended": False, "ended_today": False, "all": None, "today": None}
SOON = timedelta(days=1)
NARROWED = ("q", "type", "major", "state", "unit", "division", "source", "scene", "ids")
NONE = "-"  # as unit or type: the cases that have none
VERSION = re.compile(r"[0-9]{1,9}")  # all that a version can be; the database's are of 32 bits
SIZE = 50
MOST = 200  # cases moved at once


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One of the ready-made lists."""

    code: str
    name: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskPage:
    """A list of cases, its filters as they were set, and what the filters and the bulk form offer."""

    views: tuple[View, ...]
    view: str
    filters: Mapping[str, str]
    found: search.Page
    next: str
    here: str
    states: Sequence[tuple[str, State]]
    majors: Sequence[CaseType]
    units: Sequence[Department]
    districts: Sequence[Division]
    bulk: Sequence[tuple[Move, tuple[int, ...]]]


@page(roles=DESK)
def show(request: Request) -> HttpResponse:
    """The list; a part of the page that was filtered by script gets only the list."""
    catalog, now = known(request), datetime.now(UTC)
    view = text(request, "view", 20)
    view = view if view in VIEWS else ("todo" if choices.to_act(catalog, request.principal.role) else "open")
    values = {name: text(request, name, 4_000 if name == "ids" else 200) for name in NARROWED}
    found = search.page(
        request.principal,
        filters(catalog, request, view, values, now),
        now=now,
        order="due" if OPEN.get(view, True) else "new",
        cursor=text(request, "cursor", 200) or None,
        size=SIZE,
    )
    page = _page(request, catalog, view, values, found)
    return respond(
        request, "desk/board_list.html" if request.htmx and not request.htmx.boosted else "desk/board.html", page
    )


def _page(request: Request, catalog: Catalog, view: str, values: Mapping[str, str], found: search.Page) -> DeskPage:
    kept = {name: value for name, value in values.items() if value}
    wide = request.principal.department is None or request.principal.role != "handler"
    return DeskPage(
        views=tuple(_view(code, view, kept) for code in VIEWS if code not in HIDDEN or code == view),
        view=view,
        filters=values,
        found=found,
        next=_href({**kept, "view": view, "cursor": found.next}) if found.next else "",
        here=request.get_full_path(),
        states=choices.states(catalog),
        majors=choices.majors(catalog),
        units=choices.wide_units(catalog) if wide else [],
        districts=choices.districts(catalog) if wide else [],
        bulk=choices.bulk(catalog, request.principal.role, (case.state_id for case in found.cases)),
    )


def _view(code: str, current: str, kept: Mapping[str, str]) -> View:
    href = _href({"view": code, **{name: value for name, value in kept.items() if name != "state"}})
    return View(code=code, name=_(VIEWS[code]), href=href, current=code == current)


def _href(values: Mapping[str, object]) -> str:
    return f"{reverse('desk')}?{urlencode(values)}"


def filters(catalog: Catalog, request: Request, view: str, values: Mapping[str, str], now: datetime) -> search.Filters:
    """The filters of a list: those of its view, narrowed by the form."""
    return search.Filters(
        q=values["q"],
        type="" if values["type"] == NONE else values["type"],
        untyped=values["type"] == NONE,
        major=values["major"],
        state=(values["state"],) if values["state"] else (),
        states=choices.to_act(catalog, request.principal.role) if view == "todo" and not values["state"] else None,
        unit="" if values["unit"] == NONE else values["unit"],
        unplaced=values["division"] == NONE,
        division=int(values["division"]) if values["division"].isdecimal() and len(values["division"]) < 18 else None,
        source=values["source"],
        scene=values["scene"],
        open=OPEN.get(view, True),
        opened_from=_midnight(catalog, now) if view == "today" else None,
        closed_from=_midnight(catalog, now) if view == "ended_today" else None,
        overdue=view == "overdue",
        suspended=True if view == "suspended" else None,
        escalated=view == "escalated",
        unassigned=view == "unassigned" or values["unit"] == NONE,
        severity_max=1 if view == "urgent" else None,
        due_before=now + SOON if view == "soon" else None,
        ids=_ids(values["ids"]),
    )


def _midnight(catalog: Catalog, now: datetime) -> datetime:
    return now.astimezone(catalog.zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _ids(joined: str) -> tuple[UUID, ...] | None:
    try:
        return tuple(UUID(part) for part in joined.split(",")) if joined else None
    except ValueError as error:
        raise Invalid(_("This list of cases cannot be read."), where="ids", remedy=_("Open it again.")) from error


@page("POST", roles=DESK)
def move(request: Request) -> HttpResponse:
    """Make one move on all cases chosen, and tell what became of each."""
    code, chosen = text(request, "move", 50), request.POST.getlist("case")[:MOST]
    if not code or not chosen:
        messages.warning(request, _("Choose cases and a move."))
        return back(request, reverse("desk"))
    verdicts = advance([_request(request, each, code) for each in chosen], actor=request.principal)
    _tell(request, code, verdicts)
    return back(request, reverse("desk"))


def _request(request: Request, chosen: str, code: str) -> MoveRequest:
    """A chosen row is `id:version`, so that whoever moved it first is not overrun."""
    id, _colon, version = chosen.partition(":")
    try:
        case, seen = UUID(id), VERSION.fullmatch(version)
    except ValueError:
        seen = None
    if seen is None:
        raise Invalid(_("This list of cases cannot be read."), where="case", remedy=_("Open it again."))
    return MoveRequest(
        case=case, move=code, version=int(version), note=text(request, "note"), unit=text(request, "unit", 100) or None
    )


def _tell(request: Request, code: str, verdicts: Sequence[Verdict]) -> None:
    name = next((local(m, "label") for m in known(request).moves.values() if m.code == code), code)
    if done := sum(verdict.ok for verdict in verdicts):
        words = ngettext("%(move)s: %(n)s case.", "%(move)s: %(n)s cases.", done)
        messages.success(request, words % {"move": name, "n": done})
    refused = Counter((v.verdict, v.detail) for v in verdicts if not v.ok)
    for (verdict, detail), count in refused.items():
        numbers = _(", ").join(v.number or "?" for v in verdicts if (v.verdict, v.detail) == (verdict, detail))[:200]
        words = ngettext("%(n)s case was not moved", "%(n)s cases were not moved", count) % {"n": count}
        messages.error(request, f"{words} ({numbers}): {_why(verdict, detail)}")


def _why(verdict: str, detail: str) -> str:
    return _("Your post does not make this move.") if verdict == "forbidden" else explain(verdict, detail)
