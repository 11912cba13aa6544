"""Passengers entering metro stations in slots of some minutes: the bytes of a CSV file to observations.

The file has one row per station, day and slot; the city pack says which columns these are, which day is day 1, at what local time
slot 0 begins and how long a slot lasts. Rows that cannot be used go to the quarantine with their line and the reason.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.core.errors import Invalid
from chengshu.scene import Column, Decoded, Rejected, Source

PERIOD = timedelta(minutes=10)
FIELDS = ("station", "day", "slot", "inflow")
_DAYS = 3660  # a file holds ten years at most
_PADDING = ' \t"'
_GZIP = b"\x1f\x8b"
_REMEDY = "Mend the row in the file and play it again; nothing is counted twice."


def decode(content: bytes, options: Mapping[str, Any]) -> Decoded:
    """Observations `thing, at, inflow`, in order of time; rows that cannot be used apart.

    Args:
        content: the CSV file, plain or gzip.
        options: `columns` (ours: theirs), `first_day`, `first_slot` (HH:MM), `slot_minutes`, `slots_per_day`, `timezone`.

    Raises:
        Invalid: when the file cannot be read at all or a column is missing.
    """
    if timedelta(minutes=int(options["slot_minutes"])) != PERIOD:
        raise Invalid(
            f"The source has slots of {options['slot_minutes']} minutes.",
            where="sources.yaml",
            remedy=f"This scene knows slots of {PERIOD // timedelta(minutes=1)} minutes.",
        )
    header, lines = _lines(_plain(content))
    read = lines.with_columns(_fields(header, {name: options.get("columns", {}).get(name, name) for name in FIELDS}))
    checked = read.with_columns(_reason(len(header), int(options["slots_per_day"])).alias("reason"))
    bad = checked.filter(pl.col("reason").is_not_null())
    return Decoded(
        frame=_timed(checked.filter(pl.col("reason").is_null()), options),
        quarantine=tuple(_rejected(row) for row in bad.iter_rows(named=True)),
    )


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
    """The columns we need as numbers, null where a field is none; and how many fields the line has."""
    if missing := sorted(set(names.values()) - set(header)):
        raise Invalid(f"The file lacks the columns {', '.join(missing)}.", remedy="Name its columns in sources.yaml.")
    parts = pl.col("content").str.split(",")
    numbers = [
        parts.list.get(header.index(theirs), null_on_oob=True)
        .str.strip_chars(_PADDING)
        .cast(pl.Int64, strict=False)
        .alias(ours)
        for ours, theirs in names.items()
    ]
    return [*numbers, parts.list.len().alias("fields")]


def _reason(fields: int, slots_per_day: int) -> pl.Expr:
    """Why a row cannot be used, or null."""
    unreadable = [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} is not a whole number")) for name in FIELDS]
    wrong = pl.coalesce(
        pl.when(pl.col("fields") != fields).then(pl.lit(f"not {fields} fields")),
        *unreadable,
        pl.when(pl.col("station") < 0).then(pl.lit("station is negative")),
        pl.when(~pl.col("day").is_between(1, _DAYS)).then(pl.lit("day is not a day of the file's years")),
        pl.when(~pl.col("slot").is_between(0, slots_per_day - 1)).then(pl.lit("slot is outside the day")),
        pl.when(pl.col("inflow") < 0).then(pl.lit("inflow is negative")),
    )
    # A row that cannot be used is no reason to leave out the one after it that mends it.
    first = pl.struct("station", "day", "slot", wrong.is_null().alias("usable")).is_first_distinct()
    return pl.coalesce(wrong, pl.when(~first).then(pl.lit("a row for this station and slot stood before")))


def _rejected(row: Mapping[str, Any]) -> Rejected:
    return Rejected(line=row["line"], reason=row["reason"], content=row["content"], remedy=_REMEDY)


def _timed(rows: pl.DataFrame, options: Mapping[str, Any]) -> pl.DataFrame:
    first = datetime.combine(
        date.fromisoformat(str(options["first_day"])), time.fromisoformat(str(options["first_slot"]))
    )
    zone = ZoneInfo(str(options["timezone"]))
    wall = pl.lit(first) + pl.duration(days=pl.col("day") - 1) + pl.col("slot") * pl.lit(PERIOD)
    at = wall.dt.cast_time_unit("us").dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null")
    timed = rows.select(
        pl.col("station").cast(pl.String).alias("thing"), at.dt.convert_time_zone("UTC").alias("at"), "inflow"
    )
    return timed.sort("at", "thing")


METRO_INFLOW = Source(
    name="metro_inflow",
    kind="metro_inflow",
    decode=decode,
    period=PERIOD,
    columns={"inflow": Column(dtype=pl.Int64(), unit="{person}", meaning="passengers who entered during the slot")},
)
