"""One's own account in a real browser: a passkey from adding to signing in, a telephone's codes, channels without script."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from benchmarks.city import PASSWORD
from tests import running
from tests.web.browsing import HOME, PHONE, Site, give_password

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def site(browser_of_all: Browser) -> Iterator[Site]:
    """The city by its name: a number is no home for passkeys."""
    yield Site(browser=browser_of_all, url=running.city().url.replace("127.0.0.1", "localhost"))


def sign_out(page: Page) -> None:
    page.evaluate("document.querySelector(\"form[action='/logout']\").submit()")
    page.wait_for_url(re.compile(r"/$"))


def test_a_passkey_is_added_signs_in_serves_as_second_factor_and_is_removed(site: Site) -> None:
    with site.page("analyst") as page:
        device = page.context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
        page.goto("/account/passkeys/add")
        page.fill("#name", "办公电脑")
        page.locator("form[data-passkey] button").click()
        page.wait_for_url("**/account/recovery")
        expect(page.locator(".codes li")).to_have_count(10)
        sign_out(page)
        page.goto("/login?next=/notices")
        page.locator("form[data-passkey] button").click()
        page.wait_for_url(re.compile(r"localhost:\d+/notices"))
        expect(page.locator("main")).to_contain_text("添加了通行密钥")
        sign_out(page)
        give_password(page, "analyst")
        page.wait_for_url("**/login/second*")
        page.locator("form[data-passkey] button").click()
        page.wait_for_url(HOME)
        page.goto("/account/security")
        page.locator("form:has-text('办公电脑') button").click()
        page.wait_for_url(re.compile("/account/(security|again)"))
    assert not site.complaints


def test_what_a_passkey_cannot_do_here_is_said(site: Site) -> None:
    by_number = Site(browser=site.browser, url=site.url.replace("localhost", "127.0.0.1"))
    with by_number.page() as page:
        page.goto("/login")
        page.locator("form[data-passkey] button").click()
        expect(page.locator("[data-problem]")).to_be_visible()
    with site.page() as page:
        page.goto("/login")
        page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new Error('no')) }")
        page.locator("form[data-passkey] button").click()
        expect(page.locator("[data-problem]")).to_be_visible()


def test_the_codes_of_a_telephone_need_no_script(site: Site) -> None:
    with site.page("steward", java_script_enabled=False, viewport=PHONE) as page:
        page.goto("/account/totp")
        page.locator("summary", has_text="手工输入").click()
        secret = page.locator("code").inner_text()
        page.fill("#code", format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
        page.locator("main form button").first.click()
        page.wait_for_url("**/account/recovery")
        codes = page.locator(".codes li").all_inner_texts()
        page.context.clear_cookies()
        give_password(page, "steward")
        page.wait_for_url("**/login/second*")
        page.fill("#code", codes[0])
        page.press("#code", "Enter")
        page.wait_for_url(HOME)
        page.goto("/account/totp/remove")
        if "/again" in page.url:  # the sign-in is ten minutes old on a slow machine
            page.fill("#password", PASSWORD)
            page.press("#password", "Enter")
        page.locator("main .btn-danger").click()
        page.wait_for_url("**/account/security")


def test_a_channel_is_added_without_script_and_nothing_is_wider_than_a_phone(site: Site) -> None:
    with site.page("grid", java_script_enabled=False, viewport=PHONE) as page:
        page.goto("/account/channels")
        page.check("input[name=kind][value=webhook]")
        page.fill("#address", "https://hooks.city.invalid/in")
        page.locator("form:has(#address) button").click()
        expect(page.locator(".channel")).to_contain_text("hooks.city.invalid")
        page.locator(".channel input[name=code]").fill("000000")
        page.locator(".channel .btn-primary").click()
        expect(page.locator(".channel .error-text")).to_be_visible()
        page.locator(".channel form[action$=remove] button").click()
        expect(page.locator(".channel")).to_have_count(0)
    with site.page("grid", viewport=PHONE) as page:
        for path in (
            "/account",
            "/account/channels",
            "/account/deliveries",
            "/account/security",
            "/account/totp",
            "/notices",
        ):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
