"""The pages of channels and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from chengshu.core.ids import new_id
from chengshu.parties.models import Account, Audit, Channel, Delivery, Notice, Quiet
from chengshu.parties.principal import Principal
from tests.web.conftest import Browser, Who


@pytest.fixture
def person(browser: Browser, settings: Any) -> Client:
    settings.EMAIL_HOST = "mail.invalid"
    return browser("handler")


def code_of(channel: Channel) -> str:
    return Delivery.objects.get(channel=channel, state="waiting").code


def failed(person: Principal, address: str = "https://hooks.city.example/x") -> Delivery:
    """A delivery that was given up."""
    channel, _made = Channel.objects.get_or_create(
        account_id=person.account, kind="webhook", address=address, defaults={"verified_at": datetime.now(UTC)}
    )
    notice = Notice.objects.create(
        account_id=person.account, key=str(new_id()), kind="due", at=datetime.now(UTC),
        params={"number": "HZ-20260302-000001", "title": "文三路暴露垃圾"},
    )  # fmt: skip
    return Delivery.objects.create(
        id=new_id(), notice=notice, channel=channel, city_id=person.city, made_at=datetime.now(UTC), state="dead",
        error="answer", detail="HTTP 500", tries=8,
    )  # fmt: skip


def test_a_channel_is_added_proven_changed_and_removed(person: Client) -> None:
    answer = person.post("/account/channels", {"kind": "email", "address": "handler@city.example"}, follow=True)
    assert "handler@city.example" in answer.content.decode()
    channel = Channel.objects.get()
    assert channel.verified_at is None
    wrong = person.post("/account/channels/verify", {"channel": channel.pk, "code": "abc"})
    assert wrong.status_code == 422
    assert f'id="code-{channel.pk}-error"' in wrong.content.decode()
    person.post("/account/channels/verify", {"channel": channel.pk, "code": f" {code_of(channel)} "})
    channel.refresh_from_db()
    assert channel.verified_at is not None
    person.post("/account/channels/change", {"channel": channel.pk, "kinds": ["due", "urge"], "hourly": "yes"})
    channel.refresh_from_db()
    assert (channel.kinds, channel.only_urgent, channel.hourly) == (["urge", "due"], False, True)
    person.post("/account/channels/remove", {"channel": channel.pk})
    assert not Channel.objects.exists()
    acts = list(Audit.objects.order_by("pk").values_list("action", flat=True))
    assert [act for act in acts if act.startswith("channel")] == [
        "channel.added",
        "channel.verified",
        "channel.removed",
    ]


def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(person: Client) -> None:
    answer = person.post("/account/channels", {"kind": "webhook", "address": "ftp://nowhere"})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert 'id="address-error"' in text
    assert 'value="ftp://nowhere"' in text
    assert person.post("/account/channels", {"kind": "sms", "address": "13800000000"}).status_code == 422


def test_quiet_hours_are_kept_and_ended(person: Client) -> None:
    person.post("/account/quiet", {"begin": "22:00", "end": "07:00"})
    assert Quiet.objects.get().begin.hour == 22
    assert 'value="22:00"' in person.get("/account/channels").content.decode()
    assert person.post("/account/quiet", {"begin": "22:00", "end": ""}).status_code == 422
    person.post("/account/quiet", {})
    assert not Quiet.objects.exists()


def test_nobody_touches_the_channels_of_another(person: Client, browser: Browser) -> None:
    person.post("/account/channels", {"kind": "email", "address": "handler@city.example"})
    channel = Channel.objects.get()
    other = browser("dispatcher")
    for act in ("verify", "code", "change", "remove"):
        answer = other.post(f"/account/channels/{act}", {"channel": channel.pk, "code": code_of(channel)})
        assert answer.status_code == 404
    assert "handler@city.example" not in other.get("/account/channels").content.decode()
    assert Channel.objects.get().verified_at is None


def test_one_sees_what_became_of_ones_messages_and_sends_them_again(person: Client, who: Who) -> None:
    dead = failed(who("handler"))
    failed(who("dispatcher"), "https://other.example/")
    page = person.get("/account/deliveries?state=dead").content.decode()
    assert "HTTP 500" in page
    assert "hooks.city.example" in page
    assert "other.example" not in page
    assert "HTTP 500" not in person.get("/account/deliveries?state=sent").content.decode()
    person.post("/account/deliveries/again", {"delivery": dead.pk})
    dead.refresh_from_db()
    assert (dead.state, dead.tries) == ("waiting", 0)
    assert person.post("/account/deliveries/again", {"delivery": dead.pk}).status_code == 409


def test_the_administrator_sees_all_of_the_city_without_addresses_or_titles(browser: Browser, who: Who) -> None:
    dead = failed(who("handler"))
    admin = browser("admin")
    page = admin.get("/deliveries").content.decode()
    assert "HTTP 500" in page
    assert "hooks.city.example" not in page
    assert "文三路" not in page
    admin.post("/deliveries/again", {"delivery": dead.pk})
    dead.refresh_from_db()
    assert dead.state == "waiting"
    assert admin.post("/account/deliveries/again", {"delivery": dead.pk}).status_code == 404


def test_long_lists_have_pages(person: Client, who: Who) -> None:
    for _each in range(52):
        failed(who("handler"))
    first = person.get("/account/deliveries")
    assert first.content.decode().count("<article") == 50
    before = str(Delivery.objects.order_by("-pk")[49].pk)
    rest = person.get(f"/account/deliveries?before={before}").content.decode()
    assert rest.count("<article") == 2
    assert person.get("/account/deliveries?before=nonsense").status_code == 200


def test_a_citizen_is_led_to_the_page_they_may_see(browser: Browser, who: Who) -> None:
    for username, page in (("citizen", "/follow/"), ("handler", "/cases/")):
        failed(who(username))
        assert f'href="{page}HZ-20260302-000001"' in browser(username).get("/account/deliveries").content.decode()


def test_a_citizen_without_channels_is_told_what_they_can_do(browser: Browser, settings: Any) -> None:
    settings.EMAIL_HOST, settings.NOTICE_SERVICES = "", {}
    Account.objects.filter(username="citizen").update(language="en")
    page = browser("citizen").get("/account/channels").content.decode()
    card = page[page.index("Add a channel") :][:1200]
    assert "administrator" not in card
    assert 'href="/notices"' in card
    assert 'href="/mine"' in card
