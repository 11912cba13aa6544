"""Odd input that PostgreSQL cannot read is taken in UTC or refused, never an error of the server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from chengshu.cases.models import Case
from chengshu.parties.models import Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City, Part

REPORT = {"title": "路灯不亮", "kind": "urban"}
FAR = "2026-03-02T08:00:00+20:00"


@pytest.fixture
def call(hangzhou: City) -> Any:
    """Call the API as a demo account: call("operator", "POST", "/cases", {...})."""

    def send(username: str, method: str, path: str, body: Any = None) -> Any:
        word = issue(Post.objects.get(account__username=username), "odd")
        return Client().generic(
            method, f"/api{path}", json.dumps(body) if body else "", content_type="application/json",
            headers={"Authorization": f"Bearer {word}"},
        )  # fmt: skip

    return send


@pytest.mark.parametrize("name", ["opened_from", "opened_to"])
@pytest.mark.parametrize(
    ("time", "status"), [(FAR, 200), ("2026-03-02T08:00:00-23:59", 200), ("0001-01-01T00:00:00+20:00", 422)]
)
def test_filters_take_any_offset(call: Any, name: str, time: str, status: int) -> None:
    assert call("operator", "GET", f"/cases?{name}={time.replace('+', '%2B')}").status_code == status


def test_reports_take_any_offset_in_utc(call: Any) -> None:
    answer = call("operator", "POST", "/cases", REPORT | {"occurred_at": FAR})
    assert answer.status_code == 201
    case = Case.objects.get(number=answer.json()["number"])
    assert case.reports.get().occurred_at.isoformat() == "2026-03-01T12:00:00+00:00"
    never = REPORT | {"occurred_at": "9999-12-31T23:59:59-20:00"}
    assert call("operator", "POST", "/cases", never).status_code == 422


@pytest.mark.parametrize("move", [{"move": "a\x00"}, {"move": "\ud800"}])
def test_a_move_of_no_text_is_refused(call: Any, move: dict[str, str]) -> None:
    number = call("operator", "POST", "/cases", REPORT).json()["number"]
    assert call("operator", "POST", f"/cases/{number}/moves", move).status_code in {400, 422}
    body = {"moves": [{"case": str(Case.objects.get(number=number).pk), **move}]}
    assert call("operator", "POST", "/moves", body).status_code in {400, 422}


def test_until_takes_any_offset(call: Any) -> None:
    number = call("operator", "POST", "/cases", REPORT).json()["number"]
    answer = call("operator", "POST", f"/cases/{number}/moves", {"move": "note", "note": "看过了", "until": FAR})
    assert answer.status_code == 200


@pytest.mark.parametrize("code", ["x@y", "330106@2026-99-01", "330106@"])
def test_a_division_of_no_day(call: Any, code: str) -> None:
    assert call("operator", "GET", f"/divisions?parent={code}").status_code == (200 if code.endswith("@") else 404)


def test_without_a_table_in_force_there_are_no_rules(call: Any, hangzhou: City) -> None:
    Part.objects.filter(city=hangzhou, name="dispatch").update(active=False)
    answer = call("operator", "GET", "/rules")
    assert answer.status_code == 404
    assert answer.json()["remedy"]


@pytest.mark.parametrize("more", [{"because": "a\x00"}, {"comment": float("nan")}])
def test_rules_that_cannot_be_kept_are_refused(call: Any, more: dict[str, Any]) -> None:
    body = {"rules": [{"id": "all", "when": {}, "unit": "330106-CGJ", **more}], "why": "试行新规则", "seen": 1}
    assert call("admin", "PUT", "/rules", body).status_code in {400, 422}
