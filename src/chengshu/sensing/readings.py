"""Numbers that datastreams observed in a span of time, as a frame: what detectors, indicators and charts look at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
from django.db import connection, transaction

from chengshu.sensing.models import Day
from chengshu.sensing.observations import observations
from chengshu.sensing.seam import HOLD

READINGS: Final = pl.Schema({"datastream": pl.Int64(), "at": pl.Datetime("us", "UTC"), "result": pl.Float64()})
_NAMES: Final = tuple(READINGS)
# Times without a zone, in UTC, which are read fastest.
_COPY: Final = """
COPY (
    SELECT datastream, at AT TIME ZONE 'UTC', result FROM sensing_observation
    WHERE at >= %s AND at < %s AND datastream = ANY(%s) AND result IS NOT NULL
) TO STDOUT (FORMAT csv)
"""
_READ: Final = pa_csv.ConvertOptions(
    column_types={"datastream": pa.int64(), "at": pa.timestamp("us"), "result": pa.float64()}
)


def readings(since: datetime, until: datetime, datastreams: Collection[int]) -> pl.DataFrame:
    """`datastream, at, result` of all observations that are numbers, with since <= at < until, in order of time.

    Nobody's permission is asked. Days in PostgreSQL are read from there, which takes a few milliseconds for a short span;
    where the lake holds a day of the span, both sides are asked.
    """
    if not datastreams or since >= until:
        return pl.DataFrame(schema=READINGS)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(HOLD)
        cold = Day.objects.filter(cold=True, day__range=_days(since, until)).exists()
        if not cold:
            return _hot(since, until, datastreams)
    with observations(since=since, until=until, datastreams=datastreams) as table:
        found = table.filter(table["result"].notnull()).select(*_NAMES).to_pyarrow()
    return pl.DataFrame(pl.from_arrow(found)).cast(READINGS).sort("at", "datastream")


def _days(since: datetime, until: datetime) -> tuple[str, str]:
    last = until.astimezone(UTC) - timedelta(microseconds=1)
    return since.astimezone(UTC).date().isoformat(), last.date().isoformat()


def _hot(since: datetime, until: datetime, datastreams: Collection[int]) -> pl.DataFrame:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL DateStyle = 'ISO'")
    values = [since, until, sorted(datastreams)]
    with connection.wrap_database_errors, connection.connection.cursor().copy(_COPY, values) as copy:
        content = b"".join(copy)
    if not content:
        return pl.DataFrame(schema=READINGS)
    names = pa_csv.ReadOptions(column_names=_NAMES, use_threads=False)
    found = pl.DataFrame(pl.from_arrow(pa_csv.read_csv(pa.py_buffer(content), names, convert_options=_READ)))
    return found.with_columns(pl.col("at").dt.replace_time_zone("UTC")).sort("at", "datastream")
