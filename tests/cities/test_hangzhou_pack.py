"""The files of cities/hangzhou agree with one another and with what is known of the city. No database is needed."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import shapely
from ruamel.yaml import YAML

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.limits import Limit
from chengshu.core.parameters import Parameters

PACK = Path(__file__).parents[2] / "cities" / "hangzhou"
REFORM = "2021-04-09"
CHANGED = {"330102", "330105", "330109", "330110", "330113", "330114"}  # as they are today
UNCHANGED = {"330106", "330108", "330111", "330112", "330122", "330127", "330182"}
LEVELS = ["city", "district", "street", "community", "grid"]
STAGES = {"accept", "register", "dispatch", "handle", "verify", "close", "total"}
ROLES = {
    "operator", "shift_leader", "dispatcher", "handler", "grid_worker", "verifier", "supervisor",
    "leader", "steward", "analyst", "administrator", "gateway", "citizen", "system",
}  # fmt: skip
NEEDS = {
    "unit", "note", "evidence", "rating", "tasks_done", "task", "target", "until", "tracker", "type",
    "type_evidence", "window",
}  # fmt: skip
DOES = {
    "create_task", "finish_tasks", "cancel_tasks", "count_return", "count_rework", "merge", "split", "urge",
    "track", "escalate", "extend", "task_done", "undo"
}  # fmt: skip
KINDS = ["urban", "appeal", "incident"]
Row = dict[str, str]


@cache
def table(name: str) -> list[Row]:
    with (PACK / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def document(name: str) -> Any:
    return YAML(typ="safe").load((PACK / name).read_text(encoding="utf-8"))


def today() -> dict[str, Row]:
    return {row["code"]: row for row in table("divisions.csv") if not row["valid_to"]}


def moves(kind: str) -> list[dict[str, Any]]:
    return list(document("moves.yaml")["kinds"][kind]["moves"])


def states(kind: str) -> dict[str, Any]:
    return dict(document("moves.yaml")["kinds"][kind]["states"])


def sources_of(kind: str, move: dict[str, Any]) -> list[str]:
    is_open = [code for code, state in states(kind).items() if state["phase"] == "open"]
    return is_open if move["from"] == "open" else list(move["from"])


# divisions


def test_current_divisions_are_as_many_as_published() -> None:
    counts = Counter(row["level"] for row in today().values())
    assert counts == {"city": 1, "district": 13, "street": 196, "community": 3320, "grid": 3320}


def test_no_code_is_used_twice_at_once() -> None:
    assert len({(row["code"], row["valid_from"]) for row in table("divisions.csv")}) == len(table("divisions.csv"))
    assert len(today()) == sum(not row["valid_to"] for row in table("divisions.csv"))
    for row in table("divisions.csv"):
        assert not row["valid_to"] or row["valid_from"] < row["valid_to"]


def test_every_parent_is_one_level_up_and_valid_on_the_same_days() -> None:
    now = today()
    for row in table("divisions.csv"):
        if row["level"] == "city":
            assert not row["parent"]
            continue
        parent = now[row["parent"]]
        assert LEVELS.index(parent["level"]) == LEVELS.index(row["level"]) - 1
        assert parent["valid_from"] <= row["valid_from"]


def test_districts_before_the_reform() -> None:
    districts = [row for row in table("divisions.csv") if row["level"] == "district"]
    before = {row["code"] for row in districts if row["valid_from"] < REFORM}
    ended = {row["code"] for row in districts if row["valid_to"] == REFORM}
    assert before == UNCHANGED | {"330102", "330103", "330104", "330105", "330109", "330110"}
    assert ended == before - UNCHANGED
    assert {row["code"] for row in districts if row["valid_from"] == REFORM} == CHANGED


def test_every_changed_district_has_predecessors_and_every_ended_one_successors() -> None:
    known = {f"{row['code']}@{row['valid_from']}": row for row in table("divisions.csv")}
    links = table("division_changes.csv")
    assert {known[link["predecessor"]]["valid_to"] for link in links} == {REFORM}
    assert {known[link["successor"]]["valid_from"] for link in links} == {REFORM}
    assert {known[link["successor"]]["code"] for link in links} == CHANGED
    ended = {name for name, row in known.items() if row["valid_to"]}
    assert {link["predecessor"] for link in links} == ended


def test_boundaries_belong_to_earlier_or_unchanged_districts_and_have_their_published_areas() -> None:
    known = {(row["code"], row["valid_from"]) for row in table("divisions.csv")}
    features = json.loads((PACK / "boundaries.geojson").read_text(encoding="utf-8"))["features"]
    areas = {}
    for feature in features:
        properties, outline = feature["properties"], shapely.geometry.shape(feature["geometry"])
        assert (properties["code"], properties["valid_from"]) in known
        assert properties["valid_from"] < REFORM
        assert outline.is_valid
        areas[properties["code"]] = outline.area * 111.2 * 96.1  # km² at 30.2° N
    # yearbook areas in km²; the source's steps of 1/1024 degree allow a few per cent
    published = {"3301": 16850, "330106": 312, "330127": 4427, "330122": 1825, "330182": 2314, "330112": 3119}
    for code, area in published.items():
        assert areas[code] == pytest.approx(area, rel=0.02)
    assert len(areas) == 14


@pytest.mark.parametrize(
    ("name", "lon", "lat", "code"),  # WGS 84
    [
        ("Leifeng Pagoda", 120.1437, 30.2340, "330106"),
        ("Wulin Square", 120.1580, 30.2745, "330103"),
        ("Drum Tower", 120.1650, 30.2395, "330102"),
        ("Civic Centre", 120.2066, 30.2475, "330104"),
        ("Xiaoshan Airport", 120.4320, 30.2340, "330109"),
    ],
)
def test_landmarks_lie_in_their_districts(name: str, lon: float, lat: float, code: str) -> None:
    features = json.loads((PACK / "boundaries.geojson").read_text(encoding="utf-8"))["features"]
    here = shapely.Point(lon, lat)
    found = {f["properties"]["code"] for f in features if shapely.geometry.shape(f["geometry"]).contains(here)}
    assert found == {"3301", code}, name


# departments


def test_departments_refer_to_what_exists() -> None:
    rows, now = table("departments.csv"), today()
    codes = {row["code"]: row for row in rows}
    assert len(codes) == len(rows)
    for row in rows:
        assert now[row["division"]]["level"] == row["level"]
        assert row["kind"] in {"office", "unit", "company"}
        assert not row["parent"] or LEVELS.index(codes[row["parent"]]["level"]) < LEVELS.index(row["level"])


def test_every_division_has_its_bodies() -> None:
    rows = table("departments.csv")
    have = {(row["division"], row["function"]) for row in rows}
    for code, row in today().items():
        expected = {
            "district": ["operations_center", "urban_management", "market", "traffic_police"],
            "street": ["street_office", "enforcement"],
            "community": ["community"],
        }.get(row["level"], [])
        assert all((code, function) in have for function in expected), row["name"]
    last_resorts = [row["division"] for row in rows if row["last_resort"] == "yes"]
    assert sorted(last_resorts) == sorted(CHANGED | UNCHANGED)


# case types


def test_case_types_have_kinds_limits_and_words() -> None:
    rows, kinds = table("case_types.csv"), document("moves.yaml")["kinds"]
    assert len({row["code"] for row in rows}) == len(rows) >= 90
    for row in rows:
        assert row["kind"] in kinds
        assert set(row["evidence"].split("+")) <= {"", "photo", "place"}
        assert row["severity"] in "1234" and row["urgent"] in {"yes", "no"}
        assert (row["urgent"] == "yes") <= (row["severity"] == "1")
        assert all(row[word] for word in ("name", "name_en", "register_standard", "close_standard", "source"))
        for stage in STAGES:
            assert Limit.parse(row[f"{stage}_limit"])


def test_all_classes_of_the_standard_are_there() -> None:
    events = {"市容环境", "宣传广告", "施工管理", "突发事件", "街面秩序"}
    parts = {"公用设施", "道路交通", "市容环境设施", "园林绿化", "其他设施"}
    assert events | parts <= {row["major"] for row in table("case_types.csv")}
    assert {"crowd.station.warning", "crowd.station.alarm"} <= {row["code"] for row in table("case_types.csv")}


def test_incidents_run_in_plain_time_and_the_others_in_working_time() -> None:
    for row in table("case_types.csv"):
        units = {Limit.parse(row[f"{stage}_limit"]).unit for stage in ("handle", "total")}
        assert units <= ({"m", "h"} if row["kind"] == "incident" else {"wh", "wd"}), row["code"]


# moves


@pytest.mark.parametrize("kind", KINDS)
def test_moves_use_known_words(kind: str) -> None:
    codes = {move["code"] for move in moves(kind)} | {"open"}  # the first step of every case
    seen: set[tuple[str, str]] = set()
    for move in moves(kind):
        starts = sources_of(kind, move)
        assert set(starts) <= set(states(kind)) and move["to"] in {*states(kind), "same"}
        assert seen.isdisjoint((move["code"], start) for start in starts)
        seen |= {(move["code"], start) for start in starts}
        assert move["roles"] and set(move["roles"]) <= ROLES
        assert set(move.get("needs", [])) <= NEEDS and set(move.get("does", [])) <= DOES
        assert set(move.get("not_who", [])) <= codes
        assert move["why"] and move["why_en"] and move["label"] and move["label_en"]
        clocks = move.get("clocks", {})
        assert set(clocks.get("stop", [])) | set(clocks.get("start", [])) <= STAGES
        assert {clocks.get("pause", "all"), clocks.get("resume", "all")} == {"all"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_reached_and_every_open_state_can_be_left(kind: str) -> None:
    ends = [(start, move["to"]) for move in moves(kind) if move["to"] != "same" for start in sources_of(kind, move)]
    reached, size = {"reported"}, 0
    while size != len(reached):
        size = len(reached)
        reached |= {to for start, to in ends if start in reached}
    assert reached == set(states(kind))
    for code, state in states(kind).items():
        leaves = any(start == code for start, _ in ends)
        assert leaves or state["phase"] != "open", code
        assert not (leaves and state["phase"] == "dead"), code


@pytest.mark.parametrize("kind", KINDS)
def test_a_running_stage_clock_is_stopped_on_every_way_out(kind: str) -> None:
    """Walk all states with the clock that must run there; a move that leaves must stop it or keep the stage."""
    runs = {
        "reported": "accept", "accepted": "register", "registered": "dispatch", "dispatched": "handle",
        "handling": "handle", "self_handled": "verify", "handled": "verify", "verified": "close",
    }  # fmt: skip
    for move in moves(kind):
        if move["to"] in {"same", "suspended"} or move["code"] == "resume" or "undo" in move.get("does", []):
            continue  # an undo brings the clocks back as they were
        clocks = move.get("clocks", {})
        after = runs.get(move["to"])
        for start in sources_of(kind, move):
            before = runs.get(start)
            if before and before != after:
                assert before in clocks["stop"], (move["code"], start)
            if after and before != after:
                assert set(clocks["start"]) - {"total"} == {after}, (move["code"], start)


@pytest.mark.parametrize("kind", KINDS)
def test_duties_are_separate(kind: str) -> None:
    by_code = {move["code"]: move for move in moves(kind)}
    assert {"receive", "handle", "task_done"} <= set(by_code["verify"]["not_who"])
    assert "handle" in by_code["close"]["not_who"]
    assert set(by_code["handle"]["roles"]).isdisjoint(by_code["verify"]["roles"])
    assert set(by_code["rate"]["roles"]) == {"citizen"}


# rules, clocks, people, sources


def test_dispatch_rules_find_units() -> None:
    rules = document("dispatch.yaml")["rules"]
    departments = table("departments.csv")
    functions = {(row["function"], row["level"]) for row in departments}
    types = table("case_types.csv")
    columns = {"type": "code", "major": "major", "minor": "minor", "kind": "kind"}
    assert len(rules) >= 30 and len({rule["id"] for rule in rules}) == len(rules)
    assert rules[-1]["when"] == {} and all(rule["when"] for rule in rules[:-1])
    for rule in rules:
        for key, values in rule["when"].items():
            known = {row[columns[key]] for row in types} if key in columns else {"working", "off"}
            assert set([values] if isinstance(values, str) else values) <= known, rule["id"]
        unit = rule["unit"]
        found = unit in {d["code"] for d in departments} if isinstance(unit, str) else tuple(unit.values()) in functions
        assert found and rule["because"] and rule["because_en"], rule["id"]


def first_rule(row: Row) -> str:
    def fits(when: dict[str, Any]) -> bool:
        keys = {"type": "code", "major": "major", "minor": "minor", "kind": "kind"}
        return "hours" not in when and all(row[keys[key]] in values for key, values in when.items())

    return str(next(rule["id"] for rule in document("dispatch.yaml")["rules"] if fits(rule["when"])))


def test_every_rule_wins_for_some_type_and_few_types_are_left_to_the_fallback() -> None:
    winners = {row["code"]: first_rule(row) for row in table("case_types.csv")}
    by_day = {rule["id"] for rule in document("dispatch.yaml")["rules"] if "hours" not in rule["when"]}
    assert by_day - set(winners.values()) == {"fallback"}
    left = {code for code, rule in winners.items() if rule == "fallback-district"}
    assert left == {"appeal.parcel", "appeal.suggestion", "appeal.other"}


def test_escalation_levels_rise() -> None:
    escalation = document("escalation.yaml")
    assert 0 < escalation["warn_share"] < 1 and escalation["urgent_tracker"] in ROLES
    assert [level["level"] for level in escalation["levels"]] == [1, 2, 3, 4]
    for level in escalation["levels"]:
        assert Limit.parse(level["after"]) and set(level["notify"]) <= ROLES
        assert level["at"] in {"unit", "district", "city"}


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2026-09-30T16:00", "4wh", "2026-10-08T11:00"),  # over the National Day holiday and the noon break
        ("2026-02-13T17:00", "1wd", "2026-02-14T17:30"),  # a worked Saturday
        ("2018-12-28T10:00", "1wd", "2018-12-29T17:30"),  # worked for New Year 2019
        ("2026-10-01T03:00", "30m", "2026-10-01T03:30"),  # plain minutes know no holiday
    ],
)
def test_calendar_counts_as_the_notices_say(start: str, limit: str, due: str) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    calendar = WorkingCalendar.from_dict(document("calendar.yaml"), zone)
    begin = date.fromisoformat(start[:10])
    from_time = zone_time(start, zone)
    assert calendar.covered(begin.year)
    assert calendar.due(from_time, Limit.parse(limit)) == zone_time(due, zone)


def zone_time(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_parameters_have_unit_meaning_source_and_values() -> None:
    content = document("parameters.yaml")
    assert all(entry["unit"] and entry["meaning"] and entry["source"] for entry in content.values())
    for field in ("meaning", "source"):
        assert all(re.search(r"[\u4e00-\u9fff]", entry[field]) and entry[f"{field}_en"] for entry in content.values())
    assert Parameters.from_dict(content).at("returns_before_last_resort", date(2026, 1, 1)) == 2


def test_every_function_of_a_department_has_a_name() -> None:
    used = {row["function"] for row in table("departments.csv")} - {""}
    named = document("city.yaml")["functions"]
    assert set(named) == used
    assert all(re.search(r"[\u4e00-\u9fff]", name["label"]) and name["label_en"].isascii() for name in named.values())


def test_posts_refer_to_accounts_departments_and_divisions() -> None:
    content, now = document("posts.yaml"), today()
    accounts = [account["username"] for account in content["accounts"]]
    departments = {row["code"] for row in table("departments.csv")}
    assert len(set(accounts)) == len(accounts) and all(name.isascii() for name in accounts)
    for post in content["posts"]:
        assert post["account"] in accounts and post["division"] in now
        assert post.get("department") in departments or post["role"] in {"citizen", "gateway"}
    assert {post["role"] for post in content["posts"]} == ROLES - {"system"}
    assert Counter(post["account"] for post in content["posts"])["multi"] > 1
    assert all(account["name"].startswith("演示") for account in content["accounts"])


def test_metro_source_has_the_rows_it_promises() -> None:
    source = document("sources.yaml")["sources"][0]
    with gzip.open(PACK / source["file"], "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    theirs = source["columns"]
    stations = {row[theirs["station"]] for row in rows}
    assert stations == {row["station"] for row in table("data/stations.csv")} and len(stations) == 80
    assert {int(row[theirs["day"]]) for row in rows} == set(range(1, 19))
    assert {int(row[theirs["slot"]]) for row in rows} == set(range(source["slots_per_day"]))
    assert len(rows) == 80 * 18 * 108


def test_stations_are_schematic_and_in_a_district_of_today_whose_land_is_known() -> None:
    features = json.loads((PACK / "boundaries.geojson").read_text(encoding="utf-8"))["features"]
    outlines = {f["properties"]["code"]: shapely.geometry.shape(f["geometry"]) for f in features}
    wholly_in = {"330102": "330102", "330103": "330105", "330105": "330105", "330106": "330106", "330108": "330108"}
    rows = table("data/stations.csv")
    assert len({row["lat"] for row in rows}) < 20  # rows of a lattice, not places
    for row in rows:
        here = shapely.Point(float(row["lon"]), float(row["lat"]))
        earlier = next(code for code in wholly_in if outlines[code].contains(here))
        assert (row["division"], row["schematic"]) == (wholly_in[earlier], "yes")


def test_city_says_what_is_not_real() -> None:
    city = document("city.yaml")
    assert city["root"] in today() and set(city["levels"]) == set(LEVELS)
    assert any("示意" in sentence for sentence in city["synthetic"])
    assert any("没有边界" in sentence for sentence in city["synthetic"])
