"""What a reader asks of the scorecards: of whom, over which days, compared with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid
from chengshu.evaluation.measures import Kind, Period
from chengshu.web.pages import Request, known, text

KINDS: Mapping[Kind, str] = {
    Kind.DEPARTMENT: gettext_noop("Units"),
    Kind.DEPARTMENT_TREE: gettext_noop("Departments with their units"),
    Kind.DISTRICT: gettext_noop("Districts"),
    Kind.STREET: gettext_noop("Streets"),
    Kind.GRID: gettext_noop("Duty grids"),
    Kind.PERSON: gettext_noop("Persons"),
}
AGAINST: Mapping[str, str] = {
    "before": gettext_noop("the period before"),
    "year": gettext_noop("the same days a year earlier"),
    "none": gettext_noop("nothing"),
}
YEARS = range(2000, 2101)
LEAP_DAY = (2, 29)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which scorecard is wanted. Days are those of the city; `last` is included."""

    kind: Kind
    first: date
    last: date
    against: str = "before"

    def query(self, **more: object) -> str:
        own = {"kind": self.kind.value, "first": self.first, "last": self.last, "against": self.against}
        return urlencode({**own, **more})

    def period(self, known: Catalog) -> Period:
        """From the midnight before the first day until the midnight after the last, in the city's zone."""
        start = datetime.combine(self.first, datetime.min.time(), known.zone)
        return Period(start=start, end=datetime.combine(self.last + timedelta(days=1), datetime.min.time(), known.zone))

    def earlier(self) -> Asked | None:
        """What it is compared with. Whole months are compared with whole months, other spans with as many days."""
        match self.against:
            case "before" if self._whole_months:
                last = self.first - timedelta(days=1)
                return replace(self, first=_months_before(self.first, self._months), last=last)
            case "before":
                length = self.last - self.first + timedelta(days=1)
                return replace(self, first=self.first - length, last=self.last - length)
            case "year":
                return replace(self, first=_year_before(self.first), last=_year_before(self.last))
        return None

    @property
    def _whole_months(self) -> bool:
        return self.first.day == 1 and (self.last + timedelta(days=1)).day == 1

    @property
    def _months(self) -> int:
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1


def _months_before(day: date, months: int) -> date:
    whole = 12 * day.year + day.month - 1 - months
    return date(whole // 12, whole % 12 + 1, 1)


def _year_before(day: date) -> date:
    return (
        day.replace(year=day.year - 1, day=28) if (day.month, day.day) == LEAP_DAY else day.replace(year=day.year - 1)
    )


def asked(request: Request) -> Asked:
    """What the address says, or this month's scorecard of the units. Raises Invalid."""
    now = today(known(request))
    kind = text(request, "kind", 30) or Kind.DEPARTMENT
    if kind not in set(KINDS):
        raise Invalid(_("There is no such scorecard."), where="kind", remedy=_("Choose one of those offered."))
    against = text(request, "against", 10)
    first = _day(text(request, "first", 10), now.replace(day=1))
    last = _day(text(request, "last", 10), now)
    if last < first:
        raise Invalid(_("The period ends before it begins."), where="last", remedy=_("Give the earlier day first."))
    return Asked(kind=Kind(kind), first=first, last=last, against=against if against in AGAINST else "before")


def today(known: Catalog) -> date:
    """The city's day."""
    return datetime.now(UTC).astimezone(known.zone).date()


def _day(value: str, default: date) -> date:
    try:
        day = date.fromisoformat(value) if value else default
    except ValueError as error:
        raise Invalid(_("This is not a day."), where=value, remedy=_("Write it as 2026-01-31.")) from error
    if day.year not in YEARS:
        raise Invalid(
            _("This day is too far away."), where=value, remedy=_("Give a day of the years from 2000 to 2100.")
        )
    return day


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A span of days that is often asked for."""

    name: str
    first: date
    last: date

    def is_of(self, asked: Asked) -> bool:
        return (self.first, self.last) == (asked.first, asked.last)


def presets(now: date) -> tuple[Preset, ...]:
    """Days, weeks (from Monday), months, quarters and years up to today, and the last whole ones."""
    day, month = timedelta(days=1), now.replace(day=1)
    week, quarter = now - timedelta(days=now.weekday()), now.replace(month=(now.month - 1) // 3 * 3 + 1, day=1)
    spans = [
        (_("Today"), now, now),
        (_("Yesterday"), now - day, now - day),
        (_("This week"), week, now),
        (_("Last week"), week - 7 * day, week - day),
        (_("This month"), month, now),
        (_("Last month"), _months_before(month, 1), month - day),
        (_("This quarter"), quarter, now),
        (_("Last quarter"), _months_before(quarter, 3), quarter - day),
        (_("This year"), now.replace(month=1, day=1), now),
    ]
    return tuple(Preset(name=name, first=first, last=last) for name, first, last in spans)
