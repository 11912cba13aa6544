"""Statistics for everybody: aggregates only, none so small that it would tell of single people.

The counts follow the measures of the scorecards (evaluation/measures.py), over the kinds of case in which citizens have a say.
All that is published of a city is one table for each sort of subject, months by subjects with their sums, counted together and
looked through together for what may not be published (evaluation/suppression.py).
"""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db import Error, connection
from django.db.models import Count, F, Q
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import NotFound
from chengshu.evaluation.measures import Measure, Period, measure
from chengshu.evaluation.suppression import ALL, Cell, suppressed, with_sums
from chengshu.logs import get_logger
from chengshu.parties.roles import Role

SMALLEST = 5  # a count below it, but for 0, is not published
MONTHS = 12
FRESH = 300.0  # seconds after which what a process keeps is counted anew
COUNTS = ("opened", "closed")
RATES = ("total", "satisfaction")
PUBLISHED = (*COUNTS, *RATES)
_TIMES = {"opened": "opened_at", "closed": "closed_at", "total": "due_at", "satisfaction": "closed_at"}

log = get_logger(__name__)


class By(StrEnum):
    """What the rows of a table are."""

    MONTH = "month"
    DISTRICT = "district"
    TYPE = "type"
    UNIT = "unit"


SUBJECTS = (By.DISTRICT, By.TYPE, By.UNIT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table; None stands for what is too small to publish (a count), or to be a rate."""

    key: Hashable
    opened: int | None
    closed: int | None
    in_time: float | None
    satisfied: float | None


NOTHING = Row(key=None, opened=0, closed=0, in_time=None, satisfied=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The rows of a period by one subject, as counted at a time; `total` counts every case once."""

    by: By
    rows: tuple[Row, ...]
    total: Row
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What is published of a city: for each sort of subject the lines by subject and month, with `ALL` for their sums.

    `counted` is when, by the clock of the process.
    """

    at: datetime
    counted: float
    months: tuple[str, ...]
    rows: Mapping[By, Mapping[Cell, Row]]

    def table(self, by: By, month: str = ALL) -> Table:
        """A table of a month, or of all twelve; by month, of all twelve.

        Raises:
            NotFound: it is none of the twelve.
        """
        if month not in (*self.months, ALL):
            raise NotFound(
                _("There are no statistics of this month."),
                where=month,
                remedy=_("Choose one of the last twelve months."),
            )
        if by == By.MONTH:
            cells = self.rows[By.DISTRICT]
            rows = [replace(cells[ALL, each], key=each) for each in self.months if (ALL, each) in cells]
            return Table(by=by, rows=tuple(rows), total=cells[ALL, ALL], at=self.at)
        cells = self.rows[by]
        subjects = sorted((subject for subject, of in cells if of == month and subject not in (ALL, None)), key=str)
        rows = [replace(cells[subject, month], key=subject) for subject in subjects]
        return Table(by=by, rows=tuple(rows), total=cells.get((ALL, month), NOTHING), at=self.at)


_kept: dict[int, Published] = {}
_counting: dict[int, threading.Lock] = {}


def of_city(known: Catalog) -> Published:
    """What is published of a city. Readers get what was counted before while one of them has it counted anew."""
    city = known.city.pk
    lock = _counting.setdefault(city, threading.Lock())
    kept = _kept.get(city)
    if kept is None:
        with lock:
            return _kept.get(city) or _count_anew(known)
    if time.monotonic() - kept.counted > FRESH and lock.acquire(blocking=False):
        threading.Thread(target=_refresh, args=[known, lock], name="statistics", daemon=True).start()
    return kept


def forget() -> None:
    """Drop what is kept, so that the next reading counts anew."""
    _kept.clear()


def _refresh(known: Catalog, lock: threading.Lock) -> None:
    try:
        _count_anew(known)
    except Error as error:
        log.warning("statistics.not_counted", error=str(error))
    finally:
        lock.release()
        connection.close()


def _count_anew(known: Catalog) -> Published:
    now = datetime.now(UTC)
    there = now.astimezone(known.zone)
    period = Period(start=_back(there, MONTHS - 1), end=now + timedelta(seconds=1))
    months = tuple(f"{_back(there, back):%Y-%m}" for back in reversed(range(MONTHS)))
    found = Published(at=now, counted=time.monotonic(), months=months, rows=_rows(known, period))
    _kept[known.city.pk] = found
    return found


def _back(there: datetime, months: int) -> datetime:
    """The first midnight of the month so many months before."""
    count = there.year * 12 + there.month - 1 - months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=there.tzinfo)


def _rows(known: Catalog, period: Period) -> Mapping[By, Mapping[Cell, Row]]:
    """Every line of the tables, without what may not be published."""
    counted = {by: {name: _count(known, measure(name), by, period) for name in PUBLISHED} for by in SUBJECTS}
    hidden = {name: _hidden({by: counted[by][name].due for by in SUBJECTS}) for name in COUNTS}
    return {
        by: {
            cell: Row(
                key=None,
                **{name: None if cell in hidden[name][by] else of[name].due.get(cell, 0) for name in COUNTS},
                in_time=of["total"].rate(cell),
                satisfied=of["satisfaction"].rate(cell),
            )
            for cell in {cell for each in of.values() for cell in each.due}
        }
        for by, of in counted.items()
    }


def _hidden(counts: Mapping[By, Mapping[Cell, int]]) -> dict[By, set[Cell]]:
    """What is hidden of each table; the sums of months, which all of them have, are hidden in all or in none."""
    shared: set[Cell] = set()
    while True:
        hidden = {by: suppressed(cells, SMALLEST, shared) for by, cells in counts.items()}
        sums = {cell for found in hidden.values() for cell in found if cell[0] == ALL}
        if sums == shared:
            return hidden
        shared = sums


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counted:
    """How many rows of a measure were due, and how many of them good, with the sums."""

    due: Mapping[Cell, int]
    good: Mapping[Cell, int]

    def rate(self, cell: Cell) -> float | None:
        """The share of good ones, 0 to 1 in whole percents; None of fewer than five."""
        due = self.due.get(cell, 0)
        return round(self.good[cell] / due, 2) if due >= SMALLEST else None


def _count(known: Catalog, measured: Measure, by: By, period: Period) -> _Counted:
    """The rows of a measure by subject and month."""
    kinds = {kind for (kind, _code, _state), move in known.moves.items() if Role.CITIZEN.value in move.roles}
    prefix = measured.case
    subjects = {By.DISTRICT: f"{prefix}places__1", By.TYPE: f"{prefix}type_id", By.UNIT: "unit_id"}
    rows = measured.rows._default_manager.filter(measured.due(period), **{f"{prefix}kind__in": kinds})
    cell = (F(subjects[by]), TruncMonth(_TIMES[measured.name], tzinfo=known.zone))
    good = Count("pk", filter=measured.good(period) if measured.good else Q())
    found = list(rows.order_by().values_list(*cell).annotate(due=Count("pk"), good=good))
    return _Counted(
        due=with_sums({(subject, f"{month:%Y-%m}"): due for subject, month, due, _good in found}),
        good=with_sums({(subject, f"{month:%Y-%m}"): good for subject, month, _due, good in found}),
    )


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
