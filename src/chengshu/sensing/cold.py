"""Observations that the lake holds, seen one by one: what comes again, what is looked up, what is deleted or changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from django.db import connection

from chengshu.lake import local, lookup
from chengshu.sensing import moved
from chengshu.sensing.models import Day, Gone
from chengshu.sensing.seam import HOLD, OBSERVATIONS, Seam, present, start
from chengshu.sensing.store import DAY, Pairs, days_of, partition, to_date

OPEN: Final = timedelta(days=1)
"""A day that ended longer ago counts its changes, so that sealing sees what came meanwhile."""


def touched(days: Sequence[date], at: datetime) -> None:
    """Count a change of every past day among these; to be called in the transaction that writes to them, by whoever does.

    What is past is judged by the real clock, for sealing goes by it, whatever time it is for the writer (`at`).
    """
    past = [day for day in days if day < (max(at, datetime.now(UTC)).astimezone(UTC) - OPEN).date()]
    if past:
        _count(past)


def _count(days: Sequence[date]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sensing_day SET changes = changes + 1 WHERE day IN"
            " (SELECT day FROM sensing_day WHERE day = ANY(%s) ORDER BY day FOR NO KEY UPDATE)",
            [list(days)],
        )


def holds(frame: pl.DataFrame) -> bool:
    """Whether the lake holds observations of any day of these rows. Keeps sealing out until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD)
    days = [to_date(day) for day in np.unique(days_of(frame))]
    return Day.objects.filter(day__in=days, cold=True).exists()


_COMPARE: Final = """
SELECT m.id AS mine, o.id AS there, o.other, m.other AS said,
    o.result IS NOT DISTINCT FROM m.result AND o.until IS NOT DISTINCT FROM m.until
        AND (o.other IS NULL) = (m.other IS NULL) AS alike
FROM mine m JOIN cold o ON o.datastream = m.datastream AND o."at" = m."at"
"""


def compare(frame: pl.DataFrame) -> Pairs:
    """Rows (with ids) that the lake holds: ids to the ids there, the same ones and those that say something else."""
    if not holds(frame):
        return {}, {}
    first, last = frame["at"].min(), frame["at"].max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    seen = present(first, last + timedelta(microseconds=1))
    streams = frame["datastream"].unique().to_list()
    until = pl.col("until") if "until" in frame.columns else pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("until")
    with local.cursor() as raw:
        if not see(raw, seen, seen.cold, streams):
            return {}, {}
        mine = frame.filter(pl.col("at").dt.date().is_in(list(seen.cold)))
        raw.register("given", mine.select("id", "datastream", "at", "result", "other", until).to_arrow())
        raw.execute("CREATE TEMP TABLE mine AS FROM given")  # DuckDB hands no filter of times on to Arrow without pytz
        found = raw.execute(_COMPARE).to_arrow_table().to_pylist()
    return _told_apart(found)


def _told_apart(found: Sequence[dict[str, Any]]) -> Pairs:
    """JSON is compared by PostgreSQL, as that of hot rows is."""
    texts = [row for row in found if row["alike"] and row["other"] is not None]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(a::jsonb = b::jsonb ORDER BY n) FROM unnest(%s::text[], %s::text[])"
            " WITH ORDINALITY AS t (a, b, n)",
            [[row["other"] for row in texts], [row["said"] for row in texts]],
        )
        equal = cursor.fetchone()[0] or []
    for row, alike in zip(texts, equal, strict=True):
        row["alike"] = alike
    same = {row["mine"]: row["there"] for row in found if row["alike"]}
    return same, {row["mine"]: row["there"] for row in found if row["mine"] not in same}


def see(raw: local.Connection, seen: Seam, days: Collection[date], datastreams: Collection[int] | None = None) -> bool:
    """Make the view `cold`: what the lake holds of days, without what is gone; False where no file is concerned."""
    files = seen.files(days, datastreams)
    if not files:
        return False
    local.view(raw, "files", files, OBSERVATIONS.schema, partition="day")
    gone = [i for day in days for i in seen.gone.get(day, ())]
    said = ["true"]
    if gone:
        raw.register("gone", pa.table({"id": pa.array(gone, pa.int64())}))
        said.append("id NOT IN (SELECT id FROM gone)")
    if seen.gone_streams:
        raw.register("gone_streams", pa.table({"id": pa.array(seen.gone_streams, pa.int64())}))
        said.append("datastream NOT IN (SELECT id FROM gone_streams)")
    if datastreams is not None and len(datastreams) <= 100:
        said.append(f"datastream IN ({', '.join(str(int(each)) for each in datastreams)})")
    raw.execute(f"CREATE OR REPLACE TEMP VIEW cold AS SELECT * FROM files WHERE {' AND '.join(said)}")  # noqa: S608
    return True


def day_of(observation: int) -> date:
    """The UTC day that an observation stands in: the one that its identifier tells, unless it was moved."""
    return moved.day_of(observation)


def fetch(observation: int) -> dict[str, Any] | None:
    """An observation that the lake holds, by its columns (`OBSERVATIONS`); None when it does not, or no longer."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD)
    day = day_of(observation)
    seen = present(start(day), start(day) + DAY)
    with local.cursor() as raw:
        if not see(raw, seen, [day]):
            return None
        found = raw.execute("SELECT * FROM cold WHERE id = $1", [observation]).to_arrow_table().to_pylist()
    return found[0] if found else None


def page(
    seen: Seam,
    datastream: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 1_000,
    newest_first: bool = False,
) -> list[dict[str, Any]]:
    """What the lake holds of one datastream with since <= at < until, in order of time, at most `limit` rows.

    To be called within `seam.snapshot(since, until)`, whose partitions hold the rest.
    """
    if datastream in seen.gone_streams:
        return []
    found: list[dict[str, Any]] = []
    for day in sorted(seen.cold, reverse=newest_first):
        if len(found) >= limit:
            break
        tables = [lookup.rows_of(uri, datastream) for uri in seen.files([day], [datastream])]
        if tables:
            frame = _within(pa.concat_tables(tables), since, until, seen.gone.get(day, ()))
            order = frame.sort("at", "nth", "id", descending=newest_first)
            found += order.head(limit - len(found)).with_columns(day=pl.lit(day)).to_dicts()
    return found


def _within(rows: pa.Table, since: datetime | None, until: datetime | None, gone: Sequence[int]) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(rows))
    if since is not None:
        frame = frame.filter(pl.col("at") >= since)
    if until is not None:
        frame = frame.filter(pl.col("at") < until)
    return frame.filter(~pl.col("id").is_in(list(gone))) if gone else frame


_SUMMARY: Final = """
SELECT min("at") AS first_at, max(coalesce("until", "at")) AS last_at,
    min(result_time) AS first_said, max(result_time) AS last_said,
    max(struct_pack(at := "at", nth := nth, id := id, result := result)) AS last
FROM cold WHERE datastream = $1
"""


def summary(datastream: int) -> dict[str, Any]:
    """The times of what the lake holds of a datastream, and its last row (`at, nth, id, result`); empty where it holds none."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD)
    seen = present()
    with local.cursor() as raw:
        if not see(raw, seen, seen.cold, [datastream]):
            return {}
        found: dict[str, Any] = raw.execute(_SUMMARY, [datastream]).to_arrow_table().to_pylist()[0]
    return {**found, "last": tuple(found["last"].values()) if found["last"] else None}


def remove_feature(feature: int) -> set[int]:
    """Say that all observations about a feature that the lake holds were deleted; the datastreams that they were of.

    In a transaction that keeps out whoever adds observations.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD)
    seen = present()
    days: set[date] = set()
    streams: set[int] = set()
    with local.cursor() as raw:
        if not see(raw, seen, seen.cold):
            return set()
        found = raw.execute("SELECT id, day, datastream FROM cold WHERE feature = $1", [feature])
        while rows := found.fetchmany(10_000):
            Gone.objects.bulk_create(
                [Gone(observation=number, day=day) for number, day, _ in rows], ignore_conflicts=True
            )
            days |= {day for _, day, _ in rows}
            streams |= {datastream for _, _, datastream in rows}
    _count(sorted(days))
    return streams


def remove(observation: int) -> bool:
    """Say that an observation of the lake was deleted; False when the lake does not hold it. In a transaction."""
    if fetch(observation) is None:
        return False
    day = day_of(observation)
    _, fresh = Gone.objects.get_or_create(observation=observation, defaults={"day": day})
    _count([day])
    return fresh


_KINDS: Final = {
    **dict.fromkeys(("datastream", "id", "feature"), "bigint"),
    **dict.fromkeys(("at", "until", "result_time", "valid_from", "valid_until"), "timestamptz"),
    "result": "double precision",
    **dict.fromkeys(("other", "quality", "parameters"), "jsonb"),
}


def thaw(observation: int) -> bool:
    """Put an observation of the lake into its day's partition, with its identifier, where it can be changed or deleted.

    It keeps its place among those of its time, unless a late one took it.

    To be called as, or within, `store.with_days([day_of(observation)], …)`. False when the lake does not hold it.
    """
    row = fetch(observation)
    if row is None or not remove(observation):
        return False
    table = partition(day_of(observation))
    values = ", ".join(f"%s::{kind}" for kind in _KINDS.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(_KINDS)}, nth) SELECT {values},"  # noqa: S608
            f" CASE WHEN bool_or(nth = %s) THEN max(nth) + 1 ELSE %s END FROM {table} WHERE datastream = %s AND at = %s",
            [*(row[name] for name in _KINDS), row["nth"], row["nth"], row["datastream"], row["at"]],
        )
    return True
