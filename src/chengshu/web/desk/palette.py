"""Go anywhere by typing: cases, lists, places, units and case types that fit the words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import search, telephones
from chengshu.cases.catalog import Catalog
from chengshu.web.context import DESK, links
from chengshu.web.desk import saved
from chengshu.web.desk.asked import VIEWS, Asked, asked, default_view
from chengshu.web.desk.lines import case_href
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import local

CASES, OTHERS = 8, 5  # entries of a group


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Somewhere to go."""

    name: str
    about: str
    href: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Entries of one sort, under its name."""

    name: str
    entries: tuple[Entry, ...]


@page(roles=DESK)
def show(request: Request) -> HttpResponse:
    """The entries that fit what was typed; without words the lists and rooms."""
    catalog, q = known(request), text(request, "q", 200)
    groups = [
        Group(name=_("Cases"), entries=tuple(_cases(request, q)) if q else ()),
        Group(name=_("Lists"), entries=_first(_lists(request, catalog), q, 20 if not q else OTHERS)),
        Group(name=_("Places"), entries=_first(_places(catalog), q, OTHERS) if q else ()),
        Group(name=_("Units"), entries=_first(_units(catalog), q, OTHERS) if q else ()),
        Group(name=_("Case types"), entries=_first(_types(catalog), q, OTHERS) if q else ()),
        Group(name=_("Rooms"), entries=_first(_rooms(request), q, OTHERS)),
    ]
    return respond(request, "desk/palette_part.html", [group for group in groups if group.entries])


def _first(entries: Iterable[Entry], q: str, most: int) -> tuple[Entry, ...]:
    """Those whose name or code holds all that was typed."""
    wanted = q.casefold().split()
    fitting = (one for one in entries if all(word in f"{one.name} {one.about}".casefold() for word in wanted))
    return tuple(islice(fitting, most))


def _cases(request: Request, q: str) -> Iterator[Entry]:
    if telephones.looks_like(q):  # looked for only when somebody means it: each search leaves a trace
        yield Entry(
            name=_("Search by telephone"),
            about=f"{telephones.masked(q)} · {_('This search is recorded.')}",
            href=f"{reverse('desk')}?{_query(q=q)}",
        )
        return
    found = search.page(request.principal, search.Filters(q=q), now=datetime.now(UTC), order="due", size=CASES)
    for case in found.cases:
        about = [case.number, local(case.state, "label"), local(case.unit, "name") if case.unit else ""]
        yield Entry(name=case.title, about=" · ".join(filter(None, about)), href=case_href(case.number))


def _query(**values: str) -> str:
    return asked(values | {"view": "all"}, "all").href().partition("?")[2]


def _lists(request: Request, catalog: Catalog) -> Iterator[Entry]:
    default = default_view(catalog, request.principal)
    for tab in saved.tabs(request.principal, default):
        yield Entry(name=tab.name, about=_("Saved view"), href=tab.href)
    for code, name in VIEWS.items():
        yield Entry(name=_(name), about="", href=Asked(view=code, values={}).href())


def _places(catalog: Catalog) -> Iterator[Entry]:
    for pk, place in catalog.divisions.items():
        if place.valid_to is None and pk != catalog.root:
            yield Entry(name=local(place, "name"), about=place.code, href=_open(division=str(pk)))


def _units(catalog: Catalog) -> Iterator[Entry]:
    for unit in catalog.departments.values():
        if unit.active:
            yield Entry(name=local(unit, "name"), about=unit.code, href=_open(unit=unit.code))


def _types(catalog: Catalog) -> Iterator[Entry]:
    for type in catalog.types.values():
        if type.active:
            yield Entry(name=local(type, "name"), about=local(type, "major"), href=_open(type=type.code))


def _rooms(request: Request) -> Iterator[Entry]:
    for link in links(request.principal, request.path):
        yield Entry(name=link.name, about="", href=link.href)


def _open(**values: str) -> str:
    return asked(values | {"view": "open"}, "open").href()
