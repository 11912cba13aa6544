"""What a datastream last observed, and since when: kept beside it for lists, liveness and the standard's phenomenonTime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from django.db import connection

from chengshu.sensing import cold
from chengshu.sensing.models import Day

_KEEP: Final = """
UPDATE sensing_datastream d SET
    first_at = least(d.first_at, n.first_at), last_at = greatest(d.last_at, n.last_at),
    first_result_at = least(d.first_result_at, n.first_result_at),
    last_result_at = greatest(d.last_result_at, n.last_result_at),
    last_id = CASE WHEN d.last_start IS NULL OR n.last_start >= d.last_start THEN n.last_id ELSE d.last_id END,
    last_result = CASE WHEN d.last_start IS NULL OR n.last_start >= d.last_start THEN n.last_result ELSE d.last_result END,
    last_start = greatest(d.last_start, n.last_start),
    last_received = greatest(d.last_received, %s)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
            %s::bigint[], %s::float8[])
    AS n (id, first_at, last_at, last_start, first_result_at, last_result_at, last_id, last_result)
WHERE d.id = n.id
"""
_LOCK: Final = """
SELECT id FROM sensing_thing
WHERE id IN (SELECT thing_id FROM sensing_datastream WHERE id = ANY(%s)) AND (last_seen IS NULL OR last_seen < %s)
ORDER BY id FOR NO KEY UPDATE
"""
_SEEN: Final = "UPDATE sensing_thing SET last_seen = %s WHERE id = ANY(%s)"


def keep(frame: pl.DataFrame, received: datetime) -> None:
    """Take rows (with ids) that were just added into account, in the same transaction."""
    until = pl.col("until") if "until" in frame.columns else pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    said = pl.col("result_time") if "result_time" in frame.columns else pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    found = (
        frame.with_columns(until.fill_null(pl.col("at")).alias("end"), said.alias("said"))
        .sort("datastream", "at", "id")
        .group_by("datastream", maintain_order=True)
        .agg(
            pl.col("at").min().alias("first_at"),
            pl.col("end").max().alias("last_at"),
            pl.col("at").last().alias("last_start"),
            pl.col("said").min().alias("first_said"),
            pl.col("said").max().alias("last_said"),
            pl.col("id").last().alias("last_id"),
            pl.col("result").last().alias("last_result"),
        )
    )
    apply([found[name].to_list() for name in found.columns], received)


def apply(columns: Sequence[Sequence[Any]], received: datetime) -> None:
    """Take into account what datastreams observed (the columns of `_KEEP`'s `n`). Locks in order of ids: no deadlock."""
    streams = list(columns[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM sensing_datastream WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [streams])
        cursor.execute(_KEEP, [received, *map(list, columns)])
        cursor.execute(_LOCK, [streams, received])
        cursor.execute(_SEEN, [received, [pk for (pk,) in cursor.fetchall()]])


_HOT: Final = """
SELECT min(at) AS first_at, max(coalesce(until, at)) AS last_at, min(result_time) AS first_said, max(result_time) AS last_said
FROM sensing_observation WHERE datastream = %s
"""
_LAST: Final = """
SELECT at, nth, id, result FROM sensing_observation WHERE datastream = %s ORDER BY at DESC, nth DESC LIMIT 1
"""
_RECOUNT: Final = """
UPDATE sensing_datastream SET
    first_at = %s, last_at = %s, first_result_at = %s, last_result_at = %s, last_start = %s, last_id = %s, last_result = %s
WHERE id = %s
"""
_KEPT: Final = """
SELECT first_at, last_at, first_result_at, last_result_at, last_start, last_id, last_result FROM sensing_datastream WHERE id = %s
"""
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What is told of a datastream: its times, and the place and result of its last observation (`at, nth, id, result`)."""

    first_at: datetime | None = None
    last_at: datetime | None = None
    first_said: datetime | None = None
    last_said: datetime | None = None
    last: tuple[datetime, int, int, float | None] | None = None

    def holds(self, row: Row) -> bool:
        """Whether nothing that is told here can have been told by this row."""
        said = row["result_time"]
        return (
            (self.first_at is None or row["at"] > self.first_at)
            and (self.last_at is None or (row["until"] or row["at"]) < self.last_at)
            and (said is None or self.first_said is None or said > self.first_said)
            and (said is None or self.last_said is None or said < self.last_said)
            and (self.last is None or row["id"] != self.last[2])
        )

    def joined(self, other: _Known) -> _Known:
        """Both sides."""
        lasts = [each.last for each in (self, other) if each.last is not None]
        return _Known(
            first_at=_edge(min, self.first_at, other.first_at),
            last_at=_edge(max, self.last_at, other.last_at),
            first_said=_edge(min, self.first_said, other.first_said),
            last_said=_edge(max, self.last_said, other.last_said),
            last=max(lasts, key=lambda last: last[:3], default=None),
        )


def _edge(which: Callable[..., Any], *times: datetime | None) -> datetime | None:
    found: datetime | None = which((each for each in times if each is not None), default=None)
    return found


def recount(datastream: int, gone: Sequence[Row] | None = None) -> None:
    """Tell anew what a datastream has observed, after observations of it were changed or deleted.

    Args:
        gone: the observations as they were (columns `at`, `until`, `result_time`, `id`), where they are known: then sealed days
            are read only when one of them was the first or the last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOT, [datastream])
        times = cursor.fetchone()
        cursor.execute(_LAST, [datastream])
        found = _Known(
            first_at=times[0], last_at=times[1], first_said=times[2], last_said=times[3], last=cursor.fetchone()
        )
        if Day.objects.filter(cold=True).exists():
            kept = _kept(datastream)
            inner = gone is not None and all(kept.holds(row) for row in gone)
            found = found.joined(kept if inner else _Known(**cold.summary(datastream)))
        last = (found.last[0], found.last[2], found.last[3]) if found.last else (None, None, None)
        cursor.execute(_RECOUNT, [found.first_at, found.last_at, found.first_said, found.last_said, *last, datastream])


def _kept(datastream: int) -> _Known:
    """What is told of a datastream now."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [datastream])
        first_at, last_at, first_said, last_said, at, number, result = cursor.fetchone()
    last = (at, -1, number, result) if at is not None else None
    return _Known(first_at=first_at, last_at=last_at, first_said=first_said, last_said=last_said, last=last)
