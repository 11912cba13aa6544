"""H3 cells: the index between a point and the outlines around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import h3.api.basic_int as h3
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

INDEX_RESOLUTION = 8  # edges of about 0.5 km: the cells of BoundaryCell
CASE_RESOLUTION = 9  # edges of about 0.2 km: the cell of a case

# Cells have geodesic edges, outlines straight ones in degrees; over 0.5 km they part by a few millimetres. A cell counts as
# whole, or as untouched, only when the cell enlarged by this much (some 0.2 m at its corners) stays clear of the outline's edge.
ENLARGED = 1.0005
KM_PER_DEGREE = 111.2  # of latitude; a degree of longitude is shorter, which only sets the points closer

Cells = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cover:
    """The cells that touch an area; `whole` where a cell lies wholly inside, so that no exact test is needed."""

    cells: Cells
    whole: Flags


def cell_of(lon: float, lat: float, res: int = CASE_RESOLUTION) -> int:
    """The H3 cell of a point in degrees of WGS 84."""
    return int(h3.latlng_to_cell(lat, lon, res))


def cover(area: BaseGeometry, res: int = INDEX_RESOLUTION) -> Cover:
    """The cells of a Polygon or MultiPolygon in degrees. No point of the area lies outside its cells."""
    edge = shapely.boundary(area)
    rim = _rim(edge, res)
    shapely.prepare(edge)
    near = rim[shapely.intersects(edge, _shapes(rim))]
    # Whatever does not touch the edge is wholly inside or wholly outside, as its centre is.
    inside = np.setdiff1d(_centred(area, res), near)
    cells = np.concatenate([near, inside])
    order = np.argsort(cells)
    return Cover(cells=cells[order], whole=np.repeat([False, True], [len(near), len(inside)])[order])


def _centred(area: BaseGeometry, res: int) -> Cells:
    """Cells whose centres lie in the area. Filling its hull and asking shapely is ten times faster than asking H3."""
    hulls = [part.convex_hull for part in shapely.get_parts(area)]
    cells = np.array(sorted({cell for hull in hulls for cell in h3.geo_to_cells(hull, res)}), dtype=np.int64)
    centres = np.array([h3.cell_to_latlng(cell) for cell in cells.tolist()]).reshape(-1, 2)
    shapely.prepare(area)
    return cells[shapely.contains_xy(area, centres[:, 1], centres[:, 0])]


def _rim(edge: BaseGeometry, res: int) -> Cells:
    """Cells that may touch the edge: those of points set along it closer than a cell is wide, and their neighbours."""
    step = h3.average_hexagon_edge_length(res, unit="km") / KM_PER_DEGREE / 2
    points = shapely.get_coordinates(shapely.segmentize(edge, step))
    touched = {h3.latlng_to_cell(lat, lon, res) for lon, lat in points.tolist()}
    return np.array(sorted({near for cell in touched for near in h3.grid_disk(cell, 1)}), dtype=np.int64)


def _shapes(cells: Cells) -> NDArray[np.object_]:
    """The cells as polygons in degrees, a little enlarged about their centres."""
    shapes = [_enlarged(h3.cell_to_boundary(cell), h3.cell_to_latlng(cell)) for cell in cells.tolist()]
    return np.array(shapes, dtype=object)


def _enlarged(ring: Iterable[tuple[float, float]], centre: tuple[float, float]) -> shapely.Polygon:
    lat, lon = centre
    return shapely.Polygon([(lon + (x - lon) * ENLARGED, lat + (y - lat) * ENLARGED) for y, x in ring])
