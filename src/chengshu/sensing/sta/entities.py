"""The eight entity sets of SensorThings as data: tables, members and links. Reading is made of these alone.

In templates of SQL `{a}` is the alias of the entity's row, `{b}` that of the linked one, and `{id}` the entity's id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

ID: Final = "@iot.id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A property. Kinds: id, text, json, time, result, geo. `end` is the column of an interval's end.

    Whether it may be null decides how rows are ordered by it; `absent` members are left out when they are null.
    """

    name: str
    column: str
    kind: str = "text"
    end: str = ""
    absent: bool = False
    nullable: bool = False
    boxed: bool = False  # whether the row has a box (west, south, east, north) around the geometry
    always_interval: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A navigation property to one or many of `target`. `on` joins; `within`: what it leads to is seen by who sees the source."""

    name: str
    target: str
    many: bool
    on: str
    column: str = ""  # of a link to one: that of the source which holds the target's id
    within: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """An entity set."""

    name: str
    table: str
    members: dict[str, Member]
    links: dict[str, Link] = field(default_factory=dict)


def _entity(name: str, table: str, members: list[Member], links: list[Link]) -> Entity:
    every = [Member(name=ID, column="id", kind="id"), *members]
    return Entity(name=name, table=table, members={m.name: m for m in every}, links={k.name: k for k in links})


def _one(name: str, target: str, column: str, *, within: bool = False) -> Link:
    on = f"{{b}}.id = {{a}}.{column}"
    return Link(name=name, target=target, many=False, on=on, column=column, within=within)


def _many(name: str, on: str, *, within: bool = False) -> Link:
    return Link(name=name, target=name, many=True, on=on, within=within)


def _through(table: str, theirs: str, ours: str) -> str:
    return f"{{b}}.id IN (SELECT m.{theirs} FROM {table} m WHERE m.{ours} = {{id}})"  # noqa: S608


_NAME: Final = Member(name="name", column="name")
_DESCRIPTION: Final = Member(name="description", column="description")
_ENCODING: Final = Member(name="encodingType", column="encoding_type")
_PROPERTIES: Final = Member(name="properties", column="properties", kind="json", absent=True, nullable=True)
_STANDS: Final = "sensing_thing_locations"
_STOOD: Final = "sensing_historicallocation_locations"

ENTITIES: Final[dict[str, Entity]] = {
    entity.name: entity
    for entity in (
        _entity(
            "Things",
            "sensing_thing",
            [_NAME, _DESCRIPTION, _PROPERTIES],
            [
                _many("Datastreams", "{b}.thing_id = {id}", within=True),
                _many("HistoricalLocations", "{b}.thing_id = {id}", within=True),
                _many("Locations", _through(_STANDS, "location_id", "thing_id")),
            ],
        ),
        _entity(
            "Locations",
            "sensing_location",
            [
                _NAME, _DESCRIPTION, _ENCODING, _PROPERTIES,
                Member(name="location", column="location", kind="geo", boxed=True),
            ],
            [
                _many("HistoricalLocations", _through(_STOOD, "historicallocation_id", "location_id")),
                _many("Things", _through(_STANDS, "thing_id", "location_id")),
            ],
        ),
        _entity(
            "HistoricalLocations",
            "sensing_historicallocation",
            [Member(name="time", column="time", kind="time")],
            [
                _many("Locations", _through(_STOOD, "location_id", "historicallocation_id")),
                _one("Thing", "Things", "thing_id", within=True),
            ],
        ),
        _entity(
            "Datastreams",
            "sensing_datastream",
            [
                _NAME, _DESCRIPTION, Member(name="observationType", column="observation_type"),
                Member(name="unitOfMeasurement", column="unit_of_measurement", kind="json"),
                Member(name="observedArea", column="observed_area", kind="geo", absent=True, nullable=True),
                Member(
                    name="phenomenonTime", column="first_at", end="last_at", kind="time", absent=True, nullable=True,
                    always_interval=True,
                ),
                Member(
                    name="resultTime", column="first_result_at", end="last_result_at", kind="time", absent=True,
                    nullable=True, always_interval=True,
                ),
                _PROPERTIES,
            ],
            [
                _many("Observations", "{b}.datastream = {id}", within=True),
                _one("ObservedProperty", "ObservedProperties", "observed_property_id", within=True),
                _one("Sensor", "Sensors", "sensor_id", within=True),
                _one("Thing", "Things", "thing_id", within=True),
            ],
        ),
        _entity(
            "Sensors",
            "sensing_sensor",
            [_NAME, _DESCRIPTION, _ENCODING, Member(name="metadata", column="metadata", kind="json"), _PROPERTIES],
            [_many("Datastreams", "{b}.sensor_id = {id}")],
        ),
        _entity(
            "ObservedProperties",
            "sensing_observedproperty",
            [_NAME, Member(name="definition", column="definition"), _DESCRIPTION, _PROPERTIES],
            [_many("Datastreams", "{b}.observed_property_id = {id}")],
        ),
        _entity(
            "Observations",
            "sensing_observation",
            [
                Member(name="phenomenonTime", column="at", end="until", kind="time"),
                Member(name="result", column="result", kind="result", nullable=True),
                Member(name="resultTime", column="result_time", kind="time", nullable=True),
                Member(
                    name="validTime", column="valid_from", end="valid_until", kind="time", absent=True, nullable=True,
                    always_interval=True,
                ),
                Member(name="resultQuality", column="quality", kind="json", absent=True, nullable=True),
                Member(name="parameters", column="parameters", kind="json", absent=True, nullable=True),
            ],
            [
                _one("Datastream", "Datastreams", "datastream", within=True),
                _one("FeatureOfInterest", "FeaturesOfInterest", "feature"),
            ],
        ),
        _entity(
            "FeaturesOfInterest",
            "sensing_featureofinterest",
            [
                _NAME, _DESCRIPTION, _ENCODING, _PROPERTIES,
                Member(name="feature", column="feature", kind="geo", boxed=True),
            ],
            [_many("Observations", "{b}.feature = {id}")],
        ),
    )
}  # fmt: skip
"""By the names of their sets."""


def joined(link: Link, a: str, b: str, id: str | int | None = None) -> str:
    """The condition that joins a link's target `b` to its source `a`, whose id may be given as a constant."""
    return link.on.format(a=a, b=b, id=f"{a}.id" if id is None else id)
