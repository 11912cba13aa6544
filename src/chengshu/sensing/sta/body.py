"""What a body may say: the members of each entity with their types, and its links (18-088, 8.2).

A member that an entity does not have is refused by name, for a misspelt one would be lost without a word; annotations (`@iot.id`,
`Datastreams@iot.navigationLink` and others with an @) are passed over, so that what was read can be sent back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from django.db import models

from chengshu.core.errors import ChengshuError, Invalid, TooLarge
from chengshu.sensing.decode import moment
from chengshu.sensing.models import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    ObservedProperty,
    Sensor,
    Thing,
)

LARGEST: Final = 16 * 2**20  # bytes
DEEPEST: Final = 60  # levels of JSON
LONGEST_NUMBER: Final = 1000  # bits of a whole number
ID: Final = "@iot.id"
Body = dict[str, Any]
Check = Callable[[Any, str], Any]


class Malformed(ChengshuError):
    """What was sent cannot be used: 400, as the standard has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A member: how its value is checked, its column, and whether a change is merged into what is there (JSON objects)."""

    check: Check
    column: str
    required: bool = False
    merged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A link to entities of the set `kind`; `inverse` is its name over there."""

    kind: str
    inverse: str
    many: bool = False
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """An entity set: the name of one, its model (Observations have none), members and links."""

    name: str
    model: type[models.Model] | None
    members: Mapping[str, Member]
    links: Mapping[str, Link]


def text(value: Any, where: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Malformed("This member is a string.", where=where)
    return value


def mapping(value: Any, where: str) -> Body | None:
    """A JSON object or null."""
    if value is not None and not isinstance(value, dict):
        raise Malformed("This member is a JSON object.", where=where)
    return value


def some(value: Any, where: str) -> Any:
    """Anything but null."""
    if value is None:
        raise Malformed("This member is not null.", where=where)
    return value


def anything(value: Any, where: str) -> Any:
    """Any JSON."""
    return value


def time(value: Any, where: str) -> Any:
    """An instant with a zone."""
    try:
        return moment(text(value, where))
    except Invalid as error:
        raise Malformed(error.what, where=where, remedy=error.remedy) from error


def unit(value: Any, where: str) -> Body:
    """A unitOfMeasurement: name, symbol and definition, each a string or null."""
    if not isinstance(value, dict):
        raise Malformed("This member is a JSON object.", where=where, remedy="Give name, symbol and definition.")
    for name in ("name", "symbol", "definition"):
        if value.get(name) is not None:
            text(value[name], f"{where}/{name}")
    return value


def _needed(check: Check, column: str) -> Member:
    return Member(check=check, column=column, required=True)


_NAMED: Final = {
    "name": _needed(text, "name"),
    "description": _needed(text, "description"),
    "properties": Member(check=mapping, column="properties", merged=True),
}
_ENCODING: Final = _needed(text, "encoding_type")

KINDS: Final[Mapping[str, Kind]] = {
    "Things": Kind(
        name="Thing",
        model=Thing,
        members=_NAMED,
        links={
            "Locations": Link(kind="Locations", inverse="Things", many=True),
            "HistoricalLocations": Link(kind="HistoricalLocations", inverse="Thing", many=True),
            "Datastreams": Link(kind="Datastreams", inverse="Thing", many=True),
        },
    ),
    "Locations": Kind(
        name="Location",
        model=Location,
        members={**_NAMED, "encodingType": _ENCODING, "location": _needed(some, "location")},
        links={
            "Things": Link(kind="Things", inverse="Locations", many=True),
            "HistoricalLocations": Link(kind="HistoricalLocations", inverse="Locations", many=True),
        },
    ),
    "HistoricalLocations": Kind(
        name="HistoricalLocation",
        model=HistoricalLocation,
        members={"time": _needed(time, "time")},
        links={
            "Thing": Link(kind="Things", inverse="HistoricalLocations", required=True),
            "Locations": Link(kind="Locations", inverse="HistoricalLocations", many=True, required=True),
        },
    ),
    "Datastreams": Kind(
        name="Datastream",
        model=Datastream,
        members={
            **_NAMED,
            "observationType": _needed(text, "observation_type"),
            "unitOfMeasurement": Member(check=unit, column="unit_of_measurement", required=True, merged=True),
            "observedArea": Member(check=mapping, column="observed_area"),
        },
        links={
            "Thing": Link(kind="Things", inverse="Datastreams", required=True),
            "Sensor": Link(kind="Sensors", inverse="Datastreams", required=True),
            "ObservedProperty": Link(kind="ObservedProperties", inverse="Datastreams", required=True),
            "Observations": Link(kind="Observations", inverse="Datastream", many=True),
        },
    ),
    "Sensors": Kind(
        name="Sensor",
        model=Sensor,
        members={**_NAMED, "encodingType": _ENCODING, "metadata": _needed(some, "metadata")},
        links={"Datastreams": Link(kind="Datastreams", inverse="Sensor", many=True)},
    ),
    "ObservedProperties": Kind(
        name="ObservedProperty",
        model=ObservedProperty,
        members={**_NAMED, "definition": _needed(text, "definition")},
        links={"Datastreams": Link(kind="Datastreams", inverse="ObservedProperty", many=True)},
    ),
    "FeaturesOfInterest": Kind(
        name="FeatureOfInterest",
        model=FeatureOfInterest,
        members={**_NAMED, "encodingType": _ENCODING, "feature": _needed(some, "feature")},
        links={"Observations": Link(kind="Observations", inverse="FeatureOfInterest", many=True)},
    ),
    "Observations": Kind(
        name="Observation",
        model=None,
        members={
            "phenomenonTime": Member(check=anything, column="phenomenonTime"),
            "result": _needed(some, "result"),
            "resultTime": Member(check=anything, column="resultTime"),
            "validTime": Member(check=anything, column="validTime"),
            "resultQuality": Member(check=anything, column="resultQuality"),
            "parameters": Member(check=mapping, column="parameters", merged=True),
        },
        links={
            "Datastream": Link(kind="Datastreams", inverse="Observations", required=True),
            "FeatureOfInterest": Link(kind="FeaturesOfInterest", inverse="Observations"),
        },
    ),
}
"""Entity sets by their names."""
KEPT_BY_US: Final = {"Datastreams": frozenset({"phenomenonTime", "resultTime"})}
"""Members that follow from others: passed over when sent."""


def decode(content: bytes, *, largest: int = LARGEST) -> Any:
    """A JSON body, bounded in size and depth, without what PostgreSQL cannot hold."""
    if len(content) > largest:
        raise TooLarge("The body is larger than is taken.", remedy="Send less at once.")
    try:
        found = msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise Malformed("The body is not JSON in UTF-8.", where=str(error)[:200]) from error
    bounded(found)
    return found


def mapped(content: bytes) -> Body:
    """A JSON body that is an object."""
    found = decode(content)
    if not isinstance(found, dict):
        raise Malformed("The body is not a JSON object.", remedy="Send one entity.")
    return found


def bounded(value: Any) -> None:
    """Refuse JSON that is too deep, or holds what PostgreSQL cannot: the character NUL, numbers of hundreds of digits."""
    level = [value]
    for _depth in range(DEEPEST):
        if not level:
            return
        deeper: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                deeper += each.keys()
                deeper += each.values()
            elif isinstance(each, list):
                deeper += each
            elif isinstance(each, str):
                if "\0" in each:
                    raise Malformed("The character U+0000 is not taken.", where=each[:60].replace("\0", "\\u0000"))
            elif isinstance(each, int) and each.bit_length() > LONGEST_NUMBER:
                raise Malformed("A number has too many digits.")
        level = deeper
    raise Malformed("The body is too deep.", where=f"{DEEPEST}")


def split(kind: str, body: Body, where: str = "") -> tuple[Body, Body]:
    """The members and the links of a body, annotations left out. Refuses members that the entity does not have."""
    spec, passed = KINDS[kind], KEPT_BY_US.get(kind, frozenset())
    members: Body = {}
    links: Body = {}
    for name, value in body.items():
        if name in spec.members:
            members[name] = value
        elif name in spec.links:
            links[name] = value
        elif "@" not in name and name not in passed:
            raise Malformed("There is no such member.", where=_at(where, name)[:200], remedy=_remedy(spec))
    return members, links


def _remedy(spec: Kind) -> str:
    return f"{spec.name}: {', '.join([*spec.members, *spec.links])}."


def _at(where: str, name: str) -> str:
    return f"{where}/{name}" if where else name


def columns(kind: str, members: Body, where: str = "") -> Body:
    """Members, checked, by their columns; optional ones that are missing are null. Names the member that is missing or wrong."""
    found: Body = {}
    for name, member in KINDS[kind].members.items():
        place = _at(where, name)
        if name in members:
            found[member.column] = member.check(members[name], place)
        elif member.required:
            raise Malformed("This member is missing.", where=place, remedy=_remedy(KINDS[kind]))
        else:
            found[member.column] = None
    return found


def identifier(value: Any, where: str) -> int | None:
    """The id that a link `{"@iot.id": 7}` names; None for an entity that is given inline."""
    if not isinstance(value, dict):
        raise Malformed("A link is a JSON object.", where=where, remedy='Write {"@iot.id": 7}, or the entity itself.')
    if ID not in value:
        return None
    return number(value[ID], where)


def number(value: Any, where: str) -> int:
    """An identifier: a whole number, which some clients send as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise Malformed("There is no such entity.", where=f"{where}: {str(value)[:60]}", remedy="Ids are whole numbers.")


def items(value: Any, where: str) -> list[Body]:
    """The entities or links of a to-many link; one alone may stand without the list."""
    found = value if isinstance(value, list) else [value]
    for each in found:
        if not isinstance(each, dict):
            raise Malformed("A link is a list of JSON objects.", where=where)
    return found
