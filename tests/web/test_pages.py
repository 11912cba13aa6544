"""Every page opens for everybody who may, in both languages, and keeps to the content security policy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from chengshu.cases.models import Case
from chengshu.parties.models import Account
from chengshu.parties.roles import MAY_REPORT
from chengshu.web import assets
from chengshu.web.context import DESK, FIELD, RULES, SCORES, WATCHING
from tests.web.conftest import Browser

TEMPLATES = Path(assets.__file__).parent / "templates"
ICONS = Path(__file__).parents[2] / "frontend" / "src" / "icons.json"
ACCOUNTS = (
    "operator",
    "shift",
    "dispatcher",
    "handler",
    "grid",
    "verifier",
    "supervisor",
    "leader",
    "steward",
    "analyst",
    "admin",
)


@pytest.mark.parametrize("username", ["", "citizen", *ACCOUNTS])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_pages_open(browser: Browser, case: Callable[..., Case], who: object, username: str, language: str) -> None:
    case(7)
    number = case(2).number
    Account.objects.update(language=language)
    client = browser(username)
    for name in _pages(client, username):
        path = reverse(name, args=[number] if name in {"case", "followed"} else [])
        answer = client.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200, (path, answer.status_code, answer.content[:300])
        assert f'lang="{"zh-Hans" if language == "zh-hans" else "en"}"' in answer.content.decode()


def _pages(client: Client, username: str) -> list[str]:
    if not username:
        return ["home", "report", "follow", "login", "register"]
    role = Account.objects.get(username=username).posts.get().role
    tables = {
        "report": MAY_REPORT,
        "desk": DESK,
        "case": DESK,
        "field": FIELD,
        "cockpit": WATCHING,
        "rules": RULES,
        "scores": SCORES,
    }
    sees = role not in {"handler", "grid_worker"}  # no unit has the case yet, and it lies in another street
    staff = [name for name, roles in tables.items() if role in roles and (sees or name != "case")]
    return ["account", "notices", *(["report", "mine", "followed"] if role == "citizen" else staff)]


def test_home_leads_to_the_desk_of_the_post(browser: Browser) -> None:
    wanted = {
        "dispatcher": "/desk",
        "handler": "/field",
        "grid": "/field",
        "leader": "/cockpit",
        "admin": "/admin",
        "citizen": "/mine",
    }
    assert {name: browser(name).get("/")["Location"] for name in wanted} == wanted


@pytest.mark.django_db
def test_without_a_city_the_page_says_what_to_do(
    client: Client, hangzhou: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chengshu.web.middleware.cities", list)
    answer = client.get("/")
    assert answer.status_code == 503
    assert b"chengshu load-city" in answer.content


def test_headers_forbid_everything_foreign(browser: Browser) -> None:
    answer = browser("").get("/report")
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:", policy)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def test_templates_hold_no_inline_script_style_or_foreign_address() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text), template.name
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), template.name


def test_every_icon_is_in_the_sprite() -> None:
    known = set(json.loads(ICONS.read_text()))
    used = {name for t in TEMPLATES.rglob("*.html") for name in re.findall(r'icon\("([a-z0-9-]+)"', t.read_text())}
    assert used <= known


def test_an_unknown_page_says_so(browser: Browser) -> None:
    answer = browser("dispatcher").get("/nothing-here")
    assert answer.status_code == 404
    assert b"/nothing-here" in answer.content


def test_a_post_that_may_not_is_told_and_a_stranger_signs_in(browser: Browser) -> None:
    assert browser("handler").get("/rules").status_code == 403
    assert browser("").get("/desk?view=open")["Location"] == "/login?next=%2Fdesk%3Fview%3Dopen"


def test_forms_need_their_token(hangzhou: object) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/report", {"title": "x"}).status_code == 403
