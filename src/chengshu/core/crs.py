"""Chinese map coordinates to WGS 84 and back: GCJ-02 (AMap, Tencent and most published maps) and BD-09 (Baidu).

All functions are pure and vectorised: they take longitude and latitude in degrees, as numbers or arrays that broadcast,
and return two float64 arrays of the broadcast shape. CGCS2000 needs no function: it agrees with WGS 84 to centimetres.

GCJ-02 has no published definition; the formula here is the one in common public use, which reproduces the shift of
public maps to about a metre. It shifts only inside a box around China; outside, both directions are the identity, so
the inverse is undefined for the few hundred metres along the edge of that box. The inverses are solved by fixed-point
iteration and come back to the start within a millimetre.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

SEMI_MAJOR_AXIS_M = 6_378_245.0  # Krasovsky 1940, which the shift is computed on
ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943
BOX = (72.004, 0.8293, 137.8347, 55.8271)  # west, south, east, north in degrees; the shift applies inside
BAIDU_TURN = np.pi * 3000.0 / 180.0
BAIDU_SHIFT = (0.0065, 0.006)  # degrees east, north
ITERATIONS = 12  # each gains two decimal digits or more; twelve reach the end of float64 everywhere in the box


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS 84 degrees to GCJ-02 degrees."""
    x, y = _arrays(lon, lat)
    east, north = _shift_m(x - 105.0, y - 35.0)
    radians = np.radians(y)
    w = 1.0 - ECCENTRICITY_SQUARED * np.sin(radians) ** 2
    metres_north = SEMI_MAJOR_AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / (w * np.sqrt(w))
    metres_east = SEMI_MAJOR_AXIS_M / np.sqrt(w) * np.cos(radians)
    inside = in_box(x, y)
    return np.where(inside, x + np.degrees(east / metres_east), x), np.where(
        inside, y + np.degrees(north / metres_north), y
    )


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 degrees to WGS 84 degrees."""
    return _invert(wgs84_to_gcj02, *_arrays(lon, lat))


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 degrees to BD-09 degrees."""
    x, y = _arrays(lon, lat)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * BAIDU_TURN)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * BAIDU_TURN)
    return radius * np.cos(angle) + BAIDU_SHIFT[0], radius * np.sin(angle) + BAIDU_SHIFT[1]


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """BD-09 degrees to GCJ-02 degrees."""
    return _invert(gcj02_to_bd09, *_arrays(lon, lat))


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS 84 degrees to BD-09 degrees."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """BD-09 degrees to WGS 84 degrees."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


def in_box(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Whether a point lies in the box in which GCJ-02 shifts: not the border of China; neighbours are inside too."""
    x, y = _arrays(lon, lat)
    west, south, east, north = BOX
    return (x >= west) & (x <= east) & (y >= south) & (y <= north)


def _arrays(lon: ArrayLike, lat: ArrayLike) -> Pair:
    x, y = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    return x, y


def _invert(forward: Callable[[ArrayLike, ArrayLike], Pair], lon: Floats, lat: Floats) -> Pair:
    """The point that `forward` takes to (lon, lat): the shift varies so slowly that subtracting the error converges."""
    x, y = lon, lat
    for _ in range(ITERATIONS):
        fx, fy = forward(x, y)
        x, y = x + lon - fx, y + lat - fy
    return x, y


def _shift_m(x: Floats, y: Floats) -> Pair:
    """The shift in metres on the ground, east and north, of the point x, y degrees from 105° E 35° N."""
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * root + wave + _waves(x, 150.0, 300.0)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * root + wave + _waves(y, 160.0, 320.0)
    return east, north


def _waves(t: Floats, middle: float, long: float) -> Floats:
    """The periodic terms that depend on one coordinate only; amplitudes in metres, periods 2, 6, 24 and 60 degrees."""
    near = 20.0 * np.sin(np.pi * t) + 40.0 * np.sin(np.pi * t / 3.0)
    far = middle * np.sin(np.pi * t / 12.0) + long * np.sin(np.pi * t / 30.0)
    return (near + far) * 2.0 / 3.0
