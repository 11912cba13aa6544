"""The measures: from what a thing says, and what it said before, to one number of how far it is out of the ordinary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from chengshu.core.errors import Invalid
from chengshu.detectors.charts import cusum, ewma, ewma_spread
from chengshu.detectors.hold import amount
from chengshu.detectors.memory import NEVER, Memory
from chengshu.detectors.neighbours import Among, beside_neighbours
from chengshu.detectors.numbers import Numbers
from chengshu.detectors.readings import MICROSECONDS, Floats, Ints
from chengshu.detectors.usual import Against
from chengshu.detectors.watch import Measure
from chengshu.scene import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate(Measure):
    """Change per hour since the reading before."""

    fields: ClassVar[Mapping[str, int | float]] = {"before": float("nan")}

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The rate; NaN for the first reading."""
        before = memory.fields["before"][places]
        hours = (at - np.where(memory.at[places] == NEVER, at, memory.at[places])) / (3600.0 * MICROSECONDS)
        memory.fields["before"][places] = row["x"]
        return {"measure": (row["x"] - before) / np.where(hours > 0, hours, np.nan), "before": before}


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline(Measure):
    """Distance from what is usual, in spreads."""

    against: Against

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """What `against` makes of earlier days."""
        return self.against.teach(window, rows, numbers)

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`x` is (value - usual) / spread."""
        beside = self.against.beside(window, rows, numbers)
        return beside.with_columns(((pl.col("value") - pl.col("usual")) / pl.col("spread")).alias("x"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Cusum(Baseline):
    """The larger sum of a tabular CUSUM, the lower one as a negative number. Parameter `{prefix}_reference` (k, in spreads).

    With `reset` both sums begin anew at 0 after one of them has reached `{prefix}_enter`, the decision interval.
    """

    reset: bool = True
    fields: ClassVar[Mapping[str, int | float]] = {"high": 0.0, "low": 0.0}

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure, with both sums as they were before a reset."""
        fields = memory.fields
        reference = numbers.within("reference", 0, np.inf)
        high, low = cusum(fields["high"][places], fields["low"][places], row["x"], reference)
        measure = {"above": high, "below": -low, "both": np.where(high >= low, high, -low)}[self.side]
        again = self._again(measure, numbers)
        fields["high"][places], fields["low"][places] = np.where(again, 0.0, high), np.where(again, 0.0, low)
        return {"measure": measure, "high": high, "low": low}

    def _again(self, measure: Floats, numbers: Numbers) -> Floats | bool:
        """Where the sums begin anew."""
        if not self.reset:
            return False
        if numbers["enter_slots"] != 1:
            raise Invalid(
                "A sum that begins anew is beyond its limit only once.",
                where=f"{numbers.prefix}_enter_slots",
                remedy="Set it to 1, or use reset=False.",
            )
        limit = np.array([numbers["enter"]])
        return (amount(measure, self.side) >= amount(limit, self.side)).astype(np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ewma(Baseline):
    """The moving average in units of its own standard deviation; the control limits are `{prefix}_enter` (L).

    Parameter `{prefix}_weight` (lambda), in (0, 1].
    """

    fields: ClassVar[Mapping[str, int | float]] = {"average": 0.0, "count": 0}

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure, and the `average` itself in spreads of single readings."""
        fields = memory.fields
        weight = numbers.within("weight", 1e-6, 1)
        average = ewma(fields["average"][places], row["x"], weight)
        count = fields["count"][places] + 1
        fields["average"][places], fields["count"][places] = average, count
        return {"measure": average / ewma_spread(count, weight), "average": average}


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump(Baseline):
    """Change since the reading before, less the usual change, in spreads of the thing's changes from reading to reading."""

    fields: ClassVar[Mapping[str, int | float]] = {"before": float("nan")}

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The usual change and its spread; not of those over more than `{prefix}_gap`."""
        near = pl.col("at").diff().over("thing") <= pl.duration(microseconds=numbers.gap)
        change = pl.col("value").diff().over("thing").alias("value")
        return self.against.teach(window, rows.with_columns(change, near.alias("near")).filter("near"), numbers)

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`x` is the reading, null where no spread is known."""
        beside = self.against.beside(window, rows, numbers)
        return beside.with_columns(pl.when(pl.col("spread").is_not_null()).then("value").alias("x"))

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure; NaN for the first reading."""
        before = memory.fields["before"][places]
        memory.fields["before"][places] = row["x"]
        return {"measure": (row["x"] - before - row["usual"]) / row["spread"], "before": before}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck(Measure):
    """Seconds for which the readings have stayed within `{prefix}_tolerance` of the one that they began with.

    At the value `resting` standing still is in order (0 for a rain gauge).
    """

    resting: float | None = None
    fields: ClassVar[Mapping[str, int | float]] = {"flat": float("nan"), "since": 0}

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure, and the reading `flat` it began with."""
        fields, tolerance = memory.fields, numbers.within("tolerance", 0, np.inf)
        flat = fields["flat"][places]
        moved = ~(np.abs(row["x"] - flat) <= tolerance)  # so that the first reading, after NaN, is a move
        flat, since = np.where(moved, row["x"], flat), np.where(moved, at, fields["since"][places])
        fields["flat"][places], fields["since"][places] = flat, since
        seconds = (at - since) / MICROSECONDS
        if self.resting is not None:
            seconds = np.where(np.abs(flat - self.resting) <= tolerance, 0.0, seconds)
        return {"measure": seconds, "flat": flat}


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagree(Measure):
    """Distance from the median of the neighbours at the same time, in their robust spread (modified z-score).

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993). The thing itself is one of them. Parameters: `{prefix}_least`,
    fewer things with a reading are not compared; `{prefix}_spread_floor`, the spread is never taken as smaller.
    """

    among: Among

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`x` is (value - middle) / spread."""
        beside = beside_neighbours(self.among, window, rows, numbers)
        spread = pl.max_horizontal("spread", pl.lit(numbers.within("spread_floor", 1e-300, np.inf))).alias("spread")
        distance = (pl.col("value") - pl.col("middle")) / pl.col("spread")
        return beside.with_columns(spread).with_columns(distance.alias("x"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift(Ewma):
    """The EWMA chart of a thing's distance from the median of its neighbours: it goes away from them slowly.

    `against` says which distance is usual for it. Parameter `{prefix}_least` as for `Disagree`.
    """

    among: Among

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The usual distance of each thing and its spread."""
        return self.against.teach(window, self._offsets(window, rows, numbers), numbers)

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`x` is (distance - usual distance) / its spread; `offset` is the distance, `value` the reading."""
        beside = self.against.beside(window, self._offsets(window, rows, numbers), numbers)
        distance = ((pl.col("value") - pl.col("usual")) / pl.col("spread")).alias("x")
        return beside.with_columns(distance).rename({"value": "offset", "reading": "value"})

    def _offsets(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`value` is the distance from the neighbours' median, `reading` what was read."""
        beside = beside_neighbours(self.among, window, rows, numbers).drop("spread")
        offset = (pl.col("value") - pl.col("middle")).alias("value")
        return beside.with_columns(offset, pl.col("value").alias("reading")).filter(pl.col("value").is_finite())
