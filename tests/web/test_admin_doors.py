"""Where links of administration lead, and what its overview counts: nothing that leads to a refusal, nothing without its list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from chengshu.cases.models import Case, Clock, Outbox
from chengshu.cases.outbox import FAILED
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import City
from tests.web.conftest import Browser

pytestmark = pytest.mark.django_db


def _holder(city: City, role: str, division: str) -> Client:
    account = Account.objects.create(username=f"{role}-{division}", name=role, password="x", language="en")
    Post.objects.create(account=account, role=role, division=city.divisions.get(code=division))
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(account)
    return client


@pytest.mark.parametrize("role", sorted(STAFF - {Role.HANDLER}))
@pytest.mark.parametrize("division", ["3301", "330106"])
def test_no_link_of_the_frame_leads_to_a_refusal(hangzhou: City, role: str, division: str) -> None:
    client = _holder(hangzhou, role, division)
    page = client.get("/admin/moves").content.decode()
    links = set(re.findall(r'<a[^>]* href="(/[a-z/]*)"', page[: page.index('class="admin-room"')]))
    assert {link: client.get(link).status_code for link in links if client.get(link).status_code >= 400} == {}
    audits = division == "3301" and role in {"leader", "administrator"}
    assert ("/admin/audit" in links) == audits


@pytest.mark.parametrize("username", ["admin", "steward", "analyst"])
def test_no_number_of_the_overview_leads_to_a_refusal(browser: Browser, username: str) -> None:
    client = browser(username)
    room = client.get("/admin").content.decode().partition('class="admin-room"')[2]
    links = set(re.findall(r'<a[^>]* href="(/[^"]*)"', room.replace("&amp;", "&")))
    assert links
    assert {link: client.get(link).status_code for link in links if client.get(link).status_code >= 400} == {}
    assert ("/rules" in links) == (username != "steward")


def test_what_was_set_aside_is_listed_and_tried_again(admin: Client, case: Callable[..., Case]) -> None:
    made, hour = case(3), datetime.now(UTC) - timedelta(hours=1)
    Outbox.objects.all().delete()
    facts = {"move": "dispatch", "topic": "step", "error": "KeyError: 'x'"}
    step = Outbox.objects.create(topic=FAILED, case=made.pk, facts=facts, at=hour)
    clock = Clock.objects.filter(case=made, stopped_at=None)[0]
    Clock.objects.filter(pk=clock.pk).update(next_at=None)
    aside = {"topic": "clock", "clock": clock.pk, "error": "y"}
    stopped = Outbox.objects.create(topic=FAILED, case=made.pk, facts=aside, at=hour)
    Outbox.objects.create(topic="step", case=made.pk, facts={"move": "accept"}, at=hour)
    overview = admin.get("/admin").content.decode()
    assert "/admin/outbox?show=failed" in overview
    assert "/admin/outbox?show=late" in overview
    page = admin.get("/admin/outbox").content.decode()
    assert made.number in page
    assert "KeyError" in page
    assert page.count("Try again") == 2
    for row in (step, stopped):
        assert admin.post("/admin/outbox/again", {"number": row.pk}).status_code == 302
    step.refresh_from_db()
    assert (step.topic, step.facts) == ("step", {"move": "dispatch"})
    assert not Outbox.objects.filter(pk=stopped.pk).exists()
    assert Clock.objects.get(pk=clock.pk).next_at == clock.due_at
    assert admin.post("/admin/outbox/again", {"number": step.pk}).status_code == 404


def test_posts_that_end_soon_are_the_list_behind_their_number(admin: Client, hangzhou: City) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=5)
    Post.objects.filter(account__username="dispatcher").update(valid_to=soon)
    page = admin.get("/admin/accounts?show=ending").content.decode()
    assert page.count('class="title"') == 1
    assert "login=dispatcher" in page
    assert "show=ending" in admin.get("/admin").content.decode()


def test_a_unit_that_was_retired_is_nobodys_care(admin: Client, case: Callable[..., Case]) -> None:
    case(3)
    Post.objects.filter(department__code="330106-CGJ").update(valid_to="2020-01-01")
    label = "Units with open cases for which nobody works"
    counted = re.compile(label + r"</span><b>1</b>")
    assert counted.search(admin.get("/admin").content.decode())
    Department.objects.filter(code="330106-CGJ").update(active=False)
    assert not counted.search(admin.get("/admin").content.decode())
