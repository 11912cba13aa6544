"""A citizen's day on a phone, in both languages, with and without scripts: report, join, follow, look around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browsing import PHONE, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HERE = {"longitude": 120.1312, "latitude": 30.2755}
THERE = {"longitude": 120.1001, "latitude": 30.2601}
WORDS = {
    "zh-CN": {
        "alike": "是不是这几件？",
        "first": "先反映",
        "settled": "办结",
        "numbers": "办理情况统计",
        "again": "您上次没写完",
    },
    "en-US": {
        "alike": "Is it one of these?",
        "first": "reported it first",
        "settled": "settled",
        "numbers": "How well the city does it",
        "again": "had begun",
    },
}


@contextmanager
def phone(site: Site, language: str, **more: Any) -> Iterator[Page]:
    """A visitor's telephone that speaks a language, as chosen on the page before."""
    with site.page(viewport=PHONE, **more) as page:
        code = "en" if language == "en-US" else "zh-hans"
        page.context.add_cookies([{"name": "django_language", "value": code, "url": site.url}])
        yield page


def fill(page: Page, title: str, picture: str = "") -> None:
    page.goto("/report")
    page.fill("#title", title)
    if picture:
        page.set_input_files("#evidence", picture)
    page.locator("details:has(input[name=lon]) > summary").last.click()
    page.fill("input[name=lon]", str(HERE["longitude"]))
    page.fill("input[name=lat]", str(HERE["latitude"]))


def send(page: Page) -> None:
    page.locator("main form button[type=submit]").last.click()


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url


@pytest.mark.parametrize("language", WORDS)
def test_a_second_voice_joins_without_a_script(site: Site, picture: str, language: str) -> None:
    said = WORDS[language]
    title = f"暴露垃圾 {language}"
    with phone(site, language, java_script_enabled=False) as first:
        fill(first, title, picture)
        send(first)
        if said["alike"] in first.locator("h1").inner_text():  # of the run in the other language
            send(first)
        first.wait_for_url("**/report/done")
        number = first.locator(".key").nth(0).inner_text()
    with phone(site, language, java_script_enabled=False) as second:
        fill(second, "门口暴露垃圾没人收", picture)
        send(second)
        assert said["alike"] in second.locator("h1").inner_text()
        assert title not in second.content()
        second.locator("button[name=join]").first.click()
        second.wait_for_url("**/report/done")
        joined, word = (second.locator(".key").nth(n).inner_text() for n in (0, 1))
        second.context.clear_cookies(name="followed")
        second.goto("/follow")
        second.fill("#number", joined)
        second.fill("#word", word)
        send(second)
        second.wait_for_url(f"**/follow/{joined}")
        assert said["first"] in second.locator(".case-head").inner_text()
        assert number.split("-")[0] == joined.split("-")[0]
    assert not site.complaints


@pytest.mark.parametrize("language", WORDS)
def test_a_draft_survives_and_ends_with_the_report(site: Site, language: str) -> None:
    with phone(site, language) as page:
        page.goto("/report")
        page.fill("#title", "树枝断了挂在半空")
        page.fill("#place", "古翠路公交站旁")
        page.locator("details.more > summary").click()
        page.fill("#phone", "13800000000")
        page.reload()
        expect(page.locator("[data-draft-told]")).to_contain_text(WORDS[language]["again"])
        assert page.input_value("#title") == "树枝断了挂在半空"
        assert page.input_value("#phone") == ""  # no telephone stays on a device
        fits(page)
        send(page)
        page.wait_for_url("**/report/done")
        expect(page.locator("[data-copy]")).to_be_visible()
        expect(page.locator("[data-print]")).to_be_visible()
        fits(page)
        page.go_back()
        page.goto("/report")
        assert page.input_value("#title") == ""
    assert not site.complaints


@pytest.mark.parametrize("language", WORDS)
def test_near_me_asks_the_device_and_statistics_fit_a_phone(site: Site, language: str) -> None:
    said = WORDS[language]
    with phone(site, language, geolocation=HERE, permissions=["geolocation"]) as page:
        page.goto("/near")
        page.locator("[data-locate]").click()
        page.wait_for_url(re.compile(r"lon=120\.131&lat=30\.27[56]$"))
        expect(page.locator("main")).to_contain_text(said["settled"])
        fits(page)
        page.goto("/statistics")
        assert page.locator("h1").inner_text() == said["numbers"]
        fits(page)
        page.goto("/")
        fits(page)
    assert not site.complaints


def test_my_place_is_one_tap_and_a_double_tap_is_one_case(site: Site) -> None:
    with phone(site, "zh-CN", geolocation=THERE, permissions=["geolocation"]) as page:
        page.goto("/report")
        page.fill("#title", "窨井盖响声大")
        page.locator("[data-locate]").click()
        expect(page.locator("input[name=lon]")).to_have_value("120.100100")
        page.locator("main form button[type=submit]").last.dblclick()
        page.wait_for_url("**/report/done")
        number = page.locator(".key").first.inner_text()
        page.go_back()
        page.goto("/follow")
        expect(page.get_by_role("link", name=number)).to_be_visible()
        assert page.locator("a[href^='/follow/']").count() == 1
    assert not site.complaints
