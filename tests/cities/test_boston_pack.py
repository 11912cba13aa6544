"""The Boston pack: consistent in itself, reproducible from its data, and with a clock that is the city's own."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML

from chengshu.core.asof import AsOf
from chengshu.core.limits import Limit, LimitHistory, histories
from chengshu.core.slug import slug
from chengshu.core.wall_clock import from_micros
from tools.boston_clock import ZONE, Found, Requests, load_calendar, measure, predict, read, to_utc, unseen
from tools.boston_pack import build, write

PACK = Path(__file__).parents[2] / "cities" / "boston"
FILE = PACK / "data" / "requests_2015_h1.csv.gz"
HALF_YEAR = 58_119


def rows(name: str) -> list[dict[str, str]]:
    with (PACK / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def yaml(name: str) -> Any:
    return YAML(typ="safe").load(PACK / f"{name}.yaml")


@cache
def frame() -> pl.DataFrame:
    return read(FILE)


@cache
def requests() -> Requests:
    return Requests.of(frame())


def own_limits() -> dict[str, LimitHistory]:
    current = {row["code"]: row["total_limit"] for row in rows("case_types")}
    return histories(current, rows("limits"), ZONE)


def test_codes_occur_once() -> None:
    for name in ("divisions", "departments", "case_types"):
        codes = [row["code"] for row in rows(name)]
        assert len(codes) == len(set(codes)) > 0


def test_divisions_and_departments_are_trees() -> None:
    for name in ("divisions", "departments"):
        codes = {row["code"] for row in rows(name)}
        assert {row["parent"] for row in rows(name)} <= codes | {""}
    assert {row["division"] for row in rows("departments")} <= {row["code"] for row in rows("divisions")}
    assert [row["code"] for row in rows("departments") if row["last_resort"] == "yes"] == [
        "info-reallocation-from-dept"
    ]


def test_every_row_of_the_data_finds_its_division_department_and_type() -> None:
    aliases = yaml("sources")["sources"][0]["aliases"]["neighborhood"]
    codes = {name: {row["code"] for row in rows(name)} for name in ("divisions", "departments", "case_types")}
    hoods = {slug(aliases.get(name, name)) for name in frame()["neighborhood"].drop_nulls().unique()}
    assert hoods <= codes["divisions"]
    assert {slug(name) for name in frame()["TYPE"].unique()} <= codes["case_types"]
    queues = {slug(name) for name in frame()["QUEUE"].unique()} | {
        slug(name) for name in frame()["Department"].unique()
    }
    assert queues - codes["departments"] == {"no-q", "no-queue-assigned-to-user"}


def test_the_columns_of_the_source_are_those_of_the_file() -> None:
    source = yaml("sources")["sources"][0]
    assert sorted(source["columns"].values()) == sorted(frame().columns)
    assert set(source["required"]) <= set(source["columns"])
    assert source["unknown_type"] in {row["code"] for row in rows("case_types")}


def test_limits_can_be_read() -> None:
    types = {row["code"]: row["total_limit"] for row in rows("case_types")}
    for row in rows("limits"):
        assert Limit.parse(row["limit"])
    for code, history in own_limits().items():
        assert str(history.steps[-1].limit or "") == types[code]


def test_dispatch_rules_name_what_exists_and_end_with_one_for_everything() -> None:
    rules = yaml("dispatch")["rules"]
    departments = {row["code"] for row in rows("departments")}
    known = {
        "type": {row["code"] for row in rows("case_types")},
        "minor": {row["minor"] for row in rows("case_types")},
        "major": {row["major"] for row in rows("case_types")},
        "division": {row["code"] for row in rows("divisions")},
    }
    for rule in rules:
        assert rule["unit"] in departments
        assert all(set(values) <= known[name] for name, values in rule["when"].items())
        assert rule["because"]
    assert rules[-1]["when"] == {}
    assert len({rule["id"] for rule in rules}) == len(rules)


def test_the_life_of_a_request_has_no_dead_end() -> None:
    kind = yaml("moves")["kinds"]["request"]
    still_open = [code for code, state in kind["states"].items() if state["phase"] == "open"]
    ends: dict[str, set[str]] = {code: set() for code in kind["states"]}
    for move in kind["moves"]:
        for state in still_open if move["from"] == "open" else move["from"]:
            ends[state] |= {state if move["to"] == "same" else move["to"]}
    reached, new = set(), {kind["open"]}
    while new:
        reached |= new
        new = set().union(*(ends[state] for state in new)) - reached
    assert reached == set(kind["states"])
    assert all(ends[state] - {state} for state in still_open)


def test_posts_name_accounts_departments_and_divisions_that_exist() -> None:
    posts = yaml("posts")
    accounts = {account["username"] for account in posts["accounts"]}
    departments = {row["code"] for row in rows("departments")}
    divisions = {row["code"] for row in rows("divisions")}
    assert {post["account"] for post in posts["posts"]} == accounts
    assert {post["department"] for post in posts["posts"]} <= departments
    assert {post["division"] for post in posts["posts"]} <= divisions


def nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def kept(day: date) -> date:
    return day + timedelta(days=1) if day.weekday() == 6 else day


@pytest.mark.parametrize("year", [2014, 2015, 2016, 2017])
def test_holidays_are_those_of_the_law(year: int) -> None:
    fixed = {kept(date(year, month, day)) for month, day in ((1, 1), (7, 4), (11, 11), (12, 25))}
    memorial = max(nth(year, 5, 0, n) for n in (4, 5) if nth(year, 5, 0, n).month == 5)
    mondays = {
        nth(year, 1, 0, 3),
        nth(year, 2, 0, 3),
        nth(year, 4, 0, 3),
        memorial,
        nth(year, 9, 0, 1),
        nth(year, 10, 0, 2),
    }
    listed = {row["date"] for row in yaml("calendar")["holidays"] if row["date"].year == year}
    assert listed == fixed | mondays | {nth(year, 11, 3, 4)}


def test_the_tables_are_what_the_tool_writes(tmp_path: Path) -> None:
    pack = build(frame(), PACK)
    write(pack, tmp_path)
    for file in sorted(tmp_path.iterdir()):
        assert file.read_text(encoding="utf-8") == (PACK / file.name).read_text(encoding="utf-8"), file.name


def test_the_packs_clock_sets_the_target_the_city_set() -> None:
    own = own_limits()
    found = Found(limits={name: own[slug(name)] for name in set(requests().types)})
    result = measure(requests(), predict(requests(), found, load_calendar(PACK / "calendar.yaml")))
    assert result["rows"] == 43_592
    assert result["same_day"] > 0.97
    assert result["same_minute"] > 0.95


def test_the_clock_holds_for_rows_it_was_not_found_from() -> None:
    results = unseen(requests(), load_calendar(PACK / "calendar.yaml"))
    assert min(result["same_day"] for result in results.values()) > 0.97


def test_storm_days_and_county_holidays_are_working_days_of_the_clock() -> None:
    calendar = load_calendar(PACK / "calendar.yaml")
    for day in (date(2015, 1, 27), date(2015, 2, 9), date(2015, 3, 17), date(2015, 6, 17), date(2015, 7, 3)):
        assert calendar.is_working(day)


def test_our_judgement_is_the_citys_and_the_moment_of_the_copy_can_be_told() -> None:
    data = frame().filter(pl.col("TARGET_DT").is_not_null())
    opened, target, closed = (
        to_utc(data[name]).view("datetime64[us]") for name in ("OPEN_DT", "TARGET_DT", "CLOSED_DT")
    )
    late, timely = (np.array((data["OnTime_Status"] == word).fill_null(False)) for word in ("OVERDUE", "ONTIME"))
    as_of = AsOf.infer(opened=opened, closed=closed, target=target, overdue=late, on_time=timely)
    assert as_of.latest is not None
    bounds = [from_micros(int(time.astype(np.int64))).astimezone(ZONE) for time in (as_of.earliest, as_of.latest)]
    assert [f"{time:%Y-%m-%d %H:%M:%S}" for time in bounds] == ["2016-01-12 13:58:43", "2016-01-20 08:30:00"]
    judged_late = np.where(np.isnat(closed), as_of.moment, closed) > target
    assert (judged_late[late | timely] == late[late | timely]).all()
    assert int((~(late | timely)).sum()) == 102
    assert len(frame()) == HALF_YEAR


def test_every_function_of_a_department_has_a_name() -> None:
    assert set(yaml("city")["functions"]) == {row["function"] for row in rows("departments")} - {""}
