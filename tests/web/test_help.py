"""Help: every page has its text, every state and move its word, and a tour is shown once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client

from chengshu.packs.read import read_pack
from chengshu.parties.models import Account
from chengshu.parties.roles import Role
from chengshu.web import context
from chengshu.web.help import texts
from chengshu.web.help.views import ROOMS
from tests.web import permissions as matrix
from tests.web.conftest import Browser

CITIES = Path(__file__).parents[2] / "cities"
# What is no page that people read: files, parts of pages, steps of signing in, addresses that lead elsewhere.
NO_PAGE = re.compile(
    r"^(logout|healthz|readyz|metrics|evidence|boundaries|help_words|help_page|openapi.*|api-.*|account_login|mfa_index|reported)$"
    r"|^(openid|mfa_login|mfa_deactivate|mfa_reauthenticate|account_reauthenticate)|_(print|related|counts|palette|map|part)$"
    r"|json|csv|xlsx|pdf|download|export|^field_(manifest|worker|offline)$"
)


@pytest.mark.parametrize("city", ["hangzhou", "boston"])
def test_every_state_and_move_of_the_cities_has_a_word(city: str) -> None:
    pack = read_pack(CITIES / city)
    used = {state.code for state in pack.states} | {move.code for move in pack.moves}
    undo = {code for code in used if code.startswith("undo_")}  # one word for all of them
    assert not used - undo - set(texts.glossary()) - {"new", "reassign"}


def test_every_page_has_its_help() -> None:
    named = {
        pattern.name
        for pattern in matrix.patterns()
        if "GET" in getattr(pattern.callback, "methods", ()) and not NO_PAGE.search(pattern.name)
    }
    without = sorted(named - set(texts.pages()))
    assert not without
    gone = sorted(set(texts.pages()) - {str(pattern.name) for pattern in matrix.patterns()})
    assert not gone


def test_every_role_has_a_tour_and_every_room_a_name() -> None:
    assert set(texts.tours()) == set(Role) - {Role.SYSTEM}
    assert {help.room for help in texts.pages().values()} <= set(ROOMS)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_help_speaks_both_languages(browser: Browser, language: str) -> None:
    client = browser("")
    for path in ("/help", "/help/pages/desk"):
        answer = client.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200
        main = re.sub(r"<header.*?</header>", "", answer.content.decode(), flags=re.S)
        assert ("超期" in main) == (language == "zh-hans"), path


def test_scripts_get_the_words_in_the_language_of_the_page(browser: Browser) -> None:
    found = json.loads(browser("").get("/help/words.json", headers={"Accept-Language": "zh-hans"}).content)
    assert found["terms"]["supervise"][0] == "督办"
    assert found["map"]["NavigationControl.ZoomIn"] == "放大"


def test_the_panel_gets_a_part_and_a_link_a_page(browser: Browser) -> None:
    client = browser("")
    assert b"<html" in client.get("/help/pages/report").content
    assert b"<html" not in client.get("/help/pages/report", headers={"HX-Request": "true"}).content
    assert client.get("/help/pages/nothing").status_code == 404


def test_a_tour_is_shown_until_it_was_seen_and_again_when_asked_for(browser: Browser) -> None:
    client = browser("dispatcher")
    home = "/desk"
    assert b'id="tour"' in client.get(home).content
    assert client.post("/help/tour/seen", headers={"HX-Request": "true"}).status_code == 204
    assert b'id="tour"' not in client.get(home).content
    assert Account.objects.get(username="dispatcher").tours == ["dispatcher"]
    assert client.post("/help/tour/again")["Location"] == home
    assert b'id="tour"' in client.get(home).content


def test_what_does_not_fit_goes_into_a_menu(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(f"Link {n}", "help", "help") for n in range(9)]
    monkeypatch.setattr(context, "_staff", lambda role: many)
    page = browser("dispatcher").get("/notices").content.decode()
    bar = page[page.index('class="wide"') : page.index('class="end"')]
    assert bar.index("Link 4") < bar.index("<details") < bar.index("Link 5") < bar.index("Link 8")


def test_a_form_that_is_out_of_date_gets_a_page_of_ours(hangzhou: object) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": "en"})
    without = client.post("/report", {"title": "x"})
    assert without.status_code == 403
    assert b"Allow cookies" in without.content
    client.get("/login")
    stale = client.post("/report", {"title": "x", "csrfmiddlewaretoken": "a" * 64})
    assert stale.status_code == 403
    assert b"out of date" in stale.content
