"""What datastreams said, whatever they observe: the bytes of a CSV file to observations.

The file has one row per reading; the city pack says which columns these are. A city's own observations come in by `observed` of
its `sources.yaml` and need no file. Rows that cannot be used go to the quarantine with their line and the reason.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import polars as pl

from chengshu.core.errors import Invalid
from chengshu.scene import Column, Decoded, Rejected, Source

PERIOD: Final = timedelta(minutes=10)
FIELDS: Final = ("datastream", "at", "value")
_PADDING: Final = ' \t"'
_GZIP: Final = b"\x1f\x8b"
_REMEDY: Final = "Mend the row in the file and play it again; nothing is counted twice."


def decode(content: bytes, options: Mapping[str, Any]) -> Decoded:
    """Observations `thing, at, value`, in order of time; rows that cannot be used apart.

    Args:
        content: the CSV file, plain or gzip; times are ISO 8601 with their offset.
        options: `columns` (ours: theirs).

    Raises:
        Invalid: when the file cannot be read at all or a column is missing.
    """
    header, lines = _lines(_plain(content))
    names = {name: options.get("columns", {}).get(name, name) for name in FIELDS}
    checked = _checked(lines.with_columns(_fields(header, names)), len(header))
    good, bad = checked.filter(pl.col("reason").is_null()), checked.filter(pl.col("reason").is_not_null())
    frame = good.select(pl.col("datastream").alias("thing"), "at", "value").sort("at", "thing")
    return Decoded(frame=frame, quarantine=tuple(_rejected(row) for row in bad.iter_rows(named=True)))


def _plain(content: bytes) -> str:
    """The text; bytes that are no UTF-8 become marks that no number holds, so that their rows are left out by themselves."""
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise Invalid(f"The compressed file is damaged ({error}).", remedy="Fetch it again.") from error
    return content.decode("utf-8-sig", errors="replace")


def _lines(text: str) -> tuple[list[str], pl.DataFrame]:
    """The header, and all lines after it with their number in the file; empty lines are none."""
    lines = text.splitlines() or [""]
    frame = pl.DataFrame({"content": lines[1:]}, schema={"content": pl.String}).with_row_index("line", offset=2)
    return [name.strip(_PADDING) for name in lines[0].split(",")], frame.filter(
        pl.col("content").str.strip_chars() != ""
    )


def _fields(header: list[str], names: Mapping[str, str]) -> list[pl.Expr]:
    """The columns we need, null where a field cannot be read; and how many fields the line has."""
    if missing := sorted(set(names.values()) - set(header)):
        raise Invalid(f"The file lacks the columns {', '.join(missing)}.", remedy="Name its columns in sources.yaml.")
    parts = pl.col("content").str.split(",")
    text = {
        ours: parts.list.get(header.index(theirs), null_on_oob=True).str.strip_chars(_PADDING)
        for ours, theirs in names.items()
    }
    at = text["at"].str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    value = text["value"].cast(pl.Float64, strict=False)
    return [
        text["datastream"].alias("datastream"),
        at.alias("at"),
        value.alias("value"),
        parts.list.len().alias("fields"),
    ]


def _checked(read: pl.DataFrame, fields: int) -> pl.DataFrame:
    """With the `reason` why a row cannot be used, or null."""
    wrong = pl.coalesce(
        pl.when(pl.col("fields") != fields).then(pl.lit(f"not {fields} fields")),
        pl.when(pl.col("datastream").fill_null("") == "").then(pl.lit("no datastream")),
        pl.when(pl.col("at").is_null()).then(pl.lit("at is no time with an offset")),
        pl.when(~pl.col("value").is_finite().fill_null(False)).then(pl.lit("value is not a number")),
    )
    # A row that cannot be used is no reason to leave out the one after it that mends it.
    first = pl.struct("datastream", "at", wrong.is_null().alias("usable")).is_first_distinct()
    double = pl.when(~first).then(pl.lit("a row for this datastream and time stood before"))
    return read.with_columns(pl.coalesce(wrong, double).alias("reason"))


def _rejected(row: Mapping[str, Any]) -> Rejected:
    return Rejected(line=row["line"], reason=row["reason"], content=row["content"], remedy=_REMEDY)


READINGS: Final = Source(
    name="device_readings",
    kind="device_readings",
    decode=decode,
    period=PERIOD,
    columns={"value": Column(dtype=pl.Float64(), unit="*", meaning="what a datastream said, in its own unit")},
    each="datastream",
)
"""Every datastream by itself, whatever it observes. Faults last for hours, so that ten minutes are soon enough to look."""
