"""The days to come, by what the same weekdays brought: simple, explained, and judged by its own past.

The forecast of a day is the median of the same weekday in the eight weeks before. The band lies between the 10th and the
90th percentile of what such forecasts missed by in the past, each made only from days before the one it spoke of; so 80 %
of days should fall into it. How many of the last 28 days really did is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WEEKS = 8  # weeks whose same weekday is asked
FEWEST = 4  # known weeks without which nothing is said of a day
BAND = (0.10, 0.90)
RESIDUALS = 56  # past forecasts from which the band is made
FEWEST_RESIDUALS = 28
JUDGED = 28  # days by which the band is judged
NEEDED = WEEKS * 7 + RESIDUALS + JUDGED  # days of history that all of this looks at
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The days after the last one known: middle, lower and upper edge; and how the band did.

    `covered` of `judged` past days lay in the band that would have been told the day before.
    """

    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    covered: int
    judged: int

    @property
    def coverage(self) -> float | None:
        return self.covered / self.judged if self.judged else None


def forecast(values: Sequence[float | None], days: int, *, highest: float | None = None) -> Forecast | None:
    """What the `days` after the last value will bring; None when too little is known.

    Args:
        values: one number a day without gaps, oldest first; None where it is not known.
        highest: the largest possible value, such as 1 for a share; the smallest is 0.
    """
    known = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    middles = np.array([_middle(known, at) for at in range(len(known))])
    missed = known - middles
    band = _band(missed, len(known))
    ahead = [_middle(known, len(known) + n) for n in range(days)]
    if band is None or np.isnan(ahead).any():
        return None
    covered, judged = _judge(known, middles, missed, highest)
    low, high = (_clipped(np.array(ahead) + edge, highest) for edge in band)
    return Forecast(
        middle=tuple(_clipped(np.array(ahead), highest).tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()),
        covered=covered, judged=judged,
    )  # fmt: skip


def _middle(known: Floats, at: int) -> float:
    """The median of the same weekday in the eight weeks before the last known day; NaN when too few are known."""
    last = min(at, len(known))
    weeks = [at - 7 * n for n in range(1, WEEKS + 2)]
    found = np.array([known[day] for day in weeks if 0 <= day < last][:WEEKS])
    found = found[~np.isnan(found)]
    return float(np.median(found)) if len(found) >= FEWEST else float("nan")


def _band(missed: Floats, end: int) -> tuple[float, float] | None:
    """The percentiles of the misses before a day; None when there are too few."""
    past = missed[max(0, end - RESIDUALS) : end]
    past = past[~np.isnan(past)]
    if len(past) < FEWEST_RESIDUALS:
        return None
    low, high = np.quantile(past, BAND)
    return float(low), float(high)


def _judge(known: Floats, middles: Floats, missed: Floats, highest: float | None) -> tuple[int, int]:
    covered = judged = 0
    for at in range(max(0, len(known) - JUDGED), len(known)):
        band = _band(missed, at)
        if band is None or np.isnan(missed[at]):
            continue
        low, high = (_clipped(np.array([middles[at] + edge]), highest)[0] for edge in band)
        judged += 1
        covered += bool(low <= known[at] <= high)
    return covered, judged


def _clipped(values: Floats, highest: float | None) -> Floats:
    return np.clip(values, 0, highest)
