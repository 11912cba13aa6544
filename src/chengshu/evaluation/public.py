"""Statistics for everybody: aggregates only, none so small that it would tell of single people.

The counts follow the measures of the scorecards (evaluation/measures.py), over the kinds of case in which citizens have a say.
"""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, F, Q
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import NotFound
from chengshu.evaluation.measures import Measure, Period, measure
from chengshu.parties.roles import Role

SMALLEST = 5  # a count below it, but for 0, is not published
MONTHS = 12
FRESH = 300.0  # seconds for which a process keeps what it counted
COUNTS = ("opened", "closed")
RATES = ("total", "satisfaction")
PUBLISHED = (*COUNTS, *RATES)
_TIMES = {"opened": "opened_at", "closed": "closed_at", "total": "due_at", "satisfaction": "closed_at"}


class By(StrEnum):
    """What the rows of a table are."""

    MONTH = "month"
    DISTRICT = "district"
    TYPE = "type"
    UNIT = "unit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table; None stands for what is too small to publish (a count), or to be a rate."""

    key: Hashable
    opened: int | None
    closed: int | None
    in_time: float | None
    satisfied: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The rows of a period by one subject, as counted at a time; `total` counts every case once."""

    by: By
    rows: tuple[Row, ...]
    total: Row
    at: datetime


def last_months(known: Catalog, now: datetime) -> Period:
    """The last twelve months up to now, the present one included."""
    return Period(start=_back(now.astimezone(known.zone), MONTHS - 1), end=now + timedelta(seconds=1))


def month(known: Catalog, text: str, now: datetime) -> Period:
    """One of the last twelve months, written 2026-01. Raises NotFound."""
    for back in range(MONTHS):
        start = _back(now.astimezone(known.zone), back)
        if f"{start:%Y-%m}" == text:
            return Period(start=start, end=_back(now.astimezone(known.zone), back - 1))
    raise NotFound(
        _("There are no statistics of this month."), where=text, remedy=_("Choose one of the last twelve months.")
    )


def _back(there: datetime, months: int) -> datetime:
    """The first midnight of the month so many months before."""
    count = there.year * 12 + there.month - 1 - months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=there.tzinfo)


_kept: dict[Hashable, tuple[float, Table]] = {}
_counting = threading.Lock()


def table(known: Catalog, by: By, period: Period) -> Table:
    """A table, counted at most once in five minutes by each process: no crowd of readers costs more than one."""
    key = (
        known.city.pk,
        known.version,
        by,
        period.start,
        period.start + MONTHS * timedelta(days=31) < period.end,
        period.end.date(),
    )
    with _counting:
        kept = _kept.get(key)
        if kept is None or time.monotonic() - kept[0] > FRESH:
            _kept[key] = kept = (time.monotonic(), _table(known, by, period))
        if len(_kept) > 200:
            _kept.clear()
    return kept[1]


def forget() -> None:
    """Drop what is kept, so that the next reading counts anew."""
    _kept.clear()


def _table(known: Catalog, by: By, period: Period) -> Table:
    counted = {name: _count(known, measure(name), by, period) for name in PUBLISHED}
    whole = {
        name: [sum(values) for values in zip(*found.values(), strict=True)] or [0, 0] for name, found in counted.items()
    }
    keys = sorted({key for found in counted.values() for key in found if key is not None}, key=str)
    shown = {name: published({key: counted[name].get(key, (0, 0))[0] for key in counted[name]}) for name in COUNTS}
    rows = tuple(
        Row(
            key=key, opened=shown["opened"].get(key, 0), closed=shown["closed"].get(key, 0),
            in_time=_rate(counted["total"].get(key)), satisfied=_rate(counted["satisfaction"].get(key)),
        )
        for key in keys
    )  # fmt: skip
    total = Row(
        key=None, opened=_alone(whole["opened"][0]), closed=_alone(whole["closed"][0]), in_time=_rate(whole["total"]),
        satisfied=_rate(whole["satisfaction"]),
    )  # fmt: skip
    return Table(by=by, rows=rows, total=total, at=datetime.now(UTC))


def _count(known: Catalog, measured: Measure, by: By, period: Period) -> dict[Any, tuple[int, int]]:
    """How many rows were due, and how many of them good, for each subject."""
    kinds = {kind for (kind, _code, _state), move in known.moves.items() if Role.CITIZEN.value in move.roles}
    prefix = measured.case
    subject: Any = {
        By.MONTH: TruncMonth(_TIMES[measured.name], tzinfo=known.zone),
        By.DISTRICT: F(f"{prefix}places__1"),
        By.TYPE: F(f"{prefix}type_id"),
        By.UNIT: F("unit_id"),
    }[by]
    rows = measured.rows._default_manager.filter(measured.due(period), **{f"{prefix}kind__in": kinds})
    good = measured.good(period) if measured.good else Q()
    found = rows.order_by().values_list(subject).annotate(due=Count("pk"), good=Count("pk", filter=good))
    return {_key(row[0]): (row[1], row[2]) for row in found}


def _key(value: Any) -> Any:
    return f"{value:%Y-%m}" if isinstance(value, date) else value


def published(counts: Mapping[Any, int]) -> dict[Any, int | None]:
    """Counts of a column beside its published total: small ones hidden, and as many more as keep the total from telling them."""
    hidden = {key for key, count in counts.items() if 0 < count < SMALLEST}
    others = sorted(
        (key for key in counts if counts[key] >= SMALLEST), key=lambda key: (counts[key], str(key)), reverse=True
    )
    while hidden and others and _told(sum(counts[key] for key in hidden), len(hidden)):
        hidden.add(others.pop())
    return {key: None if key in hidden else count for key, count in counts.items()}


def _told(total: int, cells: int) -> bool:
    """Whether the sum of so many hidden counts tells one of them, or is itself too small."""
    return cells == 1 or total < SMALLEST or total in {cells, cells * (SMALLEST - 1)}


def _alone(count: int) -> int | None:
    return count if count == 0 or count >= SMALLEST else None


def _rate(figure: Sequence[int] | None) -> float | None:
    """The share of good ones, 0 to 1 in whole percents; None of fewer than five."""
    return round(figure[1] / figure[0], 2) if figure and figure[0] >= SMALLEST else None


def ranked(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Units in order of the share settled in time, best first; those with too little to judge come last."""
    return tuple(
        sorted(rows, key=lambda row: (row.in_time is None, -(row.in_time or 0), -(row.closed or 0), str(row.key)))
    )


def to_csv(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    """A table as CSV: UTF-8 with the mark by which spreadsheets know it; no text is taken for a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(headings)
    writer.writerows([f"'{text}" if text[:1] in "=+-@\t\r" and text else text for text in line] for line in lines)
    return out.getvalue().encode("utf-8-sig")
