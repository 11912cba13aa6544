"""Rows of hot partitions as Arrow, in bounded memory: COPY as text, read a row group at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import h3.api.basic_int as h3
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from django.conf import settings
from django.db import connection
from psycopg import sql

from chengshu.lake.parquet import ROW_GROUP
from chengshu.sensing.seam import OBSERVATIONS
from chengshu.sensing.store import partition

RESOLUTION: Final = 9
_STAMPS: Final = ("at", "until", "result_time", "valid_from", "valid_until")
# A feature of its own that is a point says better than the Thing where it was.
_ROWS: Final = """
SELECT {columns}, t.cell, p.lon, p.lat
FROM {source} o
LEFT JOIN sensing_datastream d ON d.id = o.datastream
LEFT JOIN sensing_thing t ON t.id = d.thing_id
LEFT JOIN LATERAL (
    SELECT f.west AS lon, f.south AS lat FROM sensing_featureofinterest f
    WHERE f.id = o.feature AND f.west = f.east AND f.south = f.north
        AND (t.cell IS NULL OR o.feature IS DISTINCT FROM d.feature_id)
) p ON true
"""
_COLUMNS: Final = tuple(name for name in OBSERVATIONS.stored.names if name != "cell")
_READ: Final = pa_csv.ConvertOptions(
    column_types={
        **{name: OBSERVATIONS.schema.field(name).type for name in (*_COLUMNS, "cell")},
        **dict.fromkeys(_STAMPS, pa.timestamp("us")),
        "lon": pa.float64(),
        "lat": pa.float64(),
    },
    null_values=[""],
    strings_can_be_null=True,
    quoted_strings_can_be_null=False,
)


def of_day(day: date) -> sql.Composed:
    """The query for all rows of a day's partition."""
    return sql.SQL(_ROWS).format(columns=_columns(), source=sql.Identifier(partition(day)))


def between(
    since: datetime | None = None, until: datetime | None = None, datastreams: Collection[int] | None = None
) -> sql.Composed:
    """The query for the rows of all partitions with since <= at < until, of some datastreams or of all."""
    said: list[sql.Composable] = [sql.SQL("true")]
    if since is not None:
        said.append(sql.SQL("o.at >= {}").format(sql.Literal(since)))
    if until is not None:
        said.append(sql.SQL("o.at < {}").format(sql.Literal(until)))
    if datastreams is not None:
        said.append(sql.SQL("o.datastream = ANY({})").format(sql.Literal(sorted(datastreams))))
    rows = sql.SQL(_ROWS).format(columns=_columns(), source=sql.Identifier("sensing_observation"))
    return rows + sql.SQL(" WHERE ") + sql.SQL(" AND ").join(said)


def _columns() -> sql.Composed:
    """Times without a zone, in UTC, which are read fastest."""
    return sql.SQL(", ").join(
        sql.SQL("o.{} AT TIME ZONE 'UTC'" if name in _STAMPS else "o.{}").format(sql.Identifier(name))
        for name in _COLUMNS
    )


def batches(query: sql.Composed) -> Iterator[pa.Table]:
    """What a query of this module finds, as tables of `OBSERVATIONS.stored` of at most a row group each."""
    names = pa_csv.ReadOptions(column_names=[*_COLUMNS, "cell", "lon", "lat"], block_size=2**30, use_threads=False)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL DateStyle = 'ISO'")
    with connection.wrap_database_errors, connection.connection.cursor().copy(statement) as copy:
        lines = iter(copy)
        while rows := list(islice(lines, ROW_GROUP)):  # COPY sends a row at a time
            yield _table(pa_csv.read_csv(pa.py_buffer(b"".join(rows)), names, convert_options=_READ))


def _table(read: pa.Table) -> pa.Table:
    for name in _STAMPS:
        place = read.schema.get_field_index(name)
        read = read.set_column(place, name, read.column(name).cast(OBSERVATIONS.schema.field(name).type))
    if read.column("lon").null_count < read.num_rows:
        read = read.set_column(read.schema.get_field_index("cell"), "cell", _cells(read))
    return read.select(OBSERVATIONS.stored.names).cast(OBSERVATIONS.stored)


def _cells(read: pa.Table) -> pa.ChunkedArray:
    """The cells, those of points computed."""
    frame = pl.DataFrame({name: pl.from_arrow(read.column(name)) for name in ("cell", "lon", "lat")})
    points = frame.filter(pl.col("lon").is_not_null()).select("lon", "lat").unique()
    found = [h3.latlng_to_cell(lat, lon, RESOLUTION) for lon, lat in points.iter_rows()]
    points = points.with_columns(pl.Series("point", found, dtype=pl.Int64))
    joined = frame.join(points, on=["lon", "lat"], how="left", maintain_order="left")
    return pa.chunked_array([joined.select(pl.coalesce("point", "cell")).to_series().to_arrow()])


@contextmanager
def folder(root: str | None = None) -> Iterator[Path]:
    """A folder for one use, in a place with room; `root` where others than this machine must see it."""
    place = Path(root) if root else Path(settings.SPOOL)
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="hot-", dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)


def spool(query: sql.Composed, file: Path) -> int:
    """Write what a query finds into a Parquet file; its rows."""
    rows = 0
    with pq.ParquetWriter(file, OBSERVATIONS.stored, compression="zstd", compression_level=1) as writer:
        for table in batches(query):
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += table.num_rows
    return rows
