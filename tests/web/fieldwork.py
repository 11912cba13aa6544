"""A handler's telephone, and what others do meanwhile."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Error, Page, expect

from tests import running
from tests.web.browsing import PHONE, UNIT, Site

HERE = {"latitude": 30.2755, "longitude": 120.1312, "accuracy": 12.0}
POSTS = {
    "operator": "operator",
    "shift": "shift_leader",
    "dispatcher": "dispatcher",
    "handler": "handler",
    "supervisor": "supervisor",
}
_LOST = re.compile(r"ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_ABORTED|Failed to fetch|/field/sync.*(409|422|404)")


def post(username: str, address: str, body: dict[str, Any]) -> Any:
    """What somebody does at the desk, over the API."""
    with running.city().client(running.token(username, POSTS[username])) as client:
        answer = client.post(address, body)
    assert answer.status < 300, answer.body
    return answer.json()


def move(username: str, case: dict[str, Any], code: str, **needs: str) -> None:
    post(username, f"/api/cases/{case['id']}/moves", {"move": code, **needs})


def job(title: str, *, received: bool = True, **more: Any) -> dict[str, Any]:
    """A case that lies with the handler's unit."""
    new = {"type": "appeal.noise_social", "title": title, "division": "330106", "place_text": "文三路90号", **more}
    case: dict[str, Any] = post("operator", "/api/cases", {**new, "key": secrets.token_hex(8)})
    for username, code, needs in (
        ("operator", "accept", {}),
        ("shift", "register", {}),
        ("dispatcher", "dispatch", {"unit": UNIT}),
    ):
        move(username, case, code, **needs)
    if received:
        move("handler", case, "receive")
    return case


def steps(case: dict[str, Any]) -> list[str]:
    """The codes of the moves made in a case, in their order."""
    with running.city().client(running.token("supervisor", "supervisor")) as client:
        story = client.get(f"/api/cases/{case['number']}/story").json()
    return [step["move"]["code"] for step in story["steps"]]


def go(page: Page, path: str = "") -> None:
    """Open an address, or the page anew. The app may be doing so itself, when something was sent: then once more."""
    for _try in range(3):
        try:
            if path:
                page.goto(path)
            else:
                page.reload()
        except Error:
            page.wait_for_timeout(500)
        else:
            return
    raise AssertionError(f"the page {path or page.url} does not come")


def left(page: Page, case: dict[str, Any]) -> None:
    """Wait until the page of a job has gone, and what comes after it is there."""
    page.wait_for_url(lambda url: case["number"] not in url)


@contextmanager
def phone(site: Site, username: str = "handler", **more: Any) -> Iterator[Page]:
    """A telephone on which the app has been opened once: its worker is at work."""
    with site.page(username, viewport=PHONE, has_touch=True, is_mobile=True, **more) as page:
        go(page, "/field")
        until(lambda: bool(page.evaluate("navigator.serviceWorker.controller !== null")), page)
        go(page)
        yield page
        page.context.set_offline(False)


def honest(site: Site) -> list[str]:
    """What the browser complained of, but for the network that a test had taken away."""
    return [said for said in site.complaints if not _LOST.search(said)]


def waiting(page: Page) -> Any:
    return page.locator("[data-queue-count]")


def open_job(page: Page, case: dict[str, Any]) -> None:
    go(page, f"/field/{case['number']}")
    expect(page.locator("[data-job-page]")).to_be_visible()


def handle(page: Page, note: str, picture: str = "") -> None:
    """Fill the form of the main act and send it."""
    form = page.locator("section.act.is-main form[data-act=handle]:visible")
    if picture:
        form.locator("input[type=file]").set_input_files(picture)
        expect(form.locator("[data-previews] figure")).to_have_count(1)
    form.locator("textarea").fill(note)
    form.locator(".act-go").click()


def until(found: Callable[[], bool], page: Page) -> None:
    for _ in range(60):
        if found():
            return
        page.wait_for_timeout(250)
    raise AssertionError("it did not happen")
