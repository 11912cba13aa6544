"""Two faults that a datastream's own readings show: it stands still, or it leaps away and back at once.

Datastreams differ in everything: unit, size, how often they speak, how long they may rest. So each is compared with what it did
itself on the days of teaching, and one that was not taught, or that hardly moves anyway, is not judged. Built upon the measures
`Stuck` and `Jump` of `chengshu.detectors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl

from chengshu.detectors.measures import Jump, Stuck
from chengshu.detectors.memory import Memory
from chengshu.detectors.numbers import Numbers
from chengshu.detectors.readings import MICROSECONDS, Floats, Ints
from chengshu.detectors.watch import Watch
from chengshu.scene import Window

HABITS: Final = pl.Schema(
    {
        "thing": pl.String(),
        "longest": pl.Float64(),
        "moves": pl.UInt32(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
)
"""What a datastream did on the days of teaching: its longest flat line (s), its moves, its least and greatest reading."""
CHANGES: Final = pl.Schema({"thing": pl.String(), "spread": pl.Float64(), "changes": pl.UInt32()})
"""The change from reading to reading that hardly one of the taught ones exceeds, and how many were taught."""
_HOUR: Final = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Still(Stuck):
    """Seconds for which a flat line is longer than the longest of the days of teaching.

    Parameter `{prefix}_least_moves`: what moved less often on those days rests by nature, and is not judged.
    """

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`HABITS`. Lines at the value `resting`, and across gaps, do not count."""
        tolerance = numbers.within("tolerance", 0, np.inf)
        apart = pl.col("at").diff() > pl.duration(microseconds=numbers.gap)
        moved = pl.col("value").diff().abs() > tolerance
        same = pl.col("thing") == pl.col("thing").shift(1)
        begins = (~same | apart | moved).fill_null(True)
        line = pl.when(begins).then("at").forward_fill()
        at_rest = pl.col("value").abs() <= tolerance if self.resting == 0 else pl.lit(False)
        long = pl.when(~at_rest).then((pl.col("at") - line).dt.total_microseconds() / MICROSECONDS)
        habits = rows.with_columns(long.alias("long"), (same & moved).fill_null(False).alias("moved"))
        return habits.group_by("thing", maintain_order=True).agg(
            pl.col("long").max().fill_null(0.0).alias("longest"),
            pl.col("moved").sum().cast(pl.UInt32).alias("moves"),
            pl.col("value").min().alias("low"),
            pl.col("value").max().alias("high"),
        )

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`x` is the reading of what moved often enough, with the `longest` line."""
        moving = known(window, HABITS).filter(pl.col("moves") >= numbers["least_moves"]).select("thing", "longest")
        return _beside(rows, moving).with_columns(pl.col("value").alias("x"))

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure; `flat` is the reading the line began with, `hours` its length, `usually` the longest one taught (h)."""
        told = Stuck.advance(self, memory, places, at, row, numbers)
        length, longest = told["measure"], row["longest"]
        return {"measure": length - longest, "flat": told["flat"], "hours": length / _HOUR, "usually": longest / _HOUR}


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnChanges:
    """Each datastream's own changes: `{prefix}_quantile` of their amounts. Fewer than `{prefix}_least` teach nothing."""

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`CHANGES`, of rows whose `value` is the change."""
        quantile = numbers.within("quantile", 0, 1)
        return rows.group_by("thing", maintain_order=True).agg(
            pl.col("value").abs().quantile(quantile, "higher").alias("spread"),
            pl.len().cast(pl.UInt32).alias("changes"),
        )

    def beside(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The readings with `usual` 0 and `spread`; null for what was hardly taught or never changed."""
        taught = known(window, CHANGES).filter((pl.col("changes") >= numbers["least"]) & (pl.col("spread") > 0))
        return _beside(rows, taught.select("thing", "spread")).with_columns(pl.lit(0.0).alias("usual"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Leap(Jump):
    """How far the reading before leapt from the one before it and back again, in spreads.

    It is the smaller of both changes, less what is left of them. What leaps and stays is none: a flood does the same. The spike
    test of QARTOD (IOOS 2020) compares likewise a reading with the two around it.
    """

    fields: ClassVar[Mapping[str, int | float]] = {"before": float("nan"), "change": float("nan")}

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """The measure; NaN for the first two readings. `peak` is the reading that leapt, `base` the one before it."""
        there, peak = memory.fields["change"][places], memory.fields["before"][places]
        back = row["x"] - peak
        memory.fields["before"][places], memory.fields["change"][places] = row["x"], back
        stayed = np.abs(there + back)  # of two changes in one direction it is the larger part: nothing leapt
        leapt = np.maximum(np.minimum(np.abs(there), np.abs(back)) - stayed, 0.0)
        measure = np.where(np.isnan(there), np.nan, leapt / row["spread"])
        return {"measure": measure, "base": peak - there, "peak": peak}


def known(window: Window, schema: pl.Schema) -> pl.DataFrame:
    """These columns of what was taught; no rows before anything was."""
    return window.taught.select(schema.names()).cast(schema) if window.taught.height else schema.to_frame()


def _beside(rows: pl.DataFrame, taught: pl.DataFrame) -> pl.DataFrame:
    """The readings of the things that were taught, in their order, with what they were taught."""
    return rows.join(taught, on="thing", how="inner", maintain_order="left")


STUCK: Final = Watch(column="value", prefix="stuck", type="devices.stuck", measure=Still(resting=0.0))
JUMP: Final = Watch(column="value", prefix="jump", type="devices.jump", measure=Leap(against=OwnChanges()))
