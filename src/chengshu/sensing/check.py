"""Rows against what their datastreams can be: known, of the right type, in a unit that converts, in range, in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chengshu.core import units
from chengshu.core.errors import Invalid
from chengshu.sensing.known import CATEGORY, COUNT, NUMBER, TRUTH, Known
from chengshu.sensing.records import FIRST_DAY, LAST_DAY, Reason, Refused
from chengshu.sensing.store import DAY_US

AHEAD: Final = timedelta(hours=1)  # clocks of sensors that are set by hand may be off by so much
Flags = NDArray[np.bool_]
Content = Callable[[Mapping[str, Any]], Any]
"""What was read of a row, for whoever repairs it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """Rows that are right, with their features and converted results; and those that are not."""

    good: pl.DataFrame
    refused: tuple[Refused, ...]


def ids_of(frame: pl.DataFrame, names: dict[str, int]) -> NDArray[np.int64]:
    """The datastream of each row by number or key; 0 where it names none that is known."""
    ids = frame["datastream"]
    if "key" in frame.columns and frame["key"].null_count() < frame.height:
        keys = frame["key"].replace_strict(names, default=0, return_dtype=pl.Int64)
        ids = ids.fill_null(keys)
    return ids.fill_null(0).to_numpy()


def check(
    frame: pl.DataFrame, known: Known, *, at: datetime, content: Content, ahead: timedelta | None = AHEAD
) -> Checked:
    """Check rows (`ROWS` and some of `OPTIONAL`) against what is known; units are converted.

    Args:
        content: what was read of a row, to be shown to whoever repairs it.
        ahead: how far a time may lie in the future; None for any.
    """
    ids = ids_of(frame, known.keys)
    rows = known.find(ids)
    results, wrong_unit = _converted(frame, rows, known)
    verdicts = {
        Reason.UNKNOWN: rows["id"] == 0,
        Reason.TIME: _untimely(frame, at, ahead),
        Reason.TYPE: _mistyped(frame, rows["kind"], results),
        Reason.UNIT: wrong_unit,
        Reason.RANGE: (results < rows["low"]) | (results > rows["high"]) | np.isinf(results),
    }
    bad = np.zeros(frame.height, dtype=bool)
    refused: list[Refused] = []
    for reason, flags in verdicts.items():
        news = np.flatnonzero(flags & ~bad)
        bad |= flags
        for i in news:
            row = frame.row(int(i), named=True)
            refused.append(
                Refused(
                    line=row["line"],
                    reason=reason,
                    detail=_detail(reason, row, rows[i], known, at),
                    content=content(row),
                    datastream=int(rows[i]["id"]) or None,
                )
            )
    refused.sort(key=lambda each: each.line)
    return Checked(good=_good(frame, ids, rows, results, bad), refused=tuple(refused))


def _good(frame: pl.DataFrame, ids: Any, rows: NDArray[Any], results: Any, bad: Flags) -> pl.DataFrame:
    features = pl.Series("feature", rows["feature"], dtype=pl.Int64)
    features = features.set(features <= 0, None)
    if "feature" in frame.columns:
        features = frame["feature"].fill_null(features)
    found = frame.with_columns(
        pl.Series("datastream", ids, dtype=pl.Int64),
        pl.Series("result", results, dtype=pl.Float64).fill_nan(None),
        features.alias("feature"),
    )
    return found if not bad.any() else found.filter(~bad)


def _converted(frame: pl.DataFrame, rows: NDArray[Any], known: Known) -> tuple[NDArray[np.float64], Flags]:
    """Results in the units of their datastreams (NaN where there is no number), and where that is not possible."""
    results = frame["result"].fill_null(np.nan).to_numpy()
    wrong = np.zeros(frame.height, dtype=bool)
    if "unit" not in frame.columns or frame["unit"].null_count() == frame.height:
        return results, wrong
    results = results.copy()
    given = frame["unit"].to_numpy()
    for unit in frame["unit"].drop_nulls().unique():
        for number in np.unique(rows["unit"][given == unit]):
            chosen = (given == unit) & (rows["unit"] == number) & (rows["id"] != 0)
            wanted = known.units[number] if known.units else ""
            try:
                results[chosen] = units.convert(results[chosen], unit, wanted) if wanted != unit else results[chosen]
            except Invalid:
                wrong |= chosen
    return results, wrong


def _untimely(frame: pl.DataFrame, at: datetime, ahead: timedelta | None) -> Flags:
    times = frame["at"].dt.timestamp("us")
    stamps = times.fill_null(-1).to_numpy()
    wrong: Flags = (stamps < FIRST_DAY * DAY_US) | (stamps >= (LAST_DAY + 1) * DAY_US)
    if ahead is not None:
        wrong |= stamps > (at + ahead).timestamp() * 1e6
    if "until" in frame.columns:
        wrong |= (frame["until"] < frame["at"]).fill_null(False).to_numpy()
    return wrong


def _mistyped(frame: pl.DataFrame, kinds: NDArray[np.int8], results: NDArray[np.float64]) -> Flags:
    number = ~np.isnan(results)
    other = frame["other"]
    wrong: Flags = ~number & other.is_null().to_numpy()
    wrong |= np.isin(kinds, (NUMBER, COUNT)) & ~number
    with np.errstate(invalid="ignore"):
        wrong |= (kinds == COUNT) & number & (np.floor(results) != results)
    if (kinds == TRUTH).any():
        wrong |= (kinds == TRUTH) & ~other.is_in(["true", "false"]).fill_null(False).to_numpy()
    if (kinds == CATEGORY).any():
        wrong |= (kinds == CATEGORY) & ~other.str.starts_with('"').fill_null(False).to_numpy()
    return wrong


def _detail(reason: Reason, row: dict[str, Any], known: NDArray[Any], register: Known, at: datetime) -> str:
    """What is wrong with a row, with its numbers, in English; pages say the reason in the reader's language before it."""
    named = row["datastream"] if row["datastream"] is not None else row.get("key")
    said = row["result"] if row["result"] is not None else row["other"]
    match reason:
        case Reason.UNKNOWN:
            return f"datastream {named!r}"
        case Reason.TIME:
            return f"{row['at']}, received {at:%Y-%m-%dT%H:%M:%SZ}"
        case Reason.UNIT:
            return f"{row.get('unit')!r} into {register.units[known['unit']]!r}"
        case Reason.RANGE:
            return f"{said} is not within {known['low']:g} … {known['high']:g}"
        case _:
            return json.dumps(said, ensure_ascii=False, default=str)[:200]
