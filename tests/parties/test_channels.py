"""Channels: proved by a code before they carry anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chengshu.core.errors import Conflict, Invalid, NotFound
from chengshu.parties import delivery_channels as ways
from chengshu.parties import delivery_send
from chengshu.parties.models import Channel, Delivery
from chengshu.parties.throttle import Limit, TooMany
from tests.parties.receivers import MailServer
from tests.parties.telling import Who, tell, words

CLIENT = "192.0.2.1"


def test_a_channel_carries_nothing_before_its_code_is_entered(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    added = ways.add(handler, "email", "handler@city.example", CLIENT)
    tell(handler)
    now = datetime.now(UTC)
    delivery_send.once(now)
    [letter] = mail.letters
    [code] = re.findall(r"\b\d{6}\b", words(letter)[1])
    assert Delivery.objects.get().code == ""  # gone once it is sent
    with pytest.raises(NotFound):
        ways.own(who("dispatcher"), str(added.pk))
    wrong = "000000" if code != "000000" else "111111"
    with pytest.raises(Invalid):
        ways.verify(added, wrong)
    ways.verify(added, code)
    tell(handler)
    assert Delivery.objects.filter(notice__isnull=False).count() == 1
    with pytest.raises(Invalid):
        ways.verify(added, code)  # it works once


def test_a_code_grows_old_and_is_not_guessed(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    added = ways.add(handler, "email", "handler@city.example", CLIENT)
    code = Delivery.objects.get().code
    Channel.objects.filter(pk=added.pk).update(code_until=datetime.now(UTC) - timedelta(seconds=1))
    added.refresh_from_db()
    with pytest.raises(Invalid):
        ways.verify(added, code)
    for _guess in range(9):
        with pytest.raises(Invalid):
            ways.verify(added, "123456")
    with pytest.raises(TooMany):
        ways.verify(added, code)


def test_nobody_is_flooded_with_codes(who: Who, mail: MailServer) -> None:
    addresses = [f"{name}@city.example" for name in "abcdef"]
    for address in addresses:
        ways.add(who("handler"), "email", address, CLIENT)
    with pytest.raises(TooMany):
        ways.add(who("handler"), "email", "g@city.example", CLIENT)
    with pytest.raises(Conflict):
        ways.add(who("handler"), "email", addresses[0], CLIENT)


def test_text_messages_are_limited_by_account_and_client_and_day(
    who: Who, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTICE_SERVICES = {"sms": "json://127.0.0.1/{address}"}
    monkeypatch.setattr(ways, "SMS_CLIENT", Limit(name="sms-client-test", count=2, seconds=86_400))
    added = ways.add(who("handler"), "sms", "13800000001", CLIENT)
    ways.add(who("operator"), "sms", "13800000002", CLIENT)
    with pytest.raises(TooMany):  # another account and another number, but the same client
        ways.add(who("citizen"), "sms", "13800000003", CLIENT)
    assert Channel.objects.count() == 2
    ways.add(who("citizen"), "sms", "13800000003", "192.0.2.2")
    monkeypatch.setattr(ways, "SMS_DAY", Limit(name="sms-day-test", count=1, seconds=86_400))
    ways.send_code(who("handler"), added, "192.0.2.3")
    with pytest.raises(TooMany):
        ways.send_code(who("handler"), added, "192.0.2.4")


def test_a_channel_added_twice_at_once_is_there_once(who: Who, mail: MailServer) -> None:
    ways.add(who("handler"), "email", "a@city.example", CLIENT)
    with pytest.raises(Conflict):
        ways.add(who("handler"), "email", "a@city.example", CLIENT)
    assert Channel.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "nonsense"), ("email", "a@b.example\nBcc: c@d.example"), ("webhook", "file:///etc/passwd"),
        ("webhook", "http://u:p@city.example/"), ("webhook", "http://city.example:99999/"), ("webhook", "http:///x"),
        ("sms", "12a"), ("sms", "138/../../x"), ("pigeon", "x"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(who: Who, mail: MailServer, settings: Any, kind: str, address: str) -> None:
    settings.NOTICE_SERVICES = {"sms": "json://127.0.0.1/{address}"}
    with pytest.raises(Invalid):
        ways.add(who("handler"), kind, address, CLIENT)
    assert not Channel.objects.exists()


def test_citizens_have_no_webhooks_and_hear_of_their_own_case_only(who: Who, mail: MailServer) -> None:
    citizen = who("citizen")
    assert [way.code for way in ways.offered(citizen)] == ["email"]
    assert ways.kinds_for(citizen) == ["closed", "security"]
