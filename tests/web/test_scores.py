"""The scorecards as pages and files: what is shown is what was counted, and each number leads to its cases."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db.models import F
from django.test import Client
from openpyxl import load_workbook
from pypdf import PdfReader

from chengshu.cases import catalog
from chengshu.cases.models import Case, Clock
from chengshu.evaluation.measures import Kind, measure, of_kind
from chengshu.evaluation.scorecards import Figure
from chengshu.parties.models import Access, Department
from chengshu.parties.throttle import Limit
from chengshu.places.models import Division
from chengshu.web.pdf import MISSING, Document
from chengshu.web.scores import export, scorecards
from chengshu.web.scores.asked import Asked, presets
from chengshu.web.scores.scorecards import change

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
MakeCase = Callable[..., Case]
Closed = Callable[[int], Case]


@pytest.fixture
def closed(case: MakeCase) -> Callable[[int], Case]:
    """Cases that went the whole road, whose clocks all fell due at the moment they were stopped: in time, just."""

    def make(count: int) -> Case:
        made = [case(7) for _n in range(count)]
        Clock.objects.filter(stopped_at__isnull=False).update(due_at=F("stopped_at"))
        return made[0]

    return make


def test_the_earlier_period_has_as_many_days_or_months() -> None:
    week = Asked(kind=Kind.DEPARTMENT, first=date(2026, 3, 9), last=date(2026, 3, 15)).earlier()
    month = Asked(kind=Kind.DEPARTMENT, first=date(2026, 3, 1), last=date(2026, 3, 31)).earlier()
    quarter = Asked(kind=Kind.DEPARTMENT, first=date(2026, 1, 1), last=date(2026, 3, 31)).earlier()
    leap = Asked(kind=Kind.DEPARTMENT, first=date(2028, 2, 29), last=date(2028, 2, 29), against="year").earlier()
    found = [(each.first, each.last) for each in (week, month, quarter, leap) if each]
    assert found == [
        (date(2026, 3, 2), date(2026, 3, 8)),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2025, 10, 1), date(2025, 12, 31)),
        (date(2027, 2, 28), date(2027, 2, 28)),
    ]


def test_presets_reach_from_today_to_the_year() -> None:
    spans = [(each.first, each.last) for each in presets(date(2026, 1, 5))]
    assert spans[:2] == [(date(2026, 1, 5),) * 2, (date(2026, 1, 4),) * 2]
    assert (date(2025, 10, 1), date(2025, 12, 31)) in spans  # the last quarter
    assert (date(2025, 12, 29), date(2026, 1, 4)) in spans  # the last week, from Monday


def test_a_change_knows_what_is_better() -> None:
    handled, returned, opened = measure("handle"), measure("return"), measure("opened")
    up = change(handled, Figure(due=10, good=9), Figure(due=10, good=5))
    assert up is not None and (round(up.by), up.better) == (40, True)
    more = change(returned, Figure(due=10, good=2), Figure(due=10, good=1))
    assert more is not None and more.better is False
    busy = change(opened, Figure(due=12), Figure(due=7))
    assert busy is not None and (busy.by, busy.better) == (5, None)
    assert change(handled, Figure(due=0, good=0), Figure(due=1, good=1)) is None


def test_the_number_on_the_page_is_the_number_of_cases_behind_it(browser: Browser, closed: Closed) -> None:
    closed(3)
    client = browser("supervisor")
    page = client.get("/scores?kind=district").content.decode()
    links = re.findall(r'<a href="(/scores/cases\?[^"]*measure=closed[^"]*)">(\d+)</a>', page)
    assert links
    assert any("subject=all" in href for href, _shown in links)
    for href, shown in links:
        behind = client.get(href.replace("&amp;", "&")).content.decode()
        assert f'data-counted="{shown}"' in behind
        assert behind.count('class="title"') == int(shown)


def test_a_list_says_whose_and_of_when_and_how_many_cases_its_rows_are(browser: Browser, closed: Closed) -> None:
    made = closed(2)
    again = {"stage": "handle", "limit": "1wd", "unit": made.unit, "started_seq": 1, "started_at": made.opened_at}
    Clock.objects.create(case=made, stopped_at=made.opened_at, stopped_seq=1, due_at=made.opened_at, **again)
    unit = Department.objects.get(code="330106-CGJ")
    query = f"kind=department&measure=handle&part=denominator&subject={unit.pk}&first=2026-01-01&last=2099-12-31"
    page = browser("supervisor").get(f"/scores/cases?{query}").content.decode()
    assert 'data-counted="3"' in page
    assert ("in 2 cases" in page) or ("2 件案件" in page) or ("2件" in page)
    assert page.count('class="title"') == 2
    heading = page.split("<h1")[1].split("</p>")[0]
    assert unit.name in heading or unit.name_en in heading
    assert "2026-01-01 – 2099-12-31" in heading


def test_of_thousands_of_rows_a_page_shows_some_the_worst_first(
    browser: Browser, closed: Closed, case: MakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(1)
    elsewhere = case(7)
    Clock.objects.filter(case=elsewhere, stage="handle").update(due_at=F("stopped_at") - timedelta(seconds=1))
    east = Division.objects.get(code="330109", valid_to=None)
    Case.objects.filter(pk=elsewhere.pk).update(division=east, places=east.path)
    monkeypatch.setattr(scorecards, "SIZE", 1)
    client = browser("supervisor")
    names = re.compile(r'<th scope="row">([^<]+)</th>')
    first = client.get("/scores?kind=district").content.decode()
    assert len(names.findall(first)) == 2  # all together, and one
    [more] = re.findall(r'href="(\?[^"]*start=1[^"]*)" rel="next"', first)
    second = client.get("/scores" + more.replace("&amp;", "&")).content.decode()
    worst = client.get("/scores?kind=district&order=handle").content.decode()
    assert names.findall(first)[1] != names.findall(second)[1] == names.findall(worst)[1]


def test_a_document_of_too_many_rows_is_refused_with_a_remedy(
    browser: Browser, closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(1)
    monkeypatch.setattr(export, "PDF_ROWS", 0)
    client = browser("supervisor")
    answer = client.get("/scores.pdf?kind=department")
    assert answer.status_code == 422
    assert "XLSX" in answer.content.decode()
    assert client.get("/scores.xlsx?kind=department").status_code == 200


def test_files_are_made_only_so_often(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecards, "EXPORTS", Limit(name="scores-export-test", count=2, seconds=3600))
    client = browser("supervisor")
    assert [client.get("/scores.csv").status_code for _n in range(3)] == [200, 200, 429]
    assert browser("leader").get("/scores.csv").status_code == 200


@pytest.mark.parametrize("path", ["/scores", "/scores/ranking"])
def test_days_that_cannot_be_are_told_above_the_form(browser: Browser, path: str) -> None:
    for query in ("first=2026-02-02&last=2026-02-01", "first=0002-01-01", "last=x"):
        answer = browser("supervisor").get(f"{path}?kind=district&{query}")
        page = answer.content.decode()
        assert answer.status_code == 422
        assert page.index('class="alert alert-danger"') < page.index('name="first"')
        assert '<option value="district" selected>' in page


def test_who_sees_parts_of_others_work_only_ranks_nobody(browser: Browser, closed: Closed) -> None:
    closed(1)
    client = browser("handler")
    assert "/scores/ranking" not in client.get("/scores").content.decode()
    assert client.get("/scores/ranking").status_code == 403
    assert "/scores/ranking" in browser("grid").get("/scores").content.decode()


@pytest.mark.parametrize("username", ["steward", "admin"])
def test_who_sees_no_case_is_not_led_to_numbers_of_cases(browser: Browser, username: str) -> None:
    client = browser(username)
    assert client.get("/")["Location"] == "/admin"
    assert 'href="/scores"' not in client.get("/admin").content.decode()


def test_the_workbook_holds_the_numbers_of_the_page(browser: Browser, closed: Closed) -> None:
    closed(2)
    answer = browser("supervisor").get("/scores.xlsx?kind=department")
    book = load_workbook(io.BytesIO(answer.content))
    sheet = book.worksheets[0]
    head = [cell.value for cell in sheet[4]]
    row = next(line for line in sheet.iter_rows(min_row=5) if line[0].value == "330106-CGJ")
    assert row[head.index("结案数")].value >= 2
    share = row[head.index("按期处置率")]
    assert (share.value, share.number_format) == (1, "0.0%")
    assert sheet.freeze_panes == "C5"
    assert book.worksheets[1].max_row == len(of_kind(Kind.DEPARTMENT)) + 1


def test_no_name_becomes_a_formula(browser: Browser, closed: Closed) -> None:
    made = closed(1)
    assert made.unit is not None
    type(made.unit).objects.filter(pk=made.unit.pk).update(name="=1+1", name_en="=1+1")
    city = made.unit.city
    type(city).objects.filter(pk=city.pk).update(version=city.version + 1)
    catalog.forget()
    client = browser("supervisor")
    book = load_workbook(io.BytesIO(client.get("/scores.xlsx").content))
    cells = [cell for line in book.worksheets[0].iter_rows() for cell in line if cell.value == "=1+1"]
    assert cells and all(cell.data_type == "s" for cell in cells)
    assert "'=1+1" in client.get("/scores.csv").content.decode("utf-8-sig")


def test_the_document_reads_as_text_with_its_own_chinese_font(browser: Browser, closed: Closed) -> None:
    closed(1)
    client = browser("supervisor")
    reader = PdfReader(io.BytesIO(client.get("/scores.pdf").content))
    text = "".join(page.extract_text() for page in reader.pages)
    assert "西湖区城市管理局" in text.replace("\n", "")
    assert "按期处置率" in text.replace("\n", "")
    assert "/FontFile2" in str([_fonts(page) for page in reader.pages])


def _fonts(page: object) -> list[str]:
    resources = page["/Resources"]["/Font"]  # type: ignore[index]
    kinds = [font.get_object()["/DescendantFonts"][0].get_object() for font in resources.values()]
    return [key for kind in kinds for key in kind["/FontDescriptor"].get_object()]


def test_a_character_that_the_font_lacks_is_a_box() -> None:
    document = Document(title="纸箱📦")
    document.table(["", "甲"], [["乙", "1"]], [40, 20])
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(document.bytes())).pages)
    assert f"纸箱{MISSING}" in text


def test_a_long_table_repeats_its_head_and_numbers_its_pages() -> None:
    document = Document(title="长表")
    document.table(["单位", "件数"], [[f"第{n}个单位", str(n)] for n in range(120)], [60, 20])
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(document.bytes())).pages]
    assert len(pages) > 2
    assert all("件数" in page for page in pages)
    assert f"2 / {len(pages)}" in pages[1]


def test_people_see_their_own_figures_and_those_who_answer_for_them_leave_a_trace(
    browser: Browser, closed: Closed
) -> None:
    closed(1)
    mine = browser("dispatcher").get("/scores?kind=person").content.decode()
    assert len(re.findall(r'<th scope="row">', mine)) == 2  # all together, and oneself
    before = Access.objects.count()
    everybody = browser("supervisor").get("/scores?kind=person&against=none").content.decode()
    assert len(re.findall(r'<th scope="row">', everybody)) > 3
    trace = Access.objects.order_by("-pk")[0]
    assert Access.objects.count() == before + 1
    assert (trace.account.username, trace.purpose) == ("supervisor", "performance evaluation")
    [href, *_] = re.findall(r'<a href="(/scores/cases\?[^"]*subject=\d+[^"]*)"', everybody)
    assert browser("supervisor").get(href.replace("&amp;", "&")).status_code == 200
    assert Access.objects.count() == before + 2  # nobody's work is looked at unseen


def test_the_ranking_shows_places_and_why(browser: Browser, closed: Closed) -> None:
    closed(11)
    page = browser("supervisor").get("/scores/ranking").content.decode()
    assert "<b>1</b>" in page
    assert "100.0 %" in page and "×" in page
    assert browser("supervisor").get("/scores/ranking?kind=person").status_code == 422
