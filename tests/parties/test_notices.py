"""Notices on their way: planned with the notice, sent by real mail and web servers, tried again, and kept quiet at night."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import Message
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chengshu.core.errors import Conflict, Invalid, Mistakes, NotFound
from chengshu.parties import delivery, delivery_hook, delivery_send, notices_text
from chengshu.parties import delivery_channels as ways
from chengshu.parties.delivery import MOST_TRIES
from chengshu.parties.delivery_hook import allowed
from chengshu.parties.models import Account, Channel, Delivery, Notice
from chengshu.parties.notices import Hours, Told, full_hour, give
from chengshu.parties.principal import Principal
from chengshu.parties.throttle import TooMany
from chengshu.places.models import City, Part
from tests.parties.receivers import MailServer, WebServer, mail_server, web_server

Who = Callable[[str], Principal]
ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # 12:00 in Hangzhou
NIGHT = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # 23:30


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with mail_server() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.DEFAULT_FROM_EMAIL = "城枢 <notices@city.example>"
        settings.PUBLIC_URL = "https://city.example"
        yield server


@pytest.fixture
def web(settings: Any) -> Iterator[WebServer]:
    with web_server() as server:
        settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)
        settings.PUBLIC_URL = "https://city.example"
        yield server


def channel(person: Principal, kind: str, address: str, **more: Any) -> Channel:
    """A channel that has been verified."""
    fields = {"kinds": ways.kinds_for(person), "verified_at": NOON, **more}
    if kind == "webhook":
        fields["secret"] = ways.new_secret()
    return Channel.objects.create(account_id=person.account, kind=kind, address=address, **fields)


def tell(
    person: Principal, kind: str = "dispatch", at: datetime = NOON, *, urgent: bool = False, **params: Any
) -> Notice:
    """A notice to somebody, as the outbox gives it."""
    key = f"test:{Notice.objects.count()}"
    facts = {"number": "HZ-20260302-000001", "title": "文三路暴露垃圾", **params}
    notice = Notice(account_id=person.account, key=key, kind=kind, params=facts, at=at)
    give([Told(notice=notice, city=person.city, zone=ZONE, urgent=urgent)], at)
    return Notice.objects.get(key=key)


def words(letter: Message) -> tuple[str, str]:
    body = letter.get_payload(decode=True)
    assert isinstance(body, bytes)
    return str(make_header(decode_header(letter["Subject"]))), body.decode().replace("\r\n", "\n")


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def test_a_notice_comes_by_mail_with_number_due_and_link_but_no_personal_data(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    due = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
    tell(handler, title="联系人：张三丰 13800000000 家门口垃圾", due=due.isoformat())
    assert delivery_send.once(NOON) == 1
    [letter] = mail.letters
    subject, body = words(letter)
    assert subject.startswith("【杭州市】")
    assert subject.endswith("HZ-20260302-000001")
    assert "2026-03-03 09:30" in body
    assert "https://city.example/cases/HZ-20260302-000001" in body
    assert "13800000000" not in body
    assert "张三丰" not in body
    assert letter["To"] == "handler@city.example"
    [sent] = Delivery.objects.all()
    assert (sent.state, sent.tries, sent.sent_at, sent.error) == ("sent", 1, NOON, "")
    assert str(sent.pk) in letter["Message-ID"]
    assert delivery_send.once(NOON + timedelta(days=1)) == 0


def test_it_speaks_the_language_of_its_reader_in_the_citys_own_words(
    who: Who, hangzhou: City, mail: MailServer
) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    Account.objects.filter(pk=handler.account).update(language="en")
    own = {"templates": {"*": {"en": {"subject": "Case {number}", "body": "{label}!\n{link} {unknown}"}}}}
    Part.objects.create(city=hangzhou, name="notices", version=1, value=own, at=NOON, by="test", why="test")
    tell(handler)
    delivery_send.once(NOON)
    subject, body = words(mail.letters[0])
    assert subject == "Case HZ-20260302-000001"
    assert body.startswith("A case was dispatched to your unit!\nhttps://city.example/cases/")
    Account.objects.filter(pk=handler.account).update(language="zh-hans")
    tell(handler)
    delivery_send.once(NOON)
    assert "【杭州市】" in words(mail.letters[1])[0]


def test_the_citys_own_words_are_checked() -> None:
    notices_text.check({"templates": {"closed": {"en": {"subject": "{number}", "body": "{title} {due}"}}}})
    with pytest.raises(Mistakes) as wrong:
        notices_text.check({"templates": {"nonsense": {}, "due": {"en": {"body": "{phone} {number}", "head": "x"}}}})
    assert len(wrong.value.mistakes) == 3


def test_only_what_was_chosen_comes(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    chosen = channel(handler, "email", "handler@city.example", only_urgent=True)
    tell(handler, "dispatch")
    tell(handler, "dispatch", urgent=True)
    tell(handler, "due")
    ways.change(handler, chosen, kinds=["dispatch", "nonsense"], only_urgent=False, hourly=False)
    tell(handler, "due")
    tell(handler, "dispatch")
    planned = Delivery.objects.order_by("pk").values_list("notice__kind", "urgent")
    assert list(planned) == [("dispatch", True), ("due", True), ("dispatch", False)]
    assert Notice.objects.filter(account=handler.account).count() == 5


def test_the_same_notice_is_planned_once(who: Who) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    for _again in range(2):
        notice = Notice(account_id=handler.account, key="same", kind="due", params={}, at=NOON)
        give([Told(notice=notice, city=handler.city, zone=ZONE)], NOON)
    assert Notice.objects.filter(key="same").count() == 1
    assert states() == ["waiting"]


@pytest.mark.parametrize(
    ("begin", "end", "at", "expected"),
    [
        ("22:00", "07:00", "2026-03-02T23:30", "2026-03-03T07:00"),
        ("22:00", "07:00", "2026-03-03T06:59", "2026-03-03T07:00"),
        ("22:00", "07:00", "2026-03-03T07:00", "2026-03-03T07:00"),
        ("22:00", "07:00", "2026-03-03T12:00", "2026-03-03T12:00"),
        ("12:00", "14:00", "2026-03-03T13:00", "2026-03-03T14:00"),
        ("12:00", "14:00", "2026-03-03T11:59", "2026-03-03T11:59"),
    ],
)
def test_quiet_hours_by_the_citys_clock(begin: str, end: str, at: str, expected: str) -> None:
    hours = Hours(
        begin=datetime.fromisoformat(f"2026-01-01T{begin}").time(),
        end=datetime.fromisoformat(f"2026-01-01T{end}").time(),
    )
    local = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    assert hours.after(local, ZONE) == datetime.fromisoformat(expected).replace(tzinfo=ZONE)


def test_at_night_only_what_presses_comes_and_the_rest_together_in_the_morning(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    ways.keep_quiet(handler, "22:00", "07:00")
    tell(handler, "dispatch", NIGHT)
    tell(handler, "rework", NIGHT)
    read = tell(handler, "split", NIGHT)
    tell(handler, "due", NIGHT)
    delivery_send.once(NIGHT)
    assert len(mail.letters) == 1
    Notice.objects.filter(pk=read.pk).update(read_at=NIGHT)
    morning = NIGHT + timedelta(hours=7, minutes=30)
    delivery_send.once(morning - timedelta(minutes=1))
    assert len(mail.letters) == 1
    delivery_send.once(morning)
    assert "2" in words(mail.letters[1])[0]
    assert sorted(states()) == ["needless", "sent", "sent", "sent"]
    with pytest.raises(Invalid):
        ways.keep_quiet(handler, "22:00", "nonsense")
    ways.keep_quiet(handler, "", "")
    tell(handler, "dispatch", NIGHT)
    assert delivery_send.once(NIGHT) == 1


def test_hourly_comes_in_one_message(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example", hourly=True)
    at = NOON + timedelta(minutes=10)
    tell(handler, "dispatch", at)
    tell(handler, "rework", at)
    tell(handler, "due", at)
    assert delivery_send.once(at) == 1
    assert delivery_send.once(full_hour(at)) == 2
    assert len(mail.letters) == 2


def test_a_webhook_is_signed_and_carries_the_same_key_at_every_try(who: Who, web: WebServer) -> None:
    handler = who("handler")
    hook = channel(handler, "webhook", f"{web.url}/in?a=1")
    tell(handler, "due", due=NOON.isoformat())
    web.status = 500
    delivery_send.once(NOON)
    [waiting] = Delivery.objects.all()
    assert (waiting.state, waiting.tries, waiting.error, waiting.detail) == ("waiting", 1, "answer", "HTTP 500")
    assert waiting.next_at == NOON + delivery.PAUSES[0]
    assert delivery_send.once(NOON) == 0
    web.status = 204
    delivery_send.once(NOON + delivery.PAUSES[0])
    assert states() == ["sent"]
    (path, first, body), (_path, second, _body) = web.requests
    assert path == "/in?a=1"
    assert first["webhook-id"] == second["webhook-id"] == second["idempotency-key"] == str(waiting.pk)
    secret = base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{first['webhook-id']}.{first['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert first["webhook-signature"] == f"v1,{wanted}"
    [row] = web.json()["data"]["notices"]
    assert (row["kind"], row["number"], row["urgent"]) == ("due", "HZ-20260302-000001", True)


def test_it_is_tried_eight_times_and_then_given_up_until_somebody_asks(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")
    web.status = 503
    now = NOON
    for _try in range(MOST_TRIES + 2):
        delivery_send.once(now)
        now += timedelta(days=1)
    assert len(web.requests) == MOST_TRIES
    [dead] = Delivery.objects.all()
    assert (dead.state, dead.next_at) == ("dead", None)
    assert delivery.dead_count(handler.city) == 1
    with pytest.raises(NotFound):
        delivery.send_again(delivery.of_account(who("dispatcher")), dead.pk, now)
    with pytest.raises(NotFound):
        delivery.send_again(delivery.of_city(handler), dead.pk, now)
    web.status = 200
    delivery.send_again(delivery.of_city(who("admin")), dead.pk, now)
    delivery_send.once(now)
    assert states() == ["sent"]
    with pytest.raises(Conflict):
        delivery.send_again(delivery.of_account(handler), dead.pk, now)


@pytest.mark.parametrize(("refusal", "state"), [("550 no such box", "dead"), ("451 later", "waiting")])
def test_what_mail_servers_refuse_for_good_is_not_tried_again(
    who: Who, mail: MailServer, refusal: str, state: str
) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    tell(handler)
    mail.refusal = refusal
    delivery_send.once(NOON)
    [found] = Delivery.objects.all()
    assert (found.state, found.detail) == (state, f"SMTP {refusal[:3]}")


def test_a_gone_webhook_and_a_closed_account_end_at_once(who: Who, web: WebServer) -> None:
    handler, grid = who("handler"), who("grid")
    channel(handler, "webhook", web.url)
    channel(grid, "webhook", web.url)
    tell(handler)
    tell(grid)
    Account.objects.filter(pk=grid.account).update(is_active=False)
    web.status = 410
    delivery_send.once(NOON)
    assert sorted(Delivery.objects.values_list("state", "error")) == [("dead", "answer"), ("dead", "no_account")]
    assert len(web.requests) == 1


def test_text_messages_go_through_apprise(who: Who, web: WebServer, settings: Any) -> None:
    settings.NOTICE_SERVICES = {"sms": f"json://127.0.0.1:{web.port}/send/{{address}}"}
    handler = who("handler")
    assert [way.code for way in ways.offered(handler)] == ["sms", "webhook"]
    channel(handler, "sms", "13800000000")
    tell(handler)
    delivery_send.once(NOON)
    assert states() == ["sent"]
    assert web.requests[0][0] == "/send/13800000000"
    assert "HZ-20260302-000001" in web.json()["message"]
    web.status = 500
    tell(handler)
    delivery_send.once(NOON)
    assert states() == ["sent", "waiting"]
    settings.NOTICE_SERVICES = {}
    delivery_send.once(NOON + timedelta(hours=1))
    assert states() == ["sent", "dead"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
        "fd00::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_no_webhook_calls_an_address_inside(address: str) -> None:
    assert not allowed(ipaddress.ip_address(address))


def test_a_webhook_calls_public_addresses_and_named_networks(settings: Any) -> None:
    assert allowed(ipaddress.ip_address("93.184.216.34"))
    assert allowed(ipaddress.ip_address("2606:4700::1111"))
    settings.WEBHOOK_NETWORKS = ("10.1.0.0/16",)
    assert allowed(ipaddress.ip_address("10.1.2.3"))
    assert not allowed(ipaddress.ip_address("10.2.2.3"))


def test_a_name_that_leads_inside_is_refused_when_it_is_called(who: Who, web: WebServer, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = ()
    handler = who("handler")
    channel(handler, "webhook", f"http://localhost:{web.port}/")
    tell(handler)
    delivery_send.once(NOON)
    assert list(Delivery.objects.values_list("state", "error")) == [("dead", "refused_address")]
    assert not web.requests


def test_a_receiver_that_answers_a_byte_at_a_time_holds_nobody_up(
    who: Who, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)
    monkeypatch.setattr(delivery_hook, "DEADLINE", 0.6)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        line, _peer = listener.accept()
        with suppress(OSError), line:
            for _byte in range(200):
                line.sendall(b"x")
                sleep(0.1)

    threading.Thread(target=drip, daemon=True).start()
    handler = who("handler")
    channel(handler, "webhook", f"http://127.0.0.1:{listener.getsockname()[1]}/")
    tell(handler)
    begin = monotonic()
    delivery_send.once(NOON)
    listener.close()
    assert monotonic() - begin < 10
    assert list(Delivery.objects.values_list("state", "error")) == [("waiting", "unreachable")]


def test_redirects_are_not_followed(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler)
    web.status = 302
    delivery_send.once(NOON)
    assert len(web.requests) == 1
    assert states() == ["waiting"]


def test_a_channel_carries_nothing_before_its_code_is_entered(who: Who, mail: MailServer) -> None:
    handler = who("handler")
    added = ways.add(handler, "email", "handler@city.example")
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
    added = ways.add(handler, "email", "handler@city.example")
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
        ways.add(who("handler"), "email", address)
    with pytest.raises(TooMany):
        ways.add(who("handler"), "email", "g@city.example")
    with pytest.raises(Conflict):
        ways.add(who("handler"), "email", addresses[0])


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
        ways.add(who("handler"), kind, address)
    assert not Channel.objects.exists()


def test_citizens_have_no_webhooks_and_hear_of_their_own_case_only(who: Who, mail: MailServer) -> None:
    citizen = who("citizen")
    assert [way.code for way in ways.offered(citizen)] == ["email"]
    assert ways.kinds_for(citizen) == ["closed", "security"]


def test_broken_off_between_sending_and_noting_it_is_sent_once_more_with_the_same_key(
    who: Who, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once; a receiver that looks at the key sees one message. Meanwhile nobody else takes it."""
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")

    class Killed(BaseException):
        pass

    def killed(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "note", killed)
        with pytest.raises(Killed):
            delivery_send.once(NOON)
    assert delivery_send.once(NOON + delivery.LEASE - timedelta(seconds=1)) == 0
    assert delivery_send.once(NOON + delivery.LEASE) == 1
    assert states() == ["sent"]
    assert len({headers["webhook-id"] for _path, headers, _body in web.requests}) == 1
    assert len(web.requests) == 2


def test_what_kills_its_sender_every_time_comes_to_an_end(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")
    now = NOON
    for _death in range(MOST_TRIES + 1):
        delivery.take(now)
        now += delivery.LEASE
    assert list(Delivery.objects.values_list("state", "error")) == [("dead", "stopped")]
