"""Deleting entities and what cannot be without them (18-088, 10.4, table 25)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from chengshu.core.errors import NotAllowed
from chengshu.sensing import cold, known, latest
from chengshu.sensing.models import Datastream, Day, GoneStream, HistoricalLocation, Location, Thing
from chengshu.sensing.sta import history
from chengshu.sensing.sta.deep import Writer

_DELETE: Final = """
WITH gone AS (DELETE FROM sensing_observation WHERE {} RETURNING at, datastream)
SELECT DISTINCT (at AT TIME ZONE 'UTC')::date, datastream FROM gone
"""
_OTHERS: Final = "Things of others rest on it."
_ASK: Final = "Ask those who keep the whole city."


def guard(writer: Writer, entity: Any) -> None:
    """Refuse to touch what Things of others rest on: their Locations, Sensors, ObservedProperties and features."""
    if writer.scope.whole:
        return
    things = {
        "location": lambda: Thing.objects.filter(Q(locations=entity) | Q(historical_locations__locations=entity)),
        "sensor": lambda: Thing.objects.filter(datastreams__sensor=entity),
        "observedproperty": lambda: Thing.objects.filter(datastreams__observed_property=entity),
        "featureofinterest": lambda: Thing.objects.filter(
            Q(datastreams__feature=entity) | Q(locations__feature_of_interest=entity)
        ),
    }.get(entity._meta.model_name)
    if things is not None and things().exclude(writer.scope.q()).exists():
        raise NotAllowed(_OTHERS, remedy=_ASK)


def lock() -> None:
    """Wait until nobody adds observations, and let nobody until this transaction ends: so that none outlives its datastream."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sensing'))")


def remove(writer: Writer, entity: Any) -> None:
    """Delete an entity that the caller sees."""
    guard(writer, entity)
    _HOW.get(entity._meta.model_name, _alone)(writer, entity)


def _alone(writer: Writer, entity: Any) -> None:
    entity.delete()


def _thing(writer: Writer, thing: Thing) -> None:
    _streams(writer, Datastream.objects.filter(thing=thing).values_list("pk", flat=True))
    thing.delete()


def _datastream(writer: Writer, datastream: Datastream) -> None:
    _streams(writer, [datastream.pk])


def _used(writer: Writer, entity: Any) -> None:
    """A Sensor or ObservedProperty with its Datastreams."""
    _streams(writer, entity.datastreams.values_list("pk", flat=True))
    entity.delete()


def _streams(writer: Writer, which: Any) -> None:
    """Delete datastreams and their observations; those in the lake are left out of all reading from now on."""
    lock()
    ids = list(which)
    _observations(writer, "datastream = ANY(%s)", [ids])
    if Day.objects.filter(cold=True).exists():
        GoneStream.objects.bulk_create([GoneStream(datastream=number) for number in ids], ignore_conflicts=True)
    Datastream.objects.filter(pk__in=ids).delete()
    known.changed()


def _observations(writer: Writer, where: str, values: Sequence[Any]) -> set[int]:
    """Delete hot observations; the datastreams that they were of."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE.format(where), values)
        rows = cursor.fetchall()
    cold.touched(sorted({day for day, _ in rows}), writer.at)
    return {datastream for _, datastream in rows}


def _location(writer: Writer, location: Location) -> None:
    """A Location, with the HistoricalLocations that have no other; its Things stand where they are known to stand otherwise."""
    here = Thing.objects.filter(locations=location).order_by("pk").values_list("pk", flat=True)
    things = [history.locked(number) for number in here]
    past = list(HistoricalLocation.objects.filter(locations=location).values_list("pk", flat=True))
    location.delete()
    HistoricalLocation.objects.filter(pk__in=past, locations=None).delete()
    for thing in things:
        history.settle(thing, writer.scope, writer.at)


def _feature(writer: Writer, feature: Any) -> None:
    """A FeatureOfInterest with its Observations. No index leads from it to them: partitions and lake are read through."""
    lock()
    datastreams = _observations(writer, "feature = %s", [feature.pk]) | cold.remove_feature(feature.pk)
    if Datastream.objects.filter(pk__in=datastreams).exclude(writer.scope.q("thing__")).exists():
        raise NotAllowed(_OTHERS, remedy=_ASK)
    for datastream in datastreams:
        latest.recount(datastream)
    feature.delete()
    known.changed()


_HOW: Final[dict[str, Callable[[Writer, Any], None]]] = {
    "thing": _thing, "datastream": _datastream, "sensor": _used, "observedproperty": _used, "location": _location,
    "featureofinterest": _feature,
}  # fmt: skip
