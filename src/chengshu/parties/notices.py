"""Telling people: a notice on the pages, and with it, in the same transaction, its deliveries through their channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from chengshu.core.ids import new_id
from chengshu.live.announce import announce
from chengshu.parties.access import posts_of
from chengshu.parties.models import Account, Channel, Delivery, Notice, Quiet
from chengshu.parties.notices_text import URGENT
from chengshu.places.models import City


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A notice to be given, of which city; `urgent` when its case is, whatever the kind."""

    notice: Notice
    city: int
    zone: ZoneInfo
    urgent: bool = False

    @property
    def presses(self) -> bool:
        return self.urgent or self.notice.kind in URGENT


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """Quiet hours by the city's clock; without them, none."""

    begin: time | None = None
    end: time | None = None

    def after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The time itself, or the end of the quiet hours that it lies in."""
        if self.begin is None or self.end is None or self.begin == self.end:
            return at
        there = at.astimezone(zone)
        clock = there.time()
        over_midnight = self.begin > self.end
        quiet = clock >= self.begin or clock < self.end if over_midnight else self.begin <= clock < self.end
        if not quiet:
            return at
        day = there.date() + timedelta(days=over_midnight and clock >= self.begin)
        return datetime.combine(day, self.end, zone).astimezone(UTC)


def give(told: Sequence[Told], now: datetime | None = None) -> None:
    """Write notices that are not written yet, and plan how they reach people who are not at the pages."""
    moment = now or datetime.now(UTC)
    with transaction.atomic():
        Notice.objects.bulk_create((each.notice for each in told), ignore_conflicts=True)
        accounts = {each.notice.account_id for each in told}
        announce(accounts=accounts)
        channels = _channels(accounts) if accounts else {}
        if channels:
            _plan([each for each in told if each.notice.account_id in channels], channels, moment)


def _channels(accounts: set[int]) -> dict[int, list[Channel]]:
    found: dict[int, list[Channel]] = defaultdict(list)
    for channel in Channel.objects.filter(account__in=accounts, verified_at__isnull=False):
        found[channel.account_id].append(channel)
    return found


def _plan(told: Sequence[Told], channels: dict[int, list[Channel]], now: datetime) -> None:
    hours = hours_of(set(channels))
    keys = {each.notice.key for each in told}
    written = Notice.objects.filter(account__in=channels, key__in=keys).values_list("account_id", "key", "pk")
    ids = {(account, key): pk for account, key, pk in written}
    Delivery.objects.bulk_create(
        (
            _delivery(each, ids[each.notice.account_id, each.notice.key], channel, hours, now)
            for each in told
            for channel in channels[each.notice.account_id]
            if each.notice.kind in channel.kinds and (each.presses or not channel.only_urgent)
        ),
        ignore_conflicts=True,
    )


def _delivery(told: Told, notice: int, channel: Channel, hours: dict[int, Hours], now: datetime) -> Delivery:
    wait = hours.get(channel.account_id, Hours())
    at = now if told.presses else wait.after(full_hour(now) if channel.hourly else now, told.zone)
    return Delivery(
        id=new_id(), notice_id=notice, channel=channel, city_id=told.city, urgent=told.presses, made_at=now, next_at=at
    )


def hours_of(accounts: set[int]) -> dict[int, Hours]:
    """The quiet hours of those accounts that keep some."""
    kept = Quiet.objects.filter(account__in=accounts)
    return {quiet.account_id: Hours(begin=quiet.begin, end=quiet.end) for quiet in kept}


def full_hour(at: datetime) -> datetime:
    """The next full hour."""
    return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def tell_security(account: Account, change: str) -> None:
    """Tell somebody that their ways of signing in were changed, so that they can act when it was not them."""
    posts = posts_of(account)
    city = posts[0].division.city if posts else City.objects.order_by("pk").first()
    if city is None:
        return
    now = datetime.now(UTC)
    notice = Notice(account=account, key=f"security:{new_id()}", kind="security", params={"change": change}, at=now)
    give([Told(notice=notice, city=city.pk, zone=ZoneInfo(city.timezone))], now)
