"""Outlines of a city's districts for showing on a map, simplified for the eye; never for deciding where a point lies."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from chengshu.core.crs import wgs84_to_gcj02
from chengshu.places.models import Boundary, City, Level

TOLERANCE = 0.0008  # degrees, about 80 m: the outlines themselves are good to about 100 m


def outlines(city_id: int, on: date, *, gcj02: bool = False) -> dict[str, Any]:
    """GeoJSON of the districts' known outlines, in WGS 84 or, to lie on a map that is shifted so, in GCJ-02.

    `current` tells whether the division is valid on that day; earlier ones are shown where no current outline is known.
    """
    version = City.objects.values_list("version", flat=True).get(pk=city_id)
    return _drawn(city_id, version, on, gcj02)


@lru_cache(maxsize=8)
def _drawn(city_id: int, _version: int, on: date, gcj02: bool) -> dict[str, Any]:
    found = Boundary.objects.filter(division__city=city_id, division__level__in=[Level.CITY, Level.DISTRICT])
    rows = found.select_related("division").order_by("division__code")
    return {"type": "FeatureCollection", "features": [_feature(boundary, on, gcj02) for boundary in rows]}


def _shifted(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(wgs84_to_gcj02(points[:, 0], points[:, 1]))


def _feature(boundary: Boundary, on: date, gcj02: bool) -> dict[str, Any]:
    shape = shapely.from_wkb(bytes(boundary.wkb))
    if gcj02:
        shape = shapely.transform(shape, _shifted)
    centre, division = shape.representative_point(), boundary.division
    current = division.valid_from <= on and (division.valid_to is None or on < division.valid_to)
    names = {"name": division.name, "name_en": division.name_en, "code": division.code, "current": current}
    return {
        "type": "Feature",
        "properties": {**names, "centre": [round(centre.x, 5), round(centre.y, 5)]},
        "geometry": shapely.geometry.mapping(shapely.set_precision(shape.simplify(TOLERANCE), 0.00001)),
    }
