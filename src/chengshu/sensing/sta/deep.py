"""Creating entities with what belongs to them, to any depth, in one transaction (18-088, 10.2).

Links to one entity are made or found first, then the entity, then what its to-many links name: each of these is created with the
link back to it. Observations wait until all else is there and then go through accept() together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q

from chengshu.core.errors import Conflict, NotAllowed
from chengshu.parties.principal import Principal
from chengshu.sensing import known, news
from chengshu.sensing.models import Datastream, FeatureOfInterest, HistoricalLocation, Location, Thing
from chengshu.sensing.scope import Scope
from chengshu.sensing.sta import history, observation, place, register
from chengshu.sensing.sta.body import ID, KINDS, Body, Malformed, columns, identifier, items, split

MOST: Final = 10_000  # entities of one request
DEEPEST: Final = 12  # entities within entities
ONCE: Final = {
    "sensing_thing_key_once": "A Thing with this key is there already.",
    "sensing_datastream_key_once": "A Datastream with this key is there already.",
}
_PREFIX: Final = {"Things": "", "Datastreams": "thing__", "HistoricalLocations": "thing__"}
_FOREIGN: Final = {"Thing": "thing", "Sensor": "sensor", "ObservedProperty": "observed_property"}
Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An entity that was made: the name of its set and its id."""

    kind: str
    id: int


@dataclass(kw_only=True, slots=True)
class Writer:
    """Who writes, and the observations of a deep insert that wait for their datastreams."""

    principal: Principal
    scope: Scope
    at: datetime
    waiting: list[Body] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    things: list[int] = field(default_factory=list)
    made: int = 0


def visible(kind: str, scope: Scope) -> models.QuerySet[Any]:
    """The entities of a set that a scope sees, as reading has it: Locations and features by their place and by the Things that
    stand or stood there, sensors and properties by their city.
    """
    model = KINDS[kind].model
    assert model is not None, "observations are rows"
    rows = model._default_manager.all()
    if kind in _PREFIX:
        return rows.filter(scope.q(_PREFIX[kind]))
    rows = rows.filter(city=scope.city)
    if kind in {"Locations", "FeaturesOfInterest"} and scope.division is not None:
        rows = rows.filter(places__contains=[scope.division])
    if kind in {"Locations", "FeaturesOfInterest"} and scope.department is not None:
        prefix = "" if kind == "Locations" else "location"
        rows = rows.filter(_theirs(scope, prefix or "pk") | (Q(location=None) if prefix else Q()))
    return rows


def _theirs(scope: Scope, location: str) -> Q:
    """Locations where Things of a department stand or stood, or where none of anybody's does."""
    stand = Thing.objects.filter(locations=OuterRef(location))
    stood = HistoricalLocation.objects.filter(locations=OuterRef(location))
    theirs = Q(Exists(stand.filter(scope.q()))) | Q(Exists(stood.filter(scope.q("thing__"))))
    return theirs | (~Q(Exists(stand)) & ~Q(Exists(stood)))


def create(writer: Writer, kind: str, body: Body, where: str = "", depth: int = 0) -> int:
    """Make an entity and all that its body holds; its id, 0 for an Observation that waits. Raises `Malformed`."""
    writer.made += 1
    if writer.made > MOST or depth > DEEPEST:
        raise Malformed("The body holds too many entities, or too deep.", where=where, remedy="Send them one by one.")
    members, links = split(kind, body, where)
    for name, link in KINDS[kind].links.items():
        if link.required and not links.get(name):
            raise Malformed("This link is missing.", where=f"{where}/{name}".lstrip("/"))
    if kind == "Observations":
        _wait(writer, members, links, where, depth)
        return 0
    row = columns(kind, members, where)
    single = {name: links.pop(name) for name in [*links] if not KINDS[kind].links[name].many}
    linked = {
        f"{_FOREIGN[name]}_id": resolve(writer, kind, name, value, where, depth) for name, value in single.items()
    }
    entity = _BUILD.get(kind, _plain)(writer, kind, {**row, **linked})
    news.made(kind, [entity.pk])
    for name, value in ((name, value) for name, value in links.items() if value is not None):
        attach(writer, kind, entity, name, value, where, depth)
    return entity.pk  # type: ignore[no-any-return]


def _wait(writer: Writer, members: Body, links: Body, where: str, depth: int) -> None:
    row = observation.row_of(members, where, writer.at)
    feature = links.get("FeatureOfInterest")
    row["feature"] = resolve(writer, "Observations", "FeatureOfInterest", feature, where, depth) if feature else None
    row["datastream"] = resolve(writer, "Observations", "Datastream", links["Datastream"], where, depth)
    writer.waiting.append(row)
    writer.places.append(where)


def finish(writer: Writer) -> list[int]:
    """What is left when all entities are there: the observations that wait. Their ids in order."""
    for thing in writer.things:
        within(writer, thing)
    if not writer.waiting:
        return []
    return observation.add(writer.waiting, writer.places, writer.principal, writer.scope, writer.at)


def resolve(writer: Writer, kind: str, name: str, value: Any, where: str, depth: int) -> int:
    """The id that a link names, or of the entity that it holds inline, which is made."""
    target, place_ = KINDS[kind].links[name].kind, f"{where}/{name}".lstrip("/")
    found = identifier(value, place_)
    if found is None:
        return create(writer, target, value, place_, depth + 1)
    if kind != "Observations" or name != "Datastream":  # accept() looks at the datastream itself
        find(writer.scope, target, found, place_)
    return found


def find(scope: Scope, kind: str, number: int, where: str) -> Any:
    """The entity that a link names. Raises `Malformed` where there is none that the caller may know of."""
    found = visible(kind, scope).filter(pk=number).first()
    if found is None:
        raise Malformed("There is no such entity.", where=f"{where}: {kind}({number})".lstrip(": "))
    return found


def attach(writer: Writer, kind: str, entity: Any, name: str, value: Any, where: str, depth: int) -> None:
    """What a to-many link of a new entity names: entities to be linked, or made with the link back."""
    place_ = f"{where}/{name}".lstrip("/")
    given = items(value, place_)
    if (kind, name) in _JOINED:
        _JOINED[kind, name](writer, entity, _several(writer, kind, name, given, place_, depth))
        return
    link = KINDS[kind].links[name]
    back: Any = {ID: entity.pk}
    for number, each in enumerate(given):
        at = f"{place_}[{number}]"
        found = identifier(each, at)
        if found is not None:
            relink(writer, kind, entity, name, found, at)
            continue
        if link.inverse in each:
            raise Malformed("This link is given by the entity around it.", where=f"{at}/{link.inverse}")
        many = KINDS[link.kind].links[link.inverse].many
        create(writer, link.kind, {**each, link.inverse: [back] if many else back}, at, depth + 1)


def _several(writer: Writer, kind: str, name: str, given: Sequence[Body], where: str, depth: int) -> list[Any]:
    """The entities that a to-many link names or holds, made or found."""
    target = KINDS[kind].links[name].kind
    ids = [resolve(writer, kind, name, each, f"{where}[{number}]", depth) for number, each in enumerate(given)]
    return [find(writer.scope, target, number, where) for number in dict.fromkeys(ids)]


def relink(writer: Writer, kind: str, entity: Any, name: str, number: int, where: str) -> None:
    """Give an existing Datastream or HistoricalLocation to this entity."""
    link = KINDS[kind].links[name]
    if link.kind == "Observations":
        raise Malformed(
            "An Observation is linked by changing it.", where=where, remedy="PATCH its Datastream or feature."
        )
    found = find(writer.scope, link.kind, number, where)
    if KINDS[link.kind].links[link.inverse].many:
        found.locations.add(entity)
        return
    setattr(found, _FOREIGN[link.inverse], entity)
    found.save(update_fields=[_FOREIGN[link.inverse]])
    if isinstance(found, Datastream):
        followed(found)


def followed(datastream: Datastream) -> None:
    """A datastream came to another Thing: its feature is that of where this one stands."""
    chosen = history.main(list(datastream.thing.locations.order_by("pk")))
    datastream.feature = FeatureOfInterest.objects.filter(location=chosen).first() if chosen is not None else None
    datastream.save(update_fields=["feature"])
    known.changed()


def saved(entity: Row, *, new: bool = False) -> Row:
    """An entity, saved. Raises `Conflict` where its key is taken."""
    try:
        with transaction.atomic():
            entity.save(force_insert=new)
    except IntegrityError as error:
        for name, sentence in ONCE.items():
            if name in str(error):
                raise Conflict(
                    sentence, where="properties/key", remedy="Use another key, or change that one."
                ) from error
        raise
    return entity


def _plain(writer: Writer, kind: str, row: Body) -> Any:
    model = KINDS[kind].model
    assert model is not None, "observations are rows"
    return saved(model(city_id=writer.scope.city, **row), new=True)


def _thing(writer: Writer, kind: str, row: Body) -> Thing:
    own = register.of_thing(row["properties"], writer.scope.city)
    if own["owner_id"] is None:
        own["owner_id"] = writer.scope.department  # a department's gateway makes Things of its department
    made = saved(Thing(city_id=writer.scope.city, places=place.nowhere(writer.scope), **row, **own), new=True)
    writer.things.append(made.pk)
    return made


def _location(writer: Writer, kind: str, row: Body) -> Location:
    return saved(
        Location(city_id=writer.scope.city, **place.placed(row, "location", writer.scope, writer.at)), new=True
    )


def _feature(writer: Writer, kind: str, row: Body) -> FeatureOfInterest:
    found = place.placed(row, "feature", writer.scope, writer.at)
    return saved(FeatureOfInterest(city_id=writer.scope.city, **found), new=True)


def _datastream(writer: Writer, kind: str, row: Body) -> Datastream:
    if row["observed_area"] is not None:
        place.positions(row["observed_area"], "observedArea")
    made = saved(Datastream(city_id=writer.scope.city, **row, **register.of_datastream(row)), new=True)
    followed(made)
    return made


def _historical(writer: Writer, kind: str, row: Body) -> HistoricalLocation:
    return saved(HistoricalLocation(**row), new=True)


_BUILD: Final[dict[str, Callable[[Writer, str, Body], Any]]] = {
    "Things": _thing, "Locations": _location, "FeaturesOfInterest": _feature, "Datastreams": _datastream,
    "HistoricalLocations": _historical,
}  # fmt: skip


def _stand(writer: Writer, thing: Thing, locations: list[Location]) -> None:
    history.move(thing, locations, writer.scope, writer.at)


def _house(writer: Writer, location: Location, things: list[Thing]) -> None:
    history.hold([thing.pk for thing in things])
    for thing in things:
        history.move(history.locked(thing.pk), [location], writer.scope, writer.at)
        within(writer, thing.pk)


def _recall(writer: Writer, made: HistoricalLocation, locations: list[Location]) -> None:
    history.remembered(made, locations, writer.scope, writer.at)
    within(writer, made.thing_id)


_JOINED: Final[dict[tuple[str, str], Callable[[Writer, Any, Any], None]]] = {
    ("Things", "Locations"): _stand, ("Locations", "Things"): _house, ("HistoricalLocations", "Locations"): _recall,
}  # fmt: skip


def within(writer: Writer, thing: int) -> None:
    """Refuse what takes a Thing out of the caller's reach."""
    if not writer.scope.whole and not Thing.objects.filter(writer.scope.q(), pk=thing).exists():
        raise NotAllowed("This Thing would not be yours.", remedy="Keep it in your division and of your department.")
