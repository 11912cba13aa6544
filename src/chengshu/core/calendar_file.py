"""Reading `calendar.yaml`: every mistake is found and told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.counting import CountingRule, Ends, OffDay, OutsideHours
from chengshu.core.errors import Mistake, Mistakes
from chengshu.core.timeline import Schedule
from chengshu.core.wall_clock import DAY

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS = ("hours", "weekend", "holidays", "makeup_days", "closures", "years", "day_rule", "calendar_day_rule")
_RULES: Mapping[str, type[StrEnum]] = {"ends": Ends, "outside_hours": OutsideHours, "off_day": OffDay}
_T = TypeVar("_T")
_MINUTE = DAY // 1440


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarFile:
    """What a `calendar.yaml` declares; `names` says why a listed day is off or worked."""

    schedule: Schedule
    years: frozenset[int]
    day_rule: CountingRule
    calendar_day_rule: CountingRule
    names: Mapping[date, str]


@dataclass(slots=True)
class _Reader:
    content: Mapping[str, Any]
    where: str
    mistakes: list[Mistake] = field(default_factory=list)

    def wrong(self, key: str, what: str, remedy: str) -> None:
        self.mistakes.append(Mistake(where=f"{self.where}: {key}", what=what, remedy=remedy))

    def items(self, key: str) -> list[Any]:
        found = self.content.get(key) or []
        if isinstance(found, list):
            return found
        self.wrong(key, _("%(value)s is not a list") % {"value": repr(found)}, _("write a list"))
        return []

    def each(self, key: str, read: Callable[[Any], _T], remedy: str) -> list[_T]:
        """All items of a list that can be read; the others become mistakes."""
        found = []
        for item in self.items(key):
            try:
                found.append(read(item))
            except (ValueError, TypeError, KeyError):
                self.wrong(key, _("%(value)s cannot be read") % {"value": repr(item)}, remedy)
        return found


def read_calendar(content: Mapping[str, Any], zone: ZoneInfo, where: str) -> CalendarFile:
    """Read the content of a `calendar.yaml`; raises `Mistakes`."""
    reader = _Reader(content, where)
    for key in content.keys() - set(_KEYS):
        reader.wrong(key, _("is not a key of the calendar"), _use(_KEYS))
    hours, weekend = _hours(reader), _weekend(reader)
    holidays, makeup, closures = (_days(reader, key) for key in ("holidays", "makeup_days", "closures"))
    for day in sorted(makeup.keys() & (holidays.keys() | closures.keys())):
        what = _("%(day)s is also a day off") % {"day": day}
        reader.wrong("makeup_days", what, _("keep it in one list"))
    rules = [_rule(reader, "day_rule", working=True), _rule(reader, "calendar_day_rule", working=False)]
    years = reader.each("years", int, _("write years, such as 2015")) or [day.year for day in holidays]
    if reader.mistakes:
        raise Mistakes(reader.mistakes)
    days_off = frozenset(holidays) | frozenset(closures)
    return CalendarFile(
        schedule=Schedule(zone=zone, hours=hours, weekend=weekend, days_off=days_off, makeup_days=frozenset(makeup)),
        years=frozenset(years),
        day_rule=rules[0],
        calendar_day_rule=rules[1],
        names={**makeup, **closures, **holidays},
    )


def _hours(reader: _Reader) -> tuple[tuple[int, int], ...]:
    remedy = _('write pairs of times, such as ["08:30", "17:00"]')
    hours = reader.each("hours", _span, remedy)
    edges = [edge for span in hours for edge in span]
    if not edges or edges != sorted(set(edges)):
        reader.wrong("hours", _("are missing, overlap or are not in order"), remedy)
    return tuple(hours)


def _span(item: Any) -> tuple[int, int]:
    opens, closes = item
    return _time(opens), _time(closes)


def _time(text: str) -> int:
    """Microseconds after midnight of `08:30`; `24:00` is the end of the day."""
    if text == "24:00":
        return DAY
    at = time.fromisoformat(text)
    if at.second or at.microsecond or at.tzinfo or len(text) != len("08:30"):
        raise ValueError(text)
    return (at.hour * 60 + at.minute) * _MINUTE


def _weekend(reader: _Reader) -> frozenset[int]:
    days = frozenset(reader.each("weekend", _WEEKDAYS.index, _use(_WEEKDAYS)))
    if len(days) == len(_WEEKDAYS):
        reader.wrong("weekend", _("leaves no day to work on"), _("leave out at least one weekday"))
    return days


def _days(reader: _Reader, key: str) -> dict[date, str]:
    """The days of a list with their names; an item is a date or has `date`, `name` and `source`."""
    days: dict[date, str] = {}
    remedy = _("write a date, such as 2015-01-01, or a mapping of date, name and source")
    for day, name in reader.each(key, _day, remedy):
        if day in days:
            reader.wrong(key, _("%(day)s is listed twice") % {"day": day}, _("keep one"))
        days[day] = name
    return days


def _day(item: Any) -> tuple[date, str]:
    if isinstance(item, Mapping):
        return _date(item["date"]), str(item.get("name", ""))
    return _date(item), ""


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(str(value))


def _rule(reader: _Reader, key: str, *, working: bool) -> CountingRule:
    """One rule; without it, 民法典 第201、203条 (start not counted, close of business, off days deferred)."""
    given = reader.content.get(key)
    if given is None:
        return CountingRule(off_day=OffDay.KEEP if working else OffDay.NEXT_WORKING_DAY)
    values: dict[str, Any] = {}
    for name, value in given.items() if isinstance(given, Mapping) else [("", given)]:
        try:
            values[name] = _rule_value(name, value)
        except (KeyError, TypeError, ValueError):
            what = _("%(name)s: %(value)s is no rule of counting") % {"name": name, "value": repr(value)}
            reader.wrong(key, what, _rule_remedy(name))
    rule = CountingRule(**values) if not reader.mistakes else CountingRule()
    for objection in rule.objections(working=working):
        reader.wrong(key, objection, _("see docs/how-to/boston-clock.md for what each rule means"))
    return rule


def _rule_value(name: str, value: Any) -> Any:
    if name != "start_counted":
        return _RULES[name](value)
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _rule_remedy(name: str) -> str:
    if name in _RULES:
        return _use(_RULES[name])
    return _("use true or false for start_counted, or one of the keys %(names)s") % {
        "names": ", ".join(["start_counted", *_RULES])
    }


def _use(words: Iterable[str]) -> str:
    return _("use one of %(words)s") % {"words": ", ".join(words)}
