"""Open cases and the things that scenes watch, as points for a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case as When
from django.db.models import Count, F, Q, QuerySet
from django.db.models import When as Then

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Report
from chengshu.cases.overview import area

MOST = 2_000  # points drawn; those nearest due first
LATELY = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """An open case with a place, WGS 84."""

    number: str
    title: str
    lon: float
    lat: float
    severity: int
    late: bool
    unit: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """A thing that a scene watches and found something about in the last week; `schematic` when its place is invented."""

    scene: str
    name: str
    label: str
    lon: float
    lat: float
    open: int
    schematic: bool


def spots(known: Catalog, division: int, now: datetime) -> list[Spot]:
    """Open cases of an area that have a point, but those of scenes, which are drawn as their things."""
    placed = Case.objects.filter(area(known, division), closed_at=None, lon__isnull=False, scene=None)
    rows = placed.order_by(F("due_at").asc(nulls_last=True), "pk")
    fields = ("number", "title", "lon", "lat", "severity", "due_at", "unit_id")
    return [
        Spot(
            number=number,
            title=title,
            lon=lon,
            lat=lat,
            severity=severity,
            late=due is not None and due < now,
            unit=unit,
        )
        for number, title, lon, lat, severity, due, unit in rows.values_list(*fields)[:MOST]
    ]


def things(known: Catalog, division: int, now: datetime) -> list[Thing]:
    """The things of scenes in an area with their number of open cases."""
    lately = Q(case__closed_at=None) | Q(case__closed_at__gte=now - LATELY)
    rows = Report.objects.filter(
        area(known, division, "case__"), lately, case__scene__isnull=False, case__lon__isnull=False,
        payload__thing__isnull=False,
    )  # fmt: skip
    still = When(Then(case__closed_at=None, then=F("case_id")), default=None)
    found: QuerySet[Any, Any] = (
        rows.values("case__scene", "payload__thing", "payload__schematic", "case__place_text", "case__lon", "case__lat")
        .annotate(n=Count(still, distinct=True))
        .order_by("case__scene", "case__place_text")
    )
    return [_thing(row) for row in found]


def _thing(row: dict[str, Any]) -> Thing:
    return Thing(
        scene=row["case__scene"], name=str(row["payload__thing"]), label=row["case__place_text"] or str(row["payload__thing"]),
        lon=row["case__lon"], lat=row["case__lat"], open=row["n"], schematic=row["payload__schematic"] is True,
    )  # fmt: skip


def loads(known: Catalog, division: int, now: datetime) -> Sequence[tuple[int, int, int]]:
    """Units with open cases in an area: id, open, overdue; the most loaded first."""
    still = Case.objects.filter(area(known, division), closed_at=None, unit__isnull=False)
    late = Count("pk", filter=Q(due_at__lt=now))
    return list(still.values_list("unit_id").annotate(n=Count("pk"), late=late).order_by("-n", "unit_id"))
