"""The working calendar of a year: days off, days made up for, hours; and what a change does to due times."""

from __future__ import annotations

import calendar as months
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases import touched
from chengshu.core.calendar import WorkingCalendar
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.core.limits import Limit
from chengshu.web.admin import frame, parts
from chengshu.web.admin.frame import ADMIN, READERS
from chengshu.web.pages import Request, known, page, text

LISTS = ("holidays", "makeup_days", "closures")
SAMPLES = ("4wh", "1wd", "5wd", "15wd")
LONGEST = 60  # days that one form changes
_SPAN = re.compile(r"(\d{2}:\d{2})\s*[-–—~至]\s*(\d{2}:\d{2})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """A day of the year: `sort` is working, weekend, holiday, makeup or closure."""

    date: date
    sort: str
    name: str
    today: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A due time before and after the change."""

    limit: str
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class YearPage:
    """A year by months and weeks; None pads a week."""

    year: int
    years: Sequence[int]
    covered: bool
    months: Sequence[tuple[int, Sequence[Sequence[Day | None]]]]
    working_days: int
    hours: str
    listed: Sequence[tuple[str, str, str, str]]
    start: str
    dues: Sequence[Due]
    running: int
    first: str
    sort: str


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """The calendar of a year."""
    return parts.show(request, KIND)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Change days, hours, or whether a year is complete."""
    return parts.send(request, KIND)


def _read(request: Request, value: Any) -> Any:
    if text(request, "hours", 100):
        value["hours"] = _hours(text(request, "hours", 100))
    year = text(request, "complete", 4)
    if year.isdecimal():
        value["years"] = sorted({*value.get("years", ()), int(year)})
    first = frame.day(request, "first")
    if first is not None:
        _set_days(request, value, first, frame.day(request, "last") or first)
    return value


def _hours(given: str) -> list[list[str]]:
    spans = [list(span) for span in _SPAN.findall(given)]
    if not spans or _SPAN.sub("", given).strip(" ,，;；、"):
        raise Invalid(_("These are no hours."), where="hours", remedy=_("Write them as 08:30-12:00, 13:30-17:30."))
    return spans


def _set_days(request: Request, value: Any, first: date, last: date) -> None:
    sort = text(request, "sort", 12)
    if not first <= last < first + timedelta(days=LONGEST):
        raise Invalid(
            _("The last day is not after the first, or too far from it."), where="last", remedy=_("60 days at most.")
        )
    days = {str(first + timedelta(days=i)) for i in range((last - first).days + 1)}
    for name in LISTS:
        if name in value:
            value[name] = [item for item in value[name] if _date(item) not in days]
    if sort in LISTS:
        extra = {k: v for k in ("name", "source") if (v := text(request, k, 200))}
        value[sort] = sorted([*value.get(sort, []), *({"date": day, **extra} for day in days)], key=_date)


def _date(item: Any) -> str:
    return str(item["date"]) if isinstance(item, dict) else str(item)


def _more(request: Request, value: Any, now: Any) -> YearPage:
    zone = known(request).zone
    today = datetime.now(zone).date()
    asked = text(request, "year", 4) or text(request, "first", 4)
    year = int(asked) if asked.isascii() and asked.isdecimal() and 1990 <= int(asked) <= 2200 else today.year
    new = _calendar(value, known(request).calendar)
    start = _start(request)
    return YearPage(
        year=year,
        years=sorted({*(y for y in value.get("years", ()) if y >= today.year - 3), year, today.year, today.year + 1}),
        covered=year in value.get("years", ()),
        months=[(m, _weeks(new, value, year, m, today)) for m in range(1, 13)],
        working_days=sum(
            new.is_working(date(year, 1, 1) + timedelta(days=i)) for i in range(366 if months.isleap(year) else 365)
        ),
        hours=", ".join("–".join(span) for span in value.get("hours", ())),
        listed=_listed(value, year),
        start=f"{start:%Y-%m-%dT%H:%M}",
        dues=[_due(known(request).calendar, new, start, limit) for limit in SAMPLES],
        running=touched.by_working_time(known(request).city.pk),
        first=text(request, "first", 10),
        sort=text(request, "sort", 12),
    )


def _calendar(value: Any, now: WorkingCalendar) -> WorkingCalendar:
    """The calendar of a value; of one that cannot be counted with, the one in force."""
    try:
        return WorkingCalendar.from_dict(value, now.schedule.zone)
    except ChengshuError:
        return now


def _start(request: Request) -> datetime:
    zone = known(request).zone
    try:
        return datetime.fromisoformat(text(request, "start", 20)).replace(tzinfo=zone)
    except ValueError:
        return datetime.now(zone).replace(second=0, microsecond=0)


def _due(old: WorkingCalendar, new: WorkingCalendar, start: datetime, limit: str) -> Due:
    return Due(limit=limit, before=_moment(old, start, limit), after=_moment(new, start, limit))


def _moment(calendar: WorkingCalendar, start: datetime, limit: str) -> datetime | None:
    try:
        return calendar.due(start, Limit.parse(limit))
    except ChengshuError:
        return None


def _listed(value: Any, year: int) -> list[tuple[str, str, str, str]]:
    """(day, list, name, source) of a year, by day."""
    rows = []
    for name in LISTS:
        for item in value.get(name, ()):
            own = item if isinstance(item, dict) else {}
            rows.append((_date(item), name, str(own.get("name", "")), str(own.get("source", ""))))
    return sorted(row for row in rows if row[0].startswith(str(year)))


def _weeks(calendar: WorkingCalendar, value: Any, year: int, month: int, today: date) -> list[list[Day | None]]:
    sorts = {day: (name, label) for day, name, label, _source in _listed(value, year)}
    return [
        [_day(calendar, sorts, day, today) if day.month == month else None for day in week]
        for week in months.Calendar().monthdatescalendar(year, month)
    ]


def _day(calendar: WorkingCalendar, sorts: dict[str, tuple[str, str]], day: date, today: date) -> Day:
    sort, name = sorts.get(str(day), ("working" if calendar.is_working(day) else "weekend", ""))
    return Day(date=day, sort=sort, name=name, today=day == today)


KIND = parts.Kind(
    name="calendar", route="admin_calendar", template="admin/calendar.html", read=_read, more=_more, empty={}
)
