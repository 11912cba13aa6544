"""What a datastream last observed, and since when: kept beside it for lists, liveness and the standard's phenomenonTime."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
from django.db import connection

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
SELECT min(at), max(coalesce(until, at)), min(result_time), max(result_time) FROM sensing_observation WHERE datastream = %s
"""
_LAST: Final = """
SELECT at, id, result FROM sensing_observation WHERE datastream = %s ORDER BY at DESC, nth DESC LIMIT 1
"""
_RECOUNT: Final = """
UPDATE sensing_datastream SET
    first_at = CASE WHEN %(cold)s THEN least(first_at, %(first_at)s) ELSE %(first_at)s END, last_at = %(last_at)s,
    first_result_at = CASE WHEN %(cold)s THEN least(first_result_at, %(first_said)s) ELSE %(first_said)s END,
    last_result_at = CASE WHEN %(cold)s THEN greatest(last_result_at, %(last_said)s) ELSE %(last_said)s END,
    last_start = %(last_start)s, last_id = %(last_id)s, last_result = %(last_result)s
WHERE id = %(id)s
"""


def recount(datastream: int) -> None:
    """Tell anew what a datastream has observed, after an observation of it was changed or deleted.

    Where the lake holds sealed days, their first times stay, and the last ones unless a hot day comes after them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOT, [datastream])
        first_at, last_at, first_said, last_said = cursor.fetchone()
        cursor.execute(_LAST, [datastream])
        last_start, last_id, last_result = cursor.fetchone() or (None, None, None)
        cursor.execute("SELECT max(day) FROM sensing_day WHERE cold")
        sealed = cursor.fetchone()[0]
        if sealed is not None and (last_start is None or last_start.astimezone(UTC).date() <= sealed):
            return
        cursor.execute(
            _RECOUNT,
            {
                "id": datastream, "cold": sealed is not None, "first_at": first_at, "last_at": last_at,
                "first_said": first_said, "last_said": last_said, "last_start": last_start, "last_id": last_id,
                "last_result": last_result,
            },
        )  # fmt: skip
