from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.errors import Invalid, Mistakes
from chengshu.core.limits import Limit

SHANGHAI = ZoneInfo("Asia/Shanghai")
BOSTON = ZoneInfo("America/New_York")

CHINESE: dict[str, Any] = {
    "hours": [["08:30", "12:00"], ["13:30", "17:30"]],
    "weekend": ["sat", "sun"],
    "holidays": [{"date": date(2025, 10, day), "name": "国庆节"} for day in range(1, 9)],
    "makeup_days": ["2025-09-28", "2025-10-11"],
}
AMERICAN: dict[str, Any] = {
    "hours": [["08:30", "17:00"]],
    "weekend": ["sat", "sun"],
    "holidays": ["2015-02-16"],
    "day_rule": {"ends": "same_time", "outside_hours": "next_opening"},
    "calendar_day_rule": {"ends": "same_time"},
}
chinese = WorkingCalendar.from_dict(CHINESE, SHANGHAI)
american = WorkingCalendar.from_dict(AMERICAN, BOSTON)


def _at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def _due(calendar: WorkingCalendar, start: str, limit: str) -> str:
    zone = calendar.schedule.zone
    return calendar.due(_at(start, zone), Limit.parse(limit)).astimezone(zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2025-09-22 10:00", "30m", "2025-09-22 10:30"),
        ("2025-09-22 23:00", "4h", "2025-09-23 03:00"),
        ("2025-09-22 10:00", "4wh", "2025-09-22 15:30"),  # over the lunch break
        ("2025-09-22 12:30", "1wh", "2025-09-22 14:30"),
        ("2025-09-22 16:30", "1wh", "2025-09-22 17:30"),  # ends at the close, not at the next opening
        ("2025-09-22 16:30", "2wh", "2025-09-23 09:30"),
        ("2025-09-22 10:00", "1wd", "2025-09-23 17:30"),  # the day of start is not counted
        ("2025-09-22 20:00", "1wd", "2025-09-23 17:30"),
        ("2025-09-26 10:00", "1wd", "2025-09-28 17:30"),  # a Sunday worked in exchange
        ("2025-09-27 10:00", "1wd", "2025-09-28 17:30"),  # from a day off the first counted day is the next working day
        ("2025-09-30 10:00", "1wd", "2025-10-09 17:30"),  # over the National Day holidays
        ("2025-09-30 10:00", "3wd", "2025-10-11 17:30"),
        ("2025-09-22 10:00", "1d", "2025-09-23 17:30"),
        ("2025-09-22 10:00", "10d", "2025-10-09 17:30"),  # ends on a day off: the next working day
        ("2025-09-22 10:00", "0wd", "2025-09-22 10:00"),
        ("2025-09-27 10:00", "0wh", "2025-09-27 10:00"),
    ],
)
def test_the_chinese_rule(start: str, limit: str, due: str) -> None:
    assert _due(chinese, start, limit) == due


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2015-02-12 14:00", "1wd", "2015-02-13 14:00"),  # same time of day
        ("2015-02-13 14:00", "1wd", "2015-02-17 14:00"),  # over the weekend and Presidents' Day
        ("2015-02-12 07:00", "1wd", "2015-02-13 08:30"),  # before opening: received at the opening
        ("2015-02-12 17:00", "1wd", "2015-02-17 08:30"),  # after closing: received on the next day
        ("2015-02-14 12:00", "1wd", "2015-02-18 08:30"),
        ("2015-02-22 22:14", "30d", "2015-03-24 22:14"),  # calendar days keep the wall time over the change of clocks
        ("2015-02-13 23:00", "1d", "2015-02-14 23:00"),
        ("2015-03-07 23:30", "24h", "2015-03-09 00:30"),  # hours do not
        ("2015-03-07 02:30", "1d", "2015-03-08 03:00"),  # that wall time did not occur
    ],
)
def test_the_rule_of_boston(start: str, limit: str, due: str) -> None:
    assert _due(american, start, limit) == due


def test_the_start_may_be_counted_and_days_may_end_at_midnight() -> None:
    rule = {"start_counted": True, "outside_hours": "next_opening", "ends": "end_of_day"}
    calendar = WorkingCalendar.from_dict(CHINESE | {"day_rule": rule}, SHANGHAI)
    assert _due(calendar, "2025-09-22 10:00", "1wd") == "2025-09-23 00:00"
    assert _due(calendar, "2025-09-22 18:00", "1wd") == "2025-09-24 00:00"


def test_working_days() -> None:
    assert chinese.is_working(date(2025, 9, 28))
    assert not chinese.is_working(date(2025, 10, 1))
    assert not chinese.is_working(date(2025, 10, 12))
    assert chinese.names[date(2025, 10, 1)] == "国庆节"


def test_years_without_a_holiday_list_are_told() -> None:
    assert chinese.covered(2025)
    assert chinese.uncovered(date(2024, 12, 31), date(2026, 1, 1)) == [2024, 2026]
    listed = WorkingCalendar.from_dict(CHINESE | {"years": [2024, 2025]}, SHANGHAI)
    assert listed.uncovered(date(2024, 12, 31), date(2026, 1, 1)) == [2026]


def test_working_time_between_two_moments() -> None:
    assert chinese.worked(_at("2025-09-22 11:00"), _at("2025-09-22 14:00")) == timedelta(hours=1.5)
    assert chinese.worked(_at("2025-09-30 17:00"), _at("2025-10-09 09:00")) == timedelta(hours=1)
    assert chinese.worked(_at("2025-09-22 14:00"), _at("2025-09-22 11:00")) == -timedelta(hours=1.5)


def test_the_next_opening() -> None:
    assert chinese.next_opening(_at("2025-09-22 12:00")) == _at("2025-09-22 13:30")
    assert chinese.next_opening(_at("2025-09-22 10:00")) == _at("2025-09-22 10:00")
    assert chinese.next_opening(_at("2025-09-30 17:30")) == _at("2025-10-09 08:30")


@pytest.mark.parametrize(
    ("limit", "due", "paused", "resumed", "shifted"),
    [
        ("4h", "2025-09-22 15:00", "2025-09-22 12:00", "2025-09-24 13:00", "2025-09-24 16:00"),
        ("4wh", "2025-09-22 15:30", "2025-09-22 11:00", "2025-09-22 14:30", "2025-09-22 17:30"),
        ("4wh", "2025-09-22 15:30", "2025-09-26 18:00", "2025-09-28 08:00", "2025-09-22 15:30"),
        ("7wd", "2025-09-26 17:30", "2025-09-22 11:00", "2025-09-22 17:00", "2025-09-26 17:30"),
        ("7wd", "2025-09-26 17:30", "2025-09-22 11:00", "2025-09-24 09:00", "2025-09-29 17:30"),
        ("9d", "2025-09-26 17:30", "2025-09-22 11:00", "2025-09-27 09:00", "2025-10-09 17:30"),
    ],
)
def test_a_suspension_moves_the_due_time_by_the_limits_own_unit(
    limit: str, due: str, paused: str, resumed: str, shifted: str
) -> None:
    result = chinese.shift(_at(due), _at(paused), _at(resumed), Limit.parse(limit))
    assert result == _at(shifted)


def test_shifts_keep_an_end_at_midnight_and_the_time_of_day() -> None:
    ends = WorkingCalendar.from_dict(CHINESE | {"day_rule": {"ends": "end_of_day"}}, SHANGHAI)
    shifted = ends.shift(_at("2025-09-24"), _at("2025-09-22 11:00"), _at("2025-09-23 11:00"), Limit.parse("1wd"))
    assert shifted == _at("2025-09-25")
    paused = (_at("2015-02-13 09:00", BOSTON), _at("2015-02-18 09:00", BOSTON))
    moved = american.shift(_at("2015-02-13 14:00", BOSTON), *paused, Limit.parse("1wd"))
    assert moved == _at("2015-02-18 14:00", BOSTON)


def test_a_suspension_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid, match="ends before it begins"):
        chinese.shift(_at("2025-09-24"), _at("2025-09-23"), _at("2025-09-22"), Limit.parse("1wd"))


def test_what_remains() -> None:
    due = _at("2025-09-23 10:00")
    assert chinese.remaining(_at("2025-09-22 16:30"), due, Limit.parse("4wh")) == timedelta(hours=2.5)
    assert chinese.remaining(_at("2025-09-22 16:30"), due, Limit.parse("4h")) == timedelta(hours=17.5)
    assert chinese.remaining(_at("2025-09-23 11:00"), due, Limit.parse("4wh")) == -timedelta(hours=1)


def test_many_at_once_give_nothing_where_start_or_limit_is_missing() -> None:
    starts = np.array(["2025-09-22T02:00", "NaT", "2025-09-22T02:00"], dtype="datetime64[us]")
    due = chinese.due_many(starts, [Limit.parse("4wh"), Limit.parse("4wh"), None])
    assert due[0] == np.datetime64("2025-09-22T07:30")
    assert np.isnat(due).tolist() == [False, True, True]


def test_many_at_once_need_a_limit_for_each() -> None:
    with pytest.raises(Invalid, match="1 starts but 2 limits"):
        chinese.due_many([_at("2025-09-22")], [None, None])


def test_times_are_given_back_in_utc() -> None:
    assert chinese.due(_at("2025-09-22 10:00"), Limit.parse("1wd")).tzinfo is UTC


def test_naive_times_are_refused() -> None:
    with pytest.raises(Invalid, match="without zone"):
        chinese.due(datetime(2025, 9, 22), Limit.parse("1h"))  # noqa: DTZ001


@pytest.mark.parametrize(("year", "limit"), [(9998, "999999h"), (8998, "300wd"), (1850, "1wd"), (1850, "1h")])
def test_times_out_of_range_are_refused(year: int, limit: str) -> None:
    with pytest.raises(Invalid, match="outside the years"):
        chinese.due(datetime(year, 1, 1, tzinfo=UTC), Limit.parse(limit))


def test_the_longest_limits_can_be_counted() -> None:
    assert _due(american, "2015-02-12 14:00", "999999wd")[:4] == "5848"


def test_all_mistakes_are_told_at_once() -> None:
    content: dict[str, Any] = {
        "hours": [["8:30", "17:00"], ["16:00", "18:00"], ["17:00", "19:00"], "closed"],
        "weekend": ["sat", "sonntag"],
        "holidays": ["2015-01-01", "2015-01-01", "New Year", {"name": "no date"}],
        "makeup_days": ["2015-01-01"],
        "closures": "2015-01-27",
        "years": ["all"],
        "day_rule": {"ends": "noon", "start_counted": "yes", "start": 1},
        "calendar_day_rule": "same_time",
        "hour": [],
    }
    with pytest.raises(Mistakes) as caught:
        WorkingCalendar.from_dict(content, BOSTON, where="cities/x/calendar.yaml")
    told = str(caught.value)
    wanted = ["8:30", "overlap", "closed", "sonntag", "twice", "New Year", "no date", "also a day off", "not a list"]
    wanted += ["all", "noon", "start_counted: 'yes'", "start: 1", "'same_time'", "hour: is not a key"]
    assert [part for part in wanted if part not in told] == []
    assert all(
        mistake.where.startswith("cities/x/calendar.yaml") and mistake.remedy for mistake in caught.value.mistakes
    )


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("day_rule", {"ends": "same_time"}),
        ("day_rule", {"start_counted": True}),
        ("day_rule", {"off_day": "next_working_day"}),
        ("calendar_day_rule", {"ends": "same_time", "off_day": "next_working_day"}),
    ],
)
def test_rules_by_which_earlier_reports_would_fall_due_later_are_refused(key: str, rule: dict[str, Any]) -> None:
    with pytest.raises(Mistakes, match=r"needs|is for"):
        WorkingCalendar.from_dict(CHINESE | {key: rule}, SHANGHAI)


def test_a_week_without_working_days_is_refused() -> None:
    with pytest.raises(Mistakes, match="no day to work on"):
        WorkingCalendar.from_dict(CHINESE | {"weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}, SHANGHAI)
