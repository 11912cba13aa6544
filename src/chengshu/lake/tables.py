"""Delta tables: made on first use, read at a version, replaced a partition at a time.

Whoever reads names the version that it reads: files of older versions stay until `vacuum`, so that nobody who reads is disturbed
by who writes. Several processes may write: a commit that meets another one is tried again or refused by delta-rs, never mixed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import polars as pl
import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake import DeltaTable, write_deltalake
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from chengshu.lake.parquet import FILE_SIZE, Layout, write

CONFIGURATION: Final = {"delta.enableDeletionVectors": "false", "delta.checkpointInterval": "50"}
LEAST_KEPT: Final = timedelta(days=1)  # for which files stay that a reader may still read


def folder(url: str) -> Path | None:
    """The folder that an address names; None for an object store."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in url else Path(url)


def table_url(root: str, layout: Layout) -> str:
    """Where a table of the lake at `root` (folder or address) stands."""
    return f"{root.rstrip('/')}/{layout.name}"


def open_table(url: str, layout: Layout) -> DeltaTable:
    """The table as it is now; made, empty, as its version 0, where there is none."""
    if (place := folder(url)) is not None:
        place.mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        url, layout.schema, mode="ignore", partition_by=[layout.partition], configuration=CONFIGURATION
    )


def at_version(url: str, version: int) -> DeltaTable:
    """The table as it was at a version."""
    return DeltaTable(url, version=version)


@lru_cache(maxsize=4)
def files(url: str, version: int) -> pl.DataFrame:
    """The files of a version: `uri`, `num_records`, `size_bytes`, the partition's column, and `min.NAME` and `max.NAME`."""
    table = at_version(url, version)
    found = pl.from_arrow(pa.table(table.get_add_actions(flatten=True)))
    assert isinstance(found, pl.DataFrame)
    base = str(folder(url) or url)
    return found.with_columns(uri=base + "/" + pl.col("path")).rename(
        {name: name.removeprefix("partition.") for name in found.columns if name.startswith("partition.")}
    )


def append(table: DeltaTable, data: Any, layout: Layout) -> None:
    """Add rows. Any number of processes may do so at once."""
    write_deltalake(table, data, mode="append", partition_by=[layout.partition], target_file_size=FILE_SIZE)


def overwrite(table: DeltaTable, data: Any, predicate: str, layout: Layout) -> None:
    """Put rows in the place of those for which a condition in SQL holds."""
    write_deltalake(
        table, data, mode="overwrite", predicate=predicate, partition_by=[layout.partition], target_file_size=FILE_SIZE
    )


def replace(
    table: DeltaTable,
    value: object,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    *,
    file_size: int = FILE_SIZE,
    reached: Callable[[], None] = lambda: None,
) -> int:
    """Put sorted batches (of `layout.stored`) in the place of a partition; the version that this made.

    Args:
        reached: called when the files are written, before they become part of the table.

    What is returned need not be the version after that of `table`: then somebody else wrote meanwhile.
    """
    url, said = table.table_uri, str(value)
    filesystem, root = _filesystem(url)
    written = write(
        batches,
        filesystem=filesystem,
        root=root,
        folder=f"{layout.partition}={said}",
        layout=layout,
        file_size=file_size,
    )
    _keep([f"{root}/{each.path}" for each in written], url)
    reached()
    actions: list[AddAction | RemoveAction] = [
        AddAction(each.path, each.size, {layout.partition: said}, 0, True, each.stats) for each in written
    ]
    table.create_write_transaction(
        actions, "overwrite", table.schema(), [layout.partition], [(layout.partition, "=", said)]
    )
    table.update_incremental()
    _keep([f"{root}/_delta_log/{table.version():020d}.json"], url)
    return table.version()


def _filesystem(url: str) -> tuple[pa_fs.FileSystem, str]:
    """Where files of a table are written: a file system and the table's root in it."""
    if (place := folder(url)) is not None:
        return pa_fs.LocalFileSystem(), str(place)
    return pa_fs.PyFileSystem(DeltaStorageHandler(url)), ""


def _keep(paths: Collection[str], url: str) -> None:
    """See that files and their names are on the disk, for what follows deletes their source. An object store does so itself."""
    if folder(url) is None:
        return
    for path in [
        *paths,
        *{str(Path(path).parent) for path in paths},
        *{str(Path(path).parent.parent) for path in paths},
    ]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove(table: DeltaTable, predicate: str) -> int:
    """Delete the rows for which a condition in SQL holds; the version that this made."""
    table.delete(predicate)
    return table.version()


def restore(table: DeltaTable, version: int) -> int:
    """Make the table what it was at a version, as a new version, which is returned."""
    table.restore(version)
    table.update_incremental()
    return table.version()


def compact(table: DeltaTable) -> None:
    """Join the small files that many appends left. What `replace` wrote needs it not."""
    table.optimize.compact(target_size=FILE_SIZE)


def vacuum(table: DeltaTable, *, kept: timedelta = LEAST_KEPT) -> list[str]:
    """Delete files that no version of the last `kept` (at least a day) names, also those of attempts that failed; their paths."""
    hours = max(kept, LEAST_KEPT) // timedelta(hours=1)
    return table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
