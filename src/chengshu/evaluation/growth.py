"""Units to which far more comes in than is usual for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import median

from django.db.models import Count

from chengshu.cases.catalog import Catalog
from chengshu.cases.overview import Asked, listed
from chengshu.evaluation.series import by_unit, first_day
from chengshu.parties.models import Department
from chengshu.places.models import Level

DAYS = 28  # complete days before today that tell what is usual
KNOWN = 14  # days without which nothing is called unusual
LEAST = 5  # more than usual, at the least
SIGMA = 3.0  # standard deviations of a Poisson count of the usual size


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """A unit, what came in for it in the last 24 hours, and its usual day (median of 28)."""

    unit: Department
    count: int
    usual: float


def growing(known: Catalog, division: int, now: datetime) -> list[Growth]:
    """Units of a city or district whose last 24 hours stand out, the largest first.

    Stands out: at least five more than the median of the last 28 days, and more than three standard deviations, where
    counts of the usual size scatter by their square root. Nothing is told with less than 14 days of history, nor below
    districts, where the numbers are too small.
    """
    today = now.astimezone(known.zone).date()
    first = first_day(known)
    if known.divisions[division].level > Level.DISTRICT or first is None or (today - first).days < KNOWN:
        return []
    span = max(first, today - timedelta(days=DAYS)), today - timedelta(days=1)
    usual = {unit: float(median(days)) for unit, days in by_unit(known, division, "opened", *span).items()}
    rows = listed(known, Asked(which="last_24h", division=division), now).exclude(unit=None)
    counts = rows.values_list("unit_id").annotate(n=Count("pk")).order_by("-n", "unit_id")
    return [
        Growth(unit=known.departments[unit], count=count, usual=usual.get(unit, 0.0))
        for unit, count in counts
        if unit in known.departments and stands_out(count, usual.get(unit, 0.0))
    ]


def stands_out(count: int, usual: float) -> bool:
    """Whether a day's count is far above the usual."""
    return count - usual >= LEAST and count - usual > SIGMA * sqrt(max(usual, 1.0))
