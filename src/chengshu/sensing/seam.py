"""What stands where: which days are in partitions, which in the lake at which version, and what of the lake is gone.

Partitions come and go by DDL, which a snapshot does not see: it would find a partition dropped, whose rows the lake's version of
that snapshot does not hold yet. So whoever reads both sides first takes the weakest lock on the parent, which sealing waits for,
and then its snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl
import pyarrow as pa
from django.conf import settings
from django.db import connection, transaction

from chengshu.lake import tables
from chengshu.lake.parquet import Layout
from chengshu.sensing.models import Day, Gone, GoneStream, Lake

_STAMP: Final = pa.timestamp("us", "UTC")
OBSERVATIONS: Final = Layout(
    name="observations",
    schema=pa.schema(
        [
            ("datastream", pa.int64()),
            ("at", _STAMP),
            ("nth", pa.int16()),
            ("id", pa.int64()),
            ("result", pa.float64()),
            ("feature", pa.int64()),
            ("until", _STAMP),
            ("result_time", _STAMP),
            ("valid_from", _STAMP),
            ("valid_until", _STAMP),
            ("other", pa.string()),
            ("quality", pa.string()),
            ("parameters", pa.string()),
            ("cell", pa.int64()),  # H3 of resolution 9: of the feature where it is a point, else of the Thing
            ("day", pa.date32()),
        ]
    ),
    partition="day",
    order=("datastream", "at", "nth"),
    looked_up=("id",),
)
"""The lake's table of observations; JSON as text."""

HOLD: Final = "LOCK TABLE ONLY sensing_observation IN ACCESS SHARE MODE"
"""Keeps sealing out until the transaction ends; to be done before what it guards is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seam:
    """One snapshot of the seam: days by where they stand, and what is gone of those in the lake."""

    version: int | None
    hot: Collection[date]
    cold: Collection[date]
    changes: Mapping[date, int]
    gone: Mapping[date, Sequence[int]]
    gone_streams: Sequence[int]

    def files(self, days: Collection[date], datastreams: Collection[int] | None = None) -> list[str]:
        """The lake's files of these days, of those only which may hold one of the datastreams."""
        wanted = sorted(set(days) & set(self.cold))
        if self.version is None or not wanted:
            return []
        found = tables.files(lake_url(), self.version).filter(pl.col("day").is_in(wanted))
        if datastreams is not None:
            low, high = min(datastreams, default=0), max(datastreams, default=-1)
            found = found.filter(pl.col("max.datastream") >= low, pl.col("min.datastream") <= high)
        return found.sort("uri")["uri"].to_list()


def lake_url() -> str:
    """Where the lake's table of observations stands."""
    return tables.table_url(settings.LAKE, OBSERVATIONS)


@contextmanager
def snapshot(since: datetime | None = None, until: datetime | None = None) -> Iterator[Seam]:
    """A transaction in which the seam stays as it is, and what of it lies in [since, until).

    Within a transaction that runs already, what others add or delete meanwhile is seen, as always there; sealing is kept out.
    """
    alone = not connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            if alone:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(HOLD)
        yield present(since, until)


def present(since: datetime | None = None, until: datetime | None = None) -> Seam:
    """The seam as it is now; of use only within `snapshot` or after `HOLD`."""
    first = since.astimezone(UTC).date() if since else date.min
    last = (until.astimezone(UTC) - timedelta(microseconds=1)).date() if until else date.max
    days = list(Day.objects.filter(day__gte=first, day__lte=last).values_list("day", "hot", "cold", "changes"))
    cold = {day for day, _hot, is_cold, _changes in days if is_cold}
    gone: dict[date, list[int]] = {}
    if cold:
        for day, observation in Gone.objects.filter(day__in=cold).values_list("day", "observation"):
            gone.setdefault(day, []).append(observation)
    return Seam(
        version=Lake.objects.values_list("version", flat=True).first(),
        hot={day for day, is_hot, _cold, _changes in days if is_hot},
        cold=cold,
        changes={day: changes for day, _hot, _cold, changes in days},
        gone=gone,
        gone_streams=list(GoneStream.objects.values_list("datastream", flat=True)) if cold else [],
    )


def start(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)
