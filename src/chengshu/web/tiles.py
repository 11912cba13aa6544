"""Raster tiles from outside below the cockpit's map, if the city has configured any; otherwise no outside host is asked."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np
from django.conf import settings

from chengshu.core.crs import wgs84_to_gcj02


def host() -> str:
    """The origin that pages may load tiles from, for the content security policy; empty without tiles."""
    parts = urlsplit(settings.TILES_URL)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} and parts.netloc else ""


def shifted() -> bool:
    """Whether the tiles are drawn in GCJ-02, the shifted coordinates of AMap and Tencent."""
    return bool(host()) and settings.TILES_CRS == "gcj02"


def shown(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """WGS 84 points as they must be drawn to lie right on the tiles, rounded to about 10 cm."""
    if not points:
        return []
    lon, lat = np.array(points, dtype=np.float64).T
    east, north = wgs84_to_gcj02(lon, lat) if shifted() else (lon, lat)
    return list(zip(np.round(east, 6).tolist(), np.round(north, 6).tolist(), strict=True))
