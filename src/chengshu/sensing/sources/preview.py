"""What a mapping would make of a sample, without taking anything in: the first rows, their conversions, the mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from chengshu.core import units
from chengshu.core.errors import Invalid
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from chengshu.sensing import known
from chengshu.sensing.check import check
from chengshu.sensing.models import Datastream
from chengshu.sensing.records import Reason, Refused
from chengshu.sensing.scope import write_scope
from chengshu.sensing.sources import shape
from chengshu.sensing.sources.mapping import Source

ROWS: Final = 500  # of a sample that are tried
SHOWN: Final = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An observation as it would be taken: `given` in `unit` becomes `kept` in `kept_unit`; `new`: its datastream is made."""

    line: int
    key: str
    at: datetime
    until: datetime | None
    given: Any
    unit: str
    kept: Any
    kept_unit: str
    new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What would become of a sample.

    `good` observations would be taken, `empty` values say nothing, `new` datastreams would be made.
    """

    lines: Sequence[Line]
    problems: Sequence[Refused]
    good: int
    bad: int
    empty: int
    new: int
    columns: Sequence[str]
    sample: Sequence[Sequence[str | None]]
    conversions: Sequence[tuple[str, str]]


def preview(
    content: bytes, source: Source, *, principal: Principal, city: City, now: datetime | None = None
) -> Preview:
    """Try a mapping on a sample. Raises `Invalid` when it cannot be read at all."""
    at = now or datetime.now(UTC)
    taken = shape.take(content, source, zone=city.timezone, door="preview", received=at, most=ROWS)
    rows = taken.incoming.rows
    nth = dict(taken.streams.select("key", "nth").iter_rows())
    there = _units_there(city, list(nth))
    fresh = {key for key in nth if key not in there} if source.ensure is not None else set()
    kept = {key: there.get(key, _made_unit(source, nth[key])) for key in nth}
    new = rows.filter(pl.col("key").is_in(list(fresh)))
    lines, wrong = _converted(new, kept, source, nth)
    refused = [*taken.incoming.refused, *wrong]
    old = rows.filter(~pl.col("key").is_in(list(fresh)))
    if old.height:
        found, more = _checked(old, kept, principal, at)
        lines, refused = [*lines, *found], [*refused, *more]
    lines.sort(key=lambda line: line.line)
    refused.sort(key=lambda each: each.line)
    return Preview(
        lines=lines[:SHOWN],
        problems=refused[:SHOWN],
        good=len(lines),
        bad=len(refused),
        empty=taken.empty,
        new=len(fresh),
        columns=taken.table.columns[:30],
        sample=list(taken.table.frame.select(taken.table.columns[:30]).head(5).iter_rows()),
        conversions=sorted({(line.unit, line.kept_unit) for line in lines if line.unit}),
    )


def _units_there(city: City, keys: Sequence[str]) -> dict[str, str]:
    return {
        str(key): ucum for key, ucum in Datastream.objects.filter(city=city, key__in=keys).values_list("key", "ucum")
    }


def _made_unit(source: Source, nth: int) -> str:
    each = source.results[nth]
    return each.store_unit or each.unit or ""


def _converted(
    rows: pl.DataFrame, kept: dict[str, str], source: Source, nth: dict[str, int]
) -> tuple[list[Line], list[Refused]]:
    """Observations of datastreams that would be made, with the checks that these would do."""
    lines: list[Line] = []
    wrong: list[Refused] = []
    for row in rows.iter_rows(named=True):
        line, each = _line(row, kept[row["key"]], new=True), source.results[nth[row["key"]]]
        if line is None:
            detail = f"{row['unit']!r} into {kept[row['key']]!r}"
            wrong.append(_refused(row, Reason.UNIT, detail))
        elif _beyond(line.kept, each.low, each.high):
            wrong.append(_refused(row, Reason.RANGE, f"{line.kept} is not within {each.low} … {each.high}"))
        else:
            lines.append(line)
    return lines, wrong


def _beyond(value: Any, low: float | None, high: float | None) -> bool:
    if not isinstance(value, float):
        return False
    return (low is not None and value < low) or (high is not None and value > high)


def _refused(row: dict[str, Any], reason: Reason, detail: str) -> Refused:
    return Refused(line=row["line"], reason=reason, detail=detail, content={"key": row["key"]})


def _line(row: dict[str, Any], wanted: str, *, new: bool) -> Line | None:
    """A row as it would be taken; None when its unit does not convert."""
    unit = row.get("unit") or wanted
    given: Any = row["result"] if row["other"] is None else row["other"]
    value = given
    if isinstance(given, float) and unit != wanted:
        try:
            value = float(units.convert(np.array([given]), unit, wanted)[0])
        except Invalid:
            return None
    return Line(
        line=row["line"], key=row["key"], at=row["at"], until=row.get("until"), given=given, unit=unit, kept=value,
        kept_unit=wanted, new=new,
    )  # fmt: skip


def _checked(
    rows: pl.DataFrame, kept: dict[str, str], principal: Principal, at: datetime
) -> tuple[list[Line], list[Refused]]:
    """Observations of datastreams that are there, checked as accept() does."""
    scope = write_scope(principal)
    keys = rows["key"].unique().to_list()
    register = known.known(scope, np.empty(0, dtype=np.int64), keys)
    checked = check(rows, register, at=at, content=lambda row: {"key": row["key"]})
    given = {(row["line"], row["key"]): row for row in rows.iter_rows(named=True)}
    lines = []
    for row in checked.good.iter_rows(named=True):
        line = _line(given[(row["line"], row["key"])], kept[row["key"]], new=False)
        assert line is not None
        lines.append(replace(line, kept=row["result"] if row["other"] is None else row["other"]))
    return lines, list(checked.refused)
