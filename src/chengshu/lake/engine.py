"""The engine that computes over the lake, as an Ibis backend: DuckDB in this process, or Spark through Spark Connect.

What is asked is an Ibis expression and knows nothing of the engine. Files are given one by one, as a version of a Delta table
names them, so that neither engine needs an extension for Delta.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pyarrow as pa
from django.conf import settings

from chengshu.core.errors import CannotStart
from chengshu.lake.local import dataset, instance
from chengshu.lake.tables import folder

if TYPE_CHECKING:
    from ibis import BaseBackend
    from ibis.expr.types import Table

SPARK: Final = "sc://"
_local = threading.local()


def ibis() -> Any:
    """Ibis, imported when it is first asked for: the processes that never ask the lake save 46 MB each."""
    return import_module("ibis")


def engine() -> BaseBackend:
    """The engine that the settings name. To be used by the thread that asked for it."""
    if settings.ENGINE == "duckdb":
        return local()
    if settings.ENGINE.removeprefix("spark://").startswith(SPARK):
        return _spark(settings.ENGINE.removeprefix("spark://"))
    raise CannotStart(
        "There is no such engine.", where="CHENGSHU_ENGINE", remedy='Set it to "duckdb" or "spark://sc://HOST:PORT".'
    )


def local() -> Any:
    """DuckDB in this process, whatever the settings name: for what is small or must be near."""
    if getattr(_local, "process", None) != os.getpid():
        raw = instance().cursor()
        raw.execute("SET TimeZone = 'UTC'")
        _local.backend, _local.process = ibis().duckdb.from_connection(raw), os.getpid()
    return _local.backend


def _spark(url: str) -> BaseBackend:
    if getattr(_local, "spark", None) is None:
        try:
            from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - an extra that most do without
        except ImportError as error:
            raise CannotStart(
                "Spark's client is not installed.", where="CHENGSHU_ENGINE", remedy="Install chengshu[spark]."
            ) from error
        session = SparkSession.builder.remote(url).create()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        _local.spark = ibis().pyspark.connect(session)
    found: BaseBackend = _local.spark
    return found


def forget() -> None:
    """End this thread's connections."""
    if (spark := getattr(_local, "spark", None)) is not None:
        spark._session.stop()  # Ibis leaves the session to who made it
    _local.__dict__.clear()


def scan(con: BaseBackend, uris: Sequence[str], schema: pa.Schema, *, partition: str | None = None) -> Table:
    """Rows of Parquet files, with the partition's column that their paths tell; an empty table for no files.

    The view behind it lives until `drop` or the end of the connection.
    """
    name = f"files_{uuid4().hex}"
    if not uris:
        return ibis().memtable(schema.empty_table())
    if con.name == "pyspark":
        return _spark_files(con, uris, name, partition)
    if any(folder(uri) is None for uri in uris):
        con.con.register(name, dataset(uris, schema, partition=partition))
        return con.table(name).select(*schema.names)
    found: Table = con.read_parquet(list(uris), table_name=name, hive_partitioning=partition is not None)
    return found.select(*schema.names)


def drop(con: BaseBackend, table: Table) -> None:
    """Take away the views that `scan` made for a table."""
    for each in table.op().find(ibis().expr.operations.DatabaseTable):
        if each.name.startswith("files_"):
            if con.name == "pyspark":
                con._session.catalog.dropTempView(each.name)
            else:
                con.con.execute(f"DROP VIEW IF EXISTS {each.name}")


def _spark_files(con: BaseBackend, uris: Sequence[str], name: str, partition: str | None) -> Table:
    session = con._session  # Ibis reads one path only
    reader = session.read
    if partition is not None:
        reader = reader.option("basePath", uris[0].partition(f"/{partition}=")[0])
    reader.parquet(*uris).createOrReplaceTempView(name)
    return con.table(name)
