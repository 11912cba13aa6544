"""Where a geometry is: GeoJSON checked, coordinates brought to WGS 84, the divisions around it, its box and point.

Coordinates may be given in GCJ-02 or BD-09: `"properties": {"crs": "GCJ-02"}` on a Location or FeatureOfInterest. They are
converted at the door; what was given is kept as `properties.given`, and `crs` is taken away, so that sending back what was read
converts nothing twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from chengshu.core import crs
from chengshu.core.errors import NotAllowed
from chengshu.places.cells import cell_of
from chengshu.places.locate import divisions_at
from chengshu.places.models import Division
from chengshu.places.tree import root_division
from chengshu.sensing.scope import Scope
from chengshu.sensing.sta.body import Body, Malformed

GEOJSON: Final = frozenset({"application/geo+json", "application/vnd.geo+json"})
WGS84: Final = frozenset({"WGS84", "WGS-84", "CGCS2000", "EPSG:4326", "EPSG:4490"})
SHIFTED: Final = {
    "GCJ-02": crs.gcj02_to_wgs84,
    "GCJ02": crs.gcj02_to_wgs84,
    "BD-09": crs.bd09_to_wgs84,
    "BD09": crs.bd09_to_wgs84,
}
LEVELS: Final = {
    "Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3,
}  # fmt: skip
MOST: Final = 100_000  # positions of one geometry
NESTED: Final = 8  # collections within collections
Pairs = NDArray[np.float64]
Shift = Callable[[Any, Any], tuple[Pairs, Pairs]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something is: the divisions from the city down, its box, and the point that stands for it (degrees of WGS 84)."""

    places: list[int]
    box: tuple[float, float, float, float] | None = None
    point: tuple[float, float] | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of an entity with a place."""
        west, south, east, north = self.box or (None, None, None, None)
        return {"places": self.places, "west": west, "south": south, "east": east, "north": north}

    @property
    def cell(self) -> int | None:
        """The H3 cell of the point."""
        return cell_of(*self.point) if self.point else None


def placed(row: Body, member: str, scope: Scope, at: datetime) -> Body:
    """The columns of a Location or FeatureOfInterest (`member`: location, feature), with its place; coordinates in WGS 84.

    Raises:
        Malformed: the geometry is none, or lies nowhere on earth.
        NotAllowed: it lies outside the caller's division.
    """
    row = converted(row, member)
    geometry = row[member] if row["encoding_type"] in GEOJSON else None
    return {**row, **find(geometry, scope, at, member).columns}


def find(geometry: Any, scope: Scope, at: datetime, where: str = "location") -> Place:
    """The place of a GeoJSON geometry or feature; of None, the caller's division or the city."""
    if geometry is None:
        return Place(places=nowhere(scope))
    pairs = positions(geometry, where)
    box = (*pairs.min(axis=0).tolist(), *pairs.max(axis=0).tolist())
    point = _point(geometry, pairs)
    return Place(places=_around(point, scope, at), box=box, point=point)


def nowhere(scope: Scope) -> list[int]:
    """The divisions of what has no place: the city's root, or who writes for a division only, that."""
    if scope.division is None:
        return [root_division(scope.city)]
    return list(Division.objects.get(pk=scope.division).path)


def _around(point: tuple[float, float], scope: Scope, at: datetime) -> list[int]:
    """The divisions around a point; outside every outline the root. Where outlines know less than the caller's division, that."""
    found = list(divisions_at(scope.city, *point, at.date())) or [root_division(scope.city)]
    if scope.division is None or scope.division in found:
        return found
    own = nowhere(scope)
    if own[: len(found)] == found:
        return own
    raise NotAllowed("This place lies outside of your division.", remedy="Use a post of the division around it.")


def positions(geometry: Any, where: str) -> Pairs:
    """All positions of a GeoJSON geometry or feature, longitude and latitude in degrees. Raises `Malformed` if unsound."""
    found: list[tuple[float, float]] = []
    for each in _geometries(geometry, where):
        _walk(each.get("coordinates"), LEVELS[each["type"]], each["type"], where, found)
    if not found:
        raise Malformed("The geometry has no coordinates.", where=where, remedy=_EXAMPLE)
    return np.array(found, dtype=np.float64)


_EXAMPLE: Final = 'Write GeoJSON such as {"type": "Point", "coordinates": [120.15, 30.28]}.'


def _geometries(value: Any, where: str, depth: int = 0) -> list[Body]:
    """The simple geometries of a geometry, feature or collection."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in LEVELS:
        _check_crs(value, where)
        return [value]
    inner = {"Feature": "geometry", "GeometryCollection": "geometries", "FeatureCollection": "features"}.get(str(kind))
    if inner is None or depth > NESTED:
        raise Malformed("This is no GeoJSON geometry.", where=where, remedy=_EXAMPLE)
    _check_crs(value, where)
    several = [value.get(inner)] if kind == "Feature" else value.get(inner)
    if not isinstance(several, list):
        raise Malformed("This is no GeoJSON geometry.", where=f"{where}/{inner}", remedy=_EXAMPLE)
    return [found for each in several for found in _geometries(each, f"{where}/{inner}", depth + 1)]


def _check_crs(value: Body, where: str) -> None:
    """Refuse another reference system than WGS 84 in the `crs` of GeoJSON of 2008."""
    given = json.dumps(value.get("crs"))
    if value.get("crs") is not None and not any(name in given for name in ("CRS84", "4326", "4490")):
        raise Malformed(
            "GeoJSON is in WGS 84.", where=f"{where}/crs: {given[:80]}",
            remedy='For GCJ-02 or BD-09 write "properties": {"crs": "GCJ-02"} beside it.',
        )  # fmt: skip


def _walk(value: Any, level: int, kind: str, where: str, found: list[tuple[float, float]]) -> None:
    if not isinstance(value, list):
        raise Malformed("The coordinates do not fit the type.", where=f"{where}: {kind}", remedy=_EXAMPLE)
    if level == 0:
        found.append(_position(value, where))
        if len(found) > MOST:
            raise Malformed("The geometry has too many positions.", where=where)
        return
    if level == 1 and kind.endswith("LineString") and len(value) < 2:
        raise Malformed("A line has two positions at least.", where=where)
    if level == 1 and kind.endswith("Polygon") and (len(value) < 4 or value[0] != value[-1]):
        raise Malformed("A ring has four positions at least and ends where it begins.", where=where)
    for each in value:
        _walk(each, level - 1, kind, where, found)


def _position(value: list[Any], where: str) -> tuple[float, float]:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if not 2 <= len(value) <= 4 or not numbers:
        raise Malformed("A position is longitude and latitude.", where=f"{where}: {str(value)[:80]}", remedy=_EXAMPLE)
    lon, lat = float(value[0]), float(value[1])
    if not (abs(lon) <= 180 and abs(lat) <= 90 and all(math.isfinite(v) for v in value)):
        raise Malformed("This is no point on earth.", where=f"{where}: {str(value)[:80]}", remedy=_EXAMPLE)
    return lon, lat


def _point(geometry: Any, pairs: Pairs) -> tuple[float, float]:
    """The point that stands for a geometry: itself, one on its surface, or where it is not sound the middle of its box."""
    if len(pairs) > 1:
        try:
            inner = shapely.point_on_surface(shapely.from_geojson(json.dumps(geometry)))
            if not inner.is_empty:
                return float(inner.x), float(inner.y)
        except shapely.errors.GEOSException:
            pass
    x, y = ((pairs.min(axis=0) + pairs.max(axis=0)) / 2).tolist()
    return x, y


def converted(row: Body, member: str) -> Body:
    """A row whose coordinates were given in GCJ-02 or BD-09, in WGS 84; what was given is kept under its properties."""
    said = row["properties"] or {}
    if "crs" not in said:
        return row
    name = str(said["crs"]).upper()
    rest = {key: value for key, value in said.items() if key != "crs"}
    if name in WGS84:
        return row
    if name not in SHIFTED or row["encoding_type"] not in GEOJSON:
        raise Malformed(
            "This reference system is not understood.",
            where=f"properties/crs: {name[:60]}",
            remedy="Use WGS84, GCJ-02 or BD-09, with GeoJSON.",
        )
    positions(row[member], member)
    given = {"crs": said["crs"], member: row[member]}
    return {**row, member: _shifted(row[member], SHIFTED[name]), "properties": {**rest, "given": given}}


def _shifted(value: Any, shift: Shift) -> Any:
    """GeoJSON that was checked, all its positions shifted; a bbox, which would not fit any more, is left out."""
    if isinstance(value, list):
        return [_shifted(each, shift) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _shifted(inner, shift) if key in _INNER else inner for key, inner in value.items() if key != "bbox"}
    if "coordinates" in found:
        found["coordinates"] = _shifted_positions(found["coordinates"], shift)
    return found


_INNER: Final = frozenset({"geometry", "geometries", "features"})


def _shifted_positions(value: list[Any], shift: Shift) -> list[Any]:
    if value and not isinstance(value[0], list):
        lon, lat = shift(value[0], value[1])
        return [round(float(lon), 9), round(float(lat), 9), *value[2:]]
    return [_shifted_positions(each, shift) for each in value]
