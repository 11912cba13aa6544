"""Vital signs, the register and a thing in a real browser: nothing is wider than a phone, and the chosen get their case."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests import running
from tests.web.browsing import PHONE, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_MADE = """
INSERT INTO sensing_thing (city_id, key, name, description, places, type, state, last_seen, lon, lat)
SELECT d.city_id, 'browser-' || n, '水位计' || n, '', d.path, 'water_gauge', 'new', now() - n * interval '40 minutes', 120.1, 30.2
FROM places_division d, generate_series(1, 4) n WHERE d.code = '330106' AND d.valid_to IS NULL
ON CONFLICT (city_id, key) DO NOTHING
"""


def test_from_a_number_to_the_list_to_a_case(site: Site) -> None:
    running.city().sql(_MADE)
    with site.page("dispatcher", viewport=PHONE) as page:
        page.goto("/things")
        for _ in range(30):  # until the worker has judged them
            if page.locator(".exceptions").count():
                break
            page.wait_for_timeout(1_000)
            page.reload()
        _fits(page)
        page.locator('.exception a[href*="state=late"]').first.click()
        expect(page.locator("h1")).to_have_text("设备台账")
        _fits(page)
        page.locator('input[name="thing"]').first.check()
        page.fill("#why", "巡检发现倾斜")
        page.get_by_role("button", name=re.compile("对选中的")).click()
        expect(page.get_by_role("status")).to_contain_text("已对1台设备执行")
        page.locator("a.title").first.click()
        expect(page.locator("h1")).to_contain_text("水位计")
        _fits(page)
    assert not site.complaints


def _fits(page: object) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # type: ignore[attr-defined]
