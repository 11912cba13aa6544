"""The overview: today's exceptions first; every number opens the list behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases.overview import Counts, Overview, overview
from chengshu.web.context import WATCHING
from chengshu.web.pages import Request, page, respond


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number, what it counts, and the desk's view that lists it; `tone` is alarm, soon or nothing."""

    name: str
    count: int
    view: str
    tone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CockpitPage:
    """The city now."""

    figures: tuple[Figure, ...]
    overview: Overview


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The overview, which refreshes itself."""
    found = overview(request.principal, datetime.now(UTC))
    page = CockpitPage(figures=_figures(found.counts), overview=found)
    return respond(request, "cockpit/overview_parts.html" if request.htmx else "cockpit/overview.html", page)


def _figures(counts: Counts) -> tuple[Figure, ...]:
    rows = [
        (_("Overdue"), counts.overdue, "overdue", "alarm"),
        (_("Urgent"), counts.urgent, "urgent", "alarm"),
        (_("Escalated"), counts.escalated, "escalated", "alarm"),
        (_("Due within a day"), counts.soon, "soon", "soon"),
        (_("Without unit"), counts.unassigned, "unassigned", "soon"),
        (_("Suspended"), counts.suspended, "suspended", ""),
        (_("Open"), counts.open, "open", ""),
        (_("Reported today"), counts.reported_today, "today", ""),
        (_("Ended today"), counts.ended_today, "ended_today", ""),
    ]
    return tuple(
        Figure(name=name, count=count, view=view, tone=tone if count else "") for name, count, view, tone in rows
    )
