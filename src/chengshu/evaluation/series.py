"""Lines of daily counts, what they are compared with, and the cases behind each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min, Q, QuerySet

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.overview import area
from chengshu.cases.visibility import visible
from chengshu.core.errors import NotFound
from chengshu.evaluation.counts import period_of
from chengshu.evaluation.indicators import DAILY, Indicator, rows_of, unit_field
from chengshu.evaluation.measures import Part
from chengshu.evaluation.models import DailyCount
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Scope

DAY = timedelta(days=1)
NOBODY = 0  # instead of the id of a unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The counts of one day: rows due, and the good ones of them (None for a plain count)."""

    day: date
    due: int
    good: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The counts of a period, beside those of the period before and of the same days a year before (None: not known)."""

    due: int
    good: int
    before: tuple[int, int] | None
    year_before: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class History:
    """What is stored of one division: counts by measure and day, and the first day that is known."""

    first: date | None
    counts: Mapping[tuple[str, date], tuple[int, int | None]]

    def days(self, indicator: Indicator, first: date, last: date) -> tuple[Day, ...]:
        """Every day of a span; a day without rows has a count of 0."""
        name = indicator.measure.name
        span = [first + n * DAY for n in range((last - first).days + 1)]
        return tuple(_day(day, *self.counts.get((name, day), (0, 0))) for day in span)

    def values(self, indicator: Indicator, first: date, last: date) -> list[float | None]:
        """The indicator's number on every day; None before the first known day, and for a rate of nothing."""
        days = self.days(indicator, first, last)
        return [indicator.value(d.due, d.good) if self.first and d.day >= self.first else None for d in days]

    def totals(self, indicator: Indicator, first: date, last: date) -> Totals:
        """The sums of a period and of those it is compared with."""
        length = last - first + DAY
        due, good = self._sum(indicator, first, last)
        return Totals(
            due=due,
            good=good,
            before=self._known_sum(indicator, first - length, last - length),
            year_before=self._known_sum(indicator, year_before(first), year_before(last)),
        )

    def _known_sum(self, indicator: Indicator, first: date, last: date) -> tuple[int, int] | None:
        """The sums of a period, if it is known from its first day on."""
        return self._sum(indicator, first, last) if self.first and self.first <= first else None

    def _sum(self, indicator: Indicator, first: date, last: date) -> tuple[int, int]:
        days = self.days(indicator, first, last)
        return sum(d.due for d in days), sum(d.good or 0 for d in days)


def _day(day: date, due: int, good: int | None) -> Day:
    return Day(day=day, due=due, good=good)


def year_before(day: date) -> date:
    """The same day a year before; 28 February for 29 February."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def history(known: Catalog, division: int, spans: Sequence[tuple[date, date]], unit: int | None = None) -> History:
    """The stored counts of a division (of one unit in it) over some spans of days, read at once."""
    wanted = Q()
    for first, last in spans:
        wanted |= Q(day__range=(first, last))
    rows = DailyCount.objects.filter(wanted, division=division, unit=unit, measure__in=list(DAILY))
    counts = {(m, day): (due, good) for m, day, due, good in rows.values_list("measure", "day", "due", "good")}
    return History(first=first_day(known), counts=counts)


def first_day(known: Catalog) -> date | None:
    """The first day of which the city has cases."""
    found = DailyCount.objects.filter(city=known.city, measure="opened", division=known.root, unit=None)
    first: date | None = found.aggregate(first=Min("day"))["first"]
    return first


def by_unit(known: Catalog, division: int, measure: str, first: date, last: date) -> dict[int, list[int]]:
    """Daily counts of each unit in a city or district, one number for every day of the span."""
    rows = DailyCount.objects.filter(
        division=division, measure=measure, day__range=(first, last), unit__isnull=False
    ).values_list("unit_id", "day", "due")
    found: dict[int, list[int]] = {}
    for unit, day, due in rows:
        found.setdefault(unit, [0] * ((last - first).days + 1))[(day - first).days] = due
    return found


def within(principal: Principal, known: Catalog, division: int | None) -> int:
    """The division asked for, if it lies in the post's jurisdiction; the jurisdiction itself when none is.

    Raises:
        NotFound: it does not, or there is none, so that nothing is given away.
    """
    if division is None:
        return principal.division
    place = known.divisions.get(division)
    if place is None or (principal.scope is not Scope.ALL and principal.division not in place.path):
        raise NotFound(
            "There is no such division, or it is not in your jurisdiction.",
            where=str(division),
            remedy="Go down from your own.",
        )
    return division


def rows_behind(
    principal: Principal, indicator: Indicator, first: date, last: date, *, division: int, unit: int | None = None
) -> QuerySet[Any]:
    """The rows (cases, clocks or steps) that an indicator counts over some days, in no order.

    Args:
        unit: only those of this unit; NOBODY for those of none.
    """
    known, each = catalog(principal.city), indicator.measure
    part = Part.MISSED if indicator.rate else indicator.part
    place = within(principal, known, division)
    rows: QuerySet[Any] = each.rows._default_manager.filter(
        area(known, place, each.case), rows_of(each, part, period_of(first, last, known.zone))
    )
    if unit is not None:
        rows = rows.filter(**{unit_field(each): unit or None})
    if principal.scope not in {Scope.ALL, Scope.AREA}:
        rows = rows.filter(**{f"{each.case}pk__in": visible(principal).values("pk")})
    return rows.order_by()


def behind(
    principal: Principal, indicator: Indicator, first: date, last: date, *, division: int, unit: int | None = None
) -> QuerySet[Any, UUID]:
    """The ids of the cases behind an indicator over some days, one for every row that was counted, latest first."""
    rows = rows_behind(principal, indicator, first, last, division=division, unit=unit)
    path = f"{indicator.measure.case}pk".replace("case__pk", "case_id")
    return rows.order_by(f"-{DAILY[indicator.measure.name]}", path).values_list(path, flat=True)
