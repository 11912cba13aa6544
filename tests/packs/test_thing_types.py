"""Types of things in a pack: mistakes are told with their lines, what is right is loaded, edited and taken out again."""

from __future__ import annotations

from pathlib import Path

import pytest

from chengshu.core.errors import Mistakes
from chengshu.packs import editing, export
from chengshu.packs.apply import load_city
from chengshu.packs.read import read_pack
from chengshu.places.models import City
from chengshu.sensing import kinds
from tests.packs.small import write_pack

GOOD = """\
default: {late_periods: 2, silent_periods: 6, late: 2h, silent: 2d}
outage: {things: 5, within: 10m}
types:
  lamp: {name: 灯, name_en: Lamp, late: 90s, silent: 15m, function: roads, case_type: lamp, source: made up}
"""


def pack_with(folder: Path, text: str) -> Path:
    pack = write_pack(folder)
    (pack / "thing_types.yaml").write_text(text, encoding="utf-8")
    return pack


@pytest.mark.parametrize(
    ("old", "new", "said", "line"),
    [
        ("silent: 15m", "silent: 60s", "lamp is silent before it is late.", 4),
        ("silent: 2d", "silent: 1h", "default is silent before it is late.", 1),
        ("function: roads", "function: ponds", "the function ponds, which no department has", 4),
        ("case_type: lamp", "case_type: pond", "there is no case type pond", 4),
        ("late: 90s", "late: soon", "types.lamp.late", 4),
        ("late: 90s", "late: 9999999s", "types.lamp.late", 4),
        ("things: 5", "things: 1", "outage.things", 2),
        ("  lamp:", "  La mp:", "La mp", 4),
        ("source: made up", "colour: red", "colour", 4),
    ],
)
def test_mistakes_are_told_where_they_stand(tmp_path: Path, old: str, new: str, said: str, line: int) -> None:
    with pytest.raises(Mistakes) as caught:
        read_pack(pack_with(tmp_path, GOOD.replace(old, new, 1)))
    assert any(said in m.what and m.where.endswith(f"thing_types.yaml:{line}") for m in caught.value.mistakes), [
        (m.where, m.what) for m in caught.value.mistakes
    ]


@pytest.mark.django_db
def test_they_are_loaded_edited_and_taken_out(tmp_path: Path) -> None:
    load_city(str(pack_with(tmp_path, GOOD)), echo=lambda _line: None)
    city = City.objects.get(name="toytown")
    said = kinds.kinds(city.pk)
    lamp = said.types["lamp"]
    assert (lamp.late, lamp.silent, said.default.silent, said.outage.within) == (90.0, 900.0, 172_800.0, 600.0)
    assert (said.case_type("lamp"), said.case_type("unknown")) == ("lamp", "")
    assert b"silent: 15m" in export.pack_files("toytown")["thing_types.yaml"]
    with pytest.raises(Mistakes):
        editing.propose_part(
            city, kinds.PART, {"types": {"lamp": {"name": "x", "late": "2h", "silent": "1h", "source": "x"}}}
        )
    fine = editing.propose_part(city, kinds.PART, {"types": {}})
    assert fine.plan.writes


@pytest.mark.django_db
def test_a_city_that_says_nothing_has_the_usual_rules(tmp_path: Path) -> None:
    load_city(str(write_pack(tmp_path)), echo=lambda _line: None)
    assert kinds.kinds(City.objects.get(name="toytown").pk) == kinds.Kinds()
