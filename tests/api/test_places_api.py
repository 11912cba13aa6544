"""Divisions over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chengshu.parties.models import Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City


@pytest.fixture
def ask(hangzhou: City) -> Any:
    word = issue(Post.objects.get(account__username="operator"), "places")

    def get(path: str) -> Any:
        return Client().get(f"/api{path}", headers={"Authorization": f"Bearer {word}"})

    return get


def test_a_point_finds_the_divisions_of_a_day(ask: Any) -> None:
    now = ask("/divisions/at?lon=120.13&lat=30.26").json()  # by the West Lake
    assert [d["name"] for d in now["divisions"]] == ["杭州市", "西湖区"]
    then = ask("/divisions/at?lon=120.17&lat=30.30&on=2020-01-01").json()  # in what was 下城 until April 2021
    assert then["divisions"][-1]["name"] == "下城区"
    assert then["divisions"][-1]["valid_to"] == "2021-04-09"


def test_what_is_not_known_is_said(ask: Any) -> None:
    found = ask("/divisions/at?lon=120.35&lat=30.30&on=2026-01-01").json()  # once 江干, which two districts share now
    assert [d["name"] for d in found["divisions"]] == ["杭州市"]
    assert "江干区" in found["unknown"]


def test_divisions_of_today_and_of_an_earlier_day(ask: Any) -> None:
    today = ask("/divisions").json()
    assert len(today) == 13
    assert [d["name"] for d in today if d["outline"]] == [
        "西湖区",
        "滨江区",
        "富阳区",
        "临安区",
        "桐庐县",
        "淳安县",
        "建德市",
    ]
    before = {d["name"]: d["outline"] for d in ask("/divisions?on=2020-01-01").json()}
    assert before["下城区"] and before["江干区"] and len(before) == 13
    assert len(ask("/divisions?parent=330106").json()) > 5
    assert ask("/divisions?parent=nowhere").status_code == 404
