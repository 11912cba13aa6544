"""The ways out of the pages: which are offered, what an address must look like, and the code that proves it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.core.ids import new_id
from chengshu.parties import throttle
from chengshu.parties.models import Channel, Delivery, Quiet
from chengshu.parties.notices_text import CODE_MINUTES, FOR_ALL, FOR_CITIZENS, LABELS
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

MOST = 10  # channels of one account
CODE_SENT = throttle.Limit(name="channel-code", count=6, seconds=3600)
CODE_HERE = throttle.Limit(name="channel-code-address", count=6, seconds=3600)
CODE_TRIED = throttle.Limit(name="channel-code-tried", count=10, seconds=3600)
# A text message costs money: nobody sends many of them by opening many accounts, or to many numbers. A whole office may
# stand behind one address.
SMS_DAY = throttle.Limit(name="channel-sms", count=12, seconds=86_400)
SMS_CLIENT = throttle.Limit(name="channel-sms-client", count=100, seconds=86_400)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A kind of channel: its name, what to enter, and the form of an address."""

    code: str
    name: Promise
    hint: Promise
    pattern: re.Pattern[str]
    staff: bool = True  # offered to those with a post in the administration only
    icon: str = "send"


_ROBOT = re.compile(r"[A-Za-z0-9_-]{8,128}")
WAYS = {
    way.code: way
    for way in (
        Way(
            code="email", name=gettext_lazy("E-mail"), hint=gettext_lazy("An address that only you read."),
            pattern=re.compile(r"[^\s]{3,200}"), staff=False, icon="mail",
        ),
        Way(
            code="sms", name=gettext_lazy("Text message"), hint=gettext_lazy("Your mobile telephone."),
            pattern=re.compile(r"\+?\d{5,15}"), staff=False, icon="device-mobile-message",
        ),
        Way(
            code="wecom", name=gettext_lazy("WeCom"), pattern=_ROBOT, icon="brand-wechat",
            hint=gettext_lazy("The key of your group's robot: what stands behind key= in its address."),
        ),
        Way(
            code="dingtalk", name=gettext_lazy("DingTalk"), pattern=_ROBOT, icon="message-circle",
            hint=gettext_lazy("The token of your group's robot: what stands behind access_token= in its address."),
        ),
        Way(
            code="feishu", name=gettext_lazy("Feishu"), pattern=_ROBOT, icon="message-dots",
            hint=gettext_lazy("The token of your group's robot: the last part of its address."),
        ),
        Way(
            code="webhook", name=gettext_lazy("Webhook"), pattern=re.compile(r"https?://[^\s]{4,500}"), icon="webhook",
            hint=gettext_lazy("An https address of your own program. Messages are signed (Standard Webhooks)."),
        ),
    )
}  # fmt: skip


def offered(principal: Principal) -> list[Way]:
    """The ways that this installation can send by and this post may use."""
    return [way for way in WAYS.values() if _ready(way.code) and (not way.staff or principal.role != Role.CITIZEN)]


def _ready(code: str) -> bool:
    match code:
        case "email":
            return bool(settings.EMAIL_HOST)
        case "webhook":
            return True
        case _:
            return bool(settings.NOTICE_SERVICES.get(code))


def kinds_for(principal: Principal) -> list[str]:
    """The kinds of notices that can come to a post."""
    if principal.role == Role.CITIZEN:
        return sorted(FOR_CITIZENS | FOR_ALL)
    return [kind for kind in LABELS if kind not in FOR_CITIZENS]


def new_secret() -> str:
    """A key to sign messages with, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def add(principal: Principal, kind: str, address: str, client: str) -> Channel:
    """Add a channel of one's own and send its code. It carries nothing else until the code is entered.

    Args:
        client: the network address of whoever asks.

    Raises:
        Invalid: this way is not offered, or the address does not look like one.
        Conflict: it is there already, or there are too many.
        TooMany: codes were asked for too often, by this account, to this address, or from this client.
    """
    way = next((way for way in offered(principal) if way.code == kind), None)
    if way is None:
        raise Invalid(_("Messages cannot be sent this way here."), remedy=_("Choose another way."))
    address = _checked(way, address)
    if Channel.objects.filter(account=principal.account).count() >= MOST:
        raise Conflict(_("You have too many channels."), remedy=_("Remove one first."))
    with transaction.atomic():
        channel, added = Channel.objects.get_or_create(
            account_id=_account(principal), kind=kind, address=address,
            defaults={"kinds": kinds_for(principal), "secret": new_secret() if kind == "webhook" else ""},
        )  # fmt: skip
        if not added:
            raise Conflict(_("This channel is there already."), where=address, remedy=_("Change it in the list."))
        send_code(principal, channel, client)
    return channel


def _checked(way: Way, address: str) -> str:
    address = address.replace(" ", "").replace("-", "") if way.code == "sms" else address.strip()
    wrong = Invalid(_("This does not look right."), where=address[:100], remedy=str(way.hint))
    if not way.pattern.fullmatch(address):
        raise wrong
    if way.code == "email":
        try:
            validate_email(address)
        except ValidationError as error:
            raise wrong from error
    if way.code == "webhook" and not _is_plain(address):
        raise wrong
    return address


def _is_plain(address: str) -> bool:
    """Whether an address has a host and a lawful port, and no name or password in it."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and (parts.port or 1) > 0 and parts.username is None and parts.password is None
    except ValueError:
        return False


def send_code(principal: Principal, channel: Channel, client: str) -> None:
    """Send a new code; the one before no longer counts. Tries are counted by account, receiver and `client`."""
    throttle.hit(CODE_SENT, principal.account)
    if channel.kind == "sms":
        throttle.hit(SMS_DAY, principal.account)
        throttle.hit(SMS_CLIENT, client)
    throttle.hit(CODE_HERE, channel.kind, hashlib.sha256(channel.address.casefold().encode()).hexdigest())
    code, now = f"{secrets.randbelow(10**6):06}", datetime.now(UTC)
    channel.code, channel.code_until = _digest(channel, code), now + timedelta(minutes=CODE_MINUTES)
    channel.save(update_fields=["code", "code_until"])
    Delivery.objects.filter(channel=channel, notice=None, state="waiting").update(
        state="needless", next_at=None, code=""
    )
    Delivery.objects.create(
        id=new_id(), channel=channel, city_id=principal.city, code=code, urgent=True, made_at=now, next_at=now
    )


def _digest(channel: Channel, code: str) -> str:
    return hmac.new(f"{settings.SECRET_KEY}{channel.pk}".encode(), code.encode(), "sha256").hexdigest()


def own(principal: Principal, number: str) -> Channel:
    """A channel of one's own, by its number."""
    found = Channel.objects.filter(account=principal.account, pk=int(number)).first() if _is_id(number) else None
    if found is None:
        raise NotFound(_("There is no such channel."), remedy=_("Look at your channels."))
    return found


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdecimal() and len(number) <= 18


def verify(channel: Channel, code: str) -> None:
    """Let a channel carry notices from now on, if this is the code that was sent there.

    Raises:
        Invalid: it is not, or it came too late.
    """
    throttle.hit(CODE_TRIED, channel.pk)
    fresh = channel.code_until is not None and datetime.now(UTC) < channel.code_until
    if not (channel.code and fresh and hmac.compare_digest(channel.code, _digest(channel, code.strip()))):
        raise Invalid(_("This code is wrong or too old."), remedy=_("Have a new one sent."))
    channel.verified_at, channel.code, channel.code_until = datetime.now(UTC), "", None
    channel.save(update_fields=["verified_at", "code", "code_until"])


def change(principal: Principal, channel: Channel, *, kinds: Collection[str], only_urgent: bool, hourly: bool) -> None:
    """What a channel carries from now on; kinds that do not come to this post stay as they were."""
    offered_kinds = kinds_for(principal)
    kept = [kind for kind in channel.kinds if kind not in offered_kinds]
    channel.kinds = [*(kind for kind in offered_kinds if kind in kinds), *kept]
    channel.only_urgent, channel.hourly = only_urgent, hourly
    channel.save(update_fields=["kinds", "only_urgent", "hourly"])


def keep_quiet(principal: Principal, begin: str, end: str) -> None:
    """Keep quiet hours, such as 22:00 to 07:00; two empty times end them.

    Raises:
        Invalid: one is no time, or both are the same.
    """
    if not begin and not end:
        Quiet.objects.filter(account=principal.account).delete()
        return
    try:
        hours = {"begin": time.fromisoformat(begin), "end": time.fromisoformat(end)}
    except ValueError as error:
        raise Invalid(_("Give both times, such as 22:00 and 07:00."), where=f"{begin}-{end}"[:40]) from error
    if hours["begin"] == hours["end"]:
        raise Invalid(_("The quiet hours must begin and end at different times."), where=begin[:20])
    Quiet.objects.update_or_create(account_id=_account(principal), defaults=hours)


def _account(principal: Principal) -> int:
    if principal.account is None:
        raise NotAllowed(_("Sign in first."))
    return principal.account
