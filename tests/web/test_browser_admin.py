"""An administrator's day in a real browser: a limit changed and taken back, a holiday, a new colleague, the pack out and in."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web import axe
from tests.web.browsing import PHONE, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TYPE = "/admin/types/one?code=env.oil_smoke"


def save(page: Page, why: str, do: str = "save") -> None:
    """Give the reason in the form of the room and press its button."""
    form = page.locator(f"form:has(button[name=do][value={do}])").first
    form.locator("input[name=why]").fill(why)
    form.locator(f"button[name=do][value={do}]").click()


def test_a_limit_is_changed_looked_at_and_taken_back(site: Site) -> None:
    with site.page("admin") as page:
        page.goto(TYPE)
        before = page.input_value("#handle_amount")
        page.fill("#handle_amount", "9")
        page.locator("button[value=check]").click()
        expect(page.locator(".checked .changes")).to_contain_text("9")
        save(page, "先试行再定")
        expect(page.locator(".alert-success")).to_be_visible()
        expect(page.locator("#history")).to_contain_text("先试行再定")
        page.locator("#history a.btn").first.click()
        expect(page.locator("#handle_amount")).to_have_value(before)
        save(page, "恢复原时限")
        expect(page.locator("#handle_amount")).to_have_value(before)
        page.goto("/admin/changes")
        expect(page.get_by_text("恢复原时限")).to_be_visible()
    assert not site.complaints


def test_a_move_is_changed_with_its_diagram_and_taken_back(site: Site) -> None:
    with site.page("admin") as page:
        page.goto("/admin/moves?kind=urban")
        page.locator("#move-accept h3 a").click()
        page.get_by_label("核查员").first.check()
        page.locator("button[value=check]").click()
        expect(page.locator(".checked .changes")).to_contain_text("核查员")
        expect(page.locator(".checked svg.life")).to_be_visible()
        assert axe.findings(page) == []
        save(page, "夜班人手不足")
        expect(page.locator("#move-accept")).to_contain_text("核查员")
        page.locator("#history a.btn").first.click()
        expect(page.locator(".checked .changes")).to_contain_text("核查员")
        page.fill("#why", "恢复原来的分工")
        page.locator("main form button.btn-primary").click()
        expect(page.locator("#history")).to_contain_text("恢复原来的分工")
        expect(page.locator("#move-accept")).not_to_contain_text("核查员")
    assert not site.complaints


def test_a_holiday_is_picked_on_the_year_and_shown_before_it_is_saved(site: Site) -> None:
    with site.page("admin") as page:
        page.goto("/admin/calendar?year=2027")
        page.locator("td a[title^='2027-02-08']").click()
        expect(page.locator("#first")).to_have_value("2027-02-08")
        page.fill("#name", "除夕")
        page.locator("#days button[value=check]").click()
        expect(page.locator(".checked")).to_contain_text("2027-02-08")
        expect(page.locator("td.day-holidays.is-picked")).to_have_count(1)
    assert not site.complaints


def test_a_new_colleague_chooses_a_password_and_works(site: Site) -> None:
    with site.page("admin") as page:
        page.goto("/admin/accounts/new")
        page.fill("#name", "王五")
        page.fill("#username", "wangwu")
        page.fill("#why", "新入职派遣员")
        page.locator("main form button.btn-primary").click()
        link = page.locator("code.user-select-all").inner_text()
        page.select_option("#role", "dispatcher")
        page.fill("#department", "HZ-YX")
        save(page, "新入职派遣员", "give")
        expect(page.locator(".tag-done")).to_be_visible()
    with site.page() as page:
        page.goto(link)
        page.fill("#password", "three words of mine")
        page.fill("#again", "three words of mine")
        page.locator("main button.btn-primary").click()
        page.wait_for_url("**/login")
        page.fill("#username", "wangwu")
        page.fill("#password", "three words of mine")
        page.press("#password", "Enter")
        page.wait_for_url("**/desk*")
    assert not site.complaints


def test_the_pack_goes_out_and_comes_back_unchanged(site: Site, tmp_path: Path) -> None:
    with site.page("admin") as page:
        page.goto("/admin/pack")
        with page.expect_download() as waited:
            page.locator("a[download]").click()
        path = tmp_path / "hangzhou.zip"
        waited.value.save_as(path)
        page.set_input_files("#pack", str(path))
        page.locator("main form button.btn-primary").click()
        page.wait_for_url("**/admin/pack/plan*")
        expect(page.locator(".alert-success")).to_be_visible()
    assert not site.complaints


def test_the_life_of_a_case_is_drawn_and_its_moves_lead_to_their_words(site: Site) -> None:
    with site.page("admin") as page:
        page.goto("/admin/moves?kind=urban")
        page.locator("svg.life a[href='#move-dispatch']").click()
        expect(page.locator("#move-dispatch")).to_be_in_viewport()
    assert not site.complaints


PAGES = ("", "/departments", "/types", "/types/one?code=env.oil_smoke", "/calendar", "/parameters", "/escalation",
         "/notices", "/accounts", "/accounts/one?login=dispatcher", "/pack", "/changes", "/audit", "/moves")  # fmt: skip


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_nothing_runs_over_on_a_phone(site: Site, language: str) -> None:
    with site.page("admin", language=language, viewport=PHONE) as page:
        for address in PAGES:
            page.goto(f"/admin{address}")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, address
    assert not site.complaints
