"""Observations of sealed days for one reading: rows of the lake that it may need, in a temporary table beside the partitions.

What is read is the union of both. Rows that were brought are rows that are there; so whoever asks for some brings at least those
that decide the answer, and may find others that somebody else asked for.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words and of numbers
from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Timer
from typing import Final

import duckdb
import polars as pl
import pyarrow as pa
from django.db import connection

from chengshu.lake import local, tables
from chengshu.sensing import cold, store
from chengshu.sensing.models import Day
from chengshu.sensing.records import SERIAL_BITS
from chengshu.sensing.seam import OBSERVATIONS, Seam, lake_url, present
from chengshu.sensing.sta.errors import BadQuery, TooSlow

MOST: Final = 2_000_000  # rows of sealed days that one answer may rest on
LONGEST: Final = 30  # seconds for which the lake is read
BATCH: Final = 50_000  # rows held in memory
FEW: Final = 1_000  # ids that are named one by one
TABLE: Final = "pg_temp.sensing_sealed"
COLUMNS: Final = ", ".join(f'"{name}"' for name in OBSERVATIONS.stored.names if name != "cell")
BOTH: Final = f"(SELECT {COLUMNS} FROM sensing_observation UNION ALL SELECT {COLUMNS} FROM {TABLE})"
"""Hot and brought rows, in the place of a table."""
STRAY: Final = f'id >> {SERIAL_BITS} <> epoch_us("at") // {store.DAY_US}'
"""What is true of a row that stands in another day than its number tells."""


@dataclass(kw_only=True, slots=True)
class Sealed:
    """The lake in one snapshot, and which of its rows stand in `TABLE`."""

    seen: Seam
    raw: local.Connection
    until: float  # by the monotonic clock
    rows: int = 0
    visible: str | None = None  # what stands behind IN for the datastreams that the reader sees; empty for all of them
    brought: list[pa.Array] = field(default_factory=list)  # their ids
    _named: int = 0

    def ids(self, values: Collection[int]) -> str:
        """Ids as what stands behind IN in a condition for the lake."""
        if len(values) <= FEW:
            return f"({', '.join(str(int(each)) for each in values) or 'NULL'})"
        self._named += 1
        self.raw.register(f"ids_{self._named}", pa.table({"id": pa.array(list(values), pa.int64())}))
        return f"(SELECT id FROM ids_{self._named})"

    def bring(
        self,
        days: Collection[date],
        where: str,
        *,
        streams: Sequence[int] | None = None,
        by: str = "",
        order: str = "",
        first: int | None = None,
    ) -> None:
        """Bring the rows of days for which a condition holds; with `first` only so many in an order, of each value of `by`.

        Of one of each it does not matter which: who asks for it asks whether there is any.

        Args:
            streams: datastreams that all rows are of, where that is known; so that other files are not looked at.

        Raises:
            BadQuery: when there would be more than `MOST`.
            TooSlow: when it takes too long.
        """
        if not self._look(days, streams):
            return
        if self.brought:
            self.raw.register("brought", pa.table({"id": pa.chunked_array(self.brought)}))
            where = f"({where}) AND id NOT IN (SELECT id FROM brought)"
        room = MOST - self.rows
        limit = room + 1 if first is None or by else min(first, room + 1)
        any_of = f"DISTINCT ON ({by}) " if by and first == 1 else ""
        cut = "" if any_of else _cut(by, order, first)
        self._hand_over(f"SELECT {any_of}{COLUMNS} FROM cold WHERE {where} {cut} LIMIT {limit}")

    def bring_ids(self, ids: Mapping[date, Sequence[int]]) -> None:
        """Bring observations by their ids, which stand in these days."""
        days = [day for day in ids if day in self.seen.cold]
        if days:
            self.bring(days, f"id IN {self.ids([each for day in days for each in ids[day]])}")

    def counts(
        self, days: Collection[date], where: str, *, streams: Sequence[int] | None = None, by: str = ""
    ) -> dict[int, int]:
        """How many rows of days there are for which a condition holds, by the values of a column; without one, by 0."""
        if not self._look(days, streams):
            return {}
        with self._asking(f"SELECT {by or 0}, count(*) FROM cold WHERE {where} GROUP BY 1") as found:
            return dict(found.fetchall())

    def days(self, *, newest_first: bool = False) -> list[date]:
        """The days of which the lake holds rows, in order."""
        return sorted(self.seen.cold, reverse=newest_first)

    def stray_days(self, days: Collection[date]) -> list[date]:
        """Those of days which hold rows whose numbers tell other days."""
        assert self.seen.version is not None
        there = tables.files(lake_url(), self.seen.version).filter(pl.col("day").is_in(list(days)))
        number = (pl.col("day") - pl.lit(store.EPOCH)).dt.total_days()
        told = (pl.col("min.id").cast(pl.Int64) // 2**SERIAL_BITS, pl.col("max.id").cast(pl.Int64) // 2**SERIAL_BITS)
        return sorted(set(there.filter((told[0] != number) | (told[1] != number))["day"].to_list()))

    def _look(self, days: Collection[date], streams: Sequence[int] | None) -> bool:
        """Make the view `cold` of days; False when they hold nothing of these datastreams."""
        if not days or (streams is not None and not streams):
            return False
        return cold.see(self.raw, self.seen, days, streams)

    @contextmanager
    def _asking(self, sql: str) -> Iterator[local.Connection]:
        self.in_time()
        try:
            yield self.raw.execute(sql)
        except duckdb.InterruptException as error:
            raise _too_slow() from error
        except duckdb.OutOfMemoryException as error:
            raise _too_much() from error

    def in_time(self) -> None:
        """Raise `TooSlow` when the time is over."""
        if time.monotonic() > self.until:
            raise _too_slow()

    def _hand_over(self, query: str) -> None:
        """What a query finds into PostgreSQL, a batch at a time."""
        before = self.rows
        with self._asking(query) as found:
            for batch in found.to_arrow_reader(BATCH):
                self._take(batch)
        if self.rows - before > FEW:
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {TABLE}")

    def _take(self, batch: pa.RecordBatch) -> None:
        self.in_time()
        if batch.num_rows > MOST - self.rows:
            raise _too_much()
        if not self.rows:
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMP TABLE sensing_sealed (LIKE sensing_observation) ON COMMIT DROP")
                cursor.execute(f'CREATE INDEX ON {TABLE} (datastream, "at", nth)')
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        store.copy(TABLE, frame)
        self.brought.append(batch.column("id"))
        self.rows += batch.num_rows


def _cut(by: str, order: str, first: int | None) -> str:
    if first is None:
        return ""
    if by:
        return f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY {order}) <= {first:d}"
    return f"ORDER BY {order}"


def _too_slow() -> TooSlow:
    return TooSlow("The query takes too long.", remedy="Ask for a shorter time or fewer entities.")


def _too_much() -> BadQuery:
    return BadQuery(
        "The answer rests on more Observations of sealed days than are read at once.",
        where=str(MOST),
        remedy="Narrow it by Datastream or phenomenonTime.",
    )


@contextmanager
def opened() -> Iterator[Sealed | None]:
    """The lake for one reading, within a transaction under `seam.HOLD`; None when no day is sealed."""
    if not Day.objects.filter(cold=True).exists():
        yield None
        return
    with local.cursor() as raw:
        timer = Timer(LONGEST, raw.interrupt)
        timer.daemon = True
        timer.start()
        try:
            found = Sealed(seen=present(), raw=raw, until=time.monotonic() + LONGEST)
            yield found
        finally:
            timer.cancel()
    if found.rows:  # a transaction around this one may read again before it ends
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {TABLE}")
