"""Coordinates go there and back within a millimetre, and agree with published pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core import crs

METRES_PER_DEGREE = 111_320.0
china = st.tuples(st.floats(73.0, 136.5), st.floats(2.0, 55.0))
Convert = Callable[[float, float], tuple[np.ndarray, np.ndarray]]


def metres_apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (a[0] - b[0]) * np.cos(np.radians(a[1]))
    return float(np.hypot(east, a[1] - b[1]) * METRES_PER_DEGREE)


@pytest.mark.parametrize(
    ("convert", "start", "expected"),
    [
        (crs.wgs84_to_gcj02, (121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        (crs.wgs84_to_gcj02, (116.404, 39.915), (116.41024449916938, 39.91640428150164)),
        (crs.gcj02_to_bd09, (116.404, 39.915), (116.41036949371029, 39.92133699351021)),
    ],
)
def test_published_pairs(convert: Convert, start: tuple[float, float], expected: tuple[float, float]) -> None:
    lon, lat = convert(*start)
    assert metres_apart((float(lon), float(lat)), expected) < 0.01


def test_shift_at_hangzhou_is_about_half_a_kilometre_to_the_south_east() -> None:
    lon, lat = crs.wgs84_to_gcj02(120.155, 30.274)
    assert 0.004 < lon - 120.155 < 0.005
    assert -0.003 < lat - 30.274 < -0.002


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (crs.wgs84_to_gcj02, crs.gcj02_to_wgs84),
        (crs.gcj02_to_bd09, crs.bd09_to_gcj02),
        (crs.wgs84_to_bd09, crs.bd09_to_wgs84),
    ],
)
@given(point=china)
def test_round_trip_below_a_millimetre(there: Convert, back: Convert, point: tuple[float, float]) -> None:
    lon, lat = back(*there(*point))  # type: ignore[arg-type]
    assert metres_apart((float(lon), float(lat)), point) < 0.001


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_outside_the_box_nothing_moves(lon: float, lat: float) -> None:
    if not crs.in_box(lon, lat):
        assert tuple(map(float, crs.wgs84_to_gcj02(lon, lat))) == (lon, lat)
        assert tuple(map(float, crs.gcj02_to_wgs84(lon, lat))) == pytest.approx((lon, lat))


def test_arrays_broadcast_and_equal_single_points() -> None:
    lons = np.linspace(118.5, 120.8, 7)
    many = crs.gcj02_to_wgs84(lons, 30.0)
    assert many[0].shape == many[1].shape == (7,)
    single = crs.gcj02_to_wgs84(lons[3], 30.0)
    assert (many[0][3], many[1][3]) == (single[0], single[1])
