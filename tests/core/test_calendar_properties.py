"""Properties of every calendar, and agreement with oracles that walk by minutes and days with `zoneinfo` alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.limits import Limit, Unit

# New York and Lord Howe change their clocks (the latter by half an hour), Shanghai does not.
ZONES = ["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]
CHANGES = [date(2015, 3, 8), date(2015, 11, 1), date(2015, 4, 5), date(2015, 10, 4)]
MINUTE = timedelta(minutes=1)

HOURS = [
    [["08:30", "17:00"]],
    [["08:30", "12:00"], ["13:30", "17:30"]],
    [["00:00", "24:00"]],
    [["00:30", "02:15"], ["02:45", "23:00"]],
]
DAY_RULES: list[dict[str, Any]] = [
    {},
    {"ends": "end_of_day"},
    {"outside_hours": "next_opening"},
    {"ends": "same_time", "outside_hours": "next_opening"},
    {"start_counted": True, "outside_hours": "next_opening"},
]
CALENDAR_DAY_RULES: list[dict[str, Any]] = [
    {"ends": "same_time"},
    {"ends": "end_of_day"},
    {"ends": "close_of_business", "off_day": "next_working_day"},
    {"ends": "end_of_day", "off_day": "next_working_day", "start_counted": True},
    {"outside_hours": "next_opening"},
]


def _near(days: int) -> st.SearchStrategy[date]:
    around = st.sampled_from([*CHANGES, date(2015, 12, 31)])
    return st.builds(lambda day, off: day + timedelta(days=off), around, st.integers(-days, days))


@st.composite
def calendars(draw: st.DrawFn) -> WorkingCalendar:
    off = draw(st.sets(_near(9), max_size=9))
    content = {
        "hours": draw(st.sampled_from(HOURS)),
        "weekend": draw(st.sampled_from([[], ["sat", "sun"], ["fri"], ["mon", "tue", "wed", "thu", "fri"]])),
        "holidays": sorted(off),
        "makeup_days": sorted(draw(st.sets(_near(9), max_size=5)) - off),
        "day_rule": draw(st.sampled_from(DAY_RULES)),
        "calendar_day_rule": draw(st.sampled_from(CALENDAR_DAY_RULES)),
    }
    return WorkingCalendar.from_dict(content, ZoneInfo(draw(st.sampled_from(ZONES))))


@st.composite
def starts(draw: st.DrawFn) -> datetime:
    day = draw(_near(10))
    return datetime.combine(day, time(), tzinfo=UTC) + draw(st.integers(0, 1439)) * MINUTE


limits = st.builds(Limit, amount=st.integers(0, 12), unit=st.sampled_from(Unit))
any_limits = st.builds(Limit, amount=st.integers(0, 400), unit=st.sampled_from(Unit))


def _open(calendar: WorkingCalendar, moment: datetime) -> bool:
    """Whether the offices are open in the minute that begins now: by the wall clock of zoneinfo, nothing else."""
    local = moment.astimezone(calendar.schedule.zone)
    if not calendar.is_working(local.date()):
        return False
    micros = (local.hour * 60 + local.minute) * 60_000_000
    return any(opens <= micros < closes for opens, closes in calendar.schedule.hours)


def _skips_or_repeats(calendar: WorkingCalendar, moment: datetime) -> bool:
    """Whether the offset changes on the local day of a moment or the day after."""
    zone = calendar.schedule.zone
    day = moment.astimezone(zone).date()
    offsets = {datetime.combine(day + timedelta(days=d), time(), tzinfo=zone).utcoffset() for d in range(-1, 3)}
    return len(offsets) > 1


@given(calendars(), starts(), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_working_hours_agree_with_a_walk_minute_by_minute(
    calendar: WorkingCalendar, start: datetime, hours: int
) -> None:
    now, left = start, hours * 60
    while left:
        left -= _open(calendar, now)
        now += MINUTE
        assume(now - start < timedelta(days=40))
    assert calendar.due(start, Limit(amount=hours, unit=Unit.WORKING_HOURS)) == now


@given(calendars(), starts(), st.integers(0, 5000))
@settings(max_examples=60, deadline=None)
def test_worked_agrees_with_a_walk_minute_by_minute(calendar: WorkingCalendar, start: datetime, minutes: int) -> None:
    worked = sum(_open(calendar, start + i * MINUTE) for i in range(minutes))
    assert calendar.worked(start, start + minutes * MINUTE) == worked * MINUTE


def _opening(calendar: WorkingCalendar, now: datetime) -> datetime:
    while not _open(calendar, now):
        now += MINUTE
    return now


def _wall(calendar: WorkingCalendar, day: date, micros: int) -> datetime:
    whole, rest = divmod(micros, 86_400_000_000)
    at = datetime.combine(day + timedelta(days=whole), time()) + timedelta(microseconds=rest)
    return at.replace(tzinfo=calendar.schedule.zone).astimezone(UTC)


def _ends(calendar: WorkingCalendar, rule: Any, received: datetime, day: date) -> datetime:
    local = received.astimezone(calendar.schedule.zone)
    midnight = 86_400_000_000
    match rule.ends:
        case "same_time":
            return _wall(calendar, day, (local.hour * 60 + local.minute) * 60_000_000)
        case "close_of_business" if calendar.is_working(day):
            return _wall(calendar, day, calendar.schedule.hours[-1][1])
        case _:
            return _wall(calendar, day, midnight)


@given(calendars(), starts(), st.integers(1, 25), st.booleans())
@settings(max_examples=150, deadline=None)
def test_days_agree_with_a_walk_day_by_day(
    calendar: WorkingCalendar, start: datetime, days: int, working: bool
) -> None:
    rule = calendar.day_rule if working else calendar.calendar_day_rule
    received = _opening(calendar, start) if rule.outside_hours == "next_opening" else start
    day, left = received.astimezone(calendar.schedule.zone).date(), days - rule.start_counted
    while left:
        day += timedelta(days=1)
        left -= calendar.is_working(day) if working else 1
    while rule.off_day == "next_working_day" and not calendar.is_working(day):
        day += timedelta(days=1)
    due = _ends(calendar, rule, received, day)
    assume(not _skips_or_repeats(calendar, due))  # tested by example: test_calendar.py, test_wall_clock.py
    unit = Unit.WORKING_DAYS if working else Unit.CALENDAR_DAYS
    assert calendar.due(start, Limit(amount=days, unit=unit)) == max(due, start)


@given(calendars(), starts(), any_limits)
@settings(deadline=None)
def test_nothing_is_due_before_it_began(calendar: WorkingCalendar, start: datetime, limit: Limit) -> None:
    assert calendar.due(start, limit) >= start


@given(calendars(), starts(), any_limits, st.integers(1, 3000))
@settings(max_examples=150, deadline=None)
def test_what_begins_later_is_due_no_earlier(
    calendar: WorkingCalendar, start: datetime, limit: Limit, later: int
) -> None:
    first, second = calendar.due(start, limit), calendar.due(start + later * MINUTE, limit)
    # When an hour occurs twice, the wall times of its second pass come again: only then by up to that hour.
    tolerance = timedelta(hours=1) if _skips_or_repeats(calendar, start + later * MINUTE) else timedelta()
    assert second >= first - tolerance


@given(calendars(), starts(), any_limits)
@settings(max_examples=150, deadline=None)
def test_a_longer_limit_is_due_no_earlier(calendar: WorkingCalendar, start: datetime, limit: Limit) -> None:
    longer = Limit(amount=limit.amount + 1, unit=limit.unit)
    assert calendar.due(start, longer) >= calendar.due(start, limit)


@given(calendars(), starts(), st.integers(1, 400))
@settings(deadline=None)
def test_working_hours_are_worked_in_full(calendar: WorkingCalendar, start: datetime, hours: int) -> None:
    limit = Limit(amount=hours, unit=Unit.WORKING_HOURS)
    due = calendar.due(start, limit)
    assert calendar.worked(start, due) == timedelta(hours=hours) == calendar.remaining(start, due, limit)
    assert _open(calendar, due - timedelta(microseconds=1))


@given(calendars(), starts(), st.integers(1, 60))
@settings(deadline=None)
def test_working_days_end_in_working_time(calendar: WorkingCalendar, start: datetime, days: int) -> None:
    due = calendar.due(start, Limit(amount=days, unit=Unit.WORKING_DAYS))
    assume(calendar.day_rule.ends != "end_of_day" and not _skips_or_repeats(calendar, due))
    assert _open(calendar, due) or _open(calendar, due - MINUTE)


@given(calendars(), starts(), limits, st.integers(0, 20_000))
@settings(deadline=None)
def test_an_empty_pause_changes_nothing(calendar: WorkingCalendar, start: datetime, limit: Limit, after: int) -> None:
    due, pause = calendar.due(start, limit), start + after * MINUTE
    assert calendar.shift(due, pause, pause, limit) == due


@given(calendars(), starts(), any_limits, st.integers(0, 9000), st.integers(0, 9000))
@settings(max_examples=200, deadline=None)
def test_a_longer_pause_moves_no_less(
    calendar: WorkingCalendar, start: datetime, limit: Limit, first: int, second: int
) -> None:
    due = calendar.due(start, limit)
    shorter, longer = sorted((first, second))
    shifted = [calendar.shift(due, start, start + minutes * MINUTE, limit) for minutes in (shorter, longer)]
    assert due <= shifted[0] <= shifted[1]


@given(calendars(), starts(), st.integers(1, 40), st.integers(0, 9000))
@settings(deadline=None)
def test_a_pause_costs_no_working_time(calendar: WorkingCalendar, start: datetime, hours: int, pause: int) -> None:
    limit = Limit(amount=hours, unit=Unit.WORKING_HOURS)
    end = start + pause * MINUTE
    due = calendar.shift(calendar.due(start, limit), start, end, limit)
    assert calendar.worked(end, due) == timedelta(hours=hours)


@given(calendars(), st.lists(st.tuples(starts(), st.none() | any_limits), max_size=8))
@settings(deadline=None)
def test_many_at_once_agree_with_one_by_one(
    calendar: WorkingCalendar, cases: list[tuple[datetime, Limit | None]]
) -> None:
    column = np.array([start.replace(tzinfo=None) for start, _ in cases], dtype="datetime64[us]")
    due = calendar.due_many(column, [limit for _, limit in cases])
    expected = [calendar.due(start, limit).replace(tzinfo=None) if limit else None for start, limit in cases]
    assert due.tolist() == expected
    assert np.array_equal(
        due, calendar.due_many([start for start, _ in cases], [limit for _, limit in cases]), equal_nan=True
    )
