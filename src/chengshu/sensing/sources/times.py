"""Columns of foreign times as instants in UTC: ISO 8601 and its relatives, epochs, patterns, dates with slots, rows that follow
each other. What is no time becomes null."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.sensing.sources.mapping import Time

UTC_US: Final = pl.Datetime("us", "UTC")
_ZONE: Final = r"(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})$"
_BASES: Final = (
    "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
)  # fmt: skip
_DAYS: Final = ("%Y-%m-%d", "%Y%m%d")
Expr = pl.Expr


def instants(told: Time, city: str, received: datetime, *, rows: str) -> Expr:
    """The times of rows as a column of UTC microseconds.

    Args:
        city: the zone of times that have none, unless the mapping names one.
        received: when the content came in.
        rows: the column that numbers the rows from 1, for rows that follow each other.
    """
    zone = told.zone or city
    if told.received:
        return pl.lit(received).cast(UTC_US)
    if told.start is not None:
        return _following(told, zone, rows)
    if told.date is not None:
        return _dated(told, zone)
    assert told.column is not None
    return _written(pl.col(told.column), told.format, zone)


def local(wall: Expr, zone: str) -> Expr:
    """Wall-clock times as instants. An hour that comes twice is taken for its first coming; one that never came is null."""
    kept = wall.dt.cast_time_unit("us").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return kept.dt.convert_time_zone("UTC")


def _written(column: Expr, form: str, zone: str) -> Expr:
    if form in {"epoch", "epoch_ms"}:
        factor = 1e6 if form == "epoch" else 1e3
        number = column.cast(pl.Float64, strict=False) * factor
        sane = pl.when(number.abs() < 2**62).then(number)  # what is beyond would not fit; it is no time of ours
        return sane.round().cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if form == "iso":
        return _iso(column, zone)
    if "%H" in form and not any(each in form for each in ("%M", "%T", "%R", "%X", "%c")):
        column, form = column + pl.lit(" 00"), f"{form} %M"  # polars reads no hour without its minutes
    if "%z" in form or "%:z" in form or "%Z" in form:
        return column.str.to_datetime(form, time_unit="us", strict=False).dt.convert_time_zone("UTC")
    if not {"%H", "%I", "%T", "%R", "%X", "%c"} & {form[i : i + 2] for i in range(len(form))}:
        return local(column.str.to_date(form, strict=False).cast(pl.Datetime("us")), zone)
    return local(column.str.to_datetime(form, time_unit="us", strict=False), zone)


def _iso(column: Expr, zone: str) -> Expr:
    """2026-11-22T08:00:00+08:00 and what people make of it: a space, slashes, no seconds, no zone, no time at all."""
    text = column.str.replace_all("/", "-", literal=True).str.replace(r"[ T]+", "T").str.replace(r"\s+", "")
    tail = text.str.extract(f"T?\\d{{2}}{_ZONE}", 1)
    has_clock = text.str.contains(r"T\d|\d{10}")
    tail = pl.when(has_clock).then(tail)
    base = pl.when(tail.is_not_null()).then(text.str.replace(_ZONE, "")).otherwise(text)
    base = base.str.replace(r"^(\d{4})-(\d)-", "$1-0$2-").str.replace(r"^(\d{4}-\d{2})-(\d)(T|$)", "$1-0$2$3")
    base = base.str.replace(r"T(\d):", "T0$1:")
    wall = pl.coalesce(
        *(base.str.to_datetime(form, time_unit="us", strict=False) for form in _BASES),
        *(base.str.to_date(form, strict=False).cast(pl.Datetime("us")) for form in _DAYS),
    )
    digits = tail.str.replace_all(":", "", literal=True)
    hours, minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False), digits.str.slice(3, 2)
    ahead = hours * 60 + pl.when(minutes == "").then(0).otherwise(minutes.cast(pl.Int64, strict=False))
    shift = pl.when(digits.str.starts_with("-")).then(-ahead).otherwise(ahead)
    shift = pl.when(digits.str.to_uppercase() == "Z").then(0).otherwise(shift)
    zoned = (wall - pl.duration(minutes=shift)).dt.replace_time_zone("UTC")
    return pl.when(tail.is_not_null()).then(zoned).otherwise(local(wall, zone))


def _dated(told: Time, zone: str) -> Expr:
    day = pl.col(told.date or "")
    if told.clock is not None:
        return _iso(day + pl.lit("T") + pl.col(told.clock).str.strip_chars(), zone)
    slot = pl.col(told.slot or "").cast(pl.Float64, strict=False)
    begin = time.fromisoformat(told.first_slot)
    start = begin.hour * 3_600_000_000 + begin.minute * 60_000_000 + begin.second * 1_000_000
    passed = slot * (told.minutes or 0) * 60e6 + start
    within = pl.when((slot >= 0) & (passed < 86_400e6)).then(passed)  # a slot beyond the day is a mistake
    wall = _midnight(day, told.first_day) + pl.duration(microseconds=within.cast(pl.Int64))
    return local(wall, zone)


def _midnight(day: Expr, first: str | None) -> Expr:
    """The begin of a day, written as a date or as its number from `first`, which is day 1."""
    if first is None:
        text = day.str.replace_all("/", "-", literal=True).str.slice(0, 10)
        return pl.coalesce(*(text.str.to_date(form, strict=False) for form in _DAYS)).cast(pl.Datetime("us"))
    number = day.cast(pl.Int64, strict=False)
    number = pl.when(number.is_between(-40_000, 80_000)).then(number)
    return pl.lit(datetime.combine(date.fromisoformat(first), time())).cast(pl.Datetime("us")) + pl.duration(
        days=number - 1
    )


def _following(told: Time, zone: str, rows: str) -> Expr:
    start = datetime.fromisoformat(told.start or "")
    start = start if start.tzinfo is not None else start.replace(tzinfo=ZoneInfo(zone))
    passed = ((pl.col(rows).cast(pl.Float64) - 1) * ((told.step or 0) * 1e6)).cast(pl.Int64)
    return pl.lit(start.astimezone(ZoneInfo("UTC"))).cast(UTC_US) + pl.duration(microseconds=passed)
