"""Which datastreams of a city feed a scene's sources: the entries `observed` of its `sources.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from chengshu.brain.records import Loaded
from chengshu.cases.catalog import Catalog
from chengshu.core import units
from chengshu.core.errors import Invalid
from chengshu.logs import get_logger
from chengshu.scene import Column, Source
from chengshu.sensing.models import Datastream
from chengshu.sensing.readings import readings

log = get_logger(__name__)
ANY: Final = "*"
_THINGS = pl.Schema(
    {
        "thing": pl.String(),
        "id": pl.Int64(),
        "name": pl.String(),
        "lon": pl.Float64(),
        "lat": pl.Float64(),
        "division": pl.String(),
        "period": pl.Float64(),
    }
)
_STREAMS = pl.Schema(
    {
        "datastream": pl.Int64(),
        "thing": pl.String(),
        "column": pl.String(),
        "factor": pl.Float64(),
        "shift": pl.Float64(),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A source of a scene, and what of a city's observations it is.

    Args:
        properties: for each of the source's columns the definition of the observed property whose results it holds; `ANY` for
            whatever a datastream observes, in its own unit.
        types: types of the Things that count; none for all.
        late: how long is waited for rows after a slot has ended.
        teach: how many local days before a day teach what is usual on it.
    """

    source: Source
    properties: Mapping[str, str]
    types: Sequence[str] = ()
    late: timedelta = timedelta(0)
    teach: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """The datastreams behind a source: `datastream, thing, column, factor, shift`, and their Things as a window has them."""

    rows: pl.DataFrame = field(default_factory=_STREAMS.to_frame)
    things: pl.DataFrame = field(default_factory=_THINGS.to_frame)

    @property
    def ids(self) -> list[int]:
        return self.rows["datastream"].to_list()


def bindings(loaded: Loaded, known: Catalog) -> list[Bound]:
    """The sources of a scene that a city binds to its observations, in the order of their names."""
    entries: Sequence[Mapping[str, Any]] = (known.parts.get("sources") or {}).get("observed", [])
    offered = {entry["kind"]: entry for entry in entries}
    return [
        _bound(source, offered[source.kind])
        for source in sorted(loaded.scene.sources, key=lambda source: source.name)
        if source.kind in offered and not source.columns.keys() - offered[source.kind]["columns"].keys()
    ]


def _bound(source: Source, entry: Mapping[str, Any]) -> Bound:
    return Bound(
        source=source,
        properties={name: entry["columns"][name] for name in source.columns},
        types=tuple(entry.get("types", ())),
        late=timedelta(seconds=entry.get("late_seconds", 0)),
        teach=int(entry.get("teach_days", 0)),
    )


def streams(bound: Bound, known: Catalog) -> Streams:
    """The datastreams of a source as they are now. Those of retired Things and of units that do not convert are left out."""
    columns = {definition: name for name, definition in bound.properties.items()}
    found = Datastream.objects.filter(city=known.city, thing__retired_at=None)
    if ANY not in columns:
        found = found.filter(observed_property__definition__in=list(columns))
    if bound.types:
        found = found.filter(thing__type__in=bound.types)
    rows: list[tuple[Any, ...]] = []
    things: dict[str, _Thing] = {}
    for stream in found.order_by("pk").values_list(*_ASKED, named=True):
        column = columns.get(stream.observed_property__definition) or columns[ANY]
        line = _line(stream.ucum, bound.source.columns[column])
        if line is not None:
            thing = _thing(stream, bound, known)
            before = things.setdefault(thing["thing"], thing)
            before["period"] = min(filter(None, (before["period"], stream.period)), default=None)
            rows.append((stream.pk, thing["thing"], column, *line))
    return Streams(
        rows=pl.DataFrame(rows, schema=_STREAMS, orient="row"),
        things=pl.DataFrame(list(things.values()), schema=_THINGS),
    )


_OF_THING: Final = ("id", "key", "name", "lon", "lat", "places")
_ASKED: Final = ("pk", "name", "ucum", "period", "observed_property__definition", *(f"thing__{n}" for n in _OF_THING))
_Thing = dict[str, Any]


def _thing(stream: Any, bound: Bound, known: Catalog) -> _Thing:
    thing, name = stream.thing__key or str(stream.thing__id), stream.thing__name
    if bound.source.each == "datastream":
        thing, name = f"{thing}/{stream.pk}", f"{name} · {stream.name}"
    place = known.divisions.get(stream.thing__places[-1]) if stream.thing__places else None
    return {
        "thing": thing, "id": stream.thing__id, "name": name, "lon": stream.thing__lon, "lat": stream.thing__lat,
        "division": place.code if place else None, "period": stream.period,
    }  # fmt: skip


def _line(ucum: str, column: Column) -> tuple[float, float] | None:
    """Factor and shift to the unit of a column (`ANY`: as it is); what says no unit is taken to be in it."""
    if not ucum or column.unit in (ucum, ANY):
        return 1.0, 0.0
    try:
        return units.line(ucum, column.unit)
    except Invalid as error:
        log.warning("scene.unit_does_not_convert", units=error.where)
        return None


def frame(bound: Bound, seen: Streams, start: datetime, end: datetime) -> pl.DataFrame:
    """What a source observed in [start, end): `thing, at` and its columns, in order of time."""
    columns = bound.source.columns
    schema = pl.Schema({"thing": pl.String(), "at": pl.Datetime("us", "UTC")})
    empty = pl.DataFrame(schema={**schema, **{name: column.dtype for name, column in columns.items()}})
    found = readings(start, end, seen.ids)
    if found.is_empty():
        return empty
    rows = found.join(seen.rows, on="datastream").with_columns(pl.col("result") * pl.col("factor") + pl.col("shift"))
    wide = rows.group_by("thing", "at").agg(
        pl.col("result").filter(pl.col("column") == name).last().alias(name) for name in columns
    )
    return wide.select(
        "thing", "at", *(pl.col(name).cast(column.dtype, strict=False) for name, column in columns.items())
    ).sort("at", "thing")
