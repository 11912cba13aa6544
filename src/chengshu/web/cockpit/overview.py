"""The cockpit: today's exceptions first, then the indicators and where the open cases lie; every number opens its list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.models import Case
from chengshu.cases.overview import NONE, Overview, Row, must_act, overview
from chengshu.evaluation.growth import Growth, growing
from chengshu.web import tiles as map_tiles
from chengshu.web.cockpit.place import SPANS, Here, here
from chengshu.web.cockpit.tiles import Tile, tiles
from chengshu.web.context import WATCHING
from chengshu.web.pages import Request, page, respond
from chengshu.web.words import local

MUST, MUST_ON_WALL = 6, 10
# Exceptions and what one does about each; the first is the gravest.
EXCEPTIONS = (
    ("overdue", gettext_noop("Overdue"), "alarm", "supervise"),
    ("escalated", gettext_noop("Escalated"), "alarm", "supervise"),
    ("untracked", gettext_noop("Urgent without a tracker"), "alarm", "track"),
    ("urged", gettext_noop("Urged"), "soon", "urge"),
    ("repeated", gettext_noop("Returned, reworked or reopened"), "soon", "supervise"),
    ("unassigned", gettext_noop("Without unit"), "soon", "dispatch"),
    ("soon", gettext_noop("Due within a day"), "soon", "urge"),
)
PLAIN = (
    ("open", gettext_noop("Open")),
    ("urgent", gettext_noop("Urgent")),
    ("suspended", gettext_noop("Suspended")),
    ("today", gettext_noop("Reported today")),
    ("ended_today", gettext_noop("Ended today")),
)
NAMES = {code: name for code, name, *_more in (*EXCEPTIONS, *PLAIN)} | {
    "last_24h": gettext_noop("Reported in the last 24 hours")
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number of cases, the list behind it, and the same list with an act chosen; `tone` is alarm, soon or nothing."""

    name: str
    count: int
    href: str
    tone: str
    act: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A row of a table: its name, the next division down (if any), and both numbers with their lists."""

    name: str
    down: str
    open: int
    overdue: int
    href: str
    late_href: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CockpitPage:
    """An area now."""

    here: Here
    spans: tuple[int, ...]
    exceptions: tuple[Figure, ...]
    plain: tuple[Figure, ...]
    growing: Sequence[Growth]
    must: Sequence[Case]
    tiles: tuple[Tile, ...]
    divisions: tuple[Line, ...]
    units: tuple[Line, ...]
    types: tuple[Line, ...]
    states: tuple[Line, ...]
    tiles_url: str
    attribution: str


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The cockpit, whose numbers refresh themselves."""
    template = "cockpit/overview_parts.html" if request.htmx and not request.htmx.boosted else "cockpit/overview.html"
    return respond(request, template, _page(here(request), MUST))


@page(roles=WATCHING)
def wall(request: Request) -> HttpResponse:
    """The same for a wall: few things in large type, what somebody must act on first."""
    template = "cockpit/wall_parts.html" if request.htmx and not request.htmx.boosted else "cockpit/wall.html"
    return respond(request, template, _page(here(request), MUST_ON_WALL))


def _page(place: Here, must: int) -> CockpitPage:
    found = overview(place.known, place.division, place.now)
    return CockpitPage(
        here=place,
        spans=SPANS,
        exceptions=tuple(_figure(place, found, code, name, tone, act) for code, name, tone, act in EXCEPTIONS),
        plain=tuple(_figure(place, found, code, name) for code, name in PLAIN),
        growing=growing(place.known, place.division, place.now),
        must=must_act(place.known, place.division, place.now, must),
        tiles=tiles(place),
        divisions=tuple(_division(place, row) for row in found.divisions),
        units=tuple(_line(place, row, "unit", "name") for row in found.units),
        types=tuple(_line(place, row, "type", "name") for row in found.types),
        states=tuple(_line(place, row, "state", "label") for row in found.states),
        tiles_url=settings.TILES_URL if map_tiles.host() else "",
        attribution=settings.TILES_ATTRIBUTION,
    )


def _figure(place: Here, found: Overview, code: str, name: str, tone: str = "", act: str = "") -> Figure:
    count = found.counts[code]
    href = place.cases(code)
    chosen = place.cases(code, move=act) if act and count else ""
    return Figure(name=_(name), count=count, href=href, tone=tone if count else "", act=chosen)


def _line(place: Here, row: Row, by: str, label: str) -> Line:
    code = row.thing.code if row.thing else NONE
    return Line(
        name=local(row.thing, label) if row.thing else _("none"),
        down="",
        open=row.open,
        overdue=row.overdue,
        href=place.cases("open", **{by: code}),
        late_href=place.cases("overdue", **{by: code}),
    )


def _division(place: Here, row: Row) -> Line:
    """A division below; what lies in none of them keeps to the division itself."""
    if row.thing is None:
        links = {which: place.cases(which, below=NONE) for which in ("open", "overdue")}
        name, down = _("place not known more exactly"), ""
    else:
        links = {which: place.cases(which, division=row.thing.pk) for which in ("open", "overdue")}
        name, down = local(row.thing, "name"), place.at("cockpit", division=row.thing.pk)
    return Line(
        name=name, down=down, open=row.open, overdue=row.overdue, href=links["open"], late_href=links["overdue"]
    )
