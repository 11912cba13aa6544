"""A table of text by a mapping to the rows of accept(): vectorised; what is wrong with a row is told with its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from string import Formatter
from typing import Any, Final

import numpy as np
import polars as pl
from django.utils.translation import gettext as _

from chengshu.core import crs
from chengshu.core.errors import Invalid
from chengshu.sensing.decode import completed
from chengshu.sensing.records import Incoming, Reason, Refused
from chengshu.sensing.sources import formats
from chengshu.sensing.sources.mapping import MISSING, Place, Result, Source
from chengshu.sensing.sources.table import LINE, MOST_CELLS, MOST_REFUSED, Table
from chengshu.sensing.sources.times import instants

NUMBER: Final = "\x00number"  # the row's number from 1, whatever its line
AT, SAID = "\x00at", "\x00said"
LON, LAT = "\x00lon", "\x00lat"
MEDIA: Final = {
    "csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson-mapped", "sql": "application/x-sql-rows",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "parquet": "application/vnd.apache.parquet",
    "xml": "application/xml", "gtfs-rt": "application/x-protobuf",
}  # fmt: skip
_CONVERT: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"gcj02": crs.gcj02_to_wgs84, "bd09": crs.bd09_to_wgs84}
_TRUE, _FALSE = ["true", "1", "yes", "y", "on", "是", "有", "开"], ["false", "0", "no", "n", "off", "否", "无", "关"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a mapping makes of a content: for accept(), and what the register needs for it.

    `streams` has a row a datastream that is named: key, number of its result in the mapping, its Thing's key and name, lon, lat.
    """

    incoming: Incoming
    table: Table
    streams: pl.DataFrame
    empty: int
    cursor: str | None


def decode(
    content: bytes, source: Source, *, zone: str, door: str = "file", received: datetime | None = None
) -> Incoming:
    """A content read by a mapping. Rows that cannot be taken are refused with line and reason, the others go on.

    Args:
        zone: the city's, for times without one.
        received: when it came in, for contents that have no times; now by default.

    Raises:
        Invalid: when it cannot be read at all.
    """
    return take(content, source, zone=zone, door=door, received=received).incoming


def take(
    content: bytes, source: Source, *, zone: str, door: str, received: datetime | None = None, most: int | None = None
) -> Taken:
    """As `decode`, with what the register needs and the cursor; of at most so many rows."""
    read = formats.table(content, source, most=most)
    return shaped(read, source, zone=zone, door=door, received=received or datetime.now(UTC), content=content)


def shaped(
    read: Table, source: Source, *, zone: str, door: str, received: datetime, content: bytes | None = None
) -> Taken:
    """A table by a mapping."""
    frame = _long(_cleaned(read.frame, source), source).with_columns(
        instants(source.time, zone, received, rows=NUMBER).alias(AT),
        (
            instants(source.result_time, zone, received, rows=NUMBER)
            if source.result_time is not None
            else pl.lit(None, dtype=pl.Datetime("us", "UTC"))
        ).alias(SAID),
    )
    if source.place is not None:
        frame = _placed(frame, source.place)
    parts = [_observed(frame, source, number) for number in range(len(source.results))]
    every = pl.concat([part for part, _empty in parts], how="diagonal").sort("line", "nth", maintain_order=True)
    shown = partial(_shown, read.frame)
    bad = every.filter(pl.col("wrong").is_not_null())
    incoming = Incoming(
        door=door,
        rows=completed(every.filter(pl.col("wrong").is_null())),
        refused=(*read.refused, *_refused(bad, shown)),
        content=None if source.time.received else content,
        media_type=f"{MEDIA[source.format]}; mapping={source.digest()}",
    )
    return Taken(
        incoming=incoming,
        table=read,
        streams=_streams(every, source),
        empty=sum(empty for _part, empty in parts),
        cursor=_cursor(read.frame, source),
    )


def _cleaned(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Without spaces around, and null where a word says that nothing was observed."""
    own = pl.exclude(LINE)
    stripped = frame.with_columns(own.str.strip_chars())
    words = [word.strip() for word in (MISSING if source.missing is None else source.missing)]
    cleaned = stripped.with_columns(pl.when(~own.is_in(words)).then(own)) if words else stripped
    return cleaned.with_row_index(NUMBER, offset=1)


def _long(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    if source.melt is None:
        return frame
    index = [LINE, NUMBER, *source.melt.keep]
    names = {source.melt.into, source.melt.value}
    if names & set(frame.columns):
        there = ", ".join(sorted(names & set(frame.columns)))
        raise Invalid(_("A column has the name of what it becomes."), where=there, remedy=_("Change melt."))
    if (frame.width - len(index)) * frame.height > MOST_CELLS:
        raise Invalid(_("It is too large to be taken at once."), remedy=_("Send it in parts."))
    return frame.unpivot(index=index, variable_name=source.melt.into, value_name=source.melt.value)


def _placed(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """With WGS 84 coordinates of every row; null where they are nowhere."""
    lon, lat = (
        frame[name].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() for name in (place.lon, place.lat)
    )
    with np.errstate(invalid="ignore"):
        sane = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    lon, lat = np.where(sane, lon, np.nan), np.where(sane, lat, np.nan)
    if place.crs in _CONVERT:
        lon, lat = _CONVERT[place.crs](lon, lat)
    return frame.with_columns(
        pl.Series(LON, lon).fill_nan(None).round(7), pl.Series(LAT, lat).fill_nan(None).round(7)
    )  # a centimetre


def written(template: str) -> pl.Expr:
    """A template filled in; null where a column is."""
    pieces: list[pl.Expr] = []
    for text, name, _spec, _turned in Formatter().parse(template):
        pieces += [pl.lit(text)] if text else []
        pieces += [pl.col(name)] if name else []
    return pl.concat_str(pieces)


def _observed(frame: pl.DataFrame, source: Source, number: int) -> tuple[pl.DataFrame, int]:
    """The observations of one result of the mapping with what is `wrong` with each; how many rows said nothing."""
    each = source.results[number]
    said = frame if each.value is None else frame.filter(pl.col(each.value).is_not_null())
    made = said.select(
        pl.col(LINE).alias("line"),
        pl.lit(number, dtype=pl.Int32).alias("nth"),
        written(each.key).alias("key"),
        pl.col(AT).alias("at"),
        *_columns(each, source),
    )
    wrong = pl.coalesce(
        pl.when(pl.col("key").is_null() | (pl.col("key").str.len_chars() > 500)).then(pl.lit(Reason.FORM.value)),
        pl.when(pl.col("at").is_null()).then(pl.lit(Reason.TIME.value)),
        *([pl.when(pl.col("lon").is_null() | pl.col("lat").is_null()).then(pl.lit(Reason.PLACE.value))] if source.place else []),
        pl.when(pl.col("result").is_null() & pl.col("other").is_null()).then(pl.lit(Reason.TYPE.value)),
    )  # fmt: skip
    return made.with_columns(wrong.alias("wrong")), frame.height - said.height


def _columns(each: Result, source: Source) -> Iterator[pl.Expr]:
    """What an observation has beside whose and when."""
    result, other = _value(each)
    yield result.alias("result")
    yield other.alias("other")
    yield (pl.col(each.value) if each.value else pl.lit(None, dtype=pl.String)).alias("text")
    when = source.time.column or source.time.date
    yield (pl.col(when) if when else pl.lit(None, dtype=pl.String)).alias("when")
    if source.time.length is not None:
        yield (pl.col(AT) + pl.duration(microseconds=round(source.time.length * 1e6))).alias("until")
    if source.result_time is not None:
        yield pl.col(SAID).alias("result_time")
    if each.unit_column is not None:
        yield pl.col(each.unit_column).alias("unit")
    elif each.unit is not None:
        yield pl.lit(each.unit).alias("unit")
    if source.place is not None:
        yield from (pl.col(LON).alias("lon"), pl.col(LAT).alias("lat"))
        if each.type != "position":
            yield _written('{"lon": ', LON, ', "lat": ', LAT, "}").alias("parameters")
    if source.ensure is not None:
        yield written(source.ensure.thing).alias("thing")
        yield written(source.ensure.name or source.ensure.thing).alias("thing_name")
        yield written(each.name or each.property or each.value or each.type).alias("name")


def _written(*pieces: str) -> pl.Expr:
    return pl.concat_str(pl.col(each) if each in {LON, LAT} else pl.lit(each) for each in pieces)


def _value(each: Result) -> tuple[pl.Expr, pl.Expr]:
    """The number of a result and its JSON, one of them null; both where the text is no such result."""
    none, nothing = pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.String)
    if each.type == "position":
        return none, _written('{"type": "Point", "coordinates": [', LON, ", ", LAT, "]}")
    column = pl.col(each.value or "")
    match each.type:
        case "number" | "count":
            return column.cast(pl.Float64, strict=False).fill_nan(None), nothing
        case "truth":
            low = column.str.to_lowercase()
            return none, pl.when(low.is_in(_TRUE)).then(pl.lit("true")).when(low.is_in(_FALSE)).then(pl.lit("false"))
        case "json":
            return none, column.map_elements(_checked_json, return_dtype=pl.String)
        case _:
            return none, column.map_elements(_json_text, return_dtype=pl.String)


def _json_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _checked_json(value: str) -> str | None:
    try:
        return json.dumps(json.loads(value), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return None


def _refused(bad: pl.DataFrame, shown: Callable[[int], Any]) -> Iterator[Refused]:
    """Each wrong observation; a line whose time, place or key is wrong is told once for all its results."""
    if bad.height == 0:
        return
    shared = bad.filter(pl.col("wrong") != Reason.TYPE.value).unique(["line", "wrong"], maintain_order=True)
    single = bad.filter(pl.col("wrong") == Reason.TYPE.value)
    rows = pl.concat([shared, single]).sort("line", maintain_order=True)
    if rows.height > MOST_REFUSED:
        raise Invalid(
            _("More than %(most)d rows cannot be read.") % {"most": MOST_REFUSED},
            where=_("line %(n)d") % {"n": rows["line"][0]},
            remedy=_("The mapping does not fit this content: look at the times, the columns and the types."),
        )
    for row in rows.iter_rows(named=True):
        reason = Reason(row["wrong"])
        yield Refused(line=row["line"], reason=reason, detail=_said(reason, row), content=shown(row["line"]))


def _said(reason: Reason, row: Mapping[str, Any]) -> str:
    """What stood there, for whoever mends it."""
    match reason:
        case Reason.TYPE:
            return f"{row['key'] or ''}: {str(row['text'])[:200]!r}"
        case Reason.TIME:
            return repr(str(row["when"])[:200]) if row["when"] is not None else "—"
        case _:
            return "lon, lat" if reason is Reason.PLACE else "key"


def _shown(frame: pl.DataFrame, line: int) -> dict[str, Any]:
    """What stood on a line, the first columns of it."""
    place = int(frame[LINE].search_sorted(line))
    row = frame.row(min(place, frame.height - 1), named=True)
    return {name: value for name, value in list(row.items())[:60] if name != LINE and value is not None}


def _streams(every: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The datastreams that the good rows name."""
    good = every.filter(pl.col("wrong").is_null())
    names = [name for name in ("key", "nth", "thing", "thing_name", "name", "lon", "lat") if name in good.columns]
    return good.select(names).unique("key", keep="first", maintain_order=True)


def _cursor(frame: pl.DataFrame, source: Source) -> str | None:
    """The greatest value of the cursor's column: as a number where all are numbers, else as text."""
    if source.cursor is None or frame.height == 0:
        return None
    column = frame[source.cursor].drop_nulls()
    numbers = column.cast(pl.Float64, strict=False)
    if column.len() and numbers.null_count() == 0:
        return str(column[int(numbers.arg_max() or 0)])
    greatest = column.max()
    return None if greatest is None else str(greatest)
