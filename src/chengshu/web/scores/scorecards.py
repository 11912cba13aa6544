"""Scorecards: what was due and what of it was done, each number with its definition and the cases behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import search
from chengshu.core.errors import Invalid, NotFound
from chengshu.evaluation.measures import Kind, Measure, Part, measure
from chengshu.evaluation.ranking import may_rank
from chengshu.evaluation.scorecards import (
    EVERYBODY,
    Figure,
    Row,
    Scorecard,
    Subject,
    Whose,
    cases_behind,
    label_of,
    scorecard,
    worst_first,
)
from chengshu.parties.throttle import Limit, hit
from chengshu.web.context import SCORES
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.scores.asked import AGAINST, KINDS, Asked, Preset, asked, asked_or_month, presets, today
from chengshu.web.scores.export import Sheet, as_csv, as_pdf, as_xlsx
from chengshu.web.words import language

PARTS: Mapping[Part, str] = {
    Part.DENOMINATOR: gettext_noop("All that were counted"),
    Part.NUMERATOR: gettext_noop("Those that fulfil the measure"),
    Part.MISSED: gettext_noop("Those that do not"),
}
SIZE = 100  # rows of a page: a city has thousands of grids
FEW = 5  # a share of fewer than this is marked: it says little
NOBODY = "none"  # the subject of rows that belong to none
FORMATS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "xlsx": (as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "pdf": (as_pdf, "application/pdf"),
}
EXPORTS = Limit(name="scores-export", count=60, seconds=3600)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How a figure differs from the one it is compared with: percentage points of a share, or cases of a count."""

    by: float
    share: bool
    better: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoresPage:
    """A scorecard, the `rows` of it on this page, what it is compared with, and what else can be asked for.

    `wrong` says in words why this is not the period that was asked for.
    """

    asked: Asked
    wrong: str
    earlier: Asked | None
    kinds: Mapping[Kind, str]
    against: Mapping[str, str]
    card: Scorecard
    rows: tuple[Row, ...]
    next: str
    before: Mapping[Subject, Mapping[str, Figure]]
    total_before: Mapping[str, Figure]
    presets: tuple[Preset, ...]
    ranked: bool
    few: int
    language: str

    def behind(self, row: Row | None, measure: Measure, part: str) -> str:
        """The address of the cases behind a number of a row, or of all together."""
        return behind(self.asked, row, measure, part)

    def change(self, row: Row | None, measure: Measure) -> Change | None:
        """Against the earlier period; None where one of the two says nothing."""
        old = self.total_before if row is None else self.before.get(row.subject, {})
        return change(measure, (row.figures if row else self.card.total)[measure.name], old.get(measure.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class BehindPage:
    """The cases behind one number."""

    asked: Asked
    whose: str
    measure: Measure
    part: str
    count: int
    distinct: int
    found: search.Page
    next: str
    language: str


def behind(asked: Asked, row: Row | None, measure: Measure, part: str) -> str:
    """The address of the cases behind a number of a row, or of all rows together."""
    subject = EVERYBODY if row is None else NOBODY if row.subject is None else row.subject
    return f"{reverse('scores_cases')}?{asked.query(measure=measure.name, part=part, subject=subject)}"


def change(measure: Measure, new: Figure, old: Figure | None) -> Change | None:
    """What changed from one figure to another of the same measure."""
    if old is None or (measure.good is not None and (new.rate is None or old.rate is None)):
        return None
    share = measure.good is not None
    by = 100 * ((new.rate or 0) - (old.rate or 0)) if share else float(new.due - old.due)
    judged = share or measure.low  # more reports are neither good nor bad
    return Change(by=by, share=share, better=(by < 0) == measure.low if judged and by else None)


@page(roles=SCORES)
def show(request: Request) -> HttpResponse:
    """The scorecard of a kind of subject over a period."""
    wanted, wrong = asked_or_month(request)
    earlier, catalog = wanted.earlier(), known(request)
    card = scorecard(request.principal, wanted.kind, wanted.period(catalog))
    old = scorecard(request.principal, wanted.kind, earlier.period(catalog)) if earlier else None
    rows, start = worst_first(card.rows, measure(wanted.order)) if wanted.order else card.rows, start_of(request)
    found = ScoresPage(
        asked=wanted,
        wrong=wrong,
        earlier=earlier,
        kinds={kind: _(name) for kind, name in KINDS.items()},
        against={code: _(name) for code, name in AGAINST.items()},
        card=card,
        rows=rows[start : start + SIZE],
        next=f"?{wanted.query(start=start + SIZE)}" if len(rows) > start + SIZE else "",
        before={row.subject: row.figures for row in old.rows} if old else {},
        total_before=old.total if old else {},
        presets=presets(today(catalog)),
        ranked=may_rank(request.principal, wanted.kind),
        few=FEW,
        language=language(),
    )
    return respond(request, "scores/scorecards.html", found, status=422 if wrong else 200)


def start_of(request: Request) -> int:
    """From which row on a page shows the rows."""
    value = text(request, "start", 6)
    return int(value) if value.isascii() and value.isdecimal() else 0


@page(roles=SCORES)
def table(request: Request, form: str) -> HttpResponse:
    """The same as CSV, XLSX or PDF."""
    wanted, catalog = asked(request), known(request)
    hit(EXPORTS, request.principal.account)
    sheet = Sheet(
        card=scorecard(request.principal, wanted.kind, wanted.period(catalog)),
        title=_(KINDS[wanted.kind]),
        city=catalog.city.label if language().startswith("zh") else catalog.city.label_en or catalog.city.label,
        first=wanted.first,
        last=wanted.last,
        made=datetime.now(catalog.zone),
        language=language(),
    )
    write, media_type = FORMATS[form]
    response = HttpResponse(write(sheet), content_type=media_type)
    name = f"{wanted.kind.value}-{wanted.first}-{wanted.last}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@page(roles=SCORES)
def cases(request: Request) -> HttpResponse:
    """The cases behind one number of a scorecard, newest first; a case may have several of the rows that were counted."""
    wanted, principal = asked(request), request.principal
    number, period = _number(text(request, "measure", 50), wanted.kind), wanted.period(known(request))
    part, subject = _part(text(request, "part", 20)), _subject(text(request, "subject", 20))
    ids = cases_behind(principal, number, part, wanted.kind, subject, period)
    cursor, now = text(request, "cursor", 200) or None, datetime.now(UTC)
    found = search.page(principal, search.Filters(ids=ids), now=now, order="new", cursor=cursor)
    names = label_of(principal, wanted.kind, subject, number, period)
    again = wanted.query(measure=number.name, part=part.value, subject=NOBODY if subject is None else subject)
    page = BehindPage(
        asked=wanted,
        whose=names[not language().startswith("zh")] or _("All together"),
        measure=number,
        part=_(PARTS[part]),
        count=ids.count(),
        distinct=ids.distinct().count(),
        found=found,
        next=f"?{again}&{urlencode({'cursor': found.next})}" if found.next else "",
        language=language(),
    )
    return respond(request, "scores/scorecard_cases.html", page)


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


def _subject(value: str) -> Whose:
    if value in {NOBODY, EVERYBODY}:
        return None if value == NOBODY else EVERYBODY
    if not (value.isascii() and value.isdecimal() and len(value) < 18):
        raise Invalid(_("There is no such subject."), where="subject", remedy=_("Open it again."))
    return int(value)
