"""The list behind a number of the cockpit: as many cases as it said, what it counts, and acts on all that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import choices
from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Move
from chengshu.cases.overview import NONE, Asked, at_hour, listed, narrowed, with_related
from chengshu.core.errors import Invalid
from chengshu.evaluation.indicators import indicator
from chengshu.evaluation.series import NOBODY, behind
from chengshu.evaluation.shifts import made_in, shift_at, span
from chengshu.parties.access import colleagues
from chengshu.parties.models import Account
from chengshu.web import batch
from chengshu.web.cockpit.overview import NAMES
from chengshu.web.cockpit.place import Here, here
from chengshu.web.context import WATCHING
from chengshu.web.days import a_day, a_time
from chengshu.web.pages import Request, back, page, respond, text
from chengshu.web.words import day, language, local, moment

SIZE = 100
VERBS = ("supervise", "urge", "track")  # offered first, in this order
SAYS = {
    "open": gettext_noop("Cases that are neither closed nor ended otherwise."),
    "overdue": gettext_noop(
        "Open cases of which a running clock has passed its due time. Resting clocks do not count."
    ),
    "escalated": gettext_noop("Open cases that were escalated because they were late."),
    "urged": gettext_noop("Open cases that the reporter, a shift leader or a supervisor pressed for."),
    "repeated": gettext_noop("Open cases returned at least twice, sent back for rework, or opened again."),
    "urgent": gettext_noop("Open cases of the gravest severity."),
    "untracked": gettext_noop("Open cases of the gravest severity that no named person follows."),
    "soon": gettext_noop("Open cases of which a running clock falls due within 24 hours."),
    "unassigned": gettext_noop("Open cases for which no unit is responsible yet."),
    "suspended": gettext_noop("Open cases whose clocks rest until a date."),
    "today": gettext_noop("Cases opened since midnight, whether open or not."),
    "ended_today": gettext_noop("Cases closed, rejected, withdrawn or merged since midnight."),
    "last_24h": gettext_noop("Cases opened in the last 24 hours, whether open or not."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a list is about: a title, a definition, how many rows were counted, and which cases they belong to.

    `ids` are those cases in the order of the rows, one for each row; without them the cases come by due time. A case may have
    several rows unless each counts `once`.
    """

    title: str
    definition: str
    count: int
    cases: QuerySet[Case]
    ids: QuerySet[Any, UUID] | None = None
    once: bool = True

    def page(self, known: Catalog, start: int) -> list[Case]:
        """SIZE cases, or fewer at the end or where some have several rows."""
        if self.ids is None:
            ordered = self.cases.order_by(F("due_at").asc(nulls_last=True), "-pk")
            return with_related(known, ordered[start : start + SIZE])
        wanted = list(dict.fromkeys(self.ids[start : start + SIZE]))
        found = Case.objects.in_bulk(wanted)
        return with_related(known, (found[id] for id in wanted))


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPage:
    """The list with the acts it offers; `size` cases are shown of `distinct`."""

    here: Here
    found: Found
    distinct: int
    cases: Sequence[Case]
    acts: Sequence[Move]
    act: str
    people: Sequence[Account]
    address: str
    next: str


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The list behind a number."""
    place = here(request)
    found = _found(request, place)
    start = _start(text(request, "from", 7))
    rows = found.page(place.known, start)
    distinct = found.count if found.once else found.cases.count()
    acts = offered(place.known, request.principal.role, rows)
    again = request.GET.copy()
    again["from"] = str(start + SIZE)
    page = ListPage(
        here=place,
        found=found,
        distinct=distinct,
        cases=rows,
        acts=acts,
        act=text(request, "move", 50),
        people=colleagues(request.principal) if any("tracker" in move.needs for move in acts) else [],
        address=request.get_full_path(),
        next=f"?{again.urlencode()}" if found.count > start + SIZE else "",
    )
    return respond(request, "cockpit/cases.html", page)


def _start(value: str) -> int:
    return int(value) if value.isascii() and value.isdecimal() else 0


def _found(request: Request, place: Here) -> Found:
    if text(request, "indicator", 50):
        return _of_indicator(request, place)
    if text(request, "made", 50):
        return _of_shift(request, place)
    return _of_now(request, place)


def _of_now(request: Request, place: Here) -> Found:
    asked = Asked(
        which=text(request, "which", 30) or "open",
        division=place.division,
        below=text(request, "below", 1),
        **{name: text(request, name, 100) for name in ("unit", "type", "state", "scene", "thing")},
    )
    cases = listed(place.known, asked, place.now)
    title = _title(place, _(NAMES[asked.which]), _narrowed(place.known, asked))
    return Found(title=title, definition=_(SAYS[asked.which]), count=cases.count(), cases=cases)


def _narrowed(known: Catalog, asked: Asked) -> list[str]:
    """What the list is narrowed to, in words."""
    found = []
    for code, table, label in (
        (asked.unit, known.department_codes, "name"),
        (asked.type, known.type_codes, "name"),
        (asked.state, {state.code: state for state in known.states.values()}, "label"),
    ):
        if code:
            found.append(_("none") if code == NONE else local(table[code], label) if code in table else code)
    return [*found, *filter(None, [asked.thing])]


def _title(place: Here, name: str, narrowed: Sequence[str] = ()) -> str:
    return " · ".join([local(place.place, "name"), name, *narrowed])


def _of_indicator(request: Request, place: Here) -> Found:
    each = indicator(text(request, "indicator", 50))
    first, last = (a_day(text(request, name, 10), place.last) for name in ("first", "last"))
    if last < first:
        raise Invalid(_("The period ends before it begins."), where="last", remedy=_("Give the earlier day first."))
    unit, type = _unit(place.known, text(request, "unit", 100)), text(request, "type", 100)
    ids = behind(request.principal, each, first, last, division=place.division, unit=unit)
    days = day(first) if first == last else f"{day(first)} – {day(last)}"
    asked = Asked(which="open", division=place.division, unit=text(request, "unit", 100), type=type)
    title = _title(place, each.label.to(language()), [*_narrowed(place.known, asked), days])
    found = _counted(title, each.definition.to(language()), ids, once=not each.measure.case)
    if type or text(request, "below", 1):
        found = _of(found, narrowed(place.known, found.cases, replace(asked, unit="", below=text(request, "below", 1))))
    return _at_hour(request, place, found) if text(request, "hour", 2) else found


def _unit(known: Catalog, code: str) -> int | None:
    """The id of a unit by code; one that does not exist has no cases."""
    if code in {"", NONE}:
        return NOBODY if code else None
    return known.department_codes[code].pk if code in known.department_codes else -1


def _of(found: Found, cases: QuerySet[Case]) -> Found:
    return replace(found, count=cases.count(), cases=cases, ids=None, once=True)


def _at_hour(request: Request, place: Here, found: Found) -> Found:
    """Those that came in on one weekday at one hour."""
    weekday, hour = text(request, "weekday", 1), text(request, "hour", 2)
    if not (weekday.isdecimal() and hour.isdecimal()):
        raise Invalid(_("This is not an hour."), where="hour", remedy=_("Open it from the table."))
    cases = at_hour(place.known, found.cases, int(weekday), int(hour))
    return replace(_of(found, cases), title=f"{found.title} · {int(hour):02d}:00")


def _of_shift(request: Request, place: Here) -> Found:
    code, zone = text(request, "made", 50), place.known.zone
    start = a_time(text(request, "start", 40), zone, _("Open it from the handover."))
    told = span(place.known, place.division, shift_at(place.known, start))
    ids = made_in(request.principal, place.division, told, code)
    words = f"{moment(told.start, zone)} – {moment(told.end, zone)}"
    title = _title(place, batch.label(place.known, code), [words])
    return _counted(title, _("Cases on which this move was made in the shift."), ids)


def _counted(title: str, definition: str, ids: QuerySet[Any, UUID], *, once: bool = False) -> Found:
    cases = Case.objects.filter(pk__in=ids.order_by())
    return Found(title=title, definition=definition, count=ids.count(), cases=cases, ids=ids, once=once)


def offered(known: Catalog, role: str, cases: Sequence[Case]) -> list[Move]:
    """Moves that this role can make on some of the cases at once; pressing and naming a tracker come first."""
    found: dict[str, Move] = {}
    for state, kind in sorted({(case.state_id, case.kind_id) for case in cases}):
        for move in known.moves_from(kind, state):
            if role in move.roles and choices.at_once(move, also=["tracker"]):
                found.setdefault(move.code, move)
    rank = {code: at for at, code in enumerate(VERBS)}
    return sorted(found.values(), key=lambda move: (rank.get(move.code, len(rank)), move.rank))


@page("POST", roles=WATCHING)
def act(request: Request) -> HttpResponse:
    """Make one move on all cases chosen, and tell what became of each."""
    code = text(request, "move", 50)
    requests = batch.chosen(request, code, SIZE) if code else []
    if not requests:
        messages.warning(request, _("Choose cases and a move."))
        return back(request, reverse("cockpit"))
    batch.tell(request, code, advance(requests, actor=request.principal))
    return back(request, reverse("cockpit"))
