"""What tests of notices outside say and look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from typing import Any
from zoneinfo import ZoneInfo

from chengshu.parties import delivery_channels as ways
from chengshu.parties.models import Channel, Delivery, Notice
from chengshu.parties.notices import Told, give
from chengshu.parties.principal import Principal

Who = Callable[[str], Principal]
ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # 12:00 in Hangzhou
NIGHT = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # 23:30


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
