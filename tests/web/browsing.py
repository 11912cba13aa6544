"""The running city as people see it: a real browser, somebody signed in, and what everybody does with a page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from benchmarks.city import PASSWORD
from tests import running

PHONE = {"width": 390, "height": 844}
UNIT = "330106-CGJ"
HOME = re.compile(r"/(desk|field|cockpit|mine|rules|scores|admin)")
_CHROMIUM = os.environ.get("CHENGSHU_CHROMIUM") or shutil.which("chromium") or ""
_QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Site:
    """The running city in a browser; `complaints` is what the browser said against its pages."""

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)

    @contextmanager
    def page(
        self, username: str = "", *, language: str = "zh-hans", tour: bool = False, **options: Any
    ) -> Iterator[Page]:
        """A page of a new visitor, or of somebody who has signed in.

        Whoever signs in reads `language`, whatever an earlier test chose, and has left the first `tour` unless that is
        wanted.
        """
        if username:
            running.city().sql("UPDATE parties_account SET language = %s WHERE username = %s", [language, username])
        context = self.browser.new_context(base_url=self.url, locale="zh-CN", **options)
        page = context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        if username:
            sign_in(page, username)
            if not tour:
                leave_tour(page)
        yield page
        context.close()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


def give_password(page: Page, username: str) -> None:
    page.goto("/login")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")


def sign_in(page: Page, username: str) -> None:
    """Sign in with the password, as far as the first page."""
    give_password(page, username)
    page.wait_for_url(HOME)


def leave_tour(page: Page) -> None:
    """Say once that the tour of this post was seen, so that it does not lie over what a test clicks."""
    form = page.locator("form#tour")
    if form.count():
        token = form.locator("[name=csrfmiddlewaretoken]").input_value()
        page.context.request.post(
            "/help/tour/seen", form={"csrfmiddlewaretoken": token}, headers={"HX-Request": "true"}
        )
        page.reload()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without anything of its own to say to the network."""
    if not _CHROMIUM:
        pytest.fail("There is no Chromium: install one, or name it with CHENGSHU_CHROMIUM.")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


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
