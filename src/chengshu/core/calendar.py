"""The working calendar of a city: which time counts, and when a limit falls due.

A calendar is declared, never programmed (`calendar.yaml`, described in `docs/reference/city-pack.md`). The rules of
counting differ between cities: 民法典 第201、203条 leaves the day of start out and ends at the close of business;
Boston keeps the time of day and takes what is reported outside hours as received at the next opening. Both are values
of `CountingRule`.

Everything is computed for whole columns on a `Timeline`; one case is a column of one, so that both always agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from chengshu.core.calendar_file import read_calendar
from chengshu.core.counting import CountingRule
from chengshu.core.errors import Invalid
from chengshu.core.limits import Limit, Unit
from chengshu.core.timeline import Schedule, Timeline
from chengshu.core.wall_clock import DAY, MICROSECOND, Micros, from_micros, to_micros

Times = NDArray[np.datetime64]

_PLAIN = {Unit.MINUTES: timedelta(minutes=1) // MICROSECOND, Unit.HOURS: timedelta(hours=1) // MICROSECOND}
_HOUR = _PLAIN[Unit.HOURS]
_YEARS = range(1900, 9000)
_RANGE = tuple(to_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (_YEARS.start, _YEARS.stop))
_NEVER = np.iinfo(np.int64).min  # how NumPy keeps NaT


@dataclass(frozen=True, kw_only=True)
class WorkingCalendar:
    """Working days and hours of one city, and its rules of counting. Times in and out are aware; what comes out is UTC.

    Naive times raise `Invalid`, and so do times before 1900 or limits that end after 8999.
    """

    schedule: Schedule
    years: frozenset[int]
    day_rule: CountingRule
    calendar_day_rule: CountingRule
    names: Mapping[date, str] = field(compare=False, repr=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], zone: ZoneInfo, *, where: str = "calendar.yaml") -> Self:
        """Build a calendar from the content of `calendar.yaml`; raises `Mistakes` with all that is wrong at once."""
        file = read_calendar(content, zone, where)
        return cls(
            schedule=file.schedule,
            years=file.years,
            day_rule=file.day_rule,
            calendar_day_rule=file.calendar_day_rule,
            names=file.names,
        )

    def is_working(self, day: date) -> bool:
        """Whether the offices are open on a day. Outside the covered years only weekends are days off."""
        return self.schedule.is_working(day)

    def covered(self, year: int) -> bool:
        """Whether the pack knows the holidays of a year."""
        return year in self.years

    def uncovered(self, first: date, last: date) -> list[int]:
        """The years of a period whose holidays the pack does not know: to be told to whoever keeps the pack."""
        return [year for year in range(first.year, last.year + 1) if not self.covered(year)]

    def due(self, start: datetime, limit: Limit) -> datetime:
        """When what began at `start` falls due."""
        return _moment(self._due(_column([start]), limit))

    def due_many(self, starts: Times | Sequence[datetime], limits: Limit | Sequence[Limit | None]) -> Times:
        """`due` of many: `starts` are datetime64 in UTC or aware datetimes; NaT where start or limit is missing."""
        begins = _column(starts)
        result = np.full(len(begins), _NEVER, dtype=np.int64)
        for limit, rows in _by_limit(begins, limits):
            result[rows] = self._due(begins[rows], limit)
        return result.view("datetime64[us]")

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """The working time between two moments; negative when `end` is before `start`."""
        moments = _column([start, end])
        return _length(self._line(moments).worked(moments))

    def shift(self, due: datetime, paused_from: datetime, paused_to: datetime, limit: Limit) -> datetime:
        """The due time after a suspension from `paused_from` to `paused_to`.

        Minutes and hours move by the time that passed, working hours by the working time, days by the days that began
        (working days by working days), so that a pause within one day moves no limit in days.
        """
        pause = _column([paused_from, paused_to])
        if pause[1] < pause[0]:
            raise Invalid("The suspension ends before it begins.", remedy="Give the earlier time first.")
        return _moment(self._shift(_column([due]), pause, limit.unit))

    def next_opening(self, moment: datetime) -> datetime:
        """`moment` itself when the offices are open, else when they open next."""
        column = _column([moment])
        return _moment(self._line(column, days=1).opening(column))

    def remaining(self, now: datetime, due: datetime, limit: Limit) -> timedelta:
        """What is left of a limit, in working time for working units; negative when overdue."""
        if limit.unit.working:
            return self.worked(now, due)
        return _length(_column([now, due]))

    def _due(self, starts: Micros, limit: Limit) -> Micros:
        match limit.unit:
            case Unit.WORKING_HOURS:
                return self._add(starts, limit.amount * _HOUR)
            case Unit.WORKING_DAYS:
                return self.day_rule.due(self._line(starts, days=limit.amount), starts, limit.amount, working=True)
            case Unit.CALENDAR_DAYS:
                line = self._line(starts, days=limit.amount)
                return self.calendar_day_rule.due(line, starts, limit.amount, working=False)
            case _:
                return starts + limit.amount * _PLAIN[limit.unit]

    def _shift(self, due: Micros, pause: Micros, unit: Unit) -> Micros:
        match unit:
            case Unit.WORKING_HOURS:
                before, after = self._line(pause).worked(pause).tolist()
                return self._add(due, after - before)
            case Unit.WORKING_DAYS | Unit.CALENDAR_DAYS:
                return self._shift_days(due, pause, working=unit.working)
            case _:
                return due + int(pause[1] - pause[0])

    def _shift_days(self, due: Micros, pause: Micros, *, working: bool) -> Micros:
        line = self._line(pause)
        days = line.day(pause)
        before, after = (line.rank(days) if working else days).tolist()
        if before == after:
            return due
        rule = self.day_rule if working else self.calendar_day_rule
        return rule.move(self._line(due, days=after - before), due, after - before, working=working)

    def _add(self, starts: Micros, amount: int) -> Micros:
        return self._line(starts, days=amount // self.schedule.daily + 1).add(starts, amount) if amount else starts

    def _line(self, moments: Micros, *, days: int = 0) -> Timeline:
        """A timeline around the moments that goes on for at least `days` working days after the last of them."""
        first, last = _year(moments.min()), _year(moments.max())
        # At worst every listed day off lies in between, on top of the weekends. A year to spare on both sides.
        span = days * 7 // (7 - len(self.schedule.weekend)) + len(self.schedule.days_off)
        return _timeline(self.schedule, _whole_decade(first - 1), _whole_decade(last + span // 365 + 2) + 9)


@lru_cache(maxsize=32)
def _timeline(schedule: Schedule, first_year: int, last_year: int) -> Timeline:
    if last_year >= _YEARS.stop:
        raise _out_of_range()
    return Timeline.build(schedule, first_year, last_year)


def _whole_decade(year: int) -> int:
    """Years are laid out by decades, so that few timelines serve all."""
    return year // 10 * 10


def _year(micros: np.int64) -> int:
    return 1970 + int(micros) // (365 * DAY + DAY // 4)


def _length(ends: Micros) -> timedelta:
    return int(ends[1] - ends[0]) * MICROSECOND


def _column(moments: Times | Sequence[datetime]) -> Micros:
    """Microseconds of UTC."""
    if isinstance(moments, np.ndarray):
        return _checked(moments.astype("datetime64[us]").view(np.int64))
    if any(moment.tzinfo is None for moment in moments):
        raise Invalid("A time without zone cannot be counted.", remedy="Give aware times only.")
    return _checked(np.array([to_micros(moment) for moment in moments], dtype=np.int64))


def _checked(column: Micros) -> Micros:
    known = column[column != _NEVER]
    if known.size and not (_RANGE[0] <= known.min() and known.max() < _RANGE[1]):
        raise _out_of_range()
    return column


def _out_of_range() -> Invalid:
    what = _("The time or the limit lies outside the years %(first)d to %(last)d.")
    return Invalid(
        what % {"first": _YEARS.start, "last": _YEARS.stop - 1}, remedy="Give a time and a limit of our age."
    )


def _moment(column: Micros) -> datetime:
    return from_micros(column.item()).astimezone(UTC)


def _by_limit(begins: Micros, limits: Limit | Sequence[Limit | None]) -> Iterator[tuple[Limit, NDArray[np.int64]]]:
    """Every limit in use with the rows of the starts that it holds for."""
    many = [limits] * len(begins) if isinstance(limits, Limit) else limits
    if len(many) != len(begins):
        raise Invalid(
            _("There are %(starts)d starts but %(limits)d limits.") % {"starts": len(begins), "limits": len(many)},
            remedy="Give one limit for each start.",
        )
    rows: dict[Limit, list[int]] = {}
    for row, (begin, limit) in enumerate(zip(begins.tolist(), many, strict=True)):
        if limit is not None and begin != _NEVER:
            rows.setdefault(limit, []).append(row)
    for limit, chosen in rows.items():
        yield limit, np.array(chosen, dtype=np.int64)
