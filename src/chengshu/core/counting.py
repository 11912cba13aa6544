"""The rules by which cities count days, declared in `calendar.yaml` and applied to columns of moments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from chengshu.core.timeline import Timeline
from chengshu.core.wall_clock import DAY, Micros


class Ends(StrEnum):
    """When on its last day a limit in days falls due."""

    CLOSE_OF_BUSINESS = "close_of_business"
    SAME_TIME = "same_time"
    END_OF_DAY = "end_of_day"


class OutsideHours(StrEnum):
    """When something counts as received that came while the offices were shut."""

    AS_REPORTED = "as_reported"
    NEXT_OPENING = "next_opening"


class OffDay(StrEnum):
    """What becomes of a limit in calendar days that ends on a day off."""

    KEEP = "keep"
    NEXT_WORKING_DAY = "next_working_day"


@dataclass(frozen=True, kw_only=True, slots=True)
class CountingRule:
    """How days are counted. `off_day` matters for calendar days only."""

    start_counted: bool = False
    ends: Ends = Ends.CLOSE_OF_BUSINESS
    outside_hours: OutsideHours = OutsideHours.AS_REPORTED
    off_day: OffDay = OffDay.KEEP

    def objections(self, *, working: bool) -> list[str]:
        """Why the rule cannot be used: combinations by which an earlier report may fall due after a later one."""
        found = []
        shut = self.outside_hours is OutsideHours.NEXT_OPENING
        if working and self.ends is Ends.SAME_TIME and not shut:
            found.append(_("`ends: same_time` needs `outside_hours: next_opening` for working days"))
        if working and self.start_counted and not shut:
            found.append(_("`start_counted: true` needs `outside_hours: next_opening` for working days"))
        if self.off_day is OffDay.NEXT_WORKING_DAY and (working or self.ends is Ends.SAME_TIME):
            found.append(_("`off_day: next_working_day` is for calendar days and does not go with `ends: same_time`"))
        return found

    def due(self, line: Timeline, starts: Micros, amount: int, *, working: bool) -> Micros:
        """When `amount` working (or calendar) days from each start fall due; at once when `amount` is 0."""
        if not amount:
            return starts
        received = line.opening(starts) if self.outside_hours is OutsideHours.NEXT_OPENING else starts
        count = amount - 1 if self.start_counted else amount
        return self._end(line, received, self._last_day(line, line.day(received), count, working)).clip(starts)

    def move(self, line: Timeline, due: Micros, days: int, *, working: bool) -> Micros:
        """Due times put off by a number of working (or calendar) days."""
        # The end of a day is written as the midnight that begins the next one.
        day = line.day(due - 1 if self.ends is Ends.END_OF_DAY else due)
        return self._end(line, due, self._last_day(line, day, days, working)).clip(due)

    def _last_day(self, line: Timeline, days: Micros, count: int, working: bool) -> Micros:
        if working:
            return line.working_days_after(days, count)
        last = days + count
        return line.working_day_from(last) if self.off_day is OffDay.NEXT_WORKING_DAY else last

    def _end(self, line: Timeline, received: Micros, days: Micros) -> Micros:
        match self.ends:
            case Ends.CLOSE_OF_BUSINESS:
                return line.closing(days)
            case Ends.END_OF_DAY:
                return line.clock.utc((days + 1) * DAY)
            case Ends.SAME_TIME:
                return line.clock.utc(days * DAY + line.time_of_day(received))
