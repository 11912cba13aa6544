"""Proves of the stored observations what it can: none twice, none on both sides, and of each delivery as many as it added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa

from chengshu.lake import local
from chengshu.sensing import hot
from chengshu.sensing.cold import see
from chengshu.sensing.models import Delivery
from chengshu.sensing.records import SERIAL_BITS
from chengshu.sensing.seam import OBSERVATIONS, Seam, snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """A day: its rows in its partition and in the lake (without what is gone), and how many stand in more than one row."""

    day: date
    hot: int
    cold: int
    doubled: int

    @property
    def sound(self) -> bool:
        return self.doubled == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryCount:
    """A delivery that is not there as it was acknowledged: more rows are wrong; fewer are wrong unless they were deleted."""

    delivery: int
    acknowledged: int
    held: int


_DAYS: Final = """
SELECT day, count(*) FILTER (side = 'hot') AS hot, count(*) FILTER (side = 'cold') AS cold,
    count(*) - count(DISTINCT id) AS doubled
FROM every GROUP BY day ORDER BY day
"""
_DELIVERIES: Final = """
SELECT d.id, any_value(d.rows) AS acknowledged, count(e.id) AS held
FROM deliveries d LEFT JOIN (
    SELECT e.id, s.id AS delivery FROM every e ASOF JOIN deliveries s ON (e.id & $1) >= s.first WHERE (e.id & $1) <= s.last
) e ON e.delivery = d.id
GROUP BY d.id HAVING count(e.id) <> any_value(d.rows) ORDER BY d.id
"""


def count() -> tuple[list[DayCount], list[DeliveryCount]]:
    """All days, and the deliveries that are not held as they were acknowledged; read in one snapshot of both sides."""
    with hot.folder() as folder, local.cursor() as raw:
        file = folder / "hot.parquet"
        with snapshot() as seen:
            hot.spool(hot.between(), file)
            deliveries = _deliveries()
        _every(raw, seen, str(file))
        raw.register("given", deliveries)
        raw.execute("CREATE TEMP TABLE deliveries AS FROM given")
        days = raw.execute(_DAYS).to_arrow_table().to_pylist()
        wrong = raw.execute(_DELIVERIES, [2**SERIAL_BITS - 1]).to_arrow_table().to_pylist()
    return (
        [DayCount(**row) for row in days],
        [DeliveryCount(delivery=row["id"], acknowledged=row["acknowledged"], held=row["held"]) for row in wrong],
    )


def _every(raw: local.Connection, seen: Seam, file: str) -> None:
    local.view(raw, "hot", [file], OBSERVATIONS.stored)
    query = "SELECT CAST(\"at\" AS DATE) AS day, id, 'hot' AS side FROM hot"
    if see(raw, seen, seen.cold):
        query += " UNION ALL SELECT day, id, 'cold' FROM cold"
    raw.execute(f"CREATE TEMP VIEW every AS {query}")


def _deliveries() -> pa.Table:
    rows = Delivery.objects.filter(serial_first__isnull=False).values_list("pk", "rows", "serial_first", "serial_last")
    columns = list(zip(*rows.iterator(chunk_size=10_000), strict=True)) or [(), (), (), ()]
    return pa.table([pa.array(each, pa.int64()) for each in columns], ["id", "rows", "first", "last"])
