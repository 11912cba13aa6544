"""The whole loop in a real browser: a stranger reports, the staff act, the stranger rates, the scorecard changes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.browsing import PHONE, UNIT, Site, act, report

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def satisfied(site: Site) -> str:
    """What the scorecard says of the unit's satisfaction."""
    with site.page("supervisor") as page:
        page.goto("/scores?kind=department")
        rows = page.locator("tbody tr").filter(has=page.locator("a[href*='measure=satisfaction']"))
        return " ".join(rows.all_inner_texts())


def test_the_whole_loop(site: Site, picture: str) -> None:
    before = satisfied(site)
    with site.page() as stranger:
        number, word = report(stranger, "路灯井盖松动", picture)
        with site.page("operator") as page:
            page.goto(f"/desk?view=open&q={number}")
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/cases/{number}")
            act(page, number, "accept")
        with site.page("shift") as page:
            act(page, number, "register", type="pub.cover_lighting")
        with site.page("dispatcher") as page:
            act(page, number, "dispatch", unit=UNIT)
        with site.page("handler", viewport=PHONE) as page:
            page.goto("/field")
            job = page.locator(".job").filter(has_text="路灯井盖松动")
            job.locator("button[type=submit]").first.click()
            job.get_by_role("link", name="处置反馈").click()
            page.wait_for_url(f"**/field/{number}*")
            page.locator("main form input[type=file]").first.set_input_files(picture)
            page.locator("main form textarea").first.fill("井盖已加固，现场已恢复")
            page.locator("main form .act-go").first.click()
            expect(page.locator(".alert-success")).to_contain_text("路灯井盖松动")
        with site.page("verifier") as page:
            act(page, number, "verify", note="现场核查合格")
        with site.page("shift") as page:
            act(page, number, "close")
        stranger.context.clear_cookies()
        stranger.goto("/follow")
        stranger.fill("#number", number)
        stranger.fill("#word", word)
        stranger.locator("main button[type=submit]").click()
        expect(stranger.get_by_text("井盖已加固，现场已恢复")).to_be_visible()
        expect(stranger.get_by_text("现场核查合格")).to_have_count(0)
        stranger.locator("label[for=rating-5]").click()
        stranger.locator('form:has(input[name=move][value="rate"]) button[type=submit]').click()
        expect(stranger.locator(".alert-success")).to_be_visible()
    assert satisfied(site) != before
    assert not site.complaints


def test_reporting_needs_no_script_and_no_map(site: Site, picture: str) -> None:
    with site.page(java_script_enabled=False, viewport=PHONE) as page:
        number, word = report(page, "人行道积水", picture)
        page.goto(f"/follow/{number}")
        assert page.locator("h1").inner_text() == "人行道积水"
        assert len(word) == 11


def test_the_map_is_drawn_and_a_click_fills_the_point(site: Site) -> None:
    with site.page() as page:
        page.goto("/report")
        canvas = page.locator("[data-map] canvas")
        expect(canvas).to_be_visible(timeout=30_000)
        expect(page.locator(".map-name").first).to_be_visible(timeout=30_000)
        canvas.click(position={"x": 200, "y": 100})
        page.locator("summary", has_text="经度和纬度").click()
        assert 119 < float(page.locator("input[name=lon]").input_value()) < 121.5
        assert 29 < float(page.locator("input[name=lat]").input_value()) < 31.5
    assert not site.complaints


PAGES = {
    "": ["/", "/report", "/follow", "/login", "/register"],
    "shift": ["/desk?view=open", "/cockpit", "/rules", "/rules/edit", "/scores", "/notices", "/account"],
    "handler": ["/field", "/desk"],
    "citizen": ["/mine"],
}


@pytest.mark.parametrize("username", PAGES)
def test_nothing_is_wider_than_a_phone(site: Site, username: str) -> None:
    with site.page(username, viewport=PHONE) as page:
        for path in PAGES[username]:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    assert not site.complaints
