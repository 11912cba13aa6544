"""What is told to whom by which words, and when: quiet at night, hourly together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chengshu.core.errors import Invalid, Mistakes
from chengshu.parties import delivery_channels as ways
from chengshu.parties import delivery_send, notices_text
from chengshu.parties.models import Account, Delivery, Notice
from chengshu.parties.notices import Hours, full_hour
from chengshu.places.models import City, Part
from tests.parties.receivers import MailServer, WebServer
from tests.parties.telling import NIGHT, NOON, ZONE, Who, channel, states, tell, words


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
