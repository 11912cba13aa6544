"""Pages tell where they can listen, and only those of officials."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chengshu.live.tickets import read
from chengshu.places.models import City
from tests.web.conftest import Browser, Who

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _port(settings: Any) -> None:
    settings.LIVE_PORT, settings.LIVE_URL = 8100, ""


def address(page: str) -> str:
    found = re.search(r'<meta name="live" content="([^"]+)"', page)
    return html.unescape(found[1]) if found else ""


def test_an_official_gets_a_ticket_for_their_post(browser: Browser, who: Who) -> None:
    answer = browser("handler").get("/account")
    parts, handler = urlsplit(address(answer.content.decode())), who("handler")
    assert (parts.netloc, parts.path) == ("testserver:8100", "/stream")
    ticket = read(parse_qs(parts.query)["ticket"][0])
    assert (ticket.account, ticket.post, ticket.role, ticket.scope) == (
        handler.account,
        handler.post,
        "handler",
        "unit",
    )
    assert (ticket.division, ticket.department) == (handler.division, handler.department)
    assert "connect-src 'self' http://testserver:8100;" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("username", ["", "citizen"])
def test_others_get_none(browser: Browser, username: str) -> None:
    assert address(browser(username).get("/report").content.decode()) == ""


def test_behind_a_proxy_the_path_is_that_of_the_setting(browser: Browser, settings: Any) -> None:
    settings.LIVE_URL = "/live/"
    answer = browser("shift").get("/account", secure=True)
    assert address(answer.content.decode()).startswith("/live/stream?ticket=")
    assert "connect-src 'self';" in answer["Content-Security-Policy"]
    settings.LIVE_URL = "https://live.city.example/x"
    answer = browser("shift").get("/account", secure=True)
    assert address(answer.content.decode()).startswith("https://live.city.example/x/stream?")
    assert "connect-src 'self' https://live.city.example;" in answer["Content-Security-Policy"]


def test_a_page_by_https_names_no_port_that_speaks_http(browser: Browser) -> None:
    answer = browser("shift").get("/account", secure=True)
    assert address(answer.content.decode()) == ""
    assert "connect-src 'self';" in answer["Content-Security-Policy"]


def test_a_city_without_live_events_says_nothing_of_them(browser: Browser, settings: Any, hangzhou: City) -> None:
    settings.LIVE_PORT = 0
    assert address(browser("shift").get("/account").content.decode()) == ""


def test_the_page_of_a_case_says_which_case_it_shows(browser: Browser, case: Any) -> None:
    shown = case(2)
    page = browser("shift").get(f"/cases/{shown.number}").content.decode()
    assert f'data-live-case="{shown.number}"' in page
    assert f'data-live-seq="{shown.seq}"' in page
    assert "{who}（{role}）正在填写…" in page
