"""Records of sensing: what came in, what became of it, and why a row was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import polars as pl

FIRST_DAY, LAST_DAY = 0, 2**16 - 1  # days since 1970-01-01 that an observation's identifier can tell
SERIAL_BITS: Final = 37
LARGEST_EXACT: Final = 2**53  # whole numbers beyond are not exact as float64; such results are kept as JSON


class Reason(StrEnum):
    """Why a row was refused."""

    FORM = "form"  # not readable, or a member is missing
    UNKNOWN = "unknown"  # no such datastream, or none that the caller may write
    TYPE = "type"  # not of the datastream's observation type
    UNIT = "unit"  # a unit that does not convert into the datastream's
    RANGE = "range"  # beyond what the datastream can observe
    TIME = "time"  # no time, before 1970, after 2149, or in the future
    PLACE = "place"  # coordinates that are nowhere
    CONTRADICTS = "contradicts"  # the datastream has another result at that time


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A row that was refused: where it stood (line from 1), why, and what was read."""

    line: int
    reason: Reason
    detail: str
    content: Mapping[str, Any] | str
    datastream: int | None = None


ROWS: Final = pl.Schema(
    {
        "line": pl.Int32(),  # from 1, in what came in
        "datastream": pl.Int64(),
        "at": pl.Datetime("us", "UTC"),  # phenomenonTime or its start
        "result": pl.Float64(),  # a number …
        "other": pl.String(),  # … or JSON text of anything else
    }
)
"""Columns that every frame given to accept() has."""

OPTIONAL: Final = pl.Schema(
    {
        "key": pl.String(),  # names the datastream where `datastream` is null
        "until": pl.Datetime("us", "UTC"),
        "result_time": pl.Datetime("us", "UTC"),
        "valid_from": pl.Datetime("us", "UTC"),
        "valid_until": pl.Datetime("us", "UTC"),
        "unit": pl.String(),  # UCUM; without it the datastream's own
        "feature": pl.Int64(),  # without it that of the Thing's present Location
        "quality": pl.String(),  # JSON text
        "parameters": pl.String(),  # JSON text
    }
)
"""Columns that a frame may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What a door read: rows (`ROWS` and some of `OPTIONAL`), what it could not read, and the content as it came.

    `content` is kept and known by its digest; None where the rows carry no times of their own, or were made here.
    """

    door: str
    rows: pl.DataFrame
    refused: tuple[Refused, ...] = ()
    content: bytes | None = None
    media_type: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of it. `replayed` when the same content had come before: the numbers are those of the first time."""

    delivery: int
    rows: int
    known: int
    refused: int
    received: datetime
    replayed: bool = False
    problems: tuple[Refused, ...] = field(default=(), repr=False)
    taken: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False)  # line and id of each row that was right
    same: Mapping[int, int] = field(default_factory=dict, repr=False)  # ids that were not needed to those there before

    @property
    def ids(self) -> dict[int, int]:
        """The observation of each line that was added or known; nothing of a replay."""
        refused = {problem.line for problem in self.problems}
        return {line: self.same.get(i, i) for line, i in self.taken.iter_rows() if line not in refused}
