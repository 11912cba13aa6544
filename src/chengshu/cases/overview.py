"""The city at a glance: exceptions first, then where the open cases lie. Every number has the list behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Model, Q, QuerySet

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, CaseType, State
from chengshu.cases.visibility import visible
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.places.models import Division

SOON = timedelta(days=1)
LARGEST = 15  # groups shown of each kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Numbers of open cases, and of those that came in and ended since the last midnight of the city."""

    open: int
    overdue: int
    soon: int
    urgent: int
    escalated: int
    unassigned: int
    suspended: int
    reported_today: int
    ended_today: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Open and overdue cases of one district, unit, type or state; `thing` is None for those that have none."""

    thing: Any
    open: int
    overdue: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What a post sees of the city now."""

    counts: Counts
    districts: Sequence[Row]
    units: Sequence[Row]
    types: Sequence[Row]
    states: Sequence[Row]
    latest: Sequence[Case]


def overview(principal: Principal, now: datetime) -> Overview:
    """Count the cases that a post sees. Ended cases are only counted for today, so this stays quick as they pile up."""
    known = catalog(principal.city)
    seen = visible(principal)
    still = seen.filter(closed_at=None)
    late = still.filter(due_at__lt=now).select_related("state", "unit", "type", "division", "kind")
    return Overview(
        counts=_counts(seen, still, known, now),
        districts=_rows(still, "places__1", now, Division),
        units=_rows(still, "unit", now, Department),
        types=_rows(still, "type", now, CaseType),
        states=_rows(still, "state", now, State),
        latest=list(late.order_by("due_at", "pk")[:8]),
    )


def _counts(seen: QuerySet[Case], still: QuerySet[Case], known: Catalog, now: datetime) -> Counts:
    midnight = now.astimezone(known.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = still.aggregate(
        open=Count("pk"),
        overdue=Count("pk", filter=Q(due_at__lt=now)),
        soon=Count("pk", filter=Q(due_at__gte=now, due_at__lt=now + SOON)),
        urgent=Count("pk", filter=Q(severity__lte=1)),
        escalated=Count("pk", filter=Q(escalation__gt=0)),
        unassigned=Count("pk", filter=Q(unit=None)),
        suspended=Count("pk", filter=Q(suspended=True)),
    )
    return Counts(
        **found,
        reported_today=seen.filter(opened_at__gte=midnight).count(),
        ended_today=seen.filter(closed_at__gte=midnight).count(),
    )


def _rows(still: QuerySet[Case], by: str, now: datetime, model: type[Model]) -> list[Row]:
    """The largest groups, with the records that they stand for."""
    found = still.values(group=F(by)).annotate(n=Count("pk"), late=Count("pk", filter=Q(due_at__lt=now)))
    rows = list(found.order_by("-n", "group")[:LARGEST])
    things = model._default_manager.in_bulk([row["group"] for row in rows if row["group"] is not None])
    return [Row(thing=things.get(row["group"]), open=row["n"], overdue=row["late"]) for row in rows]
