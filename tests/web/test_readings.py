"""Who looked at my data: every reading is told to the person it is about, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from chengshu.cases.models import Case
from chengshu.parties.models import Access, Account, Post
from tests.web.conftest import Browser

pytestmark = pytest.mark.django_db
PAGE = "/account/readings"


def test_a_citizen_sees_what_for_their_telephone_was_read(browser: Browser, case: Callable[..., Case]) -> None:
    made = case(3)
    browser("dispatcher").post(f"/cases/{made.number}/contact", {"purpose": "核实具体位置"})
    page = browser("citizen").get(PAGE).content.decode()
    assert "核实具体位置" in page
    assert f"/follow/{made.number}" in page
    assert Account.objects.get(username="dispatcher").name not in page
    for other in ("operator", "dispatcher"):
        assert "核实具体位置" not in browser(other).get(PAGE).content.decode()


def test_staff_see_who_looked_at_how_they_work(browser: Browser) -> None:
    supervisor, handler = (Post.objects.get(account__username=name) for name in ("supervisor", "handler"))
    elsewhere = supervisor.division.city.divisions.get(code="330109", valid_to=None)
    far = Post.objects.create(account=supervisor.account, role="leader", division=elsewhere)
    month = f"{date(2026, 1, 1)}/{date(2026, 1, 31)}"
    for post, subject in (
        (supervisor, f"scorecard:person:{month}"),
        (far, "scorecard:person:2025-02-01/2025-02-28"),
        (supervisor, f"scorecard:person:{handler.account_id}:2025-03-01/2025-03-31"),
        (supervisor, f"scorecard:person:{supervisor.account_id}:2025-04-01/2025-04-30"),
    ):
        Access.objects.create(
            account=post.account, post=post, subject=subject, fields=["handle"], purpose="performance evaluation"
        )
    page = browser("handler").get(PAGE).content.decode()
    assert supervisor.account.name in page
    assert "2026-01-31" in page  # of all people where the handler works
    assert "2025-03-31" in page  # of the handler
    assert "2025-02-28" not in page  # of people in another district
    assert "2025-04-30" not in page  # of another person
    assert "2026-01-31" not in browser("supervisor").get(PAGE).content.decode()  # one's own reading
    assert "2026-01-31" not in browser("citizen").get(PAGE).content.decode()


def test_it_is_for_who_is_signed_in(browser: Browser) -> None:
    assert Client().get(PAGE).status_code == 302
    assert PAGE in browser("citizen").get("/account").content.decode()
