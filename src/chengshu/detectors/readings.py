"""Observations as detectors read them: numbers only, each thing's in order of time, and in rounds of one reading per thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chengshu.core.errors import Invalid

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

INSTANT: Final = pl.Datetime("us", "UTC")
READINGS: Final = pl.Schema({"thing": pl.String(), "at": INSTANT, "value": pl.Float64()})
MICROSECONDS: Final = 1_000_000  # a second


def readings(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """`thing, at, value` of a column, sorted by thing and time.

    What is null, NaN or infinite says nothing and is left out. Of several rows for the same thing and time the last one holds.
    Raises `Invalid` when the frame has rows but no such column.
    """
    if frame.is_empty():
        return pl.DataFrame(schema=READINGS)
    if column not in frame.columns:
        raise Invalid(
            "The observations have no such column.", where=column, remedy="Name a column that the source declares."
        )
    value = pl.col(column).cast(pl.Float64).alias("value")
    said = frame.select("thing", pl.col("at").cast(INSTANT), value).filter(pl.col("value").is_finite())
    last = pl.struct("thing", "at").rle_id()
    return said.sort("thing", "at", maintain_order=True).filter(last != last.shift(-1, fill_value=-1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounds:
    """Readings cut into rounds: the first new reading of every thing, the second, and so on.

    A round has at most one reading of a thing, so that one step serves all things at once, whenever each of them speaks.

    Args:
        frame: the readings in order of rounds; `columns` are its numbers, `place` the index of each reading's thing.
        edges: where each round begins, and the end.
    """

    frame: pl.DataFrame
    place: Ints
    columns: Mapping[str, Floats]
    at: Ints
    edges: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, place: Ints) -> Rounds:
        """From readings sorted by thing and time, and the index of each reading's thing."""
        turn = _turns(place)
        if turn.any():
            order = np.argsort(turn, kind="stable")
            frame, place, turn = frame[order], place[order], turn[order]
        numbers = [name for name, dtype in frame.schema.items() if dtype.is_float()]
        return cls(
            frame=frame,
            place=place,
            columns={name: frame[name].fill_null(float("nan")).to_numpy() for name in numbers},
            at=frame["at"].to_physical().to_numpy(),
            edges=np.concatenate(([0], np.cumsum(np.bincount(turn)))) if turn.size else np.zeros(1, dtype=np.int64),
        )

    def __iter__(self) -> Iterator[slice]:
        return (slice(int(begin), int(end)) for begin, end in zip(self.edges[:-1], self.edges[1:], strict=True))


def _turns(place: Ints) -> Ints:
    """How many readings of the same thing stand before each; equal places stand together."""
    if not place.size:
        return np.zeros(0, dtype=np.int64)
    begins = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    lengths = np.diff(np.concatenate((begins, [place.size])))
    return np.arange(place.size, dtype=np.int64) - np.repeat(begins, lengths)
