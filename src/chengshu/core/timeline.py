"""The working time of a city laid out on a line, so that whole columns of moments can be measured against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from chengshu.core.wall_clock import DAY, Micros, WallClock, day_number, wall_clock

_MONDAY = 4  # 1970-01-05, the first Monday of the epoch, is day number 4


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What is worked: `hours` are (open, close) in microseconds after midnight; in `weekend` Monday is 0."""

    zone: ZoneInfo
    hours: tuple[tuple[int, int], ...]
    weekend: frozenset[int]
    days_off: frozenset[date]
    makeup_days: frozenset[date]

    @property
    def daily(self) -> int:
        """Working time of one day in microseconds."""
        return sum(close - start for start, close in self.hours)

    def is_working(self, day: date) -> bool:
        """Whether a day is worked: listed days off win over make-up days, these over the weekend."""
        return day not in self.days_off and (day.weekday() not in self.weekend or day in self.makeup_days)


@dataclass(frozen=True, eq=False, slots=True)
class Timeline:
    """Working days and working spans of some years.

    `days` are the working days' numbers, `before[i]` how many of them come before day `first + i`; `opens` and
    `closes` bound the working spans in UTC microseconds, `done[i]` is the working time before span i.
    """

    clock: WallClock
    first: int
    days: Micros
    before: Micros
    opens: Micros
    closes: Micros
    done: Micros
    close: int

    @classmethod
    def build(cls, schedule: Schedule, first_year: int, last_year: int) -> Self:
        """Lay out the years from `first_year` to `last_year`, both included."""
        clock = wall_clock(schedule.zone, first_year, last_year)
        first, last = day_number(date(first_year, 1, 1)), day_number(date(last_year, 12, 31))
        worked = _worked(schedule, first, last)
        days = first + np.flatnonzero(worked)
        opens, closes = (
            clock.utc((days[:, None] * DAY + np.array(edge)[None, :]).ravel())
            for edge in zip(*schedule.hours, strict=True)
        )
        before = np.concatenate([[0], np.cumsum(worked, dtype=np.int64)])
        done = np.concatenate([[0], np.cumsum(closes - opens)])
        return cls(clock, first, days, before, opens, closes, done, schedule.hours[-1][1])

    def day(self, moments: Micros) -> Micros:
        """The number of the local day of each moment."""
        return self.clock.local(moments) // DAY

    def time_of_day(self, moments: Micros) -> Micros:
        """The wall time of each moment, in microseconds after midnight."""
        return self.clock.local(moments) % DAY

    def rank(self, days: Micros) -> Micros:
        """How many working days there are up to and including each day."""
        return self.before[days - self.first + 1]

    def is_working(self, days: Micros) -> NDArray[np.bool_]:
        """Whether each day is worked."""
        return self.before[days - self.first + 1] > self.before[days - self.first]

    def working_days_after(self, days: Micros, count: int) -> Micros:
        """The `count`-th working day after each day, itself not counted; 0 gives the last one up to it."""
        return self.days[self.rank(days) + count - 1]

    def working_day_from(self, days: Micros) -> Micros:
        """Each day itself when it is worked, else the next one that is."""
        return self.days[self.before[days - self.first]]

    def worked(self, moments: Micros) -> Micros:
        """The working time from the start of the line to each moment."""
        span = np.maximum(np.searchsorted(self.opens, moments, side="right") - 1, 0)
        inside = np.clip(moments, self.opens[span], self.closes[span]) - self.opens[span]
        return self.done[span] + inside

    def add(self, moments: Micros, amount: int) -> Micros:
        """The moments by which `amount` of working time is done; what ends with the day ends at its close."""
        target = self.worked(moments) + amount
        span = np.searchsorted(self.done[1:], target, side="left")
        ends: Micros = np.maximum(self.opens[span] + target - self.done[span], moments)
        return ends

    def opening(self, moments: Micros) -> Micros:
        """Each moment itself in working time, else the next opening."""
        opens: Micros = np.maximum(self.opens[np.searchsorted(self.closes, moments, side="right")], moments)
        return opens

    def closing(self, days: Micros) -> Micros:
        """Close of business of working days, the end of other days."""
        return self.clock.utc(days * DAY + np.where(self.is_working(days), self.close, DAY))


def _worked(schedule: Schedule, first: int, last: int) -> NDArray[np.bool_]:
    weekdays = (np.arange(first, last + 1) - _MONDAY) % 7
    worked = ~np.isin(weekdays, list(schedule.weekend))
    _mark(worked, first, sorted(schedule.makeup_days), True)
    _mark(worked, first, sorted(schedule.days_off), False)
    return worked


def _mark(worked: NDArray[np.bool_], first: int, days: Sequence[date], value: bool) -> None:
    at = np.array([day_number(day) - first for day in days], dtype=np.int64)
    worked[at[(at >= 0) & (at < len(worked))]] = value
