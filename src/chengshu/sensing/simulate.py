"""A synthetic fleet, said to be one wherever it is seen: sensors all over a city, to try what load does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from django.db import connection, transaction
from django.utils import translation
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from chengshu.places.models import Boundary, City, Level
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, ObservedProperty, Sensor, Thing

TYPE: Final = "synthetic"
LEVEL: Final = "urn:chengshu:synthetic:level"
BATCH: Final = 20_000
MOST: Final = 10_000_000
_THINGS: Final = """
INSERT INTO sensing_thing (city_id, name, description, properties, key, type, places, lon, lat, state)
SELECT %s, %s || n, %s, '{"synthetic": true}', 'synthetic-' || n, %s, p.path, p.lon, p.lat, 'new'
FROM unnest(%s::int[], %s::text[], %s::float8[], %s::float8[]) AS given (n, path, lon, lat),
    LATERAL (SELECT given.path::bigint[] AS path, given.lon, given.lat) p
"""
_STREAMS: Final = """
INSERT INTO sensing_datastream (city_id, name, description, key, observation_type, unit_of_measurement, ucum, low, high, period,
    thing_id, sensor_id, observed_property_id)
SELECT city_id, %s, '', key, 'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement',
    '{"name": "centimetre", "symbol": "cm", "definition": "ucum:cm"}', 'cm', -1000, 1000, %s, id, %s, %s
FROM sensing_thing t WHERE city_id = %s AND type = %s
    AND NOT EXISTS (SELECT 1 FROM sensing_datastream d WHERE d.thing_id = t.id)
"""


def fleet(city: City, things: int, *, period: float | None = None, seed: int = 1) -> NDArray[np.int64]:
    """The datastreams of so many synthetic Things of a city in the order of their making; those that lack are made.

    Args:
        period: seconds between the results of each, by which the register judges them.
    """
    have = Thing.objects.filter(city=city, type=TYPE).count()
    with transaction.atomic(), translation.override(city.language):
        if have < things:
            _made(city, range(have, things), period, np.random.default_rng(seed + have))
        if period is not None:
            Datastream.objects.filter(city=city, thing__type=TYPE).exclude(period=period).update(period=period)
        changed()
    found = Datastream.objects.filter(city=city, thing__type=TYPE).order_by("pk").values_list("pk", flat=True)
    return np.fromiter(found[:things].iterator(), dtype=np.int64)


def _made(city: City, numbers: range, period: float | None, random: np.random.Generator) -> None:
    areas = _areas(city)
    said = _("Invented for trying; it measures nothing.")
    for first in range(numbers.start, numbers.stop, BATCH):
        some = range(first, min(first + BATCH, numbers.stop))
        chosen = random.integers(0, len(areas), len(some))
        points = [areas[area].point(random) for area in chosen]
        with connection.cursor() as cursor:
            cursor.execute(
                _THINGS,
                [city.pk, _("[synthetic] sensor "), said, TYPE, list(some), [areas[area].path for area in chosen],
                 [lon for lon, _lat in points], [lat for _lon, lat in points]],
            )  # fmt: skip
    about: dict[str, Any] = {"city": city, "name": _("[synthetic] level"), "description": said}
    sensor = Sensor.objects.filter(city=city, metadata=LEVEL).first() or Sensor.objects.create(
        **about, encoding_type="text/plain", metadata=LEVEL
    )
    level = ObservedProperty.objects.filter(city=city, definition=LEVEL).first() or ObservedProperty.objects.create(
        **about, definition=LEVEL
    )
    with connection.cursor() as cursor:
        cursor.execute(_STREAMS, [about["name"], period, sensor.pk, level.pk, city.pk, TYPE])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Area:
    """A division with its outline; `path` as PostgreSQL writes an array."""

    path: str
    outline: Any

    def point(self, random: np.random.Generator) -> tuple[float | None, float | None]:
        """Somewhere in it; nowhere where no outline is known."""
        if self.outline is None:
            return None, None
        west, south, east, north = self.outline.bounds
        for _try in range(100):
            lon, lat = random.uniform(west, east), random.uniform(south, north)
            if shapely.contains_xy(self.outline, lon, lat):
                return lon, lat
        inside = self.outline.representative_point()
        return inside.x, inside.y


def _areas(city: City) -> list[_Area]:
    """The smallest divisions with an outline; the city itself where there are none."""
    found = Boundary.objects.filter(division__city=city, division__valid_to=None).select_related("division")
    lowest = max((b.division.level for b in found), default=Level.CITY)
    areas = [
        _Area(path=_array(b.division.path), outline=shapely.from_wkb(bytes(b.wkb)))
        for b in found
        if b.division.level == lowest
    ]
    root = city.divisions.get(parent=None, valid_to=None)
    return areas or [_Area(path=_array(root.path), outline=None)]


def _array(path: list[int]) -> str:
    return "{" + ",".join(map(str, path)) + "}"
