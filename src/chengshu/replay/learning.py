"""Limits of types that the pack does not know, learnt from the register's own earlier targets.

A city adds types faster than its pack is kept. For such a type the clock follows the targets that the city has set so far:
each earlier request says which limits would explain its target, and the limit that explains most of the latest ones is
used for the next request. A request's own target is looked at only after its due time has been foretold.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.limits import Limit, Unit
from chengshu.replay.register import Request

MEMORY = 60  # latest targets of a type that have a vote: a changed rule is followed after half of them
FEWEST = 3  # targets before anything is foretold
SHARE = 0.5  # of the votes that a limit needs
LONGEST_WORKING = 45  # of two limits that explain equally much, working days are believed up to this many


class Days:
    """Counts the working days of a calendar, each year once."""

    def __init__(self, calendar: WorkingCalendar) -> None:
        self.calendar = calendar
        self._years: dict[int, dict[date, int]] = {}

    def between(self, first: date, last: date) -> int:
        """How many working days begin after `first` and until `last`; 0 when it is earlier."""
        whole = sum(self._year(year)[date(year, 12, 31)] for year in range(first.year, last.year))
        return max(whole + self._year(last.year)[last] - self._year(first.year)[first], 0)

    def _year(self, year: int) -> dict[date, int]:
        """For each day of a year, how many working days of it had begun."""
        if year not in self._years:
            day, count, ranks = date(year, 1, 1), 0, {}
            while day.year == year:
                count += self.calendar.is_working(day)
                ranks[day] = count
                day += timedelta(days=1)
            self._years[year] = ranks
        return self._years[year]


@dataclass(kw_only=True)
class Learner:
    """What the targets of each type have told so far."""

    days: Days
    zone: ZoneInfo
    votes: dict[str, deque[tuple[Limit, ...]]] = field(default_factory=dict)

    def limit(self, type: str) -> Limit | None:
        """The limit that explains most of the latest targets of a type; None when none explains enough."""
        votes = self.votes.get(type, ())
        if len(votes) < FEWEST:
            return None
        counted = Counter(limit for labels in votes for limit in labels)
        if not counted:
            return None
        best, number = max(counted.items(), key=lambda pair: (pair[1], _likely(pair[0])))
        return best if number >= SHARE * len(votes) else None

    def learn(self, type: str, opened: datetime, target: datetime) -> None:
        """Let the target of one more request vote."""
        labels = explanations(self.days, self.zone, opened, target)
        self.votes.setdefault(type, deque(maxlen=MEMORY)).append(labels)


def _likely(limit: Limit) -> bool:
    return (limit.unit is Unit.WORKING_DAYS) == (limit.amount <= LONGEST_WORKING)


def explanations(days: Days, zone: ZoneInfo, opened: datetime, target: datetime) -> tuple[Limit, ...]:
    """The limits in days, working or not, under which a request would fall due on the day of its target."""
    calendar = days.calendar
    first, start, last = (t.astimezone(zone).date() for t in (opened, calendar.next_opening(opened), target))
    tried = [
        Limit(amount=max((last - first).days, 0), unit=Unit.CALENDAR_DAYS),
        Limit(amount=days.between(start, last), unit=Unit.WORKING_DAYS),
    ]
    return tuple(limit for limit in tried if calendar.due(opened, limit).astimezone(zone).date() == last)


def foretold(
    calendar: WorkingCalendar, zone: ZoneInfo, requests: Sequence[Request], unknown: Container[str]
) -> dict[str, datetime]:
    """Due times by key for requests of unknown types, each from the targets of earlier requests alone."""
    learner = Learner(days=Days(calendar), zone=zone)
    found: dict[str, datetime] = {}
    for request in sorted((r for r in requests if r.type in unknown), key=lambda r: r.opened):
        if limit := learner.limit(request.type):
            found[request.key] = calendar.due(request.opened, limit)
        if request.target is not None:
            learner.learn(request.type, request.opened, request.target)
    return found
