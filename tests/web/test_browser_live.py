"""What others do is seen on the open pages of a real browser, and nobody loses what they typed."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import running
from tests.web.browsing import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
POSTS = {"operator": "operator", "shift": "shift_leader", "dispatcher": "dispatcher"}


def post(username: str, address: str, body: dict[str, Any]) -> Any:
    """What somebody else does meanwhile, over the API."""
    with running.city().client(running.token(username, POSTS[username])) as client:
        answer = client.post(address, body)
    assert answer.status < 300, answer.body
    return answer.json()


def report(title: str) -> dict[str, Any]:
    """A new case in the handler's district that needs no photo."""
    body = {"type": "appeal.noise_social", "title": title, "description": title, "division": "330106",
            "place_text": "文三路90号", "key": secrets.token_hex(8)}  # fmt: skip
    case: dict[str, Any] = post("operator", "/api/cases", body)
    return case


def move(username: str, case: dict[str, Any], code: str, **needs: str) -> None:
    post(username, f"/api/cases/{case['id']}/moves", {"move": code, **needs})


def opened(page: Page, number: str) -> None:
    """The page of a case, when its stream is open."""
    with page.expect_response(lambda answer: "/stream?" in answer.url):
        page.goto(f"/cases/{number}")


def test_two_people_at_one_case_see_each_other(site: Site) -> None:
    case = report("夜间噪声")
    number = case["number"]
    with site.page("operator") as operator, site.page("shift") as shift:
        opened(operator, number)
        opened(shift, number)
        people = operator.locator("[data-live-people]")
        expect(people).to_have_text("演示·值班长（值班长）正在查看")
        note = shift.locator("form:has(input[name=move]) textarea").first
        note.locator("xpath=ancestor::details").evaluate("element => element.open = true")
        note.fill("正在核实地点")
        expect(people).to_have_text("演示·值班长（值班长）正在填写…")
        move("operator", case, "accept")
        banner = shift.locator("[data-live-moved]")
        expect(banner).to_be_visible()
        expect(banner).to_contain_text("受理")
        expect(note).to_have_value("正在核实地点")
        banner.locator("[data-live-show]").click()
        shift.wait_for_load_state()
        # The move of which the words were the note is not open any more: they are shown, and not lost.
        expect(shift.locator("main").get_by_text("正在核实地点")).to_be_visible()
    assert site.complaints == []


def test_the_bell_counts_by_itself(site: Site) -> None:
    case = report("夜间噪声又起")
    with site.page("handler") as handler:
        with handler.expect_response(lambda answer: "/stream?" in answer.url):
            handler.goto("/account")
        count = handler.locator("[data-live-unread]")
        before = int(count.text_content() or "0")
        move("operator", case, "accept")
        move("shift", case, "register")
        move("dispatcher", case, "dispatch", unit="330106-CGJ")
        expect(count).to_have_text(str(before + 1))
        expect(count).to_be_visible()
