"""Sorted record batches into Parquet files of bounded size, and what Delta wants to know of each.

The files are written here and not by delta-rs, because what is read by its place in the order (one datastream of a day) depends
on the order being kept, on row groups of a known size and on Bloom filters, which delta-rs does not promise. One row group is
held in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq

ROW_GROUP: Final = 131_072  # rows: one datastream of a day is found in one or two of them, each read in milliseconds
FILE_SIZE: Final = 256 * 2**20  # bytes
LEVEL: Final = 3  # of Zstandard


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a table is laid out: its schema with the partition's column, its order, and the columns that are looked up by value."""

    name: str
    schema: pa.Schema
    partition: str
    order: Sequence[str]
    looked_up: Sequence[str] = ()

    @property
    def stored(self) -> pa.Schema:
        """The columns that stand in the files: all but the partition's, which the path tells."""
        return self.schema.remove(self.schema.get_field_index(self.partition))


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A file that was written: its path within the table, its size in bytes, and Delta's statistics as JSON."""

    path: str
    size: int
    stats: str


def write(
    batches: Iterable[pa.RecordBatch],
    *,
    filesystem: pa_fs.FileSystem,
    root: str,
    folder: str,
    layout: Layout,
    file_size: int = FILE_SIZE,
) -> list[Written]:
    """Write batches (of `layout.stored`, in order) into files below `root/folder`; none when there are no rows.

    Files of an attempt that fails stay behind unnamed by the table, until it is vacuumed.
    """
    rest = _filled(batches, layout.stored)
    found: list[Written] = []
    for first in rest:
        path = f"{folder}/part-{len(found):05d}-{uuid4()}.zstd.parquet"
        found.append(_file(first, rest, filesystem=filesystem, root=root, path=path, layout=layout, size=file_size))
    return found


def _filled(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of one row group each, of batches of any size."""
    kept: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        kept.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP:
            table = pa.Table.from_batches(kept, schema)
            yield table.slice(0, ROW_GROUP)
            kept = table.slice(ROW_GROUP).to_batches()
            rows -= ROW_GROUP
    if rows:
        yield pa.Table.from_batches(kept, schema)


def _file(
    first: pa.Table,
    rest: Iterator[pa.Table],
    *,
    filesystem: pa_fs.FileSystem,
    root: str,
    path: str,
    layout: Layout,
    size: int,
) -> Written:
    """One file of the first row group and those that follow, until it has its size."""
    stored = layout.stored
    with suppress(NotImplementedError):  # object stores have no folders
        filesystem.create_dir(f"{root}/{path.rpartition('/')[0]}", recursive=True)
    with (
        filesystem.open_output_stream(f"{root}/{path}") as sink,
        pq.ParquetWriter(
            sink,
            stored,
            compression="zstd",
            compression_level=LEVEL,
            write_page_index=True,
            sorting_columns=[pq.SortingColumn(stored.get_field_index(name)) for name in layout.order],
            bloom_filter_options={name: {"ndv": ROW_GROUP, "fpp": 0.01} for name in layout.looked_up} or None,
        ) as writer,
    ):
        writer.write_table(first, row_group_size=ROW_GROUP)
        while sink.tell() < size and (table := next(rest, None)) is not None:
            writer.write_table(table, row_group_size=ROW_GROUP)
    with filesystem.open_input_file(f"{root}/{path}") as source:
        return Written(path=path, size=source.size(), stats=json.dumps(_stats(pq.read_metadata(source))))


def _stats(metadata: pq.FileMetaData) -> Mapping[str, Any]:
    """Delta's statistics of a file, of texts none.

    The format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            name, found = column.path_in_schema, column.statistics
            nulls[name] = nulls.get(name, 0) + found.null_count
            if found.has_min_max and not isinstance(found.min, (str, bytes)):
                low[name] = min(low.get(name, found.min), found.min)
                high[name] = max(high.get(name, found.max), found.max)
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: _plain(value) for name, value in low.items() if _finite(value)},
        "maxValues": {name: _plain(value) for name, value in high.items() if _finite(value)},
        "nullCount": nulls,
    }


def _finite(value: Any) -> bool:
    """Whether JSON can say it."""
    return not isinstance(value, float) or isfinite(value)


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
