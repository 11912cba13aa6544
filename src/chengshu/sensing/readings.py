"""Numbers that datastreams observed in a span of time, as a frame: what detectors, indicators and charts look at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from django.db import connection, transaction
from psycopg import Cursor

from chengshu.sensing.models import Day
from chengshu.sensing.observations import observations
from chengshu.sensing.seam import HOLD

READINGS: Final = pl.Schema({"datastream": pl.Int64(), "at": pl.Datetime("us", "UTC"), "result": pl.Float64()})
_NAMES: Final = tuple(READINGS)
# The rows of an hour as one value, in PostgreSQL's binary form: what is sent row by row takes eight times as long to read.
_PACKED: Final = """
SELECT string_agg(int8send(datastream) || timestamptz_send(at) || float8send(result), ''::bytea) FROM sensing_observation
WHERE at >= %s AND at < %s AND datastream = ANY(%s) AND result IS NOT NULL GROUP BY date_trunc('hour', at, 'UTC')
"""
_ROW: Final = np.dtype([("datastream", ">i8"), ("at", ">i8"), ("result", ">f8")])
_Y2000: Final = 946_684_800_000_000  # microseconds from 1970 to 2000, where PostgreSQL begins to count


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
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(_PACKED, [since, until, sorted(datastreams)], binary=True)
        rows = np.frombuffer(b"".join(packed for (packed,) in cursor), dtype=_ROW)
    columns = {
        "datastream": rows["datastream"].astype("<i8"),
        "at": rows["at"].astype("<i8") + _Y2000,
        "result": rows["result"].astype("<f8"),
    }
    return pl.DataFrame(columns).cast(READINGS).sort("at", "datastream")
