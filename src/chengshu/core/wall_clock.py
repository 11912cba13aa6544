"""A zone's clock for whole columns: UTC to local wall time and back, agreeing with `zoneinfo` to the microsecond.

Times are int64 microseconds since 1970-01-01: of UTC, or of the local wall clock. A wall time that occurs twice is
taken as the first, as in PEP 495; one that is skipped is taken as the moment of the change (`zoneinfo` counts on, so
that 02:30 would come after 03:00), because later wall times must never be earlier moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1) // MICROSECOND
_LAST = np.iinfo(np.int64).max
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware time, exactly."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC time of microseconds since the epoch."""
    return EPOCH + int(micros) * MICROSECOND


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH.toordinal()


@dataclass(frozen=True, eq=False, slots=True)
class WallClock:
    """The offsets of a zone over a span of years."""

    changes: Micros
    offsets: Micros
    walls: Micros

    def local(self, utc: Micros) -> Micros:
        """Wall times of UTC times."""
        return utc + self.offsets[np.searchsorted(self.changes, utc, side="right")]

    def utc(self, wall: Micros) -> Micros:
        """UTC times of wall times."""
        after = np.searchsorted(self.walls, wall, side="right")
        utc: Micros = np.minimum(wall - self.offsets[after], np.append(self.changes, _LAST)[after])
        return utc


@lru_cache(maxsize=64)
def wall_clock(zone: ZoneInfo, first_year: int, last_year: int) -> WallClock:
    """The clock of `zone`, right from the start of `first_year` to the end of `last_year`."""
    start = day_number(date(first_year, 1, 1)) * DAY - DAY
    end = day_number(date(last_year, 12, 31)) * DAY + 2 * DAY
    offsets = [_offset(zone, start)]
    changes: list[int] = []
    for change in _changes(zone, start, end):
        changes.append(change)
        offsets.append(_offset(zone, change))
    walls = [change + max(pair) for change, pair in zip(changes, pairwise(offsets), strict=True)]
    return WallClock(*(np.array(part, dtype=np.int64) for part in (changes, offsets, walls)))


def _changes(zone: ZoneInfo, start: int, end: int) -> list[int]:
    """The moments at which the offset changes; looked for by weeks: no zone changes and returns within one."""
    marks = [*range(start, end, 7 * DAY), end]
    return [
        _change_between(zone, early, late)
        for early, late in pairwise(marks)
        if _offset(zone, early) != _offset(zone, late)
    ]


def _change_between(zone: ZoneInfo, early: int, late: int) -> int:
    before = _offset(zone, early)
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(zone, middle) == before:
            early = middle
        else:
            late = middle
    return late


def _offset(zone: ZoneInfo, utc: int) -> int:
    offset = from_micros(utc).astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows its offset
    return offset // MICROSECOND
