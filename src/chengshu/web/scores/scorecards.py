"""Scorecards: what was due and what of it was done, each number with its definition and the cases behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import search
from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid, NotFound
from chengshu.evaluation.measures import Kind, Measure, Part, Period, measure
from chengshu.evaluation.scorecards import Row, Scorecard, cases_behind, scorecard, to_csv
from chengshu.web.context import SCORES
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import language

KINDS: Mapping[Kind, str] = {
    Kind.DEPARTMENT: gettext_noop("Units"),
    Kind.DEPARTMENT_TREE: gettext_noop("Departments with their units"),
    Kind.DISTRICT: gettext_noop("Districts"),
    Kind.STREET: gettext_noop("Streets"),
    Kind.GRID: gettext_noop("Duty grids"),
    Kind.PERSON: gettext_noop("Persons"),
}
PARTS: Mapping[Part, str] = {
    Part.DENOMINATOR: gettext_noop("All that were counted"),
    Part.NUMERATOR: gettext_noop("Those that fulfil the measure"),
    Part.MISSED: gettext_noop("Those that do not"),
}
MOST = 5_000  # cases listed behind one number
YEARS = range(2000, 2101)
NOBODY = "none"  # the subject of rows that belong to none


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which scorecard is wanted. Days are those of the city; `last` is included."""

    kind: Kind
    first: date
    last: date

    def query(self, **more: object) -> str:
        return urlencode({"kind": self.kind.value, "first": self.first, "last": self.last, **more})

    def period(self, known: Catalog) -> Period:
        """From the midnight before the first day until the midnight after the last, in the city's zone."""
        start = datetime.combine(self.first, datetime.min.time(), known.zone)
        return Period(start=start, end=datetime.combine(self.last + timedelta(days=1), datetime.min.time(), known.zone))


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoresPage:
    """A scorecard, and what else can be asked for."""

    asked: Asked
    kinds: Mapping[Kind, str]
    card: Scorecard
    presets: tuple[tuple[str, str], ...]
    language: str

    def behind(self, row: Row, measure: Measure, part: str) -> str:
        """The address of the cases behind a number."""
        subject = NOBODY if row.subject is None else row.subject
        return f"{reverse('scores_cases')}?{self.asked.query(measure=measure.name, part=part, subject=subject)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BehindPage:
    """The cases behind one number."""

    asked: Asked
    measure: Measure
    part: str
    count: int
    found: search.Page
    next: str
    most: int
    language: str


@page(roles=SCORES)
def show(request: Request) -> HttpResponse:
    """The scorecard of a kind of subject over a period."""
    asked = _asked(request)
    return respond(
        request,
        "scores/scorecards.html",
        ScoresPage(
            asked=asked,
            kinds={kind: _(name) for kind, name in KINDS.items()},
            card=scorecard(request.principal, asked.kind, asked.period(known(request))),
            presets=_presets(asked, _today(known(request))),
            language=language(),
        ),
    )


@page(roles=SCORES)
def table(request: Request) -> HttpResponse:
    """The same as CSV."""
    asked = _asked(request)
    card = scorecard(request.principal, asked.kind, asked.period(known(request)))
    response = HttpResponse(to_csv(card, language()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{asked.kind.value}-{asked.first}-{asked.last}.csv"'
    return response


@page(roles=SCORES)
def cases(request: Request) -> HttpResponse:
    """The cases behind one number of a scorecard."""
    asked = _asked(request)
    number = _number(text(request, "measure", 50), asked.kind)
    part, subject = _part(text(request, "part", 20)), _subject(text(request, "subject", 20))
    behind = cases_behind(request.principal, number, part, asked.kind, subject, asked.period(known(request)))
    found = search.page(
        request.principal,
        search.Filters(ids=tuple(behind.order_by()[:MOST])),
        now=datetime.now(UTC),
        order="new",
        cursor=text(request, "cursor", 200) or None,
    )
    again = asked.query(measure=number.name, part=part.value, subject=NOBODY if subject is None else subject)
    page = BehindPage(
        asked=asked,
        measure=number,
        part=_(PARTS[part]),
        count=behind.count(),
        found=found,
        next=f"?{again}&{urlencode({'cursor': found.next})}" if found.next else "",
        most=MOST,
        language=language(),
    )
    return respond(request, "scores/scorecard_cases.html", page)


def _today(known: Catalog) -> date:
    return datetime.now(UTC).astimezone(known.zone).date()


def _asked(request: Request) -> Asked:
    today = _today(known(request))
    kind = text(request, "kind", 30) or Kind.DEPARTMENT
    if kind not in set(KINDS):
        raise Invalid(_("There is no such scorecard."), where="kind", remedy=_("Choose one of those offered."))
    first = _day(text(request, "first", 10), today.replace(day=1))
    last = _day(text(request, "last", 10), today)
    if last < first:
        raise Invalid(_("The period ends before it begins."), where="last", remedy=_("Give the earlier day first."))
    return Asked(kind=Kind(kind), first=first, last=last)


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


def _number(name: str, kind: Kind) -> Measure:
    """The measure of a name, if it is one of the scorecards of this kind. Raises NotFound."""
    found = measure(name)
    if kind not in found.kinds:
        raise NotFound(_("This scorecard has no such number."), where=name, remedy=_("Open it again."))
    return found


def _part(value: str) -> Part:
    if value not in set(Part):
        raise Invalid(_("There is no such part of a number."), where="part", remedy=_("Open it again."))
    return Part(value)


def _subject(value: str) -> int | None:
    if value == NOBODY:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 18):
        raise Invalid(_("There is no such subject."), where="subject", remedy=_("Open it again."))
    return int(value)


def _presets(asked: Asked, today: date) -> tuple[tuple[str, str], ...]:
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    spans = [
        (_("Last 7 days"), today - timedelta(days=6), today),
        (_("This month"), month, today),
        (_("Last month"), before, month - timedelta(days=1)),
        (_("This year"), today.replace(month=1, day=1), today),
    ]
    return tuple((name, f"?{Asked(kind=asked.kind, first=a, last=b).query()}") for name, a, b in spans)
