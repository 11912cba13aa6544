"""Observations as Parquet or CSV, streamed day by day, for whoever may read them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from django.db.models import Max, Min

from chengshu.core.errors import Invalid, NotFound
from chengshu.lake import engine
from chengshu.lake.parquet import ROW_GROUP
from chengshu.parties.principal import Principal
from chengshu.sensing.models import Datastream, Day
from chengshu.sensing.observations import observations
from chengshu.sensing.scope import read_scope
from chengshu.sensing.seam import OBSERVATIONS, start
from chengshu.sensing.store import DAY

_OURS: Final = frozenset({"nth", "cell", "day"})  # of no meaning outside
SCHEMA: Final = pa.schema(
    [
        *(field for field in OBSERVATIONS.schema if field.name not in _OURS),
        ("datastream_key", pa.string()),
        ("datastream_name", pa.string()),
        ("unit", pa.string()),
    ]
)
"""The columns of an export: those of an observation as the lake has them, and what its datastream is called."""
_TEXTS: Final = ("other", "quality", "parameters", "datastream_key", "datastream_name", "unit")


class Format(StrEnum):
    """How an export is written."""

    PARQUET = "parquet"
    CSV = "csv"


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


def export(
    principal: Principal,
    form: Format,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    datastreams: Sequence[int] | None = None,
) -> Iterator[bytes]:
    """The file in parts as it is made: rows with since <= at < until in order of day, datastream and time, in bounded memory.

    Args:
        datastreams: only these; all that the principal sees by default.

    Raises:
        NotAllowed: for who reads no sensors.
        NotFound: for a datastream that is not there, or not for this principal.
        Invalid: when nothing can lie between the two times.
    """
    if since is not None and until is not None and since >= until:
        raise Invalid("The time ends before it begins.", remedy="Choose an end after the beginning.")
    known = _datastreams(principal, datastreams)
    return _parts(form, known, since, until)


def _datastreams(principal: Principal, wanted: Sequence[int] | None) -> pl.DataFrame:
    rows = Datastream.objects.filter(read_scope(principal).q("thing__"))
    if wanted is not None:
        rows = rows.filter(pk__in=wanted)
    columns = {"datastream": pl.Int64, "datastream_key": pl.String, "datastream_name": pl.String, "unit": pl.String}
    found = rows.values_list("pk", "key", "name", "ucum").order_by("pk")
    frame = pl.DataFrame(list(found.iterator(chunk_size=10_000)), schema=columns, orient="row")
    if wanted is not None and (missing := set(wanted) - set(frame["datastream"])):
        raise NotFound(
            "There is no such datastream, or you may not read it.",
            where=", ".join(map(str, sorted(missing)[:5])),
            remedy="Look up its number in the register.",
        )
    return frame


def _parts(form: Format, known: pl.DataFrame, since: datetime | None, until: datetime | None) -> Iterator[bytes]:
    sink = _Sink()
    writer = _writer(form, sink)
    for first, last in _days(since, until):
        for table in _tables(known, first, last):
            writer.write_table(_safe(table) if form is Format.CSV else table)
            yield sink.taken()
    writer.close()
    yield sink.taken()


def _days(since: datetime | None, until: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a time that lie in one day each, of days only that hold observations."""
    ends = Day.objects.aggregate(first=Min("day"), last=Max("day"))
    if ends["first"] is None:
        return
    since = max(since or start(ends["first"]), start(ends["first"]))
    until = min(until or start(ends["last"]) + DAY, start(ends["last"]) + DAY)
    days = Day.objects.filter(day__gte=since.date(), day__lte=until.date()).order_by("day")
    for day in days.values_list("day", flat=True):
        first, last = max(since, start(day)), min(until, start(day) + DAY)
        if first < last:
            yield first, last


def _tables(known: pl.DataFrame, since: datetime, until: datetime) -> Iterator[pa.Table]:
    """One day's rows, sorted on the disk if need be."""
    ids = known["datastream"].to_list()
    with observations(engine.local(), since=since, until=until, datastreams=ids) as table:
        rows = table.order_by("datastream", "at", "nth", "id")
        with rows.to_pyarrow_batches(chunk_size=ROW_GROUP) as batches:
            for batch in batches:
                frame = pl.DataFrame(pl.from_arrow(batch)).join(
                    known, on="datastream", how="left", maintain_order="left"
                )
                yield frame.select(SCHEMA.names).to_arrow().cast(SCHEMA)


def _safe(table: pa.Table) -> pa.Table:
    """Texts that no spreadsheet takes for a formula."""
    frame = pl.DataFrame(pl.from_arrow(table))
    risky = [
        pl.when(pl.col(n).str.contains(r"^[=+\-@\t\r]")).then("'" + pl.col(n)).otherwise(n).alias(n) for n in _TEXTS
    ]
    times = [pl.col(f.name).dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ") for f in SCHEMA if pa.types.is_timestamp(f.type)]
    return frame.with_columns(*risky, *times).to_arrow().cast(_CSV)


_CSV: Final = pa.schema(
    [(each.name, pa.string() if pa.types.is_timestamp(each.type) else each.type) for each in SCHEMA]
)


def _writer(form: Format, sink: _Sink) -> Any:
    if form is Format.PARQUET:
        return pq.ParquetWriter(sink, SCHEMA, compression="zstd")
    sink.write("\N{BYTE ORDER MARK}".encode())  # by which spreadsheets know UTF-8
    return pa_csv.CSVWriter(sink, _CSV)


class _Sink(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """The bytes, which are forgotten here."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found
