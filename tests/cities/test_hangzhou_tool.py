"""tools/hangzhou_pack.py makes the generated files of the pack, and makes them the same each time."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path

import pytest

from tools.hangzhou_pack import community_name, street_office

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
GENERATED = ["divisions.csv", "division_changes.csv", "boundaries.geojson", "departments.csv", "data/stations.csv"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("清波门社区", "清波门社区"),
        ("沿山村委会", "沿山村"),
        ("横村村村委会", "横村村"),
        ("富城村村民委员会", "富城村"),
        ("三都居民委员会", "三都"),
        ("围垦生活区", "围垦生活区"),
    ],
)
def test_a_grid_is_named_for_the_place_not_for_its_committee(name: str, place: str) -> None:
    assert community_name(name) == place


def test_offices_are_named_by_the_kind_of_street() -> None:
    assert street_office("北山街道") == "{}办事处"
    assert street_office("三墩镇") == street_office("新合乡") == "{}人民政府"
    assert street_office("红山农场") == "{}管理委员会"


@pytest.mark.skipif(not (DATA / "hangzhou").is_dir(), reason="the public source files are not beside this repository")
def test_the_pack_is_what_the_sources_make(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.hangzhou_pack",
        "--divisions",
        str(DATA / "hangzhou"),
        "--out",
        str(tmp_path),
    ]
    command += ["--metro", str(DATA / "hangzhou_metro" / "inflow_days01_18.csv.gz")]
    subprocess.run(command, cwd=ROOT, check=True)
    pack = ROOT / "cities" / "hangzhou"
    names = [*GENERATED, "data/hangzhou_metro_inflow.csv.gz"]
    assert filecmp.cmpfiles(pack, tmp_path, names, shallow=False) == (names, [], [])
