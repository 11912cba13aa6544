"""The desk: the cases that a post sees, narrowed by what it is looking for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from chengshu.cases import choices, search, telephones
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Move
from chengshu.parties.roles import READS_CONTACT
from chengshu.web.context import DESK
from chengshu.web.desk import saved
from chengshu.web.desk.asked import HIDDEN, KEPT, ORDERS, VIEWS, Asked, asked, default_view, filters
from chengshu.web.desk.bulk import Undo, undoable
from chengshu.web.desk.columns import Columns, columns
from chengshu.web.desk.lines import Line, lines
from chengshu.web.desk.offers import Offers, offers
from chengshu.web.pages import Request, known, page, respond, text

SIZE = 50
COUNTED = ("todo", "overdue", "soon", "urgent")  # ready-made lists whose tabs say how many there are


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One of the ready-made lists."""

    code: str
    name: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskPage:
    """A list of cases, its filters as they were set, and what the filters and the bulk form offer.

    `telephone` is that of the search shown, masked; `dials` whether this post may search by telephone, and `dialled` what was
    typed into the wrong box.
    """

    views: tuple[View, ...]
    tabs: Sequence[saved.Tab]
    tab: saved.Tab | None
    asked: Asked
    orders: Sequence[tuple[str, str]]
    lines: tuple[Line, ...]
    next: str
    here: str
    narrowed: bool
    offers: Offers
    wide: bool
    bulk: Sequence[tuple[Move, tuple[int, ...]]]
    undo: Undo | None
    telephone: str
    dials: bool
    dialled: str
    columns: Columns

    @property
    def filters(self) -> Mapping[str, str]:
        return self.asked.values


@page(roles=DESK)
def show(request: Request) -> HttpResponse:
    """The list; a part of the page that was filtered by script gets only the list."""
    catalog, now = known(request), datetime.now(UTC)
    default = default_view(catalog, request.principal)
    tabs = saved.tabs(request.principal, default)
    if not request.GET and (first := next((tab for tab in tabs if tab.own and tab.first), None)):
        return HttpResponseRedirect(first.href)
    wanted = asked(request.GET, default)
    found = search.page(
        request.principal,
        filters(catalog, request.principal, wanted, now),
        now=now,
        order=wanted.order,
        cursor=text(request, "cursor", 300) or None,
        size=SIZE,
    )
    part = request.htmx and not request.htmx.boosted
    page = _page(request, catalog, wanted, tabs, found, now)
    return respond(request, "desk/board_list.html" if part else "desk/board.html", page)


@page("POST", roles=READS_CONTACT)
def by_telephone(request: Request) -> HttpResponse:
    """To the cases of a telephone, by a word that does not show it: it stands in no address, here or there."""
    word = telephones.search(request.principal, text(request, "telephone", 40))
    return HttpResponseRedirect(asked({"view": "all", "tel": word}, "all").href())


def _page(
    request: Request, catalog: Catalog, wanted: Asked, tabs: Sequence[saved.Tab], found: search.Page, now: datetime
) -> DeskPage:
    principal, q, shown = request.principal, wanted.values["q"], columns(request.user)
    return DeskPage(
        views=tuple(_view(code, wanted) for code in VIEWS if code not in HIDDEN or code == wanted.view),
        tabs=[tab for tab in tabs if tab.pinned or not tab.own],
        tab=next((tab for tab in tabs if str(tab.id) == text(request, "saved", 12)), None),
        asked=wanted,
        orders=[(code, _(name)) for code, name in ORDERS.items()],
        lines=lines(catalog, found.cases, now, more=shown.added),
        next=wanted.href(cursor=found.next) if found.next else "",
        here=request.get_full_path(),
        narrowed=any(wanted.values.values()),
        offers=offers(catalog),
        wide=principal.department is None or principal.role != "handler",
        bulk=choices.bulk(catalog, principal.role, (case.state_id for case in found.cases)),
        undo=undoable(request, now),
        telephone=telephones.shown(principal, wanted.values["tel"])[0] if wanted.values["tel"] else "",
        dials=principal.role in READS_CONTACT,
        dialled=q if telephones.looks_like(q) else "",
        columns=shown,
    )


def _view(code: str, wanted: Asked) -> View:
    kept = {name: value for name, value in wanted.values.items() if name in KEPT and name != "state"}
    return View(
        code=code,
        name=_(VIEWS[code]),
        href=Asked(view=code, values=kept).href(),
        current=code == wanted.view,
    )


@page(roles=DESK)
def counts(request: Request) -> HttpResponse:
    """How many cases stand behind the tabs, asked for after the page is there."""
    catalog, now, principal = known(request), datetime.now(UTC), request.principal
    default = default_view(catalog, principal)
    ready = [
        (f"view-{code}", asked({"view": code}, default)) for code in COUNTED if code != "todo" or default == "todo"
    ]
    own = [(f"tab-{tab.id}", tab.asked) for tab in saved.tabs(principal, default) if tab.pinned and tab.own]
    found = [(id, saved.count(principal, filters(catalog, principal, one, now), now)) for id, one in [*ready, *own]]
    return respond(request, "desk/counts.html", found)
