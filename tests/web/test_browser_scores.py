"""The scorecards in a real browser: periods, ranking, and files, at the desk and on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.web.browsing import PHONE, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_supervisor_chooses_a_period_and_takes_the_files_along(site: Site) -> None:
    with site.page("supervisor") as page:
        page.goto("/scores?kind=district")
        page.get_by_role("link", name="上月").click()
        expect(page.get_by_role("link", name="上月")).to_have_attribute("aria-current", "page")
        page.select_option("#against", "year")
        page.wait_for_url(re.compile("against=year"))
        for form in ("CSV", "XLSX", "PDF"):
            with page.expect_download() as download:
                page.get_by_role("link", name=form).click()
            assert download.value.suggested_filename.endswith(f".{form.lower()}")
        page.get_by_role("link", name="排名").click()
        expect(page.locator("h1")).to_have_text("排名")
    assert not site.complaints


def test_a_period_chosen_by_hand_is_asked_for_when_it_is_one(site: Site) -> None:
    with site.page("supervisor") as page:
        page.goto("/scores?kind=district&first=2026-01-01&last=2026-01-31")
        page.fill("#first", "2026-03-01")  # later than the last day: nothing is asked yet
        page.fill("#last", "2026-03-31")
        page.wait_for_url(re.compile("first=2026-03-01.*last=2026-03-31"))
        page.fill("#first", "0002-03-01")  # on the way to a year
        page.wait_for_timeout(500)
        expect(page).to_have_url(re.compile("first=2026-03-01"))
        page.fill("#first", "2026-03-01")
        page.select_option("#order", "handle")
        page.wait_for_url(re.compile("order=handle"))
    assert not site.complaints


def test_on_a_phone_the_names_stay_while_the_numbers_scroll(site: Site) -> None:
    with site.page("bos-supervisor", viewport=PHONE) as page:
        page.goto("/scores")
        box = page.locator(".table-scroll")
        expect(box).to_have_class(re.compile("has-more"))
        left = page.locator("tbody th").first.bounding_box()
        box.evaluate("box => box.scrollLeft = 200")
        assert page.locator("tbody th").first.bounding_box() == left
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not site.complaints
