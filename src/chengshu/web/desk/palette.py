"""Go anywhere by typing: cases, lists, places, units and case types that fit the words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases import search
from chengshu.cases.catalog import Catalog
from chengshu.web.context import DESK, links
from chengshu.web.desk import saved
from chengshu.web.desk.asked import VIEWS, Asked, asked, default_view
from chengshu.web.desk.lines import case_href
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import local

CASES, OTHERS = 8, 5  # entries of a group
Fits = Callable[..., bool]  # of a name and what is said about it


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
    fits = _fits(q)
    groups = [
        Group(name=_("Cases"), entries=tuple(_cases(request, q)) if q else ()),
        Group(name=_("Lists"), entries=_first(_lists(request, catalog, fits), 20 if not q else OTHERS)),
        Group(name=_("Places"), entries=_first(_places(catalog, fits), OTHERS) if q else ()),
        Group(name=_("Units"), entries=_first(_units(catalog, fits), OTHERS) if q else ()),
        Group(name=_("Case types"), entries=_first(_types(catalog, fits), OTHERS) if q else ()),
        Group(name=_("Rooms"), entries=_first(_rooms(request, fits), OTHERS)),
    ]
    return respond(request, "desk/palette_part.html", [group for group in groups if group.entries])


def _first(entries: Iterable[Entry], most: int) -> tuple[Entry, ...]:
    return tuple(islice(entries, most))


def _fits(q: str) -> Fits:
    """Whether a name or code holds all that was typed: asked before the entry is made, for a city has ten thousand places."""
    wanted = q.casefold().split()
    return lambda name, about="": all(word in f"{name} {about}".casefold() for word in wanted)


def _cases(request: Request, q: str) -> Iterator[Entry]:
    found = search.page(request.principal, search.Filters(q=q), now=datetime.now(UTC), order="due", size=CASES)
    for case in found.cases:
        about = [case.number, local(case.state, "label"), local(case.unit, "name") if case.unit else ""]
        yield Entry(name=case.title, about=" · ".join(filter(None, about)), href=case_href(case.number))


def _lists(request: Request, catalog: Catalog, fits: Fits) -> Iterator[Entry]:
    for tab in saved.tabs(request.principal, default_view(catalog, request.principal)):
        if fits(tab.name, _("Saved view")):
            yield Entry(name=tab.name, about=_("Saved view"), href=tab.href)
    for code, name in VIEWS.items():
        if fits(_(name)):
            yield Entry(name=_(name), about="", href=Asked(view=code, values={}).href())


def _places(catalog: Catalog, fits: Fits) -> Iterator[Entry]:
    for pk, place in catalog.divisions.items():
        name = local(place, "name")
        if fits(name, place.code) and place.valid_to is None and pk != catalog.root:
            yield Entry(name=name, about=place.code, href=_open(division=str(pk)))


def _units(catalog: Catalog, fits: Fits) -> Iterator[Entry]:
    for unit in catalog.departments.values():
        name = local(unit, "name")
        if fits(name, unit.code) and unit.active:
            yield Entry(name=name, about=unit.code, href=_open(unit=unit.code))


def _types(catalog: Catalog, fits: Fits) -> Iterator[Entry]:
    for type in catalog.types.values():
        name, major = local(type, "name"), local(type, "major")
        if fits(name, major) and type.active:
            yield Entry(name=name, about=major, href=_open(type=type.code))


def _rooms(request: Request, fits: Fits) -> Iterator[Entry]:
    for link in links(request.principal, request.path):
        if fits(link.name):
            yield Entry(name=link.name, about="", href=link.href)


def _open(**values: str) -> str:
    return asked(values | {"view": "open"}, "open").href()
