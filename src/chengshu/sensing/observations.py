"""Observations of both sides as one table: what indicators, exports and scenes ask."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
from django.conf import settings

from chengshu.core.errors import CannotStart
from chengshu.lake import engine, tables
from chengshu.sensing import hot
from chengshu.sensing.seam import OBSERVATIONS, Seam, lake_url, snapshot

if TYPE_CHECKING:
    from ibis import BaseBackend
    from ibis.expr.types import Table

FEW = 1_000  # datastreams that are named one by one in a query


@contextmanager
def observations(
    con: BaseBackend | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    datastreams: Collection[int] | None = None,
) -> Iterator[Table]:
    """All observations with since <= at < until, of some datastreams or of all, as an Ibis table (columns of `OBSERVATIONS`).

    What was added when the block begins, is there; what comes later, is not. The table can be asked within the block, any number
    of times, by the thread that entered it. Nobody's permission is asked: who shows rows to somebody narrows `datastreams` to
    their scope.

    Args:
        con: the engine; that of the settings by default.
    """
    con = con or engine.engine()
    with hot.folder(_shared(con)) as folder:
        file = folder / "hot.parquet"
        with snapshot(since, until) as seen:
            hot.spool(hot.between(since, until, datastreams), file)
        sides = [*_cold(con, seen, datastreams), _hot(con, str(file))]
        try:
            yield _narrow(engine.ibis().union(*sides, distinct=False), since, until, datastreams)
        finally:
            for side in sides:
                engine.drop(con, side)


def _shared(con: BaseBackend) -> str | None:
    """Where the engine sees hot rows: Spark's workers see the lake only."""
    if con.name != "pyspark":
        return None
    place = tables.folder(settings.LAKE)
    if place is None:
        raise CannotStart(
            "Spark sees hot rows only in a lake that is a folder.",
            where="CHENGSHU_LAKE",
            remedy="Mount the object store as a folder, on this machine and on Spark's.",
        )
    return str(place / "spool")


def _cold(con: BaseBackend, seen: Seam, datastreams: Collection[int] | None) -> list[Table]:
    """What the lake holds; days of which something is gone apart, so that the others are read as they are."""
    parts = [(set(seen.cold) - set(seen.gone), []), *(([day], ids) for day, ids in seen.gone.items())]
    return [side for days, ids in parts if (side := _part(con, seen, days, ids, datastreams)) is not None]


def _part(
    con: BaseBackend, seen: Seam, days: Collection[date], gone: Collection[int], datastreams: Collection[int] | None
) -> Table | None:
    files = seen.files(days, datastreams)
    if not files:
        return None
    found = engine.scan(con, files, OBSERVATIONS.schema, partition="day")
    if gone:
        found = _without(found, "id", gone)
    return _without(found, "datastream", seen.gone_streams) if seen.gone_streams else found


def _without(table: Table, name: str, values: Collection[int]) -> Table:
    if len(values) <= FEW:
        return table.filter(table[name].notin(list(values)))
    return table.anti_join(_ids(values, name), name)


def _hot(con: BaseBackend, file: str) -> Table:
    stored = engine.scan(con, [file], OBSERVATIONS.stored)
    return stored.mutate(day=stored["at"].date()).select(*OBSERVATIONS.schema.names)


def _narrow(table: Table, since: datetime | None, until: datetime | None, datastreams: Collection[int] | None) -> Table:
    if since is not None:
        table = table.filter(table["at"] >= since)
    if until is not None:
        table = table.filter(table["at"] < until)
    if datastreams is None:
        return table
    if len(datastreams) <= FEW:
        return table.filter(table["datastream"].isin(list(datastreams)))
    return table.semi_join(_ids(datastreams, "datastream"), "datastream")


def _ids(values: Collection[int], name: str) -> Table:
    return engine.ibis().memtable(pa.table({name: pa.array(sorted(values), pa.int64())}))


__all__ = ["OBSERVATIONS", "lake_url", "observations"]
