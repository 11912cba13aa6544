"""What a mapping needs in the register of things: Things, datastreams and their words are made where they are not known yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, Invalid, NotAllowed, TooLarge
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.places.cells import CASE_RESOLUTION, cell_of
from chengshu.places.locate import locate_many
from chengshu.places.models import Division
from chengshu.places.tree import division_by_code
from chengshu.sensing import known, news
from chengshu.sensing.models import Datastream, HistoricalLocation, Location, ObservedProperty, Sensor, Thing
from chengshu.sensing.scope import Scope, write_scope
from chengshu.sensing.sources.mapping import Ensure, Result, Source

MOST: Final = 10_000  # datastreams made at once
GEOJSON: Final = "application/geo+json"
_TYPES: Final = {kind: uri for uri, kind in known.KINDS.items()}
_ANY: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"


def ensure(streams: pl.DataFrame, source: Source, actor: Principal, at: datetime | None = None) -> int:
    """Make the datastreams that are not known yet, with their Things, sensors and properties; how many were made.

    All in one transaction; those that are there stay as they are.

    Args:
        streams: as `shape.Taken.streams`.

    Raises:
        NotAllowed: a Thing of the key is there and belongs to somebody else.
        TooLarge: more than `MOST` are not known: the mapping's key is probably not one.
    """
    if source.ensure is None or streams.height == 0:
        return 0
    scope = write_scope(actor)
    if not _unknown(streams, scope):
        return 0
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sensing-ensure'))")
            return _make(streams, source, source.ensure, scope, at or datetime.now(UTC))
    except IntegrityError as error:
        raise Conflict(_("Somebody made the same datastreams at the same time."), remedy=_("Send it again.")) from error


def _unknown(streams: pl.DataFrame, scope: Scope) -> list[str]:
    keys = streams["key"].to_list()
    there = set(Datastream.objects.filter(city=scope.city, key__in=keys).values_list("key", flat=True))
    unknown = [key for key in keys if key not in there]
    if len(unknown) > MOST:
        raise TooLarge(
            _("%(n)d datastreams are not known.") % {"n": len(unknown)},
            remedy=_("Is the key that of a sensor, and not of a row? At most %(most)d are made at once.")
            % {"most": MOST},
        )
    return unknown


def _make(streams: pl.DataFrame, source: Source, wanted: Ensure, scope: Scope, at: datetime) -> int:
    """Under the lock: what is unknown now is made."""
    new = streams.filter(pl.col("key").is_in(_unknown(streams, scope)))
    if new.height == 0:
        return 0
    things = _things(new, wanted, scope, at)
    sensor, _made = Sensor.objects.get_or_create(
        city_id=scope.city,
        name=wanted.sensor,
        defaults={"description": wanted.sensor, "encoding_type": "text/plain", "metadata": wanted.sensor},
    )
    properties = [_property(each, scope.city) for each in source.results]
    made = Datastream.objects.bulk_create(
        [
            _stream(row, source.results[row["nth"]], things[row["thing"]], sensor, properties[row["nth"]])
            for row in new.iter_rows(named=True)
        ],
        batch_size=1_000,
    )
    known.changed()
    news.made("Datastreams", [each.pk for each in made])
    return new.height


def _property(each: Result, city: int) -> ObservedProperty:
    name = each.property or each.name or each.value or each.type
    definition = each.definition or f"urn:chengshu:property:{name}"
    found = ObservedProperty.objects.filter(city=city, name=name, definition=definition).order_by("pk").first()
    return found or ObservedProperty.objects.create(city_id=city, name=name, description=name, definition=definition)


def _stream(
    row: Mapping[str, Any], each: Result, thing: Thing, sensor: Sensor, observed: ObservedProperty
) -> Datastream:
    unit = each.store_unit or each.unit or ""
    return Datastream(
        city_id=thing.city_id,
        name=row["name"] or observed.name,
        description=row["name"] or observed.name,
        key=row["key"],
        observation_type=_TYPES.get(each.type, _ANY),
        unit_of_measurement={
            "name": unit or None,
            "symbol": unit or None,
            "definition": f"ucum:{unit}" if unit else None,
        },
        thing=thing,
        sensor=sensor,
        observed_property=observed,
        ucum=unit,
        low=each.low,
        high=each.high,
        period=each.period,
    )


def _things(new: pl.DataFrame, wanted: Ensure, scope: Scope, at: datetime) -> dict[str, Thing]:
    """The Things of these datastreams by key; those that are not there are made."""
    keys = new["thing"].unique().to_list()
    there = {str(thing.key): thing for thing in Thing.objects.filter(city=scope.city, key__in=keys)}
    mine = set(Thing.objects.filter(scope.q(), key__in=keys).values_list("key", flat=True))
    if foreign := [key for key in there if key not in mine]:
        raise NotAllowed(
            _("A Thing of this key belongs to another department."), where=foreign[0], remedy=_("Choose other keys.")
        )
    rows = new.filter(~pl.col("thing").is_in(list(there))).unique("thing", keep="first", maintain_order=True)
    return there | {str(thing.key): thing for thing in _made(rows, wanted, scope, at)}


def _made(rows: pl.DataFrame, wanted: Ensure, scope: Scope, at: datetime) -> list[Thing]:
    owner, duty = _department(wanted.owner, scope), _department(wanted.duty, scope)
    if scope.department is not None and owner not in {None, scope.department}:
        raise NotAllowed(_("This source writes Things of its own department only."), remedy=_("Leave out the owner."))
    around = _divisions(rows, wanted, scope, at)
    things = [
        Thing(
            city_id=scope.city,
            key=row["thing"],
            name=row["thing_name"] or row["thing"],
            description=wanted.description or row["thing_name"] or row["thing"],
            type=wanted.type,
            owner_id=owner or scope.department,
            duty_id=duty,
            places=path,
            **_point(row),
        )
        for row, path in zip(rows.iter_rows(named=True), around, strict=True)
    ]
    Thing.objects.bulk_create(things, batch_size=1_000)
    news.made("Things", [thing.pk for thing in things])
    _locate([thing for thing in things if thing.lon is not None], at)
    return things


def _department(code: str | None, scope: Scope) -> int | None:
    if code is None:
        return None
    found = Department.objects.filter(city=scope.city, code=code, active=True).values_list("pk", flat=True).first()
    if found is None:
        raise Invalid(_("There is no such department."), where=code[:100], remedy=_("Write the code of one."))
    return found


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    lon, lat = row.get("lon"), row.get("lat")
    if lon is None or lat is None:
        return {}
    cell = cell_of(lon, lat, CASE_RESOLUTION)
    return {"lon": lon, "lat": lat, "cell": cell, "west": lon, "east": lon, "south": lat, "north": lat}


def _divisions(rows: pl.DataFrame, wanted: Ensure, scope: Scope, at: datetime) -> Sequence[Sequence[int]]:
    """The divisions around each Thing, from the city down: by its coordinates, else as the mapping says."""
    if wanted.division is not None:
        usual = list(division_by_code(scope.city, wanted.division, at.date()).path)
    else:
        usual = list(Division.objects.get(city=scope.city, parent=None, valid_to=None).path)
    if "lon" not in rows.columns:
        return [usual] * rows.height
    lon, lat = (rows[name].fill_null(0.0).to_numpy().astype(np.float64) for name in ("lon", "lat"))
    found = locate_many(scope.city, lon, lat, at.date())
    nowhere = rows["lon"].is_null().to_list()
    return [usual if lost else list(each.divisions) or usual for each, lost in zip(found, nowhere, strict=True)]


def _locate(things: Sequence[Thing], at: datetime) -> None:
    """Let Things stand where they were first observed, and remember since when."""
    locations = [
        Location(
            city_id=thing.city_id,
            name=thing.name,
            description=thing.name,
            encoding_type=GEOJSON,
            location={"type": "Point", "coordinates": [thing.lon, thing.lat]},
            places=thing.places,
            west=thing.west,
            south=thing.south,
            east=thing.east,
            north=thing.north,
        )
        for thing in things
    ]
    Location.objects.bulk_create(locations, batch_size=1_000)
    news.made("Locations", [place.pk for place in locations])
    history = [HistoricalLocation(thing=thing, time=at) for thing in things]
    HistoricalLocation.objects.bulk_create(history, batch_size=1_000)
    now, then = Thing.locations.through, HistoricalLocation.locations.through
    now.objects.bulk_create(
        [now(thing_id=thing.pk, location_id=place.pk) for thing, place in zip(things, locations, strict=True)],
        batch_size=1_000,
    )
    then.objects.bulk_create(
        [
            then(historicallocation_id=past.pk, location_id=place.pk)
            for past, place in zip(history, locations, strict=True)
        ],
        batch_size=1_000,
    )
