"""Counts by day, kept beside the cases so that a year's line costs as little as a day's.

Nothing is added or taken away: a day whose cases changed is counted anew from the cases, so that a mistake or a crash
cannot stay. Which days changed follows from the steps recorded since the last time: every day of a step or a due time
(also one that was put off later) of the cases they moved, and all days since then, for due times pass by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count, DateField, F, Min, QuerySet
from django.db.models.functions import Trunc

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case
from chengshu.evaluation.indicators import DAILY, daily, unit_field
from chengshu.evaluation.measures import Measure, Period
from chengshu.evaluation.models import CountedUntil, DailyCount
from chengshu.places.models import City, Level

DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=2)  # a step may become visible later than it says, by the length of its transaction
CHUNK = 31  # days counted by one query
Span = tuple[date, date]  # first and last day
_LOCK = 0x6368_7363  # advisory lock: one process counts at a time

_MOVED = """
WITH moved AS (
    SELECT DISTINCT s.case_id FROM cases_step s JOIN cases_case c ON c.id = s.case_id
    WHERE s.recorded_at >= %s AND c.kind_id = ANY(%s)
)
SELECT (s.at AT TIME ZONE %s)::date FROM moved m JOIN cases_step s ON s.case_id = m.case_id
UNION
SELECT (k.due_at AT TIME ZONE %s)::date FROM moved m JOIN cases_clock k ON k.case_id = m.case_id AND k.due_at < %s
UNION
SELECT (e.at AT TIME ZONE %s)::date FROM moved m JOIN cases_clock k ON k.case_id = m.case_id
    JOIN cases_clockevent e ON e.clock_id = k.id AND e.event LIKE 'due%%'
"""


def count_all(now: datetime | None = None, *, rebuild: bool = False) -> int:
    """Bring the counts of all cities up to date; how many days were counted."""
    moment = now or datetime.now(UTC)
    return sum(count_city(catalog(pk), moment, rebuild=rebuild) for pk in City.objects.values_list("pk", flat=True))


def count_city(known: Catalog, now: datetime, *, rebuild: bool = False) -> int:
    """Count the days that changed since the last time, or all; how many days were counted."""
    until = None if rebuild else CountedUntil.objects.filter(city=known.city).values_list("until", flat=True).first()
    today = now.astimezone(known.zone).date()
    spans = [_everything(known, today)] if until is None else _spans(_touched(known, until - OVERLAP, now), today)
    for span in _chunks(spans):
        _count(known, span, now)
    CountedUntil.objects.update_or_create(city=known.city, defaults={"until": now})
    return sum((last - first).days + 1 for first, last in spans)


def differences(known: Catalog, now: datetime) -> list[tuple[date, str]]:
    """Days and measures whose stored counts are not what the cases said at `now`; empty when all is well."""
    found = []
    for first, last in _chunks([_everything(known, now.astimezone(known.zone).date())]):
        stored = Counter({_key(row): (row.due, row.good) for row in _stored(known, first, last)})
        told = Counter({_key(row): (row.due, row.good) for row in _rows(known, (first, last), now)})
        found += [(key[0], key[1]) for key in set(stored) | set(told) if stored.get(key) != told.get(key)]
    return sorted(set(found))


def _key(row: DailyCount) -> tuple[date, str, int, int | None]:
    return row.day, row.measure, row.division_id, row.unit_id


def _everything(known: Catalog, today: date) -> Span:
    first = Case.objects.filter(kind__in=list(known.kinds)).aggregate(first=Min("opened_at"))["first"]
    return (first.astimezone(known.zone).date() if first else today, today)


def _touched(known: Catalog, since: datetime, now: datetime) -> set[date]:
    """The days of the cases that moved, and all since then: due times pass by themselves, also while nobody counts."""
    first = since.astimezone(known.zone).date()
    passed = {first + n * DAY for n in range((now.astimezone(known.zone).date() - first).days)}
    return passed | _changed(known, since, now)


def _changed(known: Catalog, since: datetime, now: datetime) -> set[date]:
    zone = known.zone.key
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [since, list(known.kinds), zone, zone, now, zone])
        return {day for (day,) in cursor}


def _spans(days: Iterable[date], today: date) -> list[Span]:
    """Days gathered into spans, with today and yesterday; what lies after today is not counted yet."""
    spans: list[Span] = []
    for day in sorted({day for day in days if day < today} | {today - DAY, today}):
        if spans and day - spans[-1][1] <= 3 * DAY:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _chunks(spans: Iterable[Span]) -> Iterator[Span]:
    for first, last in spans:
        for n in range(0, (last - first).days + 1, CHUNK):
            yield first + n * DAY, min(last, first + (n + CHUNK - 1) * DAY)


def period_of(first: date, last: date, zone: ZoneInfo) -> Period:
    """From the midnight that begins the first day until the one that ends the last, in the city's zone."""
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + DAY))
    return Period(start=start, end=end)


def _count(known: Catalog, span: Span, now: datetime) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, known.city.pk])
        rows = _rows(known, span, now)
        _stored(known, *span).delete()
        DailyCount.objects.bulk_create(rows, batch_size=2_000)


def _stored(known: Catalog, first: date, last: date) -> QuerySet[DailyCount]:
    return DailyCount.objects.filter(city=known.city, measure__in=list(DAILY), day__range=(first, last))


def _rows(known: Catalog, span: Span, now: datetime) -> list[DailyCount]:
    period = replace(period_of(*span, known.zone), as_of=now)
    return [row for name in DAILY for row in _rolled_up(known, daily(name), _leaves(known, daily(name), period))]


Leaf = tuple[date, int, int | None, int, int | None]  # day, division, unit, due, good


def _leaves(known: Catalog, each: Measure, period: Period) -> Sequence[Leaf]:
    """Counts by day, division where the case lies, and unit."""
    rows = each.rows._default_manager.filter(each.due(period), **{f"{each.case}kind__in": list(known.kinds)})
    day = Trunc(DAILY[each.name], "day", output_field=DateField(), tzinfo=known.zone)
    wanted = {"n": Count("pk")} | ({"m": Count("pk", filter=each.good(period))} if each.good else {})
    grouped = rows.order_by().values(on=day, where=F(f"{each.case}division_id"), who=F(unit_field(each)))
    return [(r["on"], r["where"], r["who"], r["n"], r.get("m")) for r in grouped.annotate(**wanted)]


def _rolled_up(known: Catalog, each: Measure, leaves: Iterable[Leaf]) -> Iterator[DailyCount]:
    """To each division above, and for city and districts to each unit."""
    due: Counter[tuple[date, int, int | None]] = Counter()
    good: Counter[tuple[date, int, int | None]] = Counter()
    for day, where, who, n, m in leaves:
        for key in _above(known, day, where, who):
            due[key] += n
            good[key] += m or 0
    for (day, division, unit), n in due.items():
        yield DailyCount(
            city=known.city, day=day, measure=each.name, division_id=division, unit_id=unit, due=n,
            good=None if each.good is None else good[day, division, unit],
        )  # fmt: skip


def _above(known: Catalog, day: date, where: int, who: int | None) -> Iterator[tuple[date, int, int | None]]:
    for division in known.divisions[where].path:
        yield day, division, None
        if who is not None and known.divisions[division].level <= Level.DISTRICT:
            yield day, division, who
