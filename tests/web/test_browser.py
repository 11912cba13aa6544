"""The whole loop in a real browser: a stranger reports, the staff act, the stranger rates, the scorecard changes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from benchmarks.city import PASSWORD
from tests import running
from tests.web.conftest import photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHROMIUM = os.environ.get("CHENGSHU_CHROMIUM") or shutil.which("chromium") or ""
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 390, "height": 800}
UNIT = "330106-CGJ"


@dataclass
class Site:
    """The running city in a browser; `complaints` is what the browser said against its pages."""

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)

    @contextmanager
    def page(self, username: str = "", *, tour: bool = False, **options: Any) -> Iterator[Page]:
        """A page of a new visitor, or of somebody who has signed in, and left the first `tour` unless that is wanted."""
        context = self.browser.new_context(base_url=self.url, locale="zh-CN", **options)
        page = context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        if username:
            page.goto("/login")
            page.fill("#username", username)
            page.fill("#password", PASSWORD)
            page.press("#password", "Enter")
            page.wait_for_url(re.compile(r"/(desk|field|cockpit|mine|rules|scores|admin)"))
            if not tour:
                leave_tour(page)
        yield page
        context.close()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


def leave_tour(page: Page) -> None:
    """Say once that the tour of this post was seen, so that it does not lie over what a test clicks."""
    form = page.locator("form#tour")
    if form.count():
        token = form.locator("[name=csrfmiddlewaretoken]").input_value()
        page.context.request.post(
            "/help/tour/seen", form={"csrfmiddlewaretoken": token}, headers={"HX-Request": "true"}
        )
        page.reload()


@pytest.fixture(scope="module")
def browser_of_all() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("There is no Chromium: install one, or name it with CHENGSHU_CHROMIUM.")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def site(browser_of_all: Browser) -> Site:
    return Site(browser=browser_of_all, url=running.city().url)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "现场.jpg"
    path.write_bytes(photo("green"))
    return str(path)


def report(page: Page, title: str, picture: str) -> tuple[str, str]:
    """Fill the public form; number and word of the answer."""
    page.goto("/report")
    page.fill("#title", title)
    page.fill("#place", "文三路90号")
    if not page.locator("#phone").is_visible():
        page.locator("details:has(#phone) > summary").click()
    page.fill("#phone", "13800000000")
    page.set_input_files("#evidence", picture)
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/report/done")
    keys = page.locator(".key")
    return keys.nth(0).inner_text(), keys.nth(1).inner_text()


def act(page: Page, number: str, move: str, note: str = "", picture: str = "", **choices: str) -> None:
    """Make a move on the page of a case as a person does: open its form, fill it, send it."""
    page.goto(f"/cases/{number}")
    form = page.locator(f'form:has(input[name=move][value="{move}"])')
    if not form.is_visible():
        form.locator("xpath=..").locator("summary").click()
    for name, value in choices.items():
        form.locator(f"select[name={name}]").select_option(value)
    if picture:
        form.locator("input[type=file]").set_input_files(picture)
        expect(form.locator("[data-previews] figure")).to_have_count(1)
    if note:
        form.locator("textarea").fill(note)
    form.locator("button[type=submit]").first.click()
    expect(page.locator(".alert-success")).to_be_visible()


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
