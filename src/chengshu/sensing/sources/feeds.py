"""Feeds as rows: who may make and change them, what is remembered of every change, and how they are doing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.models import City
from chengshu.places.tree import root_division
from chengshu.sensing.models import Delivery, Feed, FeedChange, FeedKind, FeedState, Quarantined
from chengshu.sensing.sources import drop, http, mapping, schedule, secrets, sql, topics

EDITORS: Final = frozenset({Role.STEWARD, Role.ADMINISTRATOR})
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
# What carries a request itself is not a secret's header.
NOT_FOR_SECRETS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te"})
_DOORS: Final[dict[str, str]] = {FeedKind.FILE: "file", FeedKind.MQTT: "mqtt"}
_FIELDS: Final = ("label", "kind", "address", "query", "mapping", "schedule", "header", "secret_name", "state")


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What somebody wants a feed to be. `secret` None leaves it as it is, empty takes it away."""

    name: str
    label: str
    kind: str
    address: str = ""
    query: str = ""
    mapping: Any = None
    schedule: str = "300"
    owner: str = ""
    header: str = "Authorization"
    secret: str | None = None
    secret_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Doing:
    """How a feed is doing: what came in within a day, what of it stands in quarantine."""

    feed: Feed
    rows_day: int
    refused_open: int

    @property
    def door(self) -> str:
        return door_of(self.feed)


def door_of(feed: Feed) -> str:
    """The door that its deliveries name."""
    return f"{_DOORS.get(feed.kind, 'poll')}:{feed.name}"


def city_of(principal: Principal) -> City:
    """The city whose feeds somebody may look after: its stewards and administrators, those of all of it. Raises `NotAllowed`."""
    if principal.role not in EDITORS or principal.division != root_division(principal.city):
        what = _("Sources are looked after by the stewards and administrators of the whole city.")
        raise NotAllowed(what, remedy=_("Ask one of them."))
    return City.objects.get(pk=principal.city)


def seen(principal: Principal) -> QuerySet[Feed]:
    """The feeds of one's city."""
    return Feed.objects.filter(city=city_of(principal)).select_related("city", "owner").order_by("name")


def one(principal: Principal, name: str) -> Feed:
    """A feed by its name. Raises `NotFound`."""
    found = seen(principal).filter(name=name).first()
    if found is None:
        raise NotFound(_("There is no such source."), where=name[:60], remedy=_("Look at the list of sources."))
    return found


def save(principal: Principal, draft: Draft, *, why: str, seen_version: int | None = None) -> Feed:
    """Make a feed, switched off, or change the one of this name (`seen_version`: the version that was looked at).

    Raises:
        Invalid, Mistakes: something of it is not right.
        Conflict: the name is taken, or somebody changed it meanwhile.
    """
    city = city_of(principal)
    fresh = seen_version is None
    values = _values(draft, city)
    with transaction.atomic():
        if fresh:
            feed, before = _new(city, draft.name, values), None
        else:
            feed = _locked(principal, draft.name, seen_version)
            before = told(feed)
            _reset(feed, values)
        for name, value in values.items():
            setattr(feed, name, value)
        _keep_secret(feed, draft)
        feed.version += 0 if fresh else 1
        feed.save()
        _remember(feed, principal, "made" if fresh else "changed", why, before)
    if feed.kind == FeedKind.FILE:
        drop.prepare(feed)
    return feed


def _new(city: City, name: str, values: dict[str, Any]) -> Feed:
    if not NAME.fullmatch(name):
        remedy = _("Small letters, digits and hyphens, 50 at most.")
        raise Invalid(_("This is no name of a source."), where=name[:60], remedy=remedy)
    try:
        with transaction.atomic():
            return Feed.objects.create(city=city, name=name, made_at=datetime.now(UTC), **values)
    except IntegrityError as error:
        raise Conflict(_("There is a source of this name."), where=name, remedy=_("Choose another name.")) from error


def _locked(principal: Principal, name: str, version: int | None) -> Feed:
    feed = Feed.objects.select_for_update().get(pk=one(principal, name).pk)
    if version is not None and feed.version != version:
        raise Conflict(_("Somebody changed this source meanwhile."), where=name, remedy=_("Load it again."))
    return feed


def _values(draft: Draft, city: City) -> dict[str, Any]:
    source = mapping.parse(draft.mapping)
    if not draft.label.strip():
        raise Invalid(_("A source needs a name that people understand."), where="label", remedy=_("Write one."))
    if draft.kind not in FeedKind.values:
        words = _("Write one of %(words)s.") % {"words": ", ".join(FeedKind.values)}
        raise Invalid(_("There is no such sort of source."), where=draft.kind[:40], remedy=words)
    if not HEADER.fullmatch(draft.header) or draft.header.lower() in NOT_FOR_SECRETS:
        raise Invalid(_("This header cannot carry a secret."), where=draft.header[:60], remedy="Authorization")
    _reachable(draft, source)
    return {
        "label": draft.label.strip()[:200],
        "kind": draft.kind,
        "address": draft.address.strip(),
        "query": draft.query.strip()[:20_000],
        "mapping": mapping.plain(source),
        "schedule": schedule.checked(draft.schedule),
        "owner": _owner(draft.owner, city),
        "header": draft.header,
        "secret_name": secrets.named(draft.secret_name) if draft.secret_name else "",
    }


def _reachable(draft: Draft, source: mapping.Source) -> None:
    """Whether what the kind needs is there; whether the address answers is seen when it is fetched."""
    if draft.kind == FeedKind.HTTP:
        http.checked(draft.address.strip())
    if draft.kind == FeedKind.SQL:
        sql.connected_by(draft.address.strip())
        if not draft.query.strip():
            raise Invalid(_("A database needs a SELECT."), where="query", remedy=_("Write one."))
    if draft.kind == FeedKind.MQTT:
        topics.checked(draft.address.strip(), source)
    if (draft.kind == FeedKind.SQL) != (source.format == "sql"):
        what = _("The format sql is that of databases, and they have no other.")
        raise Invalid(what, where="format", remedy=_("Change the format or the sort."))


def _owner(code: str, city: City) -> Department | None:
    if not code:
        return None
    found = Department.objects.filter(city=city, code=code, active=True).first()
    if found is None:
        raise Invalid(_("There is no such department."), where=code[:60], remedy=_("Write the code of one."))
    return found


def _reset(feed: Feed, values: dict[str, Any]) -> None:
    """Begin anew where what was fetched so far says nothing of what is fetched from now on."""
    moved = any(getattr(feed, name) != values[name] for name in ("kind", "address", "query"))
    if moved or feed.mapping != values["mapping"]:
        feed.cursor = {} if moved else {name: value for name, value in feed.cursor.items() if name == "value"}
    feed.failures, feed.error = 0, ""
    if feed.state != FeedState.OFF:
        feed.state, feed.next_at = FeedState.ON, _first_look(values["kind"])


def _first_look(kind: str) -> datetime | None:
    """When a feed that was switched on is looked at: at once, or never where messages come by themselves."""
    return None if kind == FeedKind.MQTT else datetime.now(UTC)


def _keep_secret(feed: Feed, draft: Draft) -> None:
    if draft.secret is not None:
        feed.secret = secrets.sealed(draft.secret) if draft.secret else None


def switch(principal: Principal, name: str, *, on: bool, why: str = "") -> Feed:
    """Switch a feed on (it is looked at at once) or off."""
    with transaction.atomic():
        feed = _locked(principal, name, None)
        before = told(feed)
        feed.state = FeedState.ON if on else FeedState.OFF
        feed.next_at = _first_look(feed.kind) if on else None
        feed.failures, feed.error, feed.lease = 0, "" if on else feed.error, None
        feed.save()
        _remember(feed, principal, "on" if on else "off", why, before)
    return feed


def run_soon(principal: Principal, name: str) -> Feed:
    """Have a feed that is on looked at now. Raises `Conflict` when it is off."""
    with transaction.atomic():
        feed = _locked(principal, name, None)
        if feed.state == FeedState.OFF:
            raise Conflict(_("The source is off."), where=name, remedy=_("Switch it on first."))
        if feed.kind == FeedKind.MQTT:
            raise Conflict(
                _("Messages come by themselves."), where=name, remedy=_("Publish one, or look at the errors.")
            )
        if feed.lease is None:
            feed.next_at = datetime.now(UTC)
            feed.save(update_fields=["next_at"])
        _remember(feed, principal, "run", "", told(feed))
    return feed


def told(feed: Feed) -> dict[str, Any]:
    """What a change is remembered by; of the secret only whether there is one."""
    found = {name: getattr(feed, name) for name in _FIELDS}
    return {**found, "owner": feed.owner.code if feed.owner else "", "secret": feed.secret is not None}


def _remember(feed: Feed, principal: Principal, act: str, why: str, before: dict[str, Any] | None) -> None:
    FeedChange.objects.create(
        feed=feed, at=datetime.now(UTC), account_id=principal.account, act=act, why=why.strip()[:500], before=before,
        after=told(feed),
    )  # fmt: skip


def doing(feeds: Sequence[Feed], now: datetime) -> list[Doing]:
    """How feeds of one city are doing."""
    if not feeds:
        return []
    doors = {door_of(feed): feed for feed in feeds}
    mine = Delivery.objects.filter(city=feeds[0].city_id, door__in=doors)
    day = mine.filter(received__gt=now - timedelta(days=1))
    rows = dict(day.values_list("door").annotate(n=Sum("rows")).order_by())
    bad = Quarantined.objects.filter(city=feeds[0].city_id, state="open", delivery__door__in=doors)
    refused = dict(bad.values_list("delivery__door").annotate(n=Count("pk")).order_by())
    return [
        Doing(feed=feed, rows_day=rows.get(door, 0) or 0, refused_open=refused.get(door, 0))
        for door, feed in doors.items()
    ]
