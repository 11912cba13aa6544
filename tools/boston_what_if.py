"""What each part of Boston's clock is worth: the same measurement with one part taken away or changed.

    python -m tools.boston_what_if FILE [--pack cities/boston]

prints one line a variant, then every weekday whose being worked (or a day off) the targets do not clearly confirm.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.counting import CountingRule, OffDay
from chengshu.core.limits import LimitHistory
from chengshu.core.wall_clock import from_micros
from tools.boston_clock import Found, Requests, agreement, find, load_calendar, measure, predict, read

STORMS = frozenset(date(2015, month, day) for month, day in ((1, 27), (1, 28), (2, 2), (2, 9), (2, 10)))
HOUR = 3_600_000_000
CLEAR = 0.95  # share of the requests touched by a day that must speak for the calendar as it is


def without_history(found: Found) -> Found:
    """Every type with its newest limit only."""
    newest = {
        name: LimitHistory(steps=(replace(history.steps[-1], valid_from=history.steps[0].valid_from),))
        for name, history in found.limits.items()
    }
    return Found(limits=newest)


def with_hours(calendar: WorkingCalendar, opens: float, closes: float) -> WorkingCalendar:
    """The calendar with other office hours, in hours after midnight."""
    return replace(calendar, schedule=replace(calendar.schedule, hours=((int(opens * HOUR), int(closes * HOUR)),)))


def with_days_off(calendar: WorkingCalendar, days: frozenset[date]) -> WorkingCalendar:
    """The calendar with other days off."""
    return replace(calendar, schedule=replace(calendar.schedule, days_off=days))


def variants(calendar: WorkingCalendar, found: Found) -> Iterator[tuple[str, WorkingCalendar, Found]]:
    """The clock as found, then each of its parts taken away or changed."""
    chinese = CountingRule(off_day=OffDay.NEXT_WORKING_DAY)
    yield "as found", calendar, found
    yield "no holidays", with_days_off(calendar, frozenset()), found
    yield "the Chinese rule", replace(calendar, day_rule=CountingRule(), calendar_day_rule=chinese), found
    yield "only the newest limits", calendar, without_history(found)
    yield "storm days closed", with_days_off(calendar, calendar.schedule.days_off | STORMS), found
    yield "hours until 16:30", with_hours(calendar, 8.5, 16.5), found
    yield "hours until 17:30", with_hours(calendar, 8.5, 17.5), found
    yield "opening at 8:00", with_hours(calendar, 8, 17), found


def votes(requests: Requests, found: Found, calendar: WorkingCalendar) -> Iterator[tuple[date, int, int]]:
    """For each weekday the requests whose target needs it as the calendar has it, and those that need the opposite."""
    as_is = agreement(requests, predict(requests, found, calendar))[0]
    first, last = (from_micros(int(time)).date() for time in (requests.opened.min(), requests.opened.max()))
    for offset in range((last - first).days + 60):
        day = first + timedelta(days=offset)
        if day.weekday() not in calendar.schedule.weekend:
            other = with_days_off(calendar, calendar.schedule.days_off ^ {day})
            turned = agreement(requests, predict(requests, found, other))[0]
            yield day, int((as_is & ~turned).sum()), int((turned & ~as_is).sum())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--pack", type=Path, default=Path("cities/boston"))
    options = parser.parse_args()
    requests, calendar = Requests.of(read(options.file)), load_calendar(options.pack / "calendar.yaml")
    found = find(requests, calendar)
    for name, changed, limits in variants(calendar, found):
        result = measure(requests, predict(requests, limits, changed))
        print(f"{result['same_day']:7.1%} {result['same_minute']:7.1%}  {name}")
    days = list(votes(requests, found, calendar))
    print(f"{len(days)} weekdays tried")
    for day, right, wrong in days:
        if right + wrong and right / (right + wrong) < CLEAR:
            print(f"{day}: {right} for, {wrong} against")


if __name__ == "__main__":
    main()
