"""Every page of the URL table, opened as somebody who uses it: axe finds nothing serious, it weighs under 400 kB without map."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests import running
from tests.web import axe
from tests.web import permissions as matrix
from tests.web.browsing import PHONE, Site, report
from tests.web.conftest import photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DESKTOP = {"width": 1440, "height": 900}
LIGHT = 400_000  # bytes over the wire: document, styles, scripts and icons, before the map and pictures
MAP = re.compile(r"/(map|maplibre)[\w.-]*\.(js|css)$|/map/|map\.json")
FIRST_OF = (
    "",
    "shift",
    "handler",
    "admin",
    "citizen",
    "grid",
    "steward",
    "leader",
    "operator",
    "dispatcher",
    "verifier",
    "supervisor",
    "analyst",
)
# Addresses that answer with no page, and those that need something which a fresh city does not have (their own tests open them).
NO_PAGE = re.compile(
    r"^/(api|sta)/|\.(json|csv|xlsx|pdf|zip|js|webmanifest|svg|png)$|^/(healthz|readyz|metrics)|/evidence/|/download|<uuid"
)
SAMPLES = {
    "/cockpit/line/<slug:name>": "/cockpit/line/on_time",
    "/cockpit/scenes/<slug:scene>/<slug:indicator>": "/cockpit/scenes/crowd/network_inflow",
    "/help/pages/<slug:name>": "/help/pages/case",
}
AS = {
    "/field/<number:number>": "verifier"
}  # who sees the sample case, where the first who may open such pages does not
PAPER = re.compile(r"/print$")  # sheets for paper are light everywhere


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was found on one page."""

    path: str
    status: int
    weight: int
    findings: list[str] = field(default_factory=list)


def _addresses() -> dict[str, list[str]]:
    """Addresses of pages by the account that opens them: the first of FIRST_OF who may."""
    names = {account: role for role, account in matrix.ACCOUNTS.items()}
    expected = matrix.expected()
    found: dict[str, list[str]] = {account: [] for account in FIRST_OF}
    for row in matrix.rows():
        if row.method != "GET" or row.where not in {"", "near"} or NO_PAGE.search(row.route):
            continue
        who = expected.get(row.name, {})
        may = (a for a in FIRST_OF if who.get(names.get(a, "anonymous")) == "ok")
        account = AS.get(row.route) or next(may, None)
        if account is not None:
            found[account].append(row.route)
    return {account: paths for account, paths in found.items() if paths}


@cache
def _number() -> str:
    """The number of a case that a stranger has reported."""
    site = Site(browser=_browser[0], url=running.city().url)
    picture = Path(running.city().home) / "axe.jpg"
    picture.write_bytes(photo("green"))
    with site.page() as page:
        return report(page, f"路灯不亮 {datetime.now(UTC):%H%M%S}", str(picture))[0]


_browser: list[Browser] = []


@contextmanager
def _in(language: str, page: Page) -> Iterator[None]:
    """The pages in a language, chosen as people choose it."""
    token = page.context.request.get("/help").text().split('name="csrf-token" content="')[1].split('"')[0]
    page.context.request.post("/language", form={"language": language, "csrfmiddlewaretoken": token})
    yield


def _walk(account: str) -> list[Seen]:
    site = Site(browser=_browser[0], url=running.city().url)
    seen = []
    with site.page(account, viewport=DESKTOP, reduced_motion="reduce") as page:
        for language, size in (("zh-hans", DESKTOP), ("en", DESKTOP), ("zh-hans", PHONE), ("en", PHONE)):
            with _in(language, page):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                seen += [_open(page, route, f"{language} {size['width']}") for route in _addresses()[account]]
    return seen


def _open(page: Page, route: str, how: str) -> Seen:
    path = route.replace("<number:number>", _number()) if "<number" in route else route
    path = SAMPLES.get(path, path)
    weights: dict[str, Any] = {}
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    wire.on(
        "Network.responseReceived",
        lambda event: weights.setdefault(event["requestId"], [event["type"], event["response"]["url"], 0]),
    )
    wire.on(
        "Network.loadingFinished",
        lambda event: weights.get(event["requestId"], ["", "", 0]).__setitem__(2, event["encodedDataLength"]),
    )
    answer = page.goto(path)
    page.wait_for_timeout(200)  # a page that is live never falls silent
    if not page.evaluate("document.doctype"):
        return Seen(path=path, status=answer.status if answer else 0, weight=0)  # a part of a page, loaded into another
    found = axe.findings(page)
    if how.endswith("1440") and not PAPER.search(path):
        page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
        found += [f"dark: {line}" for line in axe.findings(page, "color-contrast")]
    wire.detach()
    kinds = {"Document", "Stylesheet", "Script", "Other"}
    weight = sum(size for kind, url, size in weights.values() if kind in kinds and not MAP.search(url))
    return Seen(
        path=f"{path} ({account_of(page)} {how})", status=answer.status if answer else 0, weight=weight, findings=found
    )


def account_of(page: Page) -> str:
    return str(page.evaluate("document.querySelector('.person')?.textContent?.trim() ?? ''"))


@cache
def _seen(account: str) -> tuple[Seen, ...]:
    return tuple(_walk(account))


@pytest.fixture(autouse=True)
def _keep_browser(browser_of_all: Browser) -> None:
    _browser[:] = [browser_of_all]


ACCOUNTS = list(_addresses())


@pytest.mark.parametrize("account", ACCOUNTS)
def test_axe_finds_nothing_serious(account: str) -> None:
    wrong = [f"{seen.path}: {finding}" for seen in _seen(account) for finding in seen.findings]
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_page_opens_and_is_light(account: str) -> None:
    wrong = [
        f"{seen.path}: {seen.status}, {seen.weight} bytes"
        for seen in _seen(account)
        if seen.status >= 400 or seen.weight > LIGHT
    ]
    assert not wrong, "\n".join(wrong)
