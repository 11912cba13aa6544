"""The worker's part of deliveries: composing messages, sending them by their channels, and noting how it went."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import apprise
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError, InterfaceError, connection
from django.utils import translation

from chengshu.logs import get_logger
from chengshu.parties import delivery, notices_text
from chengshu.parties.delivery import Outcome, Parcel
from chengshu.parties.delivery_hook import post
from chengshu.parties.models import Delivery
from chengshu.parties.notices_text import Facts, Text
from chengshu.places.models import City, Part

AT_ONCE = 4  # messages under way at the same time: a slow receiver does not hold up the others
PAUSE = 2.0  # seconds between looks when nothing waited
LONGEST_PAUSE = 30.0
MAIL = "django.core.mail.backends.smtp.EmailBackend"

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """All that sending needs, so that it needs no database."""

    kind: str
    address: str
    secret: str
    key: UUID
    text: Text
    facts: tuple[Facts, ...]
    labels: tuple[str, ...]
    code: str


def run(stop: threading.Event) -> None:
    """Send what waits until `stop` is set; a database that goes away is waited for."""
    pause = PAUSE
    while not stop.is_set():
        try:
            busy, pause = once() > 0, PAUSE
        except (DatabaseError, InterfaceError) as error:
            busy, pause = False, min(pause * 2, LONGEST_PAUSE)
            connection.close()
            log.warning("delivery.database_away", error=str(error), again_in=pause)
        except Exception:  # a message that cannot even be composed must not end all sending; its lease holds it back
            busy = False
            log.exception("delivery.batch_failed")
        if not busy:
            stop.wait(pause)
    connection.close()


def once(now: datetime | None = None) -> int:
    """Take one batch and send it; how many deliveries were taken."""
    parcels = delivery.take(now or datetime.now(UTC))
    if not parcels:
        return 0
    parts = _parts({parcel.deliveries[0].city_id for parcel in parcels})
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delivery") as pool:
        under_way = [(parcel, pool.submit(send, message(parcel, parts))) for parcel in parcels if _open(parcel)]
        for parcel, future in under_way:
            _note(parcel, future.result(), now)
    return sum(len(parcel.deliveries) for parcel in parcels)


def _open(parcel: Parcel) -> bool:
    """Whether the addressee's account is still in use; what was for a closed one ends."""
    if parcel.channel.account.is_active:
        return True
    delivery.note(parcel, Outcome(error="no_account", final=True), datetime.now(UTC))
    return False


def _note(parcel: Parcel, outcome: Outcome, now: datetime | None) -> None:
    delivery.note(parcel, outcome, now or datetime.now(UTC))
    if outcome.error:
        log.warning(
            "delivery.failed", channel=parcel.channel.kind, delivery=str(parcel.key), error=outcome.error,
            detail=outcome.detail,
        )  # fmt: skip


def _parts(cities: set[int]) -> dict[int, Mapping[str, Any]]:
    """The cities' own words for notices, where they have some."""
    found = Part.objects.filter(city__in=cities, name="notices", active=True)
    return dict(found.values_list("city_id", "value"))


def message(parcel: Parcel, parts: Mapping[int, Mapping[str, Any]]) -> Message:
    """What is sent for a parcel, in its addressee's language."""
    first, channel = parcel.deliveries[0], parcel.channel
    facts = tuple(_facts(each) for each in parcel.deliveries if each.notice_id is not None)
    with translation.override(channel.account.language):
        city = _name(first.city)
        part, zone = parts.get(first.city_id, {}), ZoneInfo(first.city.timezone)
        texts = [notices_text.write(each, part=part, city=city, zone=zone) for each in facts]
        return Message(
            kind=channel.kind,
            address=channel.address,
            secret=channel.secret,
            key=parcel.key,
            text=notices_text.together(texts, city) if texts else notices_text.code_text(first.code, city),
            facts=facts,
            labels=tuple(notices_text.label(each.kind) for each in facts),
            code=first.code,
        )


def _name(city: City) -> str:
    return city.label if (translation.get_language() or "").startswith("zh") else city.label_en or city.label


def _facts(each: Delivery) -> Facts:
    assert each.notice is not None
    return Facts.of(each.notice.kind, each.notice.params, urgent=each.urgent)


def send(message: Message) -> Outcome:
    """Send one message by its way. Whatever goes wrong is an outcome, never an error: one message must not stop others."""
    try:
        match message.kind:
            case "email":
                return _mail(message)
            case "webhook":
                return post(message.address, message.secret, str(message.key), _content(message), datetime.now(UTC))
            case _:
                return _service(message)
    except Exception:  # libraries raise what they like
        log.exception("delivery.broke", channel=message.kind, delivery=str(message.key))
        return Outcome(error="failed")


def _content(message: Message) -> dict[str, Any]:
    """The body of a webhook."""
    rows = [
        {
            "kind": each.kind, "label": label, "number": each.number, "title": each.title, "link": each.link,
            "due": each.due.isoformat() if each.due else None, "urgent": each.urgent,
        }
        for each, label in zip(message.facts, message.labels, strict=True)
    ]  # fmt: skip
    data = {"code": message.code} if message.code else {"notices": rows}
    return {
        "type": "channel.code" if message.code else "notices",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {**data, "subject": message.text.subject, "text": message.text.body},
    }


def _mail(message: Message) -> Outcome:
    if not settings.EMAIL_HOST:
        return Outcome(error="not_offered", final=True)
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
    letter = EmailMessage(
        subject=message.text.subject,
        body=message.text.body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[message.address],
        headers={"Message-ID": f"<{message.key}@{domain}>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(MAIL),
    )
    try:
        letter.send()
    except smtplib.SMTPRecipientsRefused as error:
        [(code, _text)] = error.recipients.values()
        return Outcome(error="answer", detail=f"SMTP {code}", final=500 <= code < 600)
    except smtplib.SMTPResponseException as error:
        return Outcome(error="answer", detail=f"SMTP {error.smtp_code}")
    except (smtplib.SMTPException, OSError):
        return Outcome(error="unreachable")
    return Outcome()


def _service(message: Message) -> Outcome:
    """Text messages and the robots of groups, by apprise. It says only whether it went well."""
    template = settings.NOTICE_SERVICES.get(message.kind, "")
    if not template:
        return Outcome(error="not_offered", final=True)
    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False, async_mode=False))
    if not service.add(template.replace("{address}", quote(message.address, safe=""))):
        return Outcome(error="failed", final=True)
    sent = service.notify(title=message.text.subject, body=message.text.body)
    return Outcome() if sent else Outcome(error="unreachable")
