"""A detector in general: readings become a measure, hysteresis decides on the measure, and what is due is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from chengshu.detectors import hold
from chengshu.detectors.hold import Levels, Side, amount
from chengshu.detectors.memory import Memory
from chengshu.detectors.numbers import Numbers
from chengshu.detectors.readings import Flags, Floats, Ints, Rounds, readings
from chengshu.detectors.telling import Telling
from chengshu.scene import Seen, State, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """How readings become the measure that hysteresis decides on; by itself, the measure is the reading.

    `fields` are what it remembers of a thing, with their defaults.
    """

    side: Side = "above"
    fields: ClassVar[Mapping[str, int | float]] = {}

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """What `thing, at, value` of earlier days teach; by itself nothing."""
        return pl.DataFrame()

    def prepare(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The rows with `x`, what `advance` takes in (null: nothing), and the numbers that are told with a finding."""
        return rows.with_columns(pl.col("value").alias("x"))

    def advance(
        self, memory: Memory, places: Ints, at: Ints, row: Mapping[str, Floats], numbers: Numbers
    ) -> dict[str, Floats]:
        """Take in one reading of each of the things at `places`: the `measure`, and more numbers to tell."""
        return {"measure": row["x"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch(Telling):
    """A detector of a `column` by a `measure`. Use it as `detect=`, and its `teach` as `teach=` where it compares with the past.

    The same readings in any windows, one after the other, give the same findings and the same state; late rows within the
    lateness that a source allows are the caller's to wait for.
    """

    column: str
    measure: Measure

    def __call__(self, window: Window) -> Seen:
        """Findings of a window, and the state after it."""
        noticed, state = self.notice(window)
        return Seen(findings=self.findings(window, noticed), state=state)

    def teach(self, window: Window) -> pl.DataFrame:
        """What the days of teaching say is usual."""
        return self.measure.teach(window, readings(window.frame, self.column), self.numbers(window))

    def notice(self, window: Window) -> tuple[pl.DataFrame, State]:
        """What is due: `thing, at, value`, the `measure` and the numbers behind it, in no order; and the state after it."""
        numbers = self.numbers(window)
        rows = self.measure.prepare(window, readings(window.frame, self.column), numbers)
        rows = rows.filter(pl.col("x").is_finite())
        memory = Memory.resume(window.state, rows["thing"], {**hold.FIELDS, **self.measure.fields})
        rounds = Rounds.of(rows, memory.places(rows["thing"]))
        due, told = self._run(memory, rounds, numbers)
        last = int(window.end.timestamp() * 1_000_000)
        noticed = rounds.frame.drop("x").with_columns(pl.Series(name, values) for name, values in told.items())
        return noticed.filter(due), memory.state(last, numbers.gap)

    def _run(self, memory: Memory, rounds: Rounds, numbers: Numbers) -> tuple[Flags, dict[str, Floats]]:
        levels = Levels.of(numbers, self.measure.side)
        gap = numbers.gap
        due = np.zeros(rounds.place.size, dtype=np.bool_)
        told: dict[str, Floats] = {}
        for turn in rounds:
            places, at = rounds.place[turn], rounds.at[turn]
            memory.begin_anew(places, at, gap)
            row = {name: column[turn] for name, column in rounds.columns.items()}
            result = self.measure.advance(memory, places, at, row, numbers)
            memory.at[places] = at
            for name, values in result.items():
                told.setdefault(name, np.full(due.size, np.nan))[turn] = values
            due[turn] = hold.step(memory, places, amount(result["measure"], self.measure.side), levels)
        return due, told
