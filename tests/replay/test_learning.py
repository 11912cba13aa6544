"""Limits that the pack does not know are learnt from earlier targets, never from a request's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.limits import Limit
from chengshu.replay.learning import MEMORY, foretold
from chengshu.replay.register import Request

ZONE = ZoneInfo("America/New_York")
BEGIN = datetime(2015, 3, 2, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def calendar() -> WorkingCalendar:
    file = Path(__file__).parents[2] / "cities" / "boston" / "calendar.yaml"
    return WorkingCalendar.from_dict(YAML(typ="safe").load(file), ZONE)


def requests(calendar: WorkingCalendar, limits: list[str], type: str = "Pothole") -> list[Request]:
    """One request a day, each due by its limit."""
    found = []
    for i, limit in enumerate(limits):
        opened = BEGIN + timedelta(days=i)
        found.append(
            Request(
                line=i, key=str(i), opened=opened, target=calendar.due(opened, Limit.parse(limit)), closed=None, recorded="",
                title="", type=type, unit="", department="", neighborhood="", place_text="", lon=None, lat=None, closure="",
                channel="", raw={},
            )
        )  # fmt: skip
    return found


def right(rows: list[Request], due: dict[str, datetime]) -> list[bool]:
    return [row.key in due and due[row.key] == row.target for row in rows]


@pytest.mark.parametrize("limit", ["1wd", "10wd", "30d", "365d"])
def test_a_steady_limit_is_known_after_three_targets(calendar: WorkingCalendar, limit: str) -> None:
    rows = requests(calendar, [limit] * 20)
    told = right(rows, foretold(calendar, ZONE, rows, {"Pothole"}))
    assert told[:3] == [False] * 3
    assert sum(told[6:]) >= 13  # one of fourteen may be a day on which two limits meet


def test_a_changed_limit_is_followed(calendar: WorkingCalendar) -> None:
    rows = requests(calendar, ["1wd"] * MEMORY + ["5wd"] * MEMORY)
    assert right(rows, foretold(calendar, ZONE, rows, {"Pothole"}))[-10:] == [True] * 10


def test_a_request_is_never_foretold_from_its_own_target(calendar: WorkingCalendar) -> None:
    rows = requests(calendar, ["2wd"] * 10)
    before = foretold(calendar, ZONE, rows, {"Pothole"})
    other = [*rows[:9], replace(rows[9], target=rows[9].opened + timedelta(days=200))]
    assert foretold(calendar, ZONE, other, {"Pothole"})["9"] == before["9"]


def test_targets_without_a_rule_foretell_nothing(calendar: WorkingCalendar) -> None:
    rows = requests(calendar, [f"{7 * i + 3}d" for i in range(12)])
    assert foretold(calendar, ZONE, rows, {"Pothole"}) == {}


def test_known_types_are_left_to_the_pack(calendar: WorkingCalendar) -> None:
    rows = requests(calendar, ["1wd"] * 10)
    assert foretold(calendar, ZONE, rows, {"Other"}) == {}
