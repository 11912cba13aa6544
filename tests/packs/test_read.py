"""Every kind of mistake in a pack is found, with its line and a remedy; the real packs have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chengshu.cases.models import STAGES
from chengshu.core.errors import Invalid, Mistakes
from chengshu.packs import schema
from chengshu.packs.read import digest, read_pack
from chengshu.parties.roles import Role
from tests.packs.small import change, write_pack

CITIES = Path(__file__).resolve().parents[2] / "cities"
SCHEMAS = CITIES.parent / "src" / "chengshu" / "packs" / "schemas"

# file, text that is replaced, by what, the line that is told, words of the message
MISTAKES = [
    ("city.yaml", "Asia/Shanghai", "Asia/Nowhere", 1, "no time zone"),
    ("city.yaml", "language: en", "language: xx", 5, "language is"),
    ("city.yaml", "label_en: Toytown\n", "", 1, "lacks label_en"),
    ("city.yaml", "root: T\n", "root: T\nroof: T\n", 7, "unknown roof"),
    ("city.yaml", "root: T\n", "root: T9\n", 2, "there is no valid division T9"),
    ("city.yaml", "name: toytown", "name: otherton", 1, "its folder toytown"),
    ("city.yaml", "center: [10.05, 50.05]", "center: [10.05, 500]", 8, "center.1 is 500"),
    ("city.yaml", "label: 玩具城", "label: [玩具城", 3, "not YAML"),
    ("city.yaml", "label: 玩具城", "name: 玩具城", 2, "not YAML"),
    ("divisions.csv", "source\nT,", "sauce\nT,", 1, "lacks source"),
    ("divisions.csv", "T1,West,,district", "T1,West,district", 3, "7 fields"),
    ("divisions.csv", "T1,West,,district,T,2000-01-01,,", "T1,West,,district,T,2000-13-01,,", 3, "valid_from is"),
    ("divisions.csv", "T1,West,,district,T,", "T1,West,,village,T,", 3, "level is"),
    ("divisions.csv", "T1,West,,district,T,", "T1,West,,district,TX,", 3, "parent TX of T1 is not in"),
    ("divisions.csv", "T1-1,West Street,,street,T1,2000", "T1-1,West Street,,street,T5,2000", 9, "not valid for all"),
    ("divisions.csv", "T1-1,West Street,,street,T1", "T1-1,West Street,,district,T1", 9, "not of a higher level"),
    ("divisions.csv", "T1,West,,district,T,", "T1,West,,district,,", 3, "has no parent"),
    ("divisions.csv", "T2,New Middle,,district,T,2020", "T2,New Middle,,district,T,2019", 7, "same time"),
    ("divisions.csv", "T4,Far East,,district,T,2000-01-01,2020", "T4,Far East,,district,T,2000-01-01,1999", 6, "ends on"),
    ("divisions.csv", "T1,West,,", 'T1,"West,,', 9, "not CSV"),
    ("division_changes.csv", "T4,T5", "T9,T5", 5, "predecessor T9 did not exist"),
    ("division_changes.csv", "T4,T5,2020", "T4,T5,2019", 5, "successor T5 did not exist"),
    ("division_changes.csv", "T4,T5,", "T3,T5,", 5, "stands twice"),
    ("boundaries.geojson", '"code": "T1"', '"code": "T9"', 3, "names 0 divisions"),
    ("boundaries.geojson", '"code": "T2", "valid_from": "2000-01-01"', '"code": "T2"', 4, "names 2 divisions"),
    ("boundaries.geojson", '"code": "T4"', '"code": "T1"', 6, "two outlines"),
    ("boundaries.geojson", "[10.3, 50.0], [10.4, 50.0]", "[10.4, 50.0], [10.3, 50.1]", 6, "cannot be used"),
    ("boundaries.geojson", "[10.3, 50.0], [10.4, 50.0]", "[10.3, 50.0], [1040, 50.0]", 6, "not degrees"),
    ("boundaries.geojson", "FeatureCollection", "Collection", 1, "no FeatureCollection"),
    ("boundaries.geojson", "\n]}", "\n}", 7, "not JSON"),
    ("departments.csv", "ROADS,Roads,,city,CENTRE", "ROADS,Roads,,city,MIDDLE", 3, "parent MIDDLE"),
    ("departments.csv", "ROADS,Roads,,city,CENTRE", "ROADS,Roads,,city,ROADS", 3, "above itself"),
    ("departments.csv", "ROADS,Roads", "CENTRE,Roads", 3, "CENTRE stands twice"),
    ("departments.csv", "roads,T,unit", "roads,T9,unit", 3, "unknown division T9"),
    ("departments.csv", "unit,", "union,", 3, "kind is"),
    ("case_types.csv", "hole,works", "hole,work", 2, "unknown kind work"),
    ("case_types.csv", "1h,,,2wd", "1h,,,2 days", 2, "handle_limit is"),
    ("case_types.csv", "lamp,works", "hole,works", 3, "hole stands twice"),
    ("case_types.csv", "3,no,photo+place", "5,no,photo+place", 2, "severity is"),
    ("case_types.csv", "photo+place", "photos", 2, "evidence is"),
    ("limits.csv", "lamp,handle,2020", "lump,handle,2020", 3, "no case type lump"),
    ("limits.csv", "lamp,handle,2020-01-01", "lamp,handle,", 3, "limit stands twice"),
    ("limits.csv", "2020-01-01", "2020-02-31", 3, "no time of the calendar"),
    ("moves.yaml", "to: handling", "to: handing", 11, "unknown state handing"),
    ("moves.yaml", "from: [reported]", "from: [resorted]", 11, "unknown state resorted"),
    ("moves.yaml", "roles: [handler]", "roles: [handyman]", 16, "roles.0 is"),
    ("moves.yaml", "needs: [unit]", "needs: [unity]", 17, "needs.0 is"),
    ("moves.yaml", "start: [handle]", "start: [handling]", 18, "start.0 is"),
    ("moves.yaml", "not_who: [take]", "not_who: [taken]", 20, "unknown move taken"),
    ("moves.yaml", "open: reported", "open: closed", 9, "is no open state"),
    ("moves.yaml", "code: close", "code: open", 20, "taken by the platform"),
    ("moves.yaml", "code: note", "code: take", 29, "leaves reported twice"),
    ("moves.yaml", "from: [handling]\n        to: closed", "from: [reported]\n        to: closed", 7, "can never end"),
    ("moves.yaml", "phase: done", "phase: dead", 2, "no state of phase done"),
    ("moves.yaml", "      closed: {", "      lost: {label: x, label_en: x, phase: dead}\n      closed: {", 8, "the state lost"),
    ("moves.yaml", "      handling: {", "      same: {", 7, "called same"),
    ("moves.yaml", "        why: 结案\n", "", 20, "lacks why"),
    ("dispatch.yaml", "type: [lamp]", "type: [lump]", 2, "unknown type lump"),
    ("dispatch.yaml", "division: [T1]", "division: [T9]", 2, "unknown division T9"),
    ("dispatch.yaml", "unit: ROADS", "unit: RAILS", 2, "unknown department RAILS"),
    ("dispatch.yaml", "level: city", "level: street", 6, "no department of level street"),
    ("dispatch.yaml", "id: rest", "id: lamps", 6, "lamps stands twice"),
    ("dispatch.yaml", "when: {}", "when: {type: [hole]}", 6, "last rule has conditions"),
    ("dispatch.yaml", "{type: [lamp], division: [T1]}", "{}", 2, "always matches"),
    ("dispatch.yaml", "{type: [lamp], division: [T1]}", "{typo: [lamp]}", 3, "unknown typo"),
    ("escalation.yaml", "level: 2", "level: 1", 4, "after level 1"),
    ("escalation.yaml", "after: 1wd", "after: soon", 4, "after is"),
    ("calendar.yaml", '["09:00", "17:00"]', '["09:00", "08:00"]', 1, "hours"),
    ("calendar.yaml", "weekend:", "weakend:", 3, "weakend"),
    ("calendar.yaml", "2020-01-01", "2020-31-01", 4, "cannot be read"),
    ("parameters.yaml", "reopen_window_days", "reopen_days", 1, "reopen_window_days is missing"),
    ("parameters.yaml", "2000-01-01: 15", "2000-01-32: 15", 1, "no"),
    ("parameters.yaml", "{unit: d, ", "{", 1, "lacks unit"),
    ("posts.yaml", "role: handler, department: ROADS", "role: handler, department: null", 5, "has no department"),
    ("posts.yaml", "department: CENTRE", "department: CENTER", 4, "unknown department CENTER"),
    ("posts.yaml", "division: T1", "division: T9", 5, "unknown division T9"),
    ("posts.yaml", "division: T, account: toy-leader", "division: T, account: toy-loser", 4, "unknown account toy-loser"),
    ("posts.yaml", "role: handler", "role: system", 5, "role is"),
]  # fmt: skip


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path)


def test_the_small_pack_is_without_mistakes(pack: Path) -> None:
    read = read_pack(pack)
    assert read.root == "T@2000-01-01"
    assert {row.key: row.parent for row in read.divisions}["T1-1@2000-01-01"] == "T1@2000-01-01"
    assert read.successions[0].key == "T2@2000-01-01→T2@2020-01-01"
    assert read.types[1].dated_limits == (
        {"valid_from": "", "limits": {"handle": "2d"}},
        {"valid_from": "2020-01-01", "limits": {"handle": "1d"}},
    )


def test_moves_leave_every_state_they_name_and_the_platform_opens(pack: Path) -> None:
    keys = [move.key for move in read_pack(pack).moves]
    assert keys == [
        "works/open: new→reported",
        "works/take: reported→handling",
        "works/close: handling→closed",
        "works/note: reported→reported",
        "works/note: handling→handling",
    ]


def test_clocks_that_are_stopped_but_never_started_start_with_the_case(pack: Path) -> None:
    assert read_pack(pack).kinds[0].opening_clocks == ("accept", "total")
    change(pack, "moves.yaml", "    open: reported", "    opening_clocks: [dispatch]\n    open: reported")
    assert read_pack(pack).kinds[0].opening_clocks == ("dispatch", "total")


@pytest.mark.parametrize(("file", "old", "new", "line", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_line(pack: Path, file: str, old: str, new: str, line: int, words: str) -> None:
    change(pack, file, old, new)
    with pytest.raises(Mistakes) as raised:
        read_pack(pack)
    told = [mistake for mistake in raised.value.mistakes if words in f"{mistake.what} {mistake.remedy}"]
    assert told, str(raised.value)
    assert all(mistake.remedy for mistake in told)
    files = {"divisions.csv"} if words.startswith("there is no valid division") else {file}
    assert {mistake.where for mistake in told} <= {f"toytown/{name}:{line}" for name in files}, str(raised.value)


def test_all_mistakes_are_told_at_once(pack: Path) -> None:
    change(pack, "departments.csv", "roads,T,unit", "roads,T9,unit")
    change(pack, "moves.yaml", "not_who: [take]", "not_who: [taken]")
    change(pack, "case_types.csv", "1h,,,2wd", "soon,,,later")
    (pack / "calendar.yaml").unlink()
    (pack / "dispach.yaml").write_text("")
    with pytest.raises(Mistakes) as raised:
        read_pack(pack)
    assert {mistake.where for mistake in raised.value.mistakes} == {
        "toytown/departments.csv:3",
        "toytown/moves.yaml:20",
        "toytown/case_types.csv:2",
        "toytown/calendar.yaml",
        "toytown/dispach.yaml",
    }
    assert len([m for m in raised.value.mistakes if "case_types" in m.where]) == 2


def test_a_broken_file_brings_no_mistakes_of_those_that_refer_to_it(pack: Path) -> None:
    (pack / "departments.csv").write_bytes(b"code,name\n\xff")
    with pytest.raises(Mistakes) as raised:
        read_pack(pack)
    assert [mistake.where for mistake in raised.value.mistakes] == ["toytown/departments.csv:2"]


@pytest.mark.parametrize("file", ["../toytown/../secret.csv", "x" * 400])
def test_a_source_must_be_in_the_pack(pack: Path, file: str) -> None:
    (pack / "sources.yaml").write_text(f"sources:\n  - {{name: a, kind: k, file: {file}}}\n")
    with pytest.raises(Mistakes, match="not in the pack"):
        read_pack(pack)


def test_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no city pack"):
        read_pack(tmp_path / "atlantis")


def test_the_digest_is_of_the_configuration_and_not_of_the_data(pack: Path) -> None:
    before = digest(pack)
    (pack / "data").mkdir()
    (pack / "data" / "rows.csv").write_text("1")
    assert digest(pack) == before
    change(pack, "city.yaml", "number_prefix: TOY", "number_prefix: TOT")
    assert digest(pack) != before


def test_the_schemas_know_the_roles_and_stages_of_the_program() -> None:
    moves: dict = schema.validator("moves").schema  # type: ignore[type-arg, assignment]
    move = moves["properties"]["kinds"]["additionalProperties"]["properties"]["moves"]["items"]["properties"]
    assert move["roles"]["items"]["enum"] == [role.value for role in Role]
    assert tuple(move["clocks"]["properties"]["start"]["items"]["enum"]) == STAGES


@pytest.mark.parametrize("name", ["hangzhou", "boston"])
def test_the_real_packs_have_no_mistakes(name: str) -> None:
    assert read_pack(CITIES / name).name == name


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_the_reference_names_every_key(path: Path) -> None:
    """Whatever a pack may hold is documented."""
    text = (CITIES.parent / "docs" / "reference" / "city-pack.md").read_text(encoding="utf-8")
    missing = {name for name in _names(json.loads(path.read_text(encoding="utf-8"))) if name not in text}
    assert missing <= {"properties", "required", "geometry", "coordinates"}  # of GeoJSON itself


def _names(schema: Any) -> set[str]:
    match schema:
        case dict():
            own = set(schema.get("properties", {}))
            return own.union(*(_names(value) for value in schema.values()))
        case list():
            return set().union(*map(_names, schema))
        case _:
            return set()
