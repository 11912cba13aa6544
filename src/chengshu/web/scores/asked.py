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
from chengshu.evaluation.counts import period_of
from chengshu.evaluation.measures import Kind, Period, of_kind
from chengshu.evaluation.series import year_before
from chengshu.web.days import a_day
from chengshu.web.pages import Request, known, text
from chengshu.web.words import day

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which scorecard is wanted. Days are those of the city; `last` is included.

    `order` is the measure by which those with most missed stand first; empty for the order of codes.
    """

    kind: Kind
    first: date
    last: date
    against: str = "before"
    order: str = ""

    def query(self, **more: object) -> str:
        own = {
            "kind": self.kind.value,
            "first": self.first,
            "last": self.last,
            "against": self.against,
            "order": self.order,
        }
        return urlencode({name: value for name, value in {**own, **more}.items() if value != ""})

    def period(self, known: Catalog) -> Period:
        return period_of(self.first, self.last, known.zone)

    @property
    def days(self) -> str:
        """The period in words."""
        return day(self.first) if self.first == self.last else f"{day(self.first)} – {day(self.last)}"

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
                return replace(self, first=year_before(self.first), last=year_before(self.last))
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


def asked(request: Request) -> Asked:
    """What the address says, or this month's scorecard of the units. Raises Invalid."""
    month = this_month(request)
    first, last = a_day(text(request, "first", 10), month.first), a_day(text(request, "last", 10), month.last)
    if last < first:
        raise Invalid(_("The period ends before it begins."), where="last", remedy=_("Give the earlier day first."))
    return replace(month, first=first, last=last)


def asked_or_month(request: Request) -> tuple[Asked, str]:
    """What the address says; where its days cannot be, this month, and what is wrong with them in words."""
    month = this_month(request)
    try:
        return asked(request), ""
    except Invalid as error:
        return month, " ".join([error.what, error.remedy, _("Below stands this month.")])


def this_month(request: Request) -> Asked:
    """What the address says apart from its days. Raises Invalid for a kind that does not exist."""
    now, kind = today(known(request)), text(request, "kind", 30) or Kind.DEPARTMENT
    if kind not in set(KINDS):
        raise Invalid(_("There is no such scorecard."), where="kind", remedy=_("Choose one of those offered."))
    against, order = text(request, "against", 10), text(request, "order", 30)
    return Asked(
        kind=Kind(kind),
        first=now.replace(day=1),
        last=now,
        against=against if against in AGAINST else "before",
        order=order if any(order == measure.name for measure in of_kind(Kind(kind))) else "",
    )


def today(known: Catalog) -> date:
    """The city's day."""
    return datetime.now(UTC).astimezone(known.zone).date()


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
    one, month = timedelta(days=1), now.replace(day=1)
    week, quarter = now - timedelta(days=now.weekday()), now.replace(month=(now.month - 1) // 3 * 3 + 1, day=1)
    spans = [
        (_("Today"), now, now),
        (_("Yesterday"), now - one, now - one),
        (_("This week"), week, now),
        (_("Last week"), week - 7 * one, week - one),
        (_("This month"), month, now),
        (_("Last month"), _months_before(month, 1), month - one),
        (_("This quarter"), quarter, now),
        (_("Last quarter"), _months_before(quarter, 3), quarter - one),
        (_("This year"), now.replace(month=1, day=1), now),
    ]
    return tuple(Preset(name=name, first=first, last=last) for name, first, last in spans)
