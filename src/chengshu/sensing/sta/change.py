"""Changing entities: PATCH as JSON Merge Patch or JSON Patch, PUT, and links by either (18-088, 10.3).

What a change makes of an entity's members is checked as if it were new. Links are changed by naming ids; an entity inline is
refused, as the standard has it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from chengshu.sensing import known, news
from chengshu.sensing.models import Datastream, FeatureOfInterest, HistoricalLocation, Location, Thing
from chengshu.sensing.sta import history, jsonpatch, observation, place, register, remove
from chengshu.sensing.sta.body import ID, KINDS, Body, Malformed, columns, identifier, items, number, split
from chengshu.sensing.sta.deep import Writer, find, followed, relink, saved, within

New = Callable[[Body], Body]
"""From the present members of an entity to a body."""


def document(kind: str, entity: Any) -> Body:
    """The members of an entity, as SensorThings writes them."""
    found = {name: getattr(entity, member.column) for name, member in KINDS[kind].members.items()}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}


def merging(kind: str, body: Body) -> New:
    """A body laid over the present members: null takes away; in properties, parameters and units also member by member."""

    def new(old: Body) -> Body:
        members, links = split(kind, body)
        spec = KINDS[kind].members
        for name, value in members.items():
            old = {**old, name: jsonpatch.merged(old.get(name), value) if spec[name].merged else value}
        return {**{name: value for name, value in old.items() if value is not None}, **links}

    return new


def patching(operations: Any) -> New:
    """A JSON Patch of the present members."""

    def new(old: Body) -> Body:
        present = {name: value for name, value in old.items() if value is not None}
        found = jsonpatch.patched(present, operations)
        if not isinstance(found, dict):
            raise Malformed("An entity is a JSON object.")
        return found

    return new


def replacing(kind: str, body: Body) -> New:
    """A body in place of the present members; an Observation keeps its phenomenonTime unless another is given."""
    return lambda old: {"phenomenonTime": old["phenomenonTime"], **body} if kind == "Observations" else body


def same_id(body: Any, given: int) -> None:
    """Refuse a body that gives the entity another id."""
    if isinstance(body, dict) and ID in body and number(body[ID], ID) != given:
        raise Malformed("The id of an entity does not change.", where=ID)


def change(writer: Writer, kind: str, entity: Any, new: New) -> None:
    """Change an entity (locked, visible to the caller) to what `new` makes of it."""
    remove.guard(writer, entity)
    old = document(kind, entity)
    body = new(old)
    same_id(body, entity.pk)
    members, links = split(kind, body)
    linked = {name: _ids(kind, name, value) for name, value in links.items()}
    _HOW[kind](writer, entity, columns(kind, members))
    for name, ids in linked.items():
        _link(writer, kind, entity, name, ids)
    if isinstance(entity, Thing):
        within(writer, entity.pk)
    news.changed(kind, [entity.pk], _differing(old, members) | linked.keys())


def _differing(old: Body, members: Body) -> set[str]:
    return {name for name in {*old, *members} if old.get(name) != members.get(name)}


def change_observation(writer: Writer, id: int, new: New) -> None:
    """Change an Observation."""
    observation.hold(id)
    row = observation.read(id, writer.scope)
    old = observation.document(row)
    body = new(old)
    same_id(body, id)
    members, links = split("Observations", body)
    found = {name: _ids("Observations", name, value)[0] for name, value in links.items()}
    for name, each in found.items():
        find(writer.scope, KINDS["Observations"].links[name].kind, each, name)
    linked = {_ROW[name]: each for name, each in found.items()}
    observation.change(id, writer.scope, writer.at, lambda old: split("Observations", new(old))[0], linked)
    news.changed("Observations", [id], _differing(old, members) | links.keys())


_ROW: Final = {"Datastream": "datastream", "FeatureOfInterest": "feature"}


def _ids(kind: str, name: str, value: Any) -> list[int]:
    """The ids that a link names. Raises `Malformed` for an entity inline."""
    many = KINDS[kind].links[name].many
    found = [identifier(each, name) for each in (items(value, name) if many else [value])]
    ids = [each for each in found if each is not None]
    if len(ids) < len(found):
        raise Malformed(
            "A change links entities by their ids.", where=name, remedy='Write {"@iot.id": 7}; POST the entity first.'
        )
    return ids


def _link(writer: Writer, kind: str, entity: Any, name: str, ids: list[int]) -> None:
    target = KINDS[kind].links[name].kind
    if (kind, name) in _JOINED:
        _JOINED[kind, name](writer, entity, [find(writer.scope, target, each, name) for each in ids])
    elif KINDS[kind].links[name].many:
        for each in ids:
            relink(writer, kind, entity, name, each, name)
    else:
        found = find(writer.scope, target, ids[0], name)
        setattr(entity, _COLUMN[name], found)
        entity.save(update_fields=[_COLUMN[name]])
        if isinstance(entity, Datastream) and name == "Thing":
            followed(entity)


_COLUMN: Final = {"Thing": "thing", "Sensor": "sensor", "ObservedProperty": "observed_property"}


def _stand(writer: Writer, thing: Thing, locations: list[Location]) -> None:
    history.move(history.locked(thing.pk), locations, writer.scope, writer.at)


def _house(writer: Writer, location: Location, things: list[Thing]) -> None:
    history.hold([thing.pk for thing in things])
    for thing in things:
        _stand(writer, thing, [location])
        within(writer, thing.pk)


def _recall(writer: Writer, past: HistoricalLocation, locations: list[Location]) -> None:
    past.locations.set(locations)


_JOINED: Final[dict[tuple[str, str], Callable[[Writer, Any, Any], None]]] = {
    ("Things", "Locations"): _stand, ("Locations", "Things"): _house, ("HistoricalLocations", "Locations"): _recall,
}  # fmt: skip


def _keep(entity: Any, row: Body) -> None:
    for name, value in row.items():
        setattr(entity, name, value)
    saved(entity)


def _plain(writer: Writer, entity: Any, row: Body) -> None:
    _keep(entity, row)


def _thing(writer: Writer, thing: Thing, row: Body) -> None:
    own = register.of_thing(row["properties"], writer.scope.city)
    if own["owner_id"] is None:
        own["owner_id"] = writer.scope.department
    _keep(thing, {**row, **own})
    known.changed()  # who may write its datastreams follows from its owner


def _datastream(writer: Writer, datastream: Datastream, row: Body) -> None:
    if row["observed_area"] is not None:
        place.positions(row["observed_area"], "observedArea")
    _keep(datastream, {**row, **register.of_datastream(row)})
    known.changed()


def _location(writer: Writer, location: Location, row: Body) -> None:
    """A Location that is put elsewhere takes its Things along; what was observed before stays about where it was."""
    if not _geometry_changed(location, row, "location"):
        _keep(location, row)
        return
    things = [history.locked(each) for each in location.things.order_by("pk").values_list("pk", flat=True)]
    _keep(location, place.placed(row, "location", writer.scope, writer.at))
    FeatureOfInterest.objects.filter(location=location).update(location=None)
    for thing in things:
        history.settle(thing, writer.scope, writer.at)


def _feature(writer: Writer, feature: FeatureOfInterest, row: Body) -> None:
    """A feature that is changed is no longer that of the Location it was made of."""
    if not _geometry_changed(feature, row, "feature"):
        _keep(feature, row)
        return
    _keep(feature, {**place.placed(row, "feature", writer.scope, writer.at), "location": None})
    Datastream.objects.filter(feature=feature).update(feature=None)
    known.changed()


def _geometry_changed(entity: Any, row: Body, member: str) -> bool:
    names = (member, "encoding_type")
    return "crs" in (row["properties"] or {}) or any(getattr(entity, name) != row[name] for name in names)


_HOW: Final[dict[str, Callable[[Writer, Any, Body], None]]] = {
    "Things": _thing, "Locations": _location, "HistoricalLocations": _plain, "Datastreams": _datastream, "Sensors": _plain,
    "ObservedProperties": _plain, "FeaturesOfInterest": _feature,
}  # fmt: skip
