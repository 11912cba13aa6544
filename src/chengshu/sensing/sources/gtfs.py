"""GTFS-Realtime (https://gtfs.org/documentation/realtime/reference/): its entities as flat records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from django.utils.translation import gettext as _
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.transit import gtfs_realtime_pb2

from chengshu.core.errors import Invalid

Record = dict[str, Any]


def records(content: bytes, rows: str) -> Iterator[Record]:
    """The entities of one sort: `vehicles` (a row a vehicle), `trips` (a row a stop of a trip), `alerts` (a row an informed
    entity). Raises `Invalid` for what is no feed."""
    feed = gtfs_realtime_pb2.FeedMessage()
    try:
        feed.ParseFromString(content)
    except (DecodeError, RecursionError) as error:
        remedy = _("Ask for the protocol buffer, not for its text.")
        raise Invalid(_("It is no GTFS-Realtime feed."), where=str(error)[:200], remedy=remedy) from error
    if rows not in SORTS:
        words = _("Write one of %(words)s.") % {"words": ", ".join(SORTS)}
        raise Invalid(_("Which entities of the feed?"), where="rows", remedy=words)
    head = {"feed_timestamp": feed.header.timestamp or None}
    for entity in feed.entity:
        if not entity.is_deleted:
            yield from ({"id": entity.id, **head, **each} for each in SORTS[rows](entity, head["feed_timestamp"]))


def _trip(trip: Any) -> Record:
    return {
        "trip_id": _or_none(trip, "trip_id"),
        "route_id": _or_none(trip, "route_id"),
        "direction_id": _or_none(trip, "direction_id"),
        "start_date": _or_none(trip, "start_date"),
        "start_time": _or_none(trip, "start_time"),
    }


def _or_none(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _named(message: Any, field: str) -> str | None:
    """The name of an enumerated value."""
    if not message.HasField(field):
        return None
    described = message.DESCRIPTOR.fields_by_name[field]
    value = described.enum_type.values_by_number.get(getattr(message, field))
    return str(value.name) if value else None


def _vehicles(entity: Any, published: int | None) -> Iterator[Record]:
    if not entity.HasField("vehicle"):
        return
    vehicle = entity.vehicle
    place = vehicle.position if vehicle.HasField("position") else None
    yield {
        **_trip(vehicle.trip),
        "vehicle_id": _or_none(vehicle.vehicle, "id"),
        "label": _or_none(vehicle.vehicle, "label"),
        "lon": _float32(place, "longitude"),
        "lat": _float32(place, "latitude"),
        "bearing": _float32(place, "bearing"),
        "speed": _float32(place, "speed"),
        "odometer": place.odometer if place is not None and place.HasField("odometer") else None,
        "stop_id": _or_none(vehicle, "stop_id"),
        "status": _named(vehicle, "current_status"),
        "occupancy": _named(vehicle, "occupancy_status"),
        "timestamp": _or_none(vehicle, "timestamp") or published,
    }


def _float32(place: Any, name: str) -> float | None:
    """A number of 32 bits with the digits that it has: 30.2741, and not 30.274099349975586."""
    if place is None or not place.HasField(name):
        return None
    return float(str(np.float32(getattr(place, name))))


def _trips(entity: Any, published: int | None) -> Iterator[Record]:
    if not entity.HasField("trip_update"):
        return
    update = entity.trip_update
    shared = {
        **_trip(update.trip),
        "vehicle_id": _or_none(update.vehicle, "id"),
        "timestamp": _or_none(update, "timestamp") or published,
    }
    for stop in update.stop_time_update:
        yield {
            **shared,
            "stop_id": _or_none(stop, "stop_id"),
            "stop_sequence": _or_none(stop, "stop_sequence"),
            **{
                f"{event}_{name}": _or_none(getattr(stop, event), name) if stop.HasField(event) else None
                for event in ("arrival", "departure")
                for name in ("delay", "time")
            },
        }


def _alerts(entity: Any, published: int | None) -> Iterator[Record]:
    if not entity.HasField("alert"):
        return
    alert = entity.alert
    shared = {
        "cause": _named(alert, "cause"),
        "effect": _named(alert, "effect"),
        "header": _said(alert.header_text),
        "description": _said(alert.description_text),
        "start": alert.active_period[0].start or published if alert.active_period else published,
        "end": alert.active_period[0].end or None if alert.active_period else None,
        "timestamp": published,
    }
    for informed in list(alert.informed_entity) or [None]:
        named = {name: _or_none(informed, name) if informed else None for name in ("agency_id", "route_id", "stop_id")}
        yield {**shared, **named}


def _said(text: Any) -> str | None:
    """A text in the first of its languages."""
    return str(text.translation[0].text) if text.translation else None


SORTS: Final[dict[str, Callable[[Any, int | None], Iterator[Record]]]] = {
    "vehicles": _vehicles, "trips": _trips, "alerts": _alerts,
}  # fmt: skip
