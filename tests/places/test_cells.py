"""Covers: no point of an area lies outside its cells, and whole cells hold no point outside the area."""

from __future__ import annotations

import json
from pathlib import Path

import h3.api.basic_int as h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from chengshu.places.cells import INDEX_RESOLUTION, cell_of, cover

HANGZHOU = Path(__file__).resolve().parents[2] / "cities" / "hangzhou" / "boundaries.geojson"


@st.composite
def areas(draw: st.DrawFn) -> BaseGeometry:
    """Polygons with holes and multipolygons, from specks to districts, north and south."""
    lon, lat = draw(st.floats(-170, 170)), draw(st.floats(-70, 70))
    size = draw(st.sampled_from([0.0005, 0.005, 0.05]))
    offset = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 1))
    discs = [
        shapely.Point(lon + x * size, lat + y * size).buffer(r * size, 8)
        for x, y, r in draw(st.lists(offset, min_size=1, max_size=4))
    ]
    area = shapely.unary_union(discs)
    hole = shapely.Point(lon, lat).buffer(size / 5, 8)
    return area.difference(hole) if draw(st.booleans()) and not hole.contains(area) else area


@settings(deadline=None, max_examples=60)
@given(areas(), st.integers(0, 2**32 - 1))
def test_cells_answer_as_the_area_itself(area: BaseGeometry, seed: int) -> None:
    covered = cover(area)
    cells = dict(zip(covered.cells.tolist(), covered.whole.tolist(), strict=True))
    west, south, east, north = area.bounds
    random = np.random.default_rng(seed)
    pad = 0.01
    xs, ys = random.uniform(west - pad, east + pad, 300), random.uniform(south - pad, north + pad, 300)
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        inside = bool(shapely.intersects_xy(area, x, y))
        whole = cells.get(cell_of(x, y, INDEX_RESOLUTION))
        assert whole is not None or not inside
        assert inside or not whole


@settings(deadline=None, max_examples=30)
@given(areas())
def test_corners_lie_in_cells_that_are_not_whole(area: BaseGeometry) -> None:
    covered = cover(area)
    partial = set(covered.cells[~covered.whole].tolist())
    assert {cell_of(x, y, INDEX_RESOLUTION) for x, y in shapely.get_coordinates(area).tolist()} <= partial


def test_cells_are_sorted_and_stand_once() -> None:
    cells = cover(shapely.box(120.0, 30.0, 120.2, 30.2)).cells
    assert (np.diff(cells) > 0).all()


@pytest.mark.parametrize("code", ["330106", "330108"])
def test_a_real_district_is_covered_as_h3_itself_says(code: str) -> None:
    features = json.loads(HANGZHOU.read_text())["features"]
    area = shapely.geometry.shape(next(f["geometry"] for f in features if f["properties"]["code"] == code))
    shape = h3.geo_to_h3shape(area)
    covered = cover(area)
    assert set(h3.h3shape_to_cells_experimental(shape, INDEX_RESOLUTION, "overlap")) <= set(covered.cells.tolist())
    assert set(covered.cells[covered.whole].tolist()) <= set(
        h3.h3shape_to_cells_experimental(shape, INDEX_RESOLUTION, "full")
    )


def test_a_cell_of_a_case_is_finer() -> None:
    cell = cell_of(120.15, 30.27)
    assert h3.get_resolution(cell) == 9
    assert h3.cell_to_parent(cell, 8) == cell_of(120.15, 30.27, 8)
    assert cell < 2**63
