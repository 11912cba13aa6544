"""Tables of the lake: sorted files of bounded size, exact versions, writers that do not mix, statistics that are true."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chengshu.lake import engine, local, lookup, tables
from chengshu.lake.parquet import ROW_GROUP, Layout

LAYOUT = Layout(
    name="things",
    schema=pa.schema(
        [("key", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("value", pa.float64()), ("day", pa.date32())]
    ),
    partition="day",
    order=("key", "at"),
    looked_up=("value",),
)
DAY = date(2026, 11, 18)
START = datetime(2026, 11, 18, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path, settings: Any) -> str:
    settings.SPOOL = tmp_path / "spool"
    return tables.table_url(str(tmp_path), LAYOUT)


def batches(keys: int, each: int = 10, value: float = 1.0) -> Iterator[pa.RecordBatch]:
    frame = pl.DataFrame({"key": range(keys)}).join(pl.DataFrame({"n": range(each)}), how="cross")
    at = pl.lit(START) + pl.duration(seconds=pl.col("n"))
    made = frame.select("key", at=at.cast(pl.Datetime("us", "UTC")), value=pl.lit(value))
    yield from made.to_arrow().cast(LAYOUT.stored).to_batches(max_chunksize=1_000)


def read(url: str, version: int) -> pl.DataFrame:
    con = engine.local()
    found = engine.scan(con, tables.files(url, version)["uri"].to_list(), LAYOUT.schema, partition="day")
    return pl.DataFrame(pl.from_arrow(found.to_pyarrow())).sort("day", "key", "at")


def test_files_are_sorted_bounded_and_say_what_is_in_them(url: str) -> None:
    table = tables.open_table(url, LAYOUT)
    version = tables.replace(table, DAY, batches(40_000), LAYOUT, file_size=1)
    files = tables.files(url, version).sort("uri")
    assert files["num_records"].to_list() == [ROW_GROUP, ROW_GROUP, ROW_GROUP, 400_000 - 3 * ROW_GROUP]
    assert files["day"].to_list() == [DAY] * 4
    lows, highs = files["min.key"].to_list(), files["max.key"].to_list()
    assert (lows[0], highs[-1]) == (0, 39_999) and all(low >= high for low, high in zip(lows[1:], highs, strict=False))
    assert files["max.at"].max() == START + timedelta(seconds=9)
    column = pq.read_metadata(files["uri"][0]).row_group(0).column(2)
    assert column.bloom_filter_offset and column.compression == "ZSTD"
    assert (
        read(url, version)
        .select(pl.all().exclude("day"))
        .equals(pl.DataFrame(pl.from_arrow(pa.Table.from_batches(batches(40_000)))))
    )
    found = pa.concat_tables([lookup.rows_of(uri, 13_107) for uri in files["uri"]])
    assert found["key"].to_pylist() == [13_107] * 10


def test_versions_stay_as_they_were_and_can_come_back(url: str) -> None:
    table = tables.open_table(url, LAYOUT)
    first = tables.replace(table, DAY, batches(10, value=1), LAYOUT)
    second = tables.replace(table, DAY, batches(20, value=2), LAYOUT)
    third = tables.replace(table, date(2026, 11, 19), batches(5, value=3), LAYOUT)
    assert [len(read(url, each)) for each in (0, first, second, third)] == [0, 100, 200, 250]
    back = tables.restore(tables.open_table(url, LAYOUT), first)
    assert read(url, back).equals(read(url, first))
    gone = tables.remove(tables.open_table(url, LAYOUT), f"day = '{DAY}'")
    assert len(read(url, gone)) == 0
    assert tables.vacuum(tables.open_table(url, LAYOUT)) == []


def test_writers_at_once_are_all_there(url: str) -> None:
    def write(number: int) -> None:
        data = pa.Table.from_batches(batches(10, value=number)).append_column("day", pa.array([DAY] * 100, pa.date32()))
        tables.append(tables.open_table(url, LAYOUT), data, LAYOUT)

    tables.open_table(url, LAYOUT)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    table = tables.open_table(url, LAYOUT)
    found = read(url, table.version())
    assert found.group_by("value").len().sort("value").rows() == [(float(n), 100) for n in range(8)]
    tables.compact(table)
    after = tables.open_table(url, LAYOUT)
    assert len(tables.files(url, after.version())) == 1 and read(url, after.version()).height == 800
    replaced = pa.Table.from_batches(batches(1, value=9)).append_column("day", pa.array([DAY] * 10, pa.date32()))
    tables.overwrite(after, replaced, f"day = '{DAY}'", LAYOUT)
    assert read(url, tables.open_table(url, LAYOUT).version()).height == 10


def test_an_address_is_read_as_a_folder_is(url: str) -> None:
    address = f"file://{url}"
    table = tables.open_table(address, LAYOUT)
    version = tables.replace(table, DAY, batches(3), LAYOUT)
    assert tables.folder(address) == Path(url) and len(read(address, version)) == 30
    assert tables.folder("s3://bucket/lake") is None
    uris = tables.files(address, version)["uri"].to_list()
    through = local.dataset([f"file://{uri}" for uri in uris], LAYOUT.schema, partition="day").to_table()
    assert through.num_rows == 30 and through["day"].to_pylist() == [DAY] * 30
