"""The cockpit in a real browser: a shift leader at the desk, a leader with one minute on a phone, a wall in the hall."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests import running
from tests.web.browsing import PHONE, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WALL = {"width": 1920, "height": 1080}
TITLE = "文二路窨井盖缺失"


@pytest.fixture(scope="module")
def late() -> Iterator[str]:
    """A dispatched case in Xihu district whose limit has run out, made known to the city through its API."""
    city = running.city()
    with httpx.Client(
        base_url=city.url, headers={"Authorization": f"Bearer {running.token('operator', 'operator')}"}
    ) as api:
        made = api.post(
            "/api/cases",
            json={
                "title": TITLE,
                "kind": "urban",
                "division": "330106",
                "lon": 120.12,
                "lat": 30.27,
                "place_text": "文二路",
            },
            headers={"Idempotency-Key": "late-in-the-cockpit"},
        )
        assert made.is_success, made.text
    number = made.json()["number"]
    city.sql("UPDATE cases_case SET due_at = now() - interval '7 hours', escalation = 2 WHERE number = %s", [number])
    yield number


def in_english(page: Page) -> None:
    page.locator("form[action='/language'] button").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def quiet(page: Page) -> None:
    """Put the tour aside, if one is shown."""
    page.keyboard.press("Escape")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_shift_leader_goes_from_the_number_to_the_act(site: Site, late: str) -> None:
    with site.page("shift") as page:
        page.goto("/cockpit")
        quiet(page)
        card = page.locator(".exception").first
        expect(card).to_have_class(re.compile("is-alarm"))
        shown = int(card.locator("b").inner_text())
        card.locator(".verb").click()
        expect(page.locator("[data-counted]")).to_have_attribute("data-counted", str(shown))
        page.locator("input[name=move][value=urge]").check()
        page.locator("[data-every]").uncheck()
        page.locator("tr", has_text=late).locator("input[name=case]").check()
        expect(page.locator("[data-chosen]")).to_have_text("(1)")
        page.fill("#note", "请立即到场设置围挡")
        page.locator(".act-bar button[type=submit]").click()
        expect(page.locator(".alert-success")).to_be_visible()
        page.goto("/cockpit/cases?which=urged")
        expect(page.locator("tr", has_text=late)).to_be_visible()
    assert site.complaints == []


def test_the_map_shows_the_case_and_the_districts(site: Site, late: str) -> None:
    with site.page("shift") as page:
        page.goto("/cockpit")
        quiet(page)
        page.locator(".cockpit-map").scroll_into_view_if_needed()
        expect(page.locator("canvas.maplibregl-canvas")).to_be_visible(timeout=20_000)
        expect(page.locator("[data-map-says]")).to_have_text(re.compile(r"\d"), timeout=20_000)
        expect(page.locator("[data-layers]")).to_be_visible()
        page.locator("[data-layers] input[value=units]").check()
    assert site.complaints == []


def test_what_is_read_stays_open_while_the_page_refreshes_itself(site: Site, late: str) -> None:
    with site.page("shift") as page:
        page.goto("/cockpit")
        quiet(page)
        definition = page.locator("#define-on_time")
        definition.locator("summary").click()
        page.evaluate("document.querySelector('#now .section-top').dataset.old = '1'")
        page.evaluate("document.body.dispatchEvent(new CustomEvent('live:resync'))")
        expect(page.locator("#now [data-old]")).to_have_count(0)
        expect(definition).to_have_attribute("open", "")

        unit = "SELECT id FROM parties_department WHERE code = '330106-CGJ'"
        running.city().sql(f"UPDATE cases_case SET unit_id = ({unit}) WHERE number = %s", [late])
        page.locator(".cockpit-map").scroll_into_view_if_needed()
        page.locator("[data-layers] input[value=units]").check(timeout=20_000)
        page.locator("[data-layers] input[value=cases]").uncheck()  # a cluster may lie over the sign of the units
        popup = page.locator(".maplibregl-popup")
        for _try in range(5):  # the map takes a click for a drag when a busy machine draws late
            page.locator(".load").first.click()
            page.wait_for_timeout(500)
            if popup.count():
                break
        expect(popup).to_have_count(1)  # and not that of the division below
        with page.expect_response("**/cockpit/map.json*"):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('live:case'))")
        page.wait_for_timeout(300)
        expect(popup).to_be_visible()
    assert site.complaints == []


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_a_leader_with_one_minute_and_a_phone(site: Site, late: str, english: bool) -> None:
    with site.page("leader", viewport=PHONE) as page:
        page.goto("/cockpit")
        quiet(page)
        if english:
            in_english(page)
            page.goto("/cockpit")
        expect(page.locator(".exception").first).to_be_in_viewport()
        expect(page.locator(".must")).to_contain_text(TITLE)
        for path in ("/cockpit", "/cockpit/brief", "/cockpit/line/reported", "/cockpit/cases?which=overdue"):
            page.goto(path)
            assert fits(page), path
    assert site.complaints == []


def test_the_wall_is_dark_full_and_acts(site: Site, late: str) -> None:
    with site.page("shift", viewport=WALL) as page:
        page.goto("/cockpit/wall")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        assert fits(page)
        row = page.locator(".wall-must li", has_text=TITLE)
        expect(row).to_be_in_viewport(ratio=1)
        row.locator("a").click()
        expect(page).to_have_url(re.compile(late))
    assert site.complaints == []


def test_a_number_changes_by_itself(site: Site, late: str) -> None:
    """Without live events the page looks again every half minute."""
    city = running.city()
    due = "UPDATE cases_case SET due_at = now() + %s * interval '7 hours' WHERE number = %s"
    city.sql(due, [-1, late])
    with site.page("supervisor") as page:
        page.goto("/cockpit/wall")
        before = int(page.locator(".wall-figure b").first.inner_text())
        city.sql(due, [1, late])
        expect(page.locator(".wall-figure b").first).to_have_text(str(before - 1), timeout=45_000)


def test_days_are_counted_by_the_worker(site: Site, late: str) -> None:
    with site.page("shift") as page:
        for _ in range(30):
            page.goto("/cockpit")
            today = page.locator(".tile a[href*='indicator=reported']").last
            if int(re.sub(r"\D", "", today.inner_text()) or 0):
                break
            time.sleep(1)
        shown = re.sub(r"\D", "", today.inner_text())
        today.click()
        expect(page.locator("[data-counted]")).to_have_attribute("data-counted", shown)


def test_two_people_hand_a_shift_over_without_scripts(site: Site, late: str) -> None:
    with site.page("shift", java_script_enabled=False) as page:
        page.goto("/cockpit/handover")
        page.locator("tr", has_text=late).locator("input[name=text]").fill("已联系权属单位，半小时内到场")
        page.locator("tr", has_text=late).locator("button").click()
        expect(page.locator("#notes")).to_contain_text("半小时内到场")
        page.locator("form[action*=sign] button").click()
        record = page.url
    with site.page("operator", java_script_enabled=False) as page:
        page.goto(record)
        page.locator("form[action*=take] button").click()
        expect(page.locator("dl.facts")).to_contain_text("演示·受理员")
