"""Scorecards: what departments, areas and people did of what was due, and the cases behind every number."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.core.errors import NotAllowed
from chengshu.evaluation.measures import AREAS, UNITS, Kind, Measure, Part, Period, of_kind
from chengshu.parties.models import Access, Account
from chengshu.parties.principal import Principal
from chengshu.parties.roles import READS_SCORES, Role, Scope
from chengshu.places.models import Division, Level

LEVELS = {
    Kind.DISTRICT: Level.DISTRICT,
    Kind.STREET: Level.STREET,
    Kind.COMMUNITY: Level.COMMUNITY,
    Kind.GRID: Level.GRID,
}
EVERYBODY: Literal["all"] = "all"  # all subjects of a scorecard together
JUDGES_PEOPLE = frozenset({Role.SUPERVISOR, Role.LEADER, Role.SHIFT_LEADER, Role.SYSTEM})
Subject = int | None  # the id of a department, division or account; None gathers what belongs to none
Whose = Subject | Literal["all"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """How many were due and how many of them were good; `good` is None for a plain count."""

    due: int
    good: int | None = None

    @property
    def rate(self) -> float | None:
        """The share of good ones, 0 to 1; None when nothing was due."""
        return None if self.good is None or not self.due else self.good / self.due

    def plus(self, other: Figure) -> Figure:
        """Both together."""
        return Figure(due=self.due + other.due, good=None if self.good is None else self.good + (other.good or 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One subject with its figures by measure."""

    subject: Subject
    code: str
    label: str
    label_en: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorecard:
    """The figures of all subjects of a kind over a period. `total` counts every row once."""

    kind: Kind
    period: Period
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    total: Mapping[str, Figure]


def scorecard(principal: Principal, kind: Kind, period: Period, *, only: QuerySet[Case] | None = None) -> Scorecard:
    """The scorecard of a kind of subject over the cases that a post may see.

    Args:
        only: count these cases only.

    Raises:
        NotAllowed: the post reads no scorecards.
    """
    known = catalog(principal.city)
    _trace(principal, kind, period, of_kind(kind), EVERYBODY)
    counted = {each.name: _count(known, principal, kind, each, period, only) for each in of_kind(kind)}
    spread = _spread(known, kind)
    rows: dict[Subject, dict[str, Figure]] = {}
    for name, figures in counted.items():
        for leaf, figure in figures.items():
            for subject in spread(leaf):
                own = rows.setdefault(subject, {})
                own[name] = own[name].plus(figure) if name in own else figure
    totals = {each.name: _sum(each, counted[each.name].values()) for each in of_kind(kind)}
    named = _names(known, kind, set(rows))
    return Scorecard(kind=kind, period=period, measures=of_kind(kind), rows=_rows(kind, rows, named), total=totals)


def cases_behind(
    principal: Principal, measure: Measure, part: Part, kind: Kind, subject: Whose, period: Period,
    *, only: QuerySet[Case] | None = None,
) -> QuerySet[Any, UUID]:  # fmt: skip
    """The ids of the cases behind a figure of a subject or of EVERYBODY, one for every row that was counted, in no order."""
    known = catalog(principal.city)
    _trace(principal, kind, period, [measure], subject)
    rows = _counted(known, principal, measure, period, only).filter(measure.part(part, period))
    return (
        rows.filter(_is(known, measure, kind, subject), _of_whom(principal, kind))
        .order_by()
        .values_list("pk" if measure.rows is Case else "case_id", flat=True)
    )


def label_of(principal: Principal, kind: Kind, subject: Whose, measure: Measure, period: Period) -> tuple[str, str]:
    """The name of a subject in both languages; empty for one that has no row of this measure in the jurisdiction."""
    known = catalog(principal.city)
    if subject == EVERYBODY:
        return "", ""
    counted = _counted(known, principal, measure, period, None).filter(measure.due(period))
    if not counted.filter(_is(known, measure, kind, subject), _of_whom(principal, kind)).exists():
        return "", ""
    return _names(known, kind, {subject}).get(subject, _NOBODY)[1:]


def worst_first(rows: Iterable[Row], measure: Measure) -> tuple[Row, ...]:
    """Rows in the order of what went wrong in a measure: most missed first (of a measure where less is better: most counted)."""

    def key(row: Row) -> tuple[int, int, bool, str]:
        figure = row.figures[measure.name]
        good = figure.due if figure.good is None else figure.good
        return (
            -(good if measure.low or figure.good is None else figure.due - good),
            -figure.due,
            row.subject is None,
            row.code,
        )

    return tuple(sorted(rows, key=key))


def _count(
    known: Catalog, principal: Principal, kind: Kind, measure: Measure, period: Period, only: QuerySet[Case] | None
) -> dict[Subject, Figure]:
    """The figures of one measure by the smallest subject that a row knows."""
    field = _field(measure, kind)
    rows = _counted(known, principal, measure, period, only).filter(measure.due(period))
    rows = rows.filter(_is(known, measure, kind, EVERYBODY), _of_whom(principal, kind))
    wanted = {"due": Count("pk")}
    if measure.good is not None:
        wanted["good"] = Count("pk", filter=measure.good(period))
    found = rows.order_by().values_list(field).annotate(**wanted)
    return {row[0]: Figure(due=row[1], good=row[2] if measure.good is not None else None) for row in found}


def _trace(principal: Principal, kind: Kind, period: Period, measures: Iterable[Measure], subject: Whose) -> None:
    """How single people work is personal data: whoever looks at that of others leaves a trace."""
    if kind is not Kind.PERSON or principal.role not in JUDGES_PEOPLE or principal.account in {None, subject}:
        return
    whose = "" if subject == EVERYBODY else f":{subject}"
    Access.objects.create(
        account_id=principal.account,
        post_id=principal.post,
        subject=f"scorecard:person{whose}:{period.start:%Y-%m-%d}/{period.end:%Y-%m-%d}",
        fields=[each.name for each in measures],
        purpose="performance evaluation",
    )


def _of_whom(principal: Principal, kind: Kind) -> Q:
    """Whose work a post may look at person by person: those who answer for people all they see, the others their own."""
    if kind is not Kind.PERSON or principal.role in JUDGES_PEOPLE:
        return Q()
    return Q(account=principal.account)


def _counted(
    known: Catalog, principal: Principal, measure: Measure, period: Period, only: QuerySet[Case] | None
) -> QuerySet[Any]:
    """The rows of a measure that this post may count."""
    rows = measure.rows._default_manager.filter(_jurisdiction(known, principal, measure))
    return rows if only is None else rows.filter(**{f"{measure.case}pk__in": only.values("pk")})


def _jurisdiction(known: Catalog, principal: Principal, measure: Measure) -> Q:
    """Which cases the post may see (cases.visibility), told so that the whole city costs no search by area."""
    if principal.role not in READS_SCORES | {Role.SYSTEM}:
        raise NotAllowed("This post reads no scorecards.", remedy="Change to a staff post.")
    prefix = measure.case
    if principal.scope is Scope.ALL or (principal.scope is Scope.AREA and principal.division == known.root):
        return Q(**{f"{prefix}kind__in": list(known.kinds)})
    if principal.scope is Scope.AREA:
        return Q(**{f"{prefix}places__contains": [principal.division]})
    return Q(**{f"{prefix}pk__in": visible(principal).values("pk")})


def _field(measure: Measure, kind: Kind) -> str:
    if kind in UNITS:
        return "unit_id"
    return "account_id" if kind is Kind.PERSON else f"{measure.case}division_id"


def _is(known: Catalog, measure: Measure, kind: Kind, subject: Whose) -> Q:
    """The condition that a row belongs to a subject, or for EVERYBODY that it is counted at all."""
    match kind:
        case Kind.PERSON if subject == EVERYBODY:
            return Q(account__isnull=False)
        case _ if subject == EVERYBODY:
            return Q()
        case Kind.PERSON:
            return Q(account=subject)
        case Kind.DEPARTMENT:
            return Q(unit=subject)
        case Kind.DEPARTMENT_TREE:
            below = [pk for pk in known.departments if subject in _above(known, pk)]
            return Q(unit__in=below) if subject is not None else Q(unit=None)
        case _ if subject is None:
            return ~Q(**{f"{measure.case}places__overlap": _of_level(known, kind) or [0]})
        case _:
            return Q(**{f"{measure.case}places__contains": [subject]})


def _of_level(known: Catalog, kind: Kind) -> list[int]:
    return [pk for pk, place in known.divisions.items() if place.level == LEVELS[kind]]


def _above(known: Catalog, department: int) -> list[int]:
    """A department and all above it."""
    found: list[int] = []
    at: int | None = department
    while at is not None and at not in found:
        found.append(at)
        at = known.departments[at].parent_id
    return found


def _spread(known: Catalog, kind: Kind) -> Callable[[Subject], list[Subject]]:
    """From the smallest subject that a row knows to all subjects of the kind to which it counts."""

    def area(leaf: Subject) -> list[Subject]:
        path = known.divisions[leaf].path if leaf is not None else ()
        return [pk for pk in path if known.divisions[pk].level == LEVELS[kind]] or [None]

    if kind in AREAS:
        return area
    if kind is Kind.DEPARTMENT_TREE:
        return lambda leaf: [None] if leaf is None else [*_above(known, leaf)]
    return lambda leaf: [leaf]


def _sum(measure: Measure, figures: Iterable[Figure]) -> Figure:
    total = Figure(due=0, good=None if measure.good is None else 0)
    for figure in figures:
        total = total.plus(figure)
    return total


def _names(known: Catalog, kind: Kind, subjects: set[Subject]) -> dict[Subject, tuple[str, str, str]]:
    """Code and both labels of subjects."""
    ids = [subject for subject in subjects if subject is not None]
    if kind in UNITS:
        return {d.pk: (d.code, d.name, d.name_en or d.name) for pk in ids if (d := known.departments.get(pk))}
    if kind is Kind.PERSON:
        people = Account.objects.filter(pk__in=ids).values_list("pk", "username", "name")
        return {pk: (username, name, name) for pk, username, name in people}
    found = Division.objects.filter(pk__in=ids).values_list("pk", "code", "name", "name_en")
    return {pk: (code, name, name_en or name) for pk, code, name, name_en in found}


_NOBODY = ("", "（未确定）", "(none)")


def _rows(
    kind: Kind, rows: Mapping[Subject, dict[str, Figure]], named: Mapping[Subject, tuple[str, str, str]]
) -> tuple[Row, ...]:
    made = []
    for subject, figures in rows.items():
        code, label, label_en = named.get(subject, _NOBODY)
        every = {
            m.name: figures.get(m.name) or Figure(due=0, good=None if m.good is None else 0) for m in of_kind(kind)
        }
        made.append(Row(subject=subject, code=code, label=label, label_en=label_en, figures=every))
    return tuple(sorted(made, key=lambda row: (row.subject is None, row.code)))


def to_csv(card: Scorecard, language: str) -> bytes:
    """The scorecard as CSV in a language: UTF-8 with the mark by which spreadsheets know it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_CODE.get(language[:2], "code"), _NAME.get(language[:2], "name"), *_headings(card, language)])
    for row in card.rows:
        label = row.label if language.startswith("zh") else row.label_en
        writer.writerow([_safe(row.code), _safe(label), *_values(card, row.figures)])
    writer.writerow(["", _TOTAL.get(language[:2], "total"), *_values(card, card.total)])
    return out.getvalue().encode("utf-8-sig")


_CODE, _NAME, _TOTAL = {"zh": "编码"}, {"zh": "名称"}, {"zh": "合计"}


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _headings(card: Scorecard, language: str) -> Iterable[str]:
    for measure in card.measures:
        yield measure.due_label.to(language)
        if measure.good_label is not None:
            yield measure.good_label.to(language)
            yield f"{measure.label.to(language)} (%)"


def _values(card: Scorecard, figures: Mapping[str, Figure]) -> Iterable[str]:
    for measure in card.measures:
        figure = figures[measure.name]
        yield str(figure.due)
        if figure.good is not None:
            yield str(figure.good)
            yield "" if figure.rate is None else f"{figure.rate * 100:.2f}"
