"""DuckDB in this process, by SQL: for what is small, or must answer within milliseconds, or is streamed.

Apart from the engine, for the web processes need this and not Ibis, which takes a second to import.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake.fs import DeltaStorageHandler
from django.conf import settings

from chengshu.lake.tables import folder

Connection = duckdb.DuckDBPyConnection

_guard = threading.Lock()
_instance: dict[int, Connection] = {}  # by process, for a forked one must not use its parent's


def instance() -> Connection:
    """The one instance of this process: its memory and threads are shared by all who ask, what is too large goes to the disk."""
    with _guard:
        if os.getpid() not in _instance:
            spill = Path(settings.SPOOL) / "duckdb"
            spill.mkdir(parents=True, exist_ok=True)
            made = duckdb.connect(
                config={
                    "memory_limit": f"{settings.ENGINE_MEMORY}MiB",
                    "threads": settings.ENGINE_THREADS,
                    "temp_directory": str(spill),
                    "autoinstall_known_extensions": "false",
                }
            )
            made.execute("SET parquet_metadata_cache = true")
            _instance[os.getpid()] = made
        return _instance[os.getpid()]


@contextmanager
def cursor() -> Iterator[Connection]:
    """A connection of its own to the local DuckDB, for SQL that is streamed or must answer within milliseconds."""
    with instance().cursor() as raw:
        raw.execute("SET TimeZone = 'UTC'")
        yield raw


def view(raw: Connection, name: str, uris: Sequence[str], schema: pa.Schema, *, partition: str | None = None) -> None:
    """Name the rows of Parquet files on a connection of `cursor`, as `scan` does for Ibis."""
    if any(folder(uri) is None for uri in uris):
        raw.register(name, dataset(uris, schema, partition=partition))
        return
    raw.read_parquet(list(uris), hive_partitioning=partition is not None).create_view(name, replace=True)


def dataset(uris: Sequence[str], schema: pa.Schema, *, partition: str | None = None) -> Any:
    """Files of an object store as an Arrow dataset, read by the client of delta-rs, for which DuckDB would need an extension."""
    import pyarrow.dataset as pa_ds  # noqa: PLC0415 - brings pandas along: a second that only object stores are worth

    root = uris[0].rpartition(f"/{partition}=")[0] if partition else uris[0].rpartition("/")[0]
    keys = pa_ds.partitioning(pa.schema([schema.field(partition)]), flavor="hive") if partition else None
    return pa_ds.dataset(
        [uri.removeprefix(f"{root}/") for uri in uris],
        schema=schema,
        filesystem=pa_fs.PyFileSystem(DeltaStorageHandler(root)),
        format="parquet",
        partitioning=keys,
    )
