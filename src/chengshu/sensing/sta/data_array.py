"""CreateObservations: many observations of several datastreams at once, as arrays (18-088, 13.2).

Groups whose columns are plain, times and numbers, are read column by column; others row by row. A row that cannot be taken stands
in quarantine and is answered with "error". The same content again gives the same ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from django.db import transaction

from chengshu.core.errors import TooLarge
from chengshu.parties.principal import Principal
from chengshu.sensing import cold, known, store
from chengshu.sensing.accept import accept
from chengshu.sensing.check import check
from chengshu.sensing.decode import completed, frame_of
from chengshu.sensing.records import Incoming, Reason, Refused
from chengshu.sensing.scope import Scope, write_scope
from chengshu.sensing.sta.body import KINDS, Malformed, bounded, number
from chengshu.sensing.sta.deep import visible
from chengshu.sensing.sta.observation import row_of

DOOR: Final = "dataArray"
LARGEST: Final = 64 * 2**20  # bytes
FEATURES: Final = frozenset({"FeatureOfInterest/id", "FeatureOfInterest/@iot.id"})
COMPONENTS: Final = frozenset(KINDS["Observations"].members) | FEATURES
_INSTANT: Final = "%Y-%m-%dT%H:%M:%S%.f%#z"
_LARGEST: Final = 2**53


class Group(msgspec.Struct, rename={"datastream": "Datastream", "rows": "dataArray", "count": "dataArray@iot.count"}):
    """Observations of one datastream: a list for each, of values in the order of `components`."""

    datastream: dict[str, Any]
    components: list[str]
    rows: list[list[Any]]
    count: int | None = None


_decode: Final = msgspec.json.Decoder(list[Group]).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A group, its datastream, and the line of its first row."""

    group: Group
    datastream: int
    first: int


def create_observations(principal: Principal, content: bytes, *, at: datetime | None = None) -> list[int | None]:
    """Take in the body of a CreateObservations; the id of each observation in order, None for one that was refused.

    Raises:
        Malformed: it is no such body. NotAllowed, TooLarge.
    """
    received, scope = at or datetime.now(UTC), write_scope(principal)
    groups = _groups(content)
    total = groups[-1].first + len(groups[-1].group.rows) - 1 if groups else 0
    timed = all("phenomenonTime" in placed.group.components for placed in groups)
    incoming = _incoming(groups, received, scope, content if timed else None)
    receipt = accept(incoming, actor=principal, at=received)
    ids = _earlier(incoming, scope, receipt.received) if receipt.replayed else receipt.ids
    return [ids.get(line) for line in range(1, total + 1)]


_EXAMPLE: Final = (
    'Write [{"Datastream": {"@iot.id": 7}, "components": ["phenomenonTime", "result"],'
    ' "dataArray": [["2026-11-22T08:00:00+08:00", 21.5]]}].'
)


def _groups(content: bytes) -> list[_Placed]:
    if len(content) > LARGEST:
        raise TooLarge("The body is larger than is taken.", remedy="Send at most 64 MiB at once.")
    try:
        found = _decode(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(
            "The body is no list of data arrays.", where=str(error)[:200],
            remedy=_EXAMPLE,
        ) from error  # fmt: skip
    if b"\\u0000" in content:
        bounded([group.rows for group in found])
    placed: list[_Placed] = []
    first = 1
    for place, group in enumerate(found):
        _check(group, f"[{place}]")
        datastream = number(group.datastream.get("@iot.id"), f"[{place}]/Datastream")
        if group.rows:
            placed.append(_Placed(group=group, datastream=datastream, first=first))
        first += len(group.rows)
    return placed


def _check(group: Group, where: str) -> None:
    unknown = [name for name in group.components if name not in COMPONENTS]
    if unknown or len(set(group.components)) < len(group.components) or "result" not in group.components:
        raise Malformed(
            "The components are members of an Observation, result among them, each once.",
            where=f"{where}/components: {', '.join(unknown)[:100]}", remedy=f"{', '.join(sorted(COMPONENTS))}.",
        )  # fmt: skip
    if group.count is not None and group.count != len(group.rows):
        raise Malformed("The count is not that of the rows.", where=f"{where}/dataArray@iot.count")


_QUICK: Final = {"phenomenonTime": "at", "resultTime": "result_time", "result": "result"}


def _quick(groups: Sequence[_Placed]) -> tuple[list[pl.DataFrame], list[_Placed]]:
    """Groups of the same components in columns, and those among them that hold anything else than instants and numbers."""
    frame = _columns(groups)
    if frame is not None:
        return [frame], []
    if len(groups) == 1:
        return [], [*groups]
    half = len(groups) // 2
    (left, strange), (right, stranger) = _quick(groups[:half]), _quick(groups[half:])
    return [*left, *right], [*strange, *stranger]


def _columns(groups: Sequence[_Placed]) -> pl.DataFrame | None:
    components = groups[0].group.components
    rows = [row for placed in groups for row in placed.group.rows]
    if "phenomenonTime" not in components or not set(components) <= _QUICK.keys():
        return None
    if set(map(len, rows)) != {len(components)}:
        return None
    lengths = [len(placed.group.rows) for placed in groups]
    first = np.array([placed.first for placed in groups])
    starts = np.cumsum(lengths) - lengths
    found: dict[str, Any] = {
        "line": np.arange(len(rows)) + np.repeat(first - starts, lengths),
        "datastream": np.repeat(np.array([placed.datastream for placed in groups], dtype=np.int64), lengths),
    }
    for name, values in zip(components, zip(*rows, strict=True), strict=True):
        found[_QUICK[name]] = _numbers(values) if name == "result" else _instants(values)
    return None if any(column is None for column in found.values()) else completed(pl.DataFrame(found))


def _numbers(values: Sequence[Any]) -> pl.Series | None:
    kinds = set(map(type, values))
    if kinds == {float} or (kinds <= {int, float} and min(values) > -_LARGEST and max(values) < _LARGEST):
        return pl.Series(values, dtype=pl.Float64)
    return None


def _instants(values: Sequence[Any]) -> pl.Series | None:
    if set(map(type, values)) != {str}:
        return None
    found = pl.Series(values, dtype=pl.String).str.to_datetime(_INSTANT, time_unit="us", strict=False)
    return None if found.null_count() else found.dt.convert_time_zone("UTC")


def _slowly(placed: _Placed, at: datetime) -> tuple[list[dict[str, Any]], list[Refused]]:
    """A group row by row: rows, and those that cannot be read."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    components, datastream = placed.group.components, placed.datastream
    for line, values in enumerate(placed.group.rows, start=placed.first):
        try:
            rows.append({"line": line, "datastream": datastream, **_row(components, values, at)})
        except Malformed as error:
            content = {"datastream": datastream, **dict(zip(components, values, strict=False))}
            refused.append(Refused(line=line, reason=Reason.FORM, detail=str(error)[:500], content=content))
    return rows, refused


def _row(components: Sequence[str], values: Sequence[Any], at: datetime) -> dict[str, Any]:
    if len(values) != len(components):
        raise Malformed("The row has not as many values as there are components.")
    bounded(values)
    said = dict(zip(components, values, strict=True))
    feature = next((said.pop(name) for name in FEATURES & said.keys()), None)
    return {**row_of(said, "", at), "feature": None if feature is None else number(feature, "FeatureOfInterest")}


def _incoming(groups: Sequence[_Placed], at: datetime, scope: Scope, content: bytes | None) -> Incoming:
    frames: list[pl.DataFrame] = [completed(pl.DataFrame())]
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for _components, alike in groupby(groups, key=lambda placed: placed.group.components):
        quick, strange = _quick([*alike])
        frames += quick
        for placed in strange:
            more, wrong = _slowly(placed, at)
            rows += more
            refused += wrong
    found = pl.concat([*frames, frame_of(rows)], how="diagonal").sort("line")
    if "feature" in found.columns:
        found, unknown = known_features(found, scope)
        refused += unknown
    refused.sort(key=lambda each: each.line)
    return Incoming(door=DOOR, rows=found, refused=tuple(refused), content=content)


def known_features(rows: pl.DataFrame, scope: Scope) -> tuple[pl.DataFrame, list[Refused]]:
    """Rows without those whose FeatureOfInterest the caller cannot know; these are refused."""
    ids = rows["feature"].drop_nulls().unique().to_list()
    there = set(visible("FeaturesOfInterest", scope).filter(pk__in=ids).values_list("pk", flat=True))
    strange = pl.col("feature").is_not_null() & ~pl.col("feature").is_in(list(there))
    refused = [
        Refused(
            line=row["line"], reason=Reason.UNKNOWN, detail=f"FeatureOfInterest {row['feature']}",
            content={"datastream": row["datastream"], "phenomenonTime": row["at"].isoformat(), "result": row["result"]},
        )
        for row in rows.filter(strange).iter_rows(named=True)
    ]  # fmt: skip
    return rows.filter(~strange), refused


def _earlier(incoming: Incoming, scope: Scope, at: datetime) -> dict[int, int]:
    """The observations that the same content made when it came before, by line."""
    rows = incoming.rows
    register = known.known(scope, rows["datastream"].unique().to_numpy())
    good = check(rows, register, at=at, content=lambda _: {}).good
    if not good.height:
        return {}
    labels = -pl.int_range(1, 1 + pl.len(), dtype=pl.Int64).alias("id")  # which no observation has
    frame = good.with_columns(labels, pl.lit(0, dtype=pl.Int16).alias("nth"))
    lines = dict(zip(frame["id"].to_list(), frame["line"].to_list(), strict=True))
    with transaction.atomic():
        found = store.told_apart(frame, cold.compare(frame)).known
    return {lines[mine]: there for mine, there in found.items() if there >= 0}
