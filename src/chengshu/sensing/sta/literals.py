"""Literals of the query language: times, durations and geometries."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import shapely

from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.terms import Literal

_DURATION: Final = re.compile(
    r"(?P<sign>-?)P(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,10}(?:\.\d{1,6})?)S)?)?"
)
_ZONE: Final = re.compile(r"^(.*T[\d:.]+) (\d\d:?\d\d)$")
_SRID: Final = re.compile(r"^\s*SRID=(\d+);", re.IGNORECASE)


def moment(text: str) -> datetime:
    """An ISO 8601 time, of UTC where it says no zone. Raises `BadQuery` for anything else."""
    try:
        found = datetime.fromisoformat(_ZONE.sub(r"\1+\2", text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadQuery("This is no time.", where=text[:60], remedy="Write 2026-11-22T08:00:00Z.") from error


def instant(text: str) -> Literal:
    found = moment(text)
    return Literal(kind="time", value=(found, None), source=text)


def interval(text: str) -> Literal:
    """`start/end` or `start/duration`."""
    start, _slash, end = text.partition("/")
    first = moment(start)
    try:
        last = first + span(end) if end.startswith("P") else moment(end)
    except OverflowError as error:
        raise BadQuery("This is no time.", where=text[:80]) from error
    if last < first:
        raise BadQuery("This interval ends before it starts.", where=text[:80])
    return Literal(kind="time", value=(first, last), source=text)


def of_text(text: str) -> Literal:
    """A time or interval that was written as text, as some clients do."""
    return interval(text) if "/" in text else instant(text)


def day(text: str) -> Literal:
    try:
        return Literal(kind="date", value=date.fromisoformat(text), source=text)
    except ValueError as error:
        raise BadQuery("This is no date.", where=text[:40]) from error


def clock(text: str) -> Literal:
    try:
        return Literal(kind="clock", value=time.fromisoformat(text), source=text)
    except ValueError as error:
        raise BadQuery("This is no time of day.", where=text[:40]) from error


def span(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, days and times. Raises `BadQuery` for anything else: months have no fixed length."""
    found = _DURATION.fullmatch(text)
    parts = {n: float(v) for n, v in found.groupdict().items() if v and n != "sign"} if found else {}
    if not found or not parts:
        raise BadQuery(
            "This is no duration.", where=text[:40], remedy="Write P1D or PT5M; years and months are not taken."
        )
    length = timedelta(**parts)
    return -length if found["sign"] else length


def duration(text: str) -> Literal:
    return Literal(kind="duration", value=span(text[len("duration'") : -1]), source=text)


def geometry(text: str) -> Literal:
    """`geography'POINT (120.1 30.2)'`, in longitude and latitude of WGS 84."""
    wkt = text.partition("'")[2][:-1]
    srid = _SRID.match(wkt)
    if srid and srid[1] != "4326":
        raise BadQuery("Geometries are of EPSG:4326.", where=wkt[:40])
    try:
        found = shapely.from_wkt(_SRID.sub("", wkt))
    except shapely.errors.ShapelyError as error:
        raise BadQuery("This is no geometry.", where=wkt[:60], remedy="Write POINT (120.1 30.2) in WKT.") from error
    if found is None or found.is_empty or not all(map(_is_degree, shapely.get_coordinates(found).ravel())):
        raise BadQuery("This is no geometry.", where=wkt[:60], remedy="Write POINT (120.1 30.2) in WKT.")
    return Literal(kind="geo", value=found, source=text)


def _is_degree(value: float) -> bool:
    return -1e6 < value < 1e6
