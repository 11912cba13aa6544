"""How to get to a place: plain links that a telephone opens in its own map."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from chengshu.cases.models import Case
from chengshu.core.crs import in_box, wgs84_to_gcj02

AMAP = "https://uri.amap.com/navigation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """Links to the place of a case; empty where there is none: `geo` for the telephone's own map, `amap` in China."""

    geo: str = ""
    amap: str = ""


def ways(case: Case) -> Ways:
    """The links of a case: by its point, else by the words for its place. Nothing is sent before one is tapped."""
    if case.lon is None or case.lat is None:
        return Ways(geo=f"geo:0,0?q={quote(case.place_text)}") if case.place_text else Ways()
    point = f"{case.lat:.6f},{case.lon:.6f}"
    name = case.place_text or case.number
    return Ways(geo=f"geo:{point}?q={point}({quote(name)})", amap=_amap(case.lon, case.lat, name))


def _amap(lon: float, lat: float, name: str) -> str:
    """The address of AMap's navigation, which counts in GCJ-02 and covers China only."""
    if not in_box(lon, lat):
        return ""
    east, north = wgs84_to_gcj02(lon, lat)
    asked = {
        "to": f"{float(east):.6f},{float(north):.6f},{name}",
        "mode": "car",
        "coordinate": "gaode",
        "callnative": 1,
    }
    return f"{AMAP}?{urlencode(asked)}"
