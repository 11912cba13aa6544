"""Odd addresses and fields of the pages are answered with a page that says so, never with an error of the server."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from chengshu.cases.catalog import forget
from chengshu.cases.models import Case
from tests.web.conftest import Browser


@pytest.mark.parametrize(
    "path", ["/follow/a%00b", "/cases/a%00", f"/cases/a%00/evidence/{UUID(int=0)}", f"/cases/{'x' * 61}", "/cases/a%0a"]
)
@pytest.mark.parametrize("username", ["", "operator"])
def test_what_is_no_number_is_no_address(browser: Browser, path: str, username: str) -> None:
    assert browser(username).get(path).status_code == 404


@pytest.mark.parametrize("query", ["last=9999-12-31", "first=0001-01-01", "first=1999-12-31", "last=2101-01-01"])
@pytest.mark.parametrize("path", ["/scores", "/scores.csv"])
def test_days_too_far_away_are_refused(browser: Browser, path: str, query: str) -> None:
    assert browser("analyst").get(f"{path}?{query}").status_code == 422


def test_a_number_that_a_scorecard_does_not_have(browser: Browser) -> None:
    client, query = browser("analyst"), "part=denominator&subject=none&measure=opened"
    assert client.get(f"/scores/cases?{query}&kind=department").status_code == 200
    assert client.get(f"/scores/cases?{query}&kind=person").status_code == 404


@pytest.mark.parametrize("version", ["99999999999", "-1", "٣", "", "1_0"])
def test_a_version_that_cannot_be(browser: Browser, case: Callable[..., Case], version: str) -> None:
    chosen = {"move": "accept", "case": f"{case(0).pk}:{version}"}
    assert browser("operator").post("/desk/move", chosen).status_code == 422


@pytest.mark.parametrize("value", [r'"a\0b"', ".nan", ".inf"])
def test_a_table_that_cannot_be_kept_is_explained(browser: Browser, value: str) -> None:
    rules = f"- {{id: all, when: {{}}, unit: 330106-CGJ, comment: {value}}}\n"
    for do in ("save", "try"):
        answer = browser("admin").post("/rules/edit", {"rules": rules, "seen": "1", "do": do, "why": "试行新规则"})
        assert answer.status_code == 422
        assert b"error-summary" in answer.content
    forget()
