"""The desk on paper: a case as a work order 派遣单, and a list as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases import search
from chengshu.cases.catalog import Place
from chengshu.cases.detail import CaseDetail, detail
from chengshu.cases.models import Clock, Evidence, Step
from chengshu.web.context import DESK
from chengshu.web.desk import saved
from chengshu.web.desk.asked import ORDERS, VIEWS, Asked, asked, default_view, filters
from chengshu.web.desk.lines import Line, lines
from chengshu.web.pages import Request, known, page, respond

MOST = search.LARGEST  # rows on paper
PICTURES = 6  # on a work order


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A case as whoever goes out needs it on paper: no word of who reported it."""

    story: CaseDetail
    places: Sequence[Place]
    clocks: Sequence[Clock]
    dispatched: Step | None
    pictures: Sequence[Evidence]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A list on paper, and how it was asked for."""

    title: str
    asked: Asked
    order: str
    lines: tuple[Line, ...]
    more: bool


@page(roles=DESK)
def sheet(request: Request, number: str) -> HttpResponse:
    """The work order of a case."""
    catalog, story = known(request), detail(request.principal, number)
    found = Sheet(
        story=story,
        places=[catalog.divisions[pk] for pk in story.case.places if pk in catalog.divisions],
        clocks=[clock for clock in story.clocks if clock.stopped_at is None],
        dispatched=next((step for step in reversed(story.steps) if "create_task" in step.move.does), None),
        pictures=[one for one in story.evidence if one.media_type.startswith("image/")][:PICTURES],
    )
    return respond(request, "desk/sheet.html", found)


@page(roles=DESK)
def table(request: Request) -> HttpResponse:
    """The first rows of a list as a table for paper."""
    catalog, now, principal = known(request), datetime.now(UTC), request.principal
    default = default_view(catalog, principal)
    wanted = asked(request.GET, default)
    tab = next((tab for tab in saved.tabs(principal, default) if str(tab.id) == request.GET.get("saved")), None)
    found = search.page(principal, filters(catalog, principal, wanted, now), now=now, order=wanted.order, size=MOST)
    return respond(
        request,
        "desk/table.html",
        Table(
            title=tab.name if tab else _(VIEWS[wanted.view]),
            asked=wanted,
            order=_(ORDERS[wanted.order]),
            lines=lines(catalog, found.cases, now),
            more=found.next is not None,
        ),
    )
