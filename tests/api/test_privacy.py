"""What the API keeps from whom: notes and files from citizens, citizens' names from officials."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client, override_settings

from chengshu.cases.models import Case, Evidence, Report
from chengshu.parties.models import Access, Account, Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City
from tests.cases.people import Cast


@pytest.fixture
def cast(hangzhou: City) -> Cast:
    return Cast(city=hangzhou)


@pytest.fixture
def call(cast: Cast) -> Any:
    def send(who: str, method: str, path: str, body: Any = None) -> Any:
        post = Post.objects.get(pk=cast(who).post)
        headers = {"Authorization": f"Bearer {issue(post, 'privacy')}"}
        return Client().generic(
            method, f"/api{path}", json.dumps(body or {}), content_type="application/json", headers=headers
        )

    return send


def test_the_inner_story_is_not_for_reporters(cast: Cast, call: Any) -> None:
    story = cast.case("dispatched")
    story.move("dispatcher", "note", note="内部备注", proof=True)
    inner = Evidence.objects.filter(case=story.id).latest("at")
    assert call("citizen", "GET", f"/cases/{story.id}/story").status_code == 403
    assert call("citizen", "GET", f"/evidence/{inner.pk}").status_code == 404
    refused = call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "withdraw"})
    assert refused.status_code == 409
    assert "演示" not in refused.json()["detail"]


def test_officials_do_not_learn_a_reporter_from_the_story(cast: Cast, call: Any) -> None:
    made = call("citizen", "POST", "/cases", {"title": "路灯不亮", "kind": "urban"}).json()
    told = call("operator", "GET", f"/cases/{made['number']}/story").json()
    assert [step["by"] for step in told["steps"]] == [None]
    assert "citizen" not in Report.objects.get(case=made["id"]).origin
    assert not Access.objects.exists()


def test_officials_do_not_learn_a_reporter_from_a_refusal(cast: Cast, call: Any) -> None:
    story = cast.case("dispatched")
    Account.objects.filter(pk=cast("citizen").account).update(name="慕容晓峰")
    call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "urge"})
    refused = call("operator", "POST", f"/cases/{story.id}/moves", {"move": "accept"})
    assert refused.status_code == 409
    assert "催办" in refused.json()["detail"]
    assert "慕容晓峰" not in refused.json()["detail"]
    assert ", citizen, " in refused.json()["detail"]


def test_a_citizen_does_not_decide_how_grave_it_is(cast: Cast, call: Any) -> None:
    wanted = {"title": "路灯不亮", "kind": "urban", "severity": 1, "source": "sensing"}
    made = call("citizen", "POST", "/cases", wanted).json()
    assert (made["severity"], made["source"]) == (3, "citizen")
    assert Case.objects.get(pk=made["id"]).severity == 3


def test_a_citizen_reports_a_bounded_number(cast: Cast, call: Any) -> None:
    reports = [{"title": f"路灯不亮 {i}", "kind": "urban"} for i in range(31)]
    answer = call("citizen", "POST", "/reports", {"reports": reports})
    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert not Case.objects.exists()


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
def test_behind_a_proxy_with_tls_pages_are_served(db: None, hangzhou: Any) -> None:
    assert Client().get("/login").status_code == 301
    assert Client().get("/login", headers={"X-Forwarded-Proto": "https"}).status_code == 200
    assert Client().get("/healthz").status_code == 200
