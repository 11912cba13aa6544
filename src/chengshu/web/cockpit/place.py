"""What every page of the cockpit begins with: the division it looks at, the way down to it, and addresses of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog, Place
from chengshu.evaluation.series import within
from chengshu.web.pages import Request, known

SPANS = (7, 28, 90)  # days that a line may show
SPAN = 28


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One division on the way down."""

    pk: int
    place: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """The division that a page looks at, within the jurisdiction of the post."""

    known: Catalog
    now: datetime
    division: int
    way: tuple[Step, ...]
    days: int
    top: int

    @property
    def place(self) -> Place:
        return self.known.divisions[self.division]

    @property
    def today(self) -> date:
        return self.now.astimezone(self.known.zone).date()

    @property
    def first(self) -> date:
        """The first of the complete days shown."""
        return self.today - timedelta(days=self.days)

    @property
    def last(self) -> date:
        """Yesterday: the last complete day."""
        return self.today - timedelta(days=1)

    def query(self, **more: object) -> str:
        """The part of an address that keeps the division and the span."""
        own: dict[str, object] = {} if self.division == self.top else {"division": self.division}
        own |= {} if self.days == SPAN else {"days": self.days}
        return urlencode({name: value for name, value in (own | more).items() if value not in ("", None)})

    def at(self, route: str, *args: object, **more: object) -> str:
        """The address of another page of the cockpit about the same division."""
        query = self.query(**more)
        return reverse(route, args=args) + (f"?{query}" if query else "")

    def cases(self, which: str, **more: object) -> str:
        """The list behind a number of cases as they are now."""
        return self.at("cockpit_cases", which=which, **more)

    def between(self, indicator: str, first: date, last: date, **more: object) -> str:
        """The list behind a number of an indicator."""
        return self.at("cockpit_cases", indicator=indicator, first=first, last=last, **more)


def here(request: Request) -> Here:
    """Where this page looks: by the query of its address (that of a form's as well), else the whole jurisdiction.

    Raises NotFound outside it.
    """
    catalog = known(request)
    division = within(request.principal, catalog, _id(request.GET.get("division", "")))
    above = catalog.divisions[division].path
    start = above.index(request.principal.division) if request.principal.division in above else 0
    days = request.GET.get("days", "")
    return Here(
        known=catalog,
        now=datetime.now(UTC),
        division=division,
        way=tuple(Step(pk=pk, place=catalog.divisions[pk]) for pk in above[start:]),
        days=int(days) if days in {str(span) for span in SPANS} else SPAN,
        top=request.principal.division,
    )


def _id(value: str) -> int | None:
    """An id of a division; what is no number is none of ours."""
    if not value:
        return None
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else -1


def short_day(on: date) -> str:
    """A day as charts write it: 11月3日, 11/3."""
    return _("%(month)d/%(day)d") % {"month": on.month, "day": on.day}


def weekday(on: date) -> str:
    names = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
    return names[on.weekday()]
