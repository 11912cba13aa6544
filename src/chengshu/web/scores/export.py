"""A scorecard as a file: CSV for machines, XLSX to go on counting with, PDF to hand out."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import xlsxwriter
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.evaluation.measures import Measure
from chengshu.evaluation.scorecards import Figure, Row, Scorecard, to_csv
from chengshu.web.pdf import Document
from chengshu.web.words import percent

NAME_WIDTH, NUMBER_WIDTH = 28, 11  # characters, on the sheet
PDF_NAME, PDF_NUMBER = 46.0, 17.0  # mm
PDF_ROWS = 500
HEAD = {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EDF3", "border": 1, "border_color": "#C3CEDA"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """What a file holds: a scorecard of a city over days (`last` is included), and when it was made, in the city's zone."""

    card: Scorecard
    title: str
    city: str
    first: date
    last: date
    made: datetime
    language: str

    @property
    def heading(self) -> str:
        return _("%(city)s: scorecard, %(kind)s") % {"city": self.city, "kind": self.title}

    @property
    def period(self) -> str:
        facts = {"first": self.first, "last": self.last, "made": f"{self.made:%Y-%m-%d %H:%M}"}
        return _("Period %(first)s to %(last)s, as it stood at %(made)s") % facts

    def label(self, row: Row) -> str:
        return row.label if self.language.startswith("zh") else row.label_en


def as_csv(sheet: Sheet) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it."""
    return to_csv(sheet.card, sheet.language)


def as_xlsx(sheet: Sheet) -> bytes:
    """A workbook with the numbers as numbers, and a second sheet with the definitions."""
    out = io.BytesIO()
    # Texts stay texts: what begins with "=" in a unit's name is no formula, and no address becomes a link.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        _numbers(book, sheet)
        _definitions(book, sheet)
    return out.getvalue()


def _numbers(book: xlsxwriter.Workbook, sheet: Sheet) -> None:
    page = book.add_worksheet(_("Scorecard"))
    head, share = book.add_format(HEAD), book.add_format({"num_format": "0.0%"})
    page.write_string(0, 0, sheet.heading, book.add_format({"bold": True, "font_size": 14}))
    page.write_string(1, 0, sheet.period)
    headings = [_("Code"), _("Name"), *_headings(sheet)]
    for column, heading in enumerate(headings):
        page.write_string(3, column, heading, head)
    rows = [(row.code, sheet.label(row), row.figures) for row in sheet.card.rows]
    rows.append(("", _("All together"), sheet.card.total))
    for line, (code, label, figures) in enumerate(rows, 4):
        page.write_string(line, 0, code)
        page.write_string(line, 1, label)
        for column, (value, is_share) in enumerate(_values(sheet, figures), 2):
            if value is not None:
                page.write_number(line, column, value, share if is_share else None)
    page.set_column(0, 0, 14)
    page.set_column(1, 1, NAME_WIDTH)
    page.set_column(2, len(headings) - 1, NUMBER_WIDTH)
    page.set_row(3, 45)
    page.freeze_panes(4, 2)
    page.autofilter(3, 0, 3 + len(sheet.card.rows), len(headings) - 1)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.repeat_rows(3)


def _headings(sheet: Sheet) -> Iterator[str]:
    for measure in sheet.card.measures:
        yield measure.due_label.to(sheet.language)
        if measure.good_label is not None:
            yield measure.good_label.to(sheet.language)
            yield measure.label.to(sheet.language)


def _values(sheet: Sheet, figures: Mapping[str, Figure]) -> Iterator[tuple[float | None, bool]]:
    """(value, whether it is a share) in the order of the headings."""
    for measure in sheet.card.measures:
        figure = figures[measure.name]
        yield figure.due, False
        if figure.good is not None:
            yield figure.good, False
            yield figure.rate, True


def _definitions(book: xlsxwriter.Workbook, sheet: Sheet) -> None:
    page = book.add_worksheet(_("Definitions"))
    head, wrapped = book.add_format(HEAD), book.add_format({"text_wrap": True, "valign": "top"})
    for column, heading in enumerate((_("Measure"), _("Definition"), _("Source"))):
        page.write_string(0, column, heading, head)
    for line, measure in enumerate(sheet.card.measures, 1):
        for column, words in enumerate((measure.label, measure.definition, measure.source)):
            page.write_string(line, column, words.to(sheet.language), wrapped)
    page.set_column(0, 0, 18)
    page.set_column(1, 1, 80)
    page.set_column(2, 2, 40)
    page.freeze_panes(1, 0)


def as_pdf(sheet: Sheet) -> bytes:
    """A4 across; as many columns on a page as fit, the names repeated on each; then the definitions.

    Raises Invalid for more rows than anybody reads on paper.
    """
    if len(sheet.card.rows) > PDF_ROWS:
        what = _("A document of %(n)d rows cannot be made, %(most)d at most.")
        raise Invalid(
            what % {"n": len(sheet.card.rows), "most": PDF_ROWS},
            where="PDF",
            remedy=_("Take the CSV or XLSX file, or choose larger areas."),
        )
    document = Document(title=sheet.heading, note=sheet.period)
    fitting = int((document.width - PDF_NAME) // PDF_NUMBER)
    measures = sheet.card.measures
    for start in range(0, len(measures), fitting):
        _pdf_table(document, sheet, measures[start : start + fitting])
    document.heading(_("Definitions"))
    for measure in measures:
        document.definition(measure.label.to(sheet.language), measure.definition.to(sheet.language))
    return document.bytes()


def _pdf_table(document: Document, sheet: Sheet, measures: tuple[Measure, ...]) -> None:
    lines = [(sheet.label(row), row.figures) for row in sheet.card.rows]
    lines.append((_("All together"), sheet.card.total))
    document.table(
        ["", *(measure.label.to(sheet.language) for measure in measures)],
        [[label, *(_shown(figures[measure.name]) for measure in measures)] for label, figures in lines],
        [PDF_NAME, *(PDF_NUMBER for _measure in measures)],
    )


def _shown(figure: Figure) -> str:
    """A count, or a share with the numbers it is made of below."""
    if figure.good is None:
        return str(figure.due)
    return f"{percent(figure.rate)}\n{figure.good}/{figure.due}"
