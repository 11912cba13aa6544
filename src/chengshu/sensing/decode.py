"""The bulk doors: NDJSON and Arrow IPC to rows, in columns where everything is as expected, line by line where it is not."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import polars as pl
import pyarrow as pa
from pyarrow import json as arrow_json

from chengshu.core.errors import Invalid, TooLarge
from chengshu.sensing.records import OPTIONAL, ROWS, Incoming, Reason, Refused

NDJSON: Final = "application/x-ndjson"
ARROW: Final = "application/vnd.apache.arrow.stream"
LARGEST: Final = 256 * 2**20  # bytes of an upload, decompressed
MEMBERS: Final = ("datastream", "phenomenonTime", "result")
REACH: Final = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))  # beyond, a time is none
_FAST: Final = {
    kind: pa.schema([("datastream", arrow), ("phenomenonTime", pa.timestamp("us", "UTC")), ("result", pa.float64())])
    for kind, arrow in (("number", pa.int64()), ("key", pa.string()))
}


def decompress(content: bytes, encoding: str) -> bytes:
    """The content of a body with a `Content-Encoding`. Raises `Invalid` for another encoding or damage, `TooLarge` for a bomb."""
    if encoding in {"", "identity"}:
        return content
    if encoding not in {"gzip", "zstd"}:
        raise Invalid("This Content-Encoding is not understood.", where=encoding, remedy="Send gzip, zstd or none.")
    zipped = io.BytesIO(content)
    reader = gzip.GzipFile(fileobj=zipped) if encoding == "gzip" else pa.CompressedInputStream(zipped, "zstd")
    try:
        plain = bytes(reader.read(LARGEST + 1))
    except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
        raise Invalid("The content is damaged.", where=encoding, remedy="Compress it anew.") from error
    if len(plain) > LARGEST:
        raise TooLarge("It is too large once decompressed.", where=encoding, remedy="Send at most 256 MiB at once.")
    return plain


def ndjson(content: bytes, *, door: str = "bulk") -> Incoming:
    """A row a line: `{"datastream": 7 or "key", "phenomenonTime": "…", "result": …}` and the other members of an Observation.

    Lines that cannot be read are refused, each by itself; empty lines are passed over.
    """
    rows = _columns(content)
    refused: list[Refused] = []
    if rows is None:
        rows, refused = _lines(content)
    return Incoming(door=door, rows=rows, refused=tuple(refused), content=content, media_type=NDJSON)


def _columns(content: bytes) -> pl.DataFrame | None:
    """All rows at once, where each has the three usual members and none is empty; None where that is not so."""
    kind = "key" if content[:200].partition(b"\n")[0].replace(b" ", b"").find(b'"datastream":"') >= 0 else "number"
    options = arrow_json.ParseOptions(explicit_schema=_FAST[kind], unexpected_field_behavior="error")
    reading = arrow_json.ReadOptions(use_threads=False, block_size=max(len(content), 1024))
    try:
        table = arrow_json.read_json(pa.BufferReader(content), parse_options=options, read_options=reading)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    whole = content.count(b"\n") + (not content.endswith(b"\n")) == table.num_rows
    if not whole or any(table[name].null_count for name in MEMBERS):
        return None
    named = "key" if kind == "key" else "datastream"
    frame = pl.DataFrame(
        {
            named: pl.from_arrow(table["datastream"]),
            "at": pl.from_arrow(table["phenomenonTime"]),
            "result": pl.from_arrow(table["result"]),
        }
    )
    return completed(frame) if frame["at"].is_between(*REACH).all() else None


def completed(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with all columns that accept() asks for: lines counted from 1, what is missing null."""
    if "line" not in frame.columns:
        frame = frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("line"))
    wanting = {name: dtype for name, dtype in ROWS.items() if name not in frame.columns}
    frame = frame.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanting.items())
    given = {name: dtype for name, dtype in (ROWS | OPTIONAL).items() if name in frame.columns}
    return frame.select(*given).cast(given)  # type: ignore[arg-type]


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """A line of NDJSON: the members of an Observation as SensorThings names them, and the datastream's number or key."""

    datastream: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | Annotated[str, msgspec.Meta(max_length=200)]
    phenomenonTime: str
    result: Any
    unit: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    resultTime: str | None = None
    validTime: str | None = None
    resultQuality: Any = None
    parameters: dict[str, Any] | None = None


_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_decode_row = msgspec.json.Decoder(Row).decode


def _lines(content: bytes) -> tuple[pl.DataFrame, list[Refused]]:
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for line, text in enumerate(content.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            rows.append({"line": line, **_read(text)})
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Invalid) as error:
            shown = text.decode("utf-8", "replace")[:10_000]
            reason = Reason.TIME if isinstance(error, Invalid) else Reason.FORM
            refused.append(Refused(line=line, reason=reason, detail=str(error)[:500], content={"line": shown}))
    return frame_of(rows), refused


def _read(text: bytes) -> dict[str, Any]:
    row = _decode_row(text)
    if b"\\u0000" in text and _NUL.search(text):
        raise msgspec.ValidationError("A text with U+0000, which cannot be stored.")
    return row_of(row)


def row_of(row: Row) -> dict[str, Any]:
    """A line as a row of accept(). Raises `Invalid` for a time that is none."""
    number = isinstance(row.result, int | float) and not isinstance(row.result, bool)
    start, end = interval(row.phenomenonTime)
    valid = interval(row.validTime) if row.validTime is not None else (None, None)
    return {
        "datastream" if isinstance(row.datastream, int) else "key": row.datastream,
        "at": start,
        "until": end,
        "result": float(row.result) if number else None,
        "other": None if number else _text(row.result),
        "unit": row.unit,
        "result_time": interval(row.resultTime)[0] if row.resultTime is not None else None,
        "valid_from": valid[0],
        "valid_until": valid[1],
        "quality": _text(row.resultQuality),
        "parameters": _text(row.parameters),
    }


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of accept() as the line of NDJSON that says the same: what a person is shown, and mends."""
    found = {
        "datastream": row["datastream"] if row["datastream"] is not None else row.get("key"),
        "phenomenonTime": _span(row["at"], row.get("until")),
        "result": row["result"] if row["other"] is None else json.loads(row["other"]),
        "unit": row.get("unit"),
        "resultTime": _span(row.get("result_time"), None),
        "validTime": _span(row.get("valid_from"), row.get("valid_until")),
        "resultQuality": json.loads(row["quality"]) if row.get("quality") else None,
        "parameters": json.loads(row["parameters"]) if row.get("parameters") else None,
    }
    return {name: value for name, value in found.items() if value is not None or name in MEMBERS}


def _span(start: datetime | None, end: datetime | None) -> str | None:
    if start is None:
        return None
    return start.isoformat() if end is None else f"{start.isoformat()}/{end.isoformat()}"


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows with any of the columns of accept() as a frame; columns that are empty throughout are left out."""
    schema = pl.Schema({**ROWS, **OPTIONAL})
    frame = pl.DataFrame(rows, schema=schema, orient="row") if rows else pl.DataFrame(schema=ROWS)
    empty = [name for name in OPTIONAL if name in frame.columns and frame[name].null_count() == frame.height]
    return completed(frame.drop(empty))


def interval(text: str) -> tuple[datetime, datetime | None]:
    """An ISO 8601 time or interval `start/end`, in UTC; the end is None for a time. Raises `Invalid` for anything else."""
    start, slash, end = text.partition("/")
    return moment(start), moment(end) if slash else None


def moment(text: str) -> datetime:
    """An ISO 8601 time with a zone, in UTC. Raises `Invalid` for anything else."""
    try:
        found = datetime.fromisoformat(text)
        naive, found = found.tzinfo is None, found.astimezone(UTC)
        if not REACH[0] <= found <= REACH[1]:
            raise OverflowError
    except (ValueError, OverflowError) as error:
        raise Invalid("This is no time.", where=text[:60], remedy="Write 2026-11-22T08:00:00+08:00.") from error
    if naive:
        raise Invalid("The time has no zone.", where=text[:60], remedy="Write 2026-11-22T08:00:00+08:00, or Z for UTC.")
    return found


def arrow(content: bytes, *, door: str = "bulk") -> Incoming:
    """An Arrow IPC stream or file: columns `datastream` (number or key), `phenomenonTime`, `result`, others of an Observation.

    Raises:
        Invalid: when it is no Arrow, or a column is missing or of a type that is not understood.
    """
    try:
        buffer = pa.BufferReader(content)
        opened = pa.ipc.open_file(buffer) if content[:6] == b"ARROW1" else pa.ipc.open_stream(buffer)
        table = opened.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise Invalid("It is no Arrow IPC.", remedy="Send a stream or a file of Arrow record batches.") from error
    return Incoming(door=door, rows=_arrow_rows(table), content=content, media_type=ARROW)


_ARROW_NAMES: Final[Mapping[str, str]] = {
    "phenomenonTime": "at", "phenomenonTimeEnd": "until", "resultTime": "result_time", "result": "result", "unit": "unit",
}  # fmt: skip


def _arrow_rows(table: pa.Table) -> pl.DataFrame:
    missing = [name for name in MEMBERS if name not in table.column_names]
    if missing:
        raise Invalid("A column is missing.", where=missing[0], remedy="Give datastream, phenomenonTime and result.")
    read = pl.from_arrow(table.select([name for name in table.column_names if name in {*_ARROW_NAMES, "datastream"}]))
    assert isinstance(read, pl.DataFrame)
    frame = read.rename({name: ours for name, ours in _ARROW_NAMES.items() if name in read.columns})
    if frame["datastream"].dtype in (pl.String, pl.Categorical):
        frame = frame.with_columns(pl.col("datastream").cast(pl.String)).rename({"datastream": "key"})
    try:
        frame = frame.with_columns(
            _utc(frame, name) for name in ("at", "until", "result_time") if name in frame.columns
        )
        within = pl.when(pl.col("at").is_between(*REACH)).then(pl.col("at"))
        return completed(_typed(frame.with_columns(within)))
    except pl.exceptions.PolarsError as error:
        raise Invalid(
            "A column is of a type that is not understood.", where=str(error)[:200], remedy="Send times as timestamps."
        ) from error


def _utc(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column of times in UTC; text is read, and times without a zone are taken for UTC, as Arrow's own are."""
    dtype = frame[name].dtype
    if dtype == pl.String:
        return pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as results, truth and text as JSON."""
    dtype = frame["result"].dtype
    if dtype == pl.Boolean:
        text = pl.when(pl.col("result")).then(pl.lit("true")).otherwise(pl.lit("false"))
    elif dtype == pl.String:
        text = pl.col("result").map_elements(_text, return_dtype=pl.String)
    else:
        return frame
    return frame.with_columns(text.alias("other"), pl.lit(None, dtype=pl.Float64).alias("result"))
