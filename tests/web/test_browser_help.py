"""Help in a real browser: the tour of every role by keyboard, the panel, the words; and every form without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web import axe
from tests.web.browsing import PHONE, Site, act, report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ACCOUNTS = ("operator", "handler", "grid", "leader", "admin", "steward", "citizen")
EMPTY = {".job"}  # parts that a fresh city does not show


def _again(page: Page) -> None:
    """Ask for the tour as people do, on the page of help."""
    page.goto("/help#tour")
    page.locator('form[action="/help/tour/again"] button').click()


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_tour_is_walked_by_keyboard_and_does_not_come_again(site: Site, account: str) -> None:
    with site.page(account) as page:
        _again(page)
        tour = page.get_by_role("dialog").and_(page.locator("#tour"))
        expect(tour).to_be_visible()
        wanted = page.locator("#tour section").evaluate_all("all => all.map(one => one.dataset.at)")
        missing = [at for at in wanted if not page.locator(at).locator("visible=true").count() and at not in EMPTY]
        assert not missing
        assert not axe.findings(page)
        with page.expect_response("**/help/tour/seen"):
            for _step in wanted:
                page.keyboard.press("Enter")
        expect(tour).to_be_hidden()
        page.reload()
        expect(page.locator("#tour")).to_have_count(0)
    assert not site.complaints


def test_the_question_mark_opens_the_help_of_the_page(site: Site) -> None:
    with site.page("dispatcher") as page:
        page.goto("/desk")
        page.locator("a[data-help]").click()
        panel = page.locator("dialog#help")
        expect(panel.get_by_role("heading", name="案件列表")).to_be_visible()
        assert not axe.findings(page)
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
    assert not site.complaints


def test_a_word_of_the_trade_is_explained_beside_it(site: Site, picture: str) -> None:
    with site.page() as page:
        number, _word = report(page, "墙面乱涂写", picture)
    with site.page("operator") as page:
        page.goto(f"/cases/{number}")
        page.locator("[data-term=reported]").first.hover()
        expect(page.get_by_role("tooltip")).to_contain_text("尚未受理")
        page.keyboard.press("Escape")
        expect(page.get_by_role("tooltip")).to_be_hidden()
    assert not site.complaints


def test_the_menu_of_a_phone_shows_where_one_is(site: Site) -> None:
    with site.page("shift", viewport=PHONE) as page:
        page.goto("/desk")
        page.locator("header .narrow-only summary").click()
        expect(page.locator("header .narrow-only a[aria-current=page]")).to_be_visible()
        assert not axe.findings(page)


def test_work_is_done_without_a_script(site: Site, picture: str) -> None:
    with site.page(java_script_enabled=False) as page:
        number, _word = report(page, "树枝压线", picture)
    with site.page("operator", java_script_enabled=False) as page:
        page.goto("/desk?view=open")
        page.fill("#q", number)
        page.locator("form[role=search] .no-js-only button").click()
        page.get_by_role("link", name="树枝压线").first.click()
        act(page, number, "accept")
    with site.page("shift", java_script_enabled=False) as page:
        page.goto("/rules/edit")
        rules = page.locator("textarea[name=rules]").input_value()
        assert "when" in rules
        page.fill("textarea[name=rules]", rules.replace("- id:", "# 试行\n- id:", 1))
        page.locator("main form button[type=submit]").first.click()
        expect(page.locator("main h1")).to_be_visible()
        page.goto("/help/glossary#supervise")
        expect(page.locator("#supervise")).to_contain_text("督办")
