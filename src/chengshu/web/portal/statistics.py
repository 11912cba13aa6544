"""How well the city does it, in numbers for everybody, each with its definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import NotFound
from chengshu.evaluation import public
from chengshu.evaluation.measures import Measure, measure
from chengshu.evaluation.public import By, Row, Table
from chengshu.evaluation.suppression import ALL
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import local

MOST = 15  # rows of a table that are shown before somebody asks for all


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A table, and the rows of it that the page shows."""

    table: Table
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StatisticsPage:
    """Months, and the tables of the chosen period with the rows that are shown; `names` the subjects by table and key."""

    months: Table
    month: str
    tables: tuple[Shown, ...]
    names: Mapping[By, Mapping[Any, Any]]
    measures: tuple[Measure, ...]
    smallest: int
    percent: Callable[[float | None], str]


@page()
def show(request: Request) -> HttpResponse:
    """The page."""
    city, chosen, whole = known(request), text(request, "month", 7), text(request, "whole", 20)
    found = public.of_city(city)
    tables = (_sorted(found.table(by, chosen or ALL)) for by in (By.DISTRICT, By.UNIT, By.TYPE))
    shown = StatisticsPage(
        months=found.table(By.MONTH), month=chosen, names=_names(city),
        tables=tuple(Shown(table=each, rows=each.rows if each.by == whole else each.rows[:MOST]) for each in tables),
        measures=tuple(map(measure, public.PUBLISHED)), smallest=public.SMALLEST,
        percent=whole_percent,
    )  # fmt: skip
    return respond(request, "portal/statistics.html", shown)


def _heading(by: By) -> str:
    return {By.MONTH: _("Month"), By.DISTRICT: _("District"), By.UNIT: _("Unit"), By.TYPE: _("Type")}[by]


def _sorted(found: Table) -> Table:
    """Units as a ranking, types by how often they are settled, districts by their codes' order."""
    if found.by == By.UNIT:
        return replace(found, rows=public.ranked(found.rows))
    if found.by == By.TYPE:
        return replace(found, rows=tuple(sorted(found.rows, key=lambda row: -(row.opened or 0))))
    return found


def _names(city: Catalog) -> Mapping[By, Mapping[Any, Any]]:
    return {By.DISTRICT: city.divisions, By.UNIT: city.departments, By.TYPE: city.types}


@page()
def as_csv(request: Request) -> HttpResponse:
    """One table as CSV, with the same numbers as the page."""
    city, chosen, wanted = known(request), text(request, "month", 7), text(request, "by", 20)
    if wanted not in set(By):
        raise NotFound(
            _("There is no such table."),
            where=wanted,
            remedy=_("The tables are: %(names)s.") % {"names": ", ".join(By)},
        )
    by = By(wanted)
    found = _sorted(public.of_city(city).table(by, chosen or ALL))
    headings = [_heading(by), *(local(_Labelled.of(name), "label") for name in public.PUBLISHED)]
    content = public.to_csv(headings, _lines(found, _names(city).get(by, {})))
    answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{city.city.name}-{by}{"-" + chosen if chosen else ""}.csv"'
    return answer


@dataclass(frozen=True, kw_only=True, slots=True)
class _Labelled:
    """The label of a measure as `local` asks for it."""

    label: str
    label_en: str

    @classmethod
    def of(cls, name: str) -> _Labelled:
        words = measure(name).label
        return cls(label=words.zh, label_en=words.en)


def _lines(found: Table, names: Mapping[Any, Any]) -> Iterator[list[str]]:
    for row in (*found.rows, found.total):
        yield [
            _name(row, names),
            _count(row.opened),
            _count(row.closed),
            whole_percent(row.in_time),
            whole_percent(row.satisfied),
        ]


def _name(row: Row, names: Mapping[Any, Any]) -> str:
    if row.key is None:
        return _("Whole city")
    return local(names[row.key], "name") if row.key in names else str(row.key)


def whole_percent(share: float | None) -> str:
    """A published share, which is a whole percent: another digit would claim a precision that was taken away."""
    return "—" if share is None else f"{100 * share:.0f} %"


def _count(count: int | None) -> str:
    return "*" if count is None else str(count)
