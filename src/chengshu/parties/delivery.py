"""Deliveries on their way: taken in batches, tried with growing pauses, and what became of each.

A delivery is taken by setting the time of its next try, in a transaction of its own, and only then sent. A process that is
killed between sending and noting it leaves the delivery to be sent once more: at least once. Every try carries the same
idempotency key, by which a receiver that looks at it sees one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.core.errors import Conflict, NotFound
from chengshu.parties.models import Channel, Delivery
from chengshu.parties.notices import Hours, hours_of
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.models import City

BATCH = 50
LEASE = timedelta(minutes=5)  # after which what a process had taken is taken by another; longer than a batch can last
PAUSES = tuple(timedelta(minutes=m) for m in (0.5, 2, 10, 60, 180, 360, 720))  # before the second try, the third …
MOST_TRIES = len(PAUSES) + 1
KEPT = timedelta(days=90)  # for which ended deliveries are kept

ERRORS = {
    "answer": gettext_noop("The receiver did not accept it: %(detail)s"),
    "unreachable": gettext_noop("The receiver could not be reached."),
    "refused_address": gettext_noop("Messages may not be sent to this address: it lies inside."),
    "not_offered": gettext_noop("This installation no longer sends this way."),
    "no_account": gettext_noop("The account is closed."),
    "failed": gettext_noop("It could not be sent."),
    "stopped": gettext_noop("Sending was broken off."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a try went: well when `error` is empty; `final` when there is no use in trying again."""

    error: str = ""
    detail: str = ""
    final: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """What goes out in one message: one delivery, or several notices of one channel that are not urgent."""

    channel: Channel
    deliveries: tuple[Delivery, ...]

    @property
    def key(self) -> UUID:
        """The same for every try of the same deliveries."""
        [first, *more] = sorted(delivery.pk for delivery in self.deliveries)
        return uuid5(first, ",".join(map(str, more))) if more else UUID(str(first))


def error_text(delivery: Delivery) -> str:
    """What went wrong with the last try, in words."""
    return _(ERRORS[delivery.error]) % {"detail": delivery.detail} if delivery.error in ERRORS else delivery.error


def take(now: datetime) -> list[Parcel]:
    """Take deliveries whose time has come: until the lease ends no other process takes them."""
    with transaction.atomic():
        waiting = Delivery.objects.filter(state="waiting", next_at__lte=now).order_by("next_at")
        ids = list(waiting.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
        # Counted before it is sent: what kills the process that sends it comes to an end too.
        Delivery.objects.filter(pk__in=ids).update(
            next_at=now + LEASE, tries=F("tries") + 1, error="stopped", detail=""
        )
    taken = Delivery.objects.filter(pk__in=ids).select_related("notice", "city", "channel__account").order_by("pk")
    return _parcels(_wanted(list(taken)))


def _wanted(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Without what its addressee has read on the pages meanwhile (unless it presses), and what was broken off too often."""
    needless = {d.pk for d in deliveries if d.notice is not None and d.notice.read_at is not None and not d.urgent}
    Delivery.objects.filter(pk__in=needless).update(state="needless", next_at=None, error="")
    worn = {d.pk for d in deliveries if d.tries > MOST_TRIES} - needless
    Delivery.objects.filter(pk__in=worn).update(state="dead", next_at=None, tries=MOST_TRIES)
    return [d for d in deliveries if d.pk not in needless | worn]


def _parcels(deliveries: Sequence[Delivery]) -> list[Parcel]:
    alone = [d for d in deliveries if d.urgent or d.notice_id is None]
    groups: dict[tuple[int, int], list[Delivery]] = {}
    for delivery in deliveries:
        if delivery not in alone:
            groups.setdefault((delivery.channel_id, delivery.city_id), []).append(delivery)
    together = [Parcel(channel=own[0].channel, deliveries=tuple(own)) for own in groups.values()]
    return [*(Parcel(channel=d.channel, deliveries=(d,)) for d in alone), *together]


def note(parcel: Parcel, outcome: Outcome, now: datetime) -> None:
    """Write down how a try went, and when the next is."""
    ids = [delivery.pk for delivery in parcel.deliveries]
    rows = Delivery.objects.filter(pk__in=ids, state="waiting")
    if not outcome.error:
        rows.update(state="sent", sent_at=now, next_at=None, error="", detail="", code="")
        return
    tries = max(delivery.tries for delivery in parcel.deliveries)
    dead = outcome.final or tries >= MOST_TRIES
    rows.update(
        state="dead" if dead else "waiting", next_at=None if dead else _again(parcel, tries, now),
        error=outcome.error, detail=outcome.detail[:200],
    )  # fmt: skip


def _again(parcel: Parcel, tries: int, now: datetime) -> datetime:
    """When to try again: after the pause, and for what is not urgent not within the quiet hours."""
    first, at = parcel.deliveries[0], now + PAUSES[tries - 1]
    if first.urgent:
        return at
    hours = hours_of({parcel.channel.account_id}).get(parcel.channel.account_id, Hours())
    return hours.after(at, ZoneInfo(first.city.timezone))


def of_account(principal: Principal) -> QuerySet[Delivery]:
    """One's own deliveries, newest first."""
    return _shown(Delivery.objects.filter(channel__account=principal.account))


def of_city(principal: Principal) -> QuerySet[Delivery]:
    """All deliveries of an administrator's city, newest first."""
    if principal.role != Role.ADMINISTRATOR:
        return Delivery.objects.none()
    return _shown(Delivery.objects.filter(city=principal.city))


def _shown(found: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return found.select_related("notice", "channel__account").order_by("-pk")


def dead_count(city: City | int) -> int:
    """How many messages of a city could not be delivered."""
    return Delivery.objects.filter(city=city, state="dead").count()


def send_again(among: QuerySet[Delivery], number: UUID, now: datetime) -> None:
    """Try a dead delivery once more from the beginning.

    Raises:
        NotFound: there is no such delivery among these.
        Conflict: it is not dead, or it was a code, which is too old by now.
    """
    found = among.filter(pk=number).first()
    if found is None:
        raise NotFound(_("There is no such delivery."), remedy=_("Look at the list."))
    again = Delivery.objects.filter(pk=number, state="dead", notice__isnull=False)
    if not again.update(state="waiting", next_at=now, tries=0, error="", detail=""):
        raise Conflict(_("This delivery cannot be sent again."), remedy=_("Only those that failed can."))


def sweep(now: datetime) -> int:
    """Drop deliveries that ended long ago; how many."""
    return Delivery.objects.exclude(state="waiting").filter(made_at__lt=now - KEPT).delete()[0]
