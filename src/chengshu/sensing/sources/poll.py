"""Looking at feeds when they are due. One process at a feed at a time; what was fetched counts together with how far it got.

A feed is taken by a lease in a transaction of its own (SKIP LOCKED), fetched outside any transaction, and what came is accepted
in one transaction with the new cursor, if the lease is still held. A process that is killed leaves either both or neither;
what is fetched twice is known by its digest, by its datastreams and times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urljoin
from uuid import UUID, uuid4

import msgspec
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _
from urllib3.util import parse_url

from chengshu.core.errors import ChengshuError, Conflict, Invalid, NotAllowed, NotFound
from chengshu.logs import get_logger
from chengshu.sensing.models import Feed, FeedKind, FeedState
from chengshu.sensing.records import Receipt
from chengshu.sensing.sources import drop, feeds, formats, http, mapping, schedule, secrets, sql
from chengshu.sensing.sources.http import Fetched
from chengshu.sensing.sources.mapping import Source
from chengshu.sensing.sources.receive import Received, actor_of, receive

LEASE: Final = timedelta(minutes=5)  # prolonged with every page; after it another process takes over
PAGES: Final = 50  # pages at one look; the next look goes on behind them
MOST: Final = 50  # feeds at one tick
BUDGET: Final = 60.0  # seconds after which a tick takes no further feed
log = get_logger(__name__)


class Lost(Conflict):
    """Somebody else has the feed now, or it was switched off or changed: what was fetched is not written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What became of one look at a feed."""

    feed: str
    pages: int = 0
    rows: int = 0
    known: int = 0
    refused: int = 0
    made: int = 0
    error: str = ""

    def plus(self, got: Received) -> Ran:
        receipt = got.receipt
        rows, refused = (0, 0) if receipt.replayed else (receipt.rows, receipt.refused)
        return Ran(
            feed=self.feed, pages=self.pages + 1, rows=self.rows + rows, refused=self.refused + refused,
            known=self.known + (receipt.rows if receipt.replayed else receipt.known), made=self.made + got.made,
        )  # fmt: skip


def tick(now: datetime | None = None) -> int:
    """Look at the feeds that are due, for about a minute; how many were looked at. Never raises for what one feed does."""
    end, count = time.monotonic() + BUDGET, 0
    while count < MOST and time.monotonic() < end:
        feed = take(now or datetime.now(UTC))
        if feed is None:
            break
        run(feed)
        count += 1
    return count


def take(now: datetime) -> Feed | None:
    """Take the feed that has been due for longest, which no other process takes until its lease ends."""
    with transaction.atomic():
        due = Feed.objects.exclude(state=FeedState.OFF).filter(next_at__lte=now).order_by("next_at")
        feed = due.select_for_update(skip_locked=True, of=("self",)).select_related("city").first()
        return _leased(feed, now) if feed is not None else None


def take_one(pk: int, now: datetime | None = None) -> Feed:
    """Take one feed whether it is due or not. Raises `Conflict` when another process is at it."""
    moment = now or datetime.now(UTC)
    with transaction.atomic():
        feed = Feed.objects.select_for_update(of=("self",)).select_related("city").filter(pk=pk).first()
        if feed is None:
            raise NotFound(_("There is no such source."), remedy=_("Look at the list of sources."))
        if feed.kind == FeedKind.MQTT:
            raise Conflict(
                _("Messages come by themselves."), where=feed.name, remedy=_("Publish one, or look at the errors.")
            )
        if feed.lease is not None and feed.next_at is not None and feed.next_at > moment:
            raise Conflict(_("It is being looked at just now."), where=feed.name, remedy=_("Wait a moment."))
        return _leased(feed, moment)


def _leased(feed: Feed, now: datetime) -> Feed:
    feed.lease, feed.next_at, feed.tried_at = uuid4(), now + LEASE, now
    feed.save(update_fields=["lease", "next_at", "tried_at"])
    return feed


def run(feed: Feed) -> Ran:
    """Look at a feed that was taken. What goes wrong is noted with it, and tried again later and later."""
    try:
        source = mapping.parse(feed.mapping)
        ran, more = _LOOKS[FeedKind(feed.kind)](feed, source)
    except Lost as error:
        log.info("feed.lost", feed=feed.name)
        return Ran(feed=feed.name, error=str(error))
    except (OperationalError, InterfaceError):
        raise  # our own database is away: the worker waits for it, and the lease ends by itself
    except ChengshuError as error:
        return _failed(feed, str(error), getattr(error, "after", 0.0))
    except Exception as error:  # a library's own: one feed must not stop the others
        log.exception("feed.broke", feed=feed.name)
        return _failed(feed, type(error).__name__, 0.0)
    _succeeded(feed, more)
    log.info("feed.done", feed=feed.name, pages=ran.pages, rows=ran.rows, known=ran.known, refused=ran.refused)
    return ran


def _succeeded(feed: Feed, more: bool) -> None:
    now = datetime.now(UTC)
    due = now if more else schedule.after(feed.schedule, now, feed.city.timezone)
    mine = Feed.objects.filter(pk=feed.pk, lease=feed.lease)
    mine.exclude(state=FeedState.OFF).update(state=FeedState.ON, next_at=due)
    mine.update(lease=None, failures=0, error="", succeeded_at=now)


def _failed(feed: Feed, error: str, asked: float) -> Ran:
    failures = feed.failures + 1
    due = datetime.now(UTC) + schedule.pause(failures, asked)
    mine = Feed.objects.filter(pk=feed.pk, lease=feed.lease)
    mine.exclude(state=FeedState.OFF).update(state=FeedState.FAILING, next_at=due)
    mine.update(lease=None, failures=failures, error=error[:1_000])
    log.warning("feed.failed", feed=feed.name, failures=failures, error=error[:300])
    return Ran(feed=feed.name, error=error)


def _kept(feed: Feed, cursor: Callable[[Received], Mapping[str, Any]]) -> Callable[[Received], None]:
    """What moves the cursor in the transaction of accept(), if the feed is still ours."""

    def keep(got: Received) -> None:
        held: UUID | None = feed.lease
        found = Feed.objects.select_for_update().filter(pk=feed.pk, lease=held, version=feed.version)
        if not found:
            raise Lost(_("Somebody else looks at this source now."), where=feed.name, remedy=_("Wait a moment."))
        feed.cursor = dict(cursor(got))
        Feed.objects.filter(pk=feed.pk).update(cursor=feed.cursor, next_at=datetime.now(UTC) + LEASE)

    return keep


def _take_in(feed: Feed, source: Source, content: bytes, cursor: Callable[[Received], Mapping[str, Any]]) -> Received:
    return receive(
        content, source, actor=actor_of(feed), city=feed.city, door=feeds.door_of(feed), beside=_kept(feed, cursor)
    )


def greater(one: str | None, other: str | None) -> str | None:
    """The later of two cursors: as numbers where both are, else as text."""
    if one is None or other is None:
        return one if other is None else other
    try:
        return one if float(one) >= float(other) else other
    except ValueError:
        return max(one, other)


def _look_http(feed: Feed, source: Source) -> tuple[Ran, bool]:
    """Page after page; the cursor moves on when the last one is in, for their order is not known."""
    ran = Ran(feed=feed.name)
    for _page in range(PAGES):
        url = feed.cursor.get("next") or at_cursor(feed.address, feed.cursor.get("value"))
        got = ask(feed, url)
        if got.status == 304:
            return ran, False
        following = next_page(got, source)
        if following == url:
            raise Invalid(_("The next page is the same page again."), where=url[:200], remedy=_("Look at next."))
        ran = ran.plus(_take_in(feed, source, got.content, _after_page(feed, got, following)))
        if following is None:
            return ran, False
    return ran, True


def _after_page(feed: Feed, got: Fetched, following: str | None) -> Callable[[Received], Mapping[str, Any]]:
    before = feed.cursor

    def cursor(received: Received) -> Mapping[str, Any]:
        reached = greater(before.get("pending"), received.cursor)
        if following is not None:
            return {**_only(before, "value"), **_some(next=following, pending=reached)}
        seen = _some(etag=got.headers.get("etag"), modified=got.headers.get("last-modified"))
        whole = {} if before.get("next") else seen  # what marks the last page says nothing of the first
        return {**_some(value=greater(before.get("value"), reached)), **whole}

    return cursor


def _only(cursor: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: cursor[name] for name in names if name in cursor}


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def at_cursor(address: str, value: str | None) -> str:
    """The address with `{cursor}` filled in."""
    return address.replace("{cursor}", quote(value or "", safe=""))


def ask(feed: Feed, url: str) -> Fetched:
    """One request of a feed, with its secret to its own host, and only for what is new."""
    secret = secrets.secret_of(feed)
    if secret and parse_url(url).netloc != parse_url(feed.address).netloc:
        raise NotAllowed(
            _("The next page lies on another host."),
            where=url[:200],
            remedy=_("A secret is sent to its own host only."),
        )
    headers = {}
    if not feed.cursor.get("next"):
        headers = _some(**{"If-None-Match": feed.cursor.get("etag"), "If-Modified-Since": feed.cursor.get("modified")})
    return http.fetch(url, headers=headers, secret={feed.header: secret} if secret else {})


def next_page(got: Fetched, source: Source) -> str | None:
    """The address of the next page: by the mapping's path in a JSON answer, or `link` for the header of RFC 8288."""
    if source.next is None:
        return None
    if source.next == "link":
        found = _linked(got.headers.get("link", ""))
    else:
        try:
            found = formats.at_path(msgspec.json.decode(got.content), source.next)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Invalid(_("It is no JSON."), where=str(error)[:200], remedy=_("Look at the content.")) from error
    return urljoin(got.url, str(found)) if found else None


def _linked(header: str) -> str | None:
    for part in header.split(","):
        target, _semicolon, rest = part.partition(";")
        if 'rel="next"' in rest.replace("rel=next", 'rel="next"'):
            return target.strip().strip("<>")
    return None


def _look_sql(feed: Feed, source: Source) -> tuple[Ran, bool]:
    value = feed.cursor.get("value")
    content, more = sql.rows(
        feed.address, feed.query, cursor=value, by=source.cursor, secret=secrets.secret_of(feed)
    )  # fmt: skip
    if not content:
        return Ran(feed=feed.name), False
    got = _take_in(feed, source, content, lambda received: _some(value=greater(value, received.cursor)))
    return Ran(feed=feed.name).plus(got), more and got.cursor is not None and got.cursor != value


def _look_file(feed: Feed, source: Source) -> tuple[Ran, bool]:
    ran, errors = Ran(feed=feed.name), 0
    for path in drop.complete(feed, time.time()):
        got = _file(feed, source, path)
        errors += got is None
        ran = ran.plus(got) if got is not None else ran
    if errors:
        what = _("%(n)d files could not be taken: they stand in failed/ with a report.") % {"n": errors}
        raise Invalid(what, where=str(drop.folder(feed)), remedy=_("Mend them and drop them again."))
    return ran, False


def _file(feed: Feed, source: Source, path: Path) -> Received | None:
    """Take one file and move it. Killed in between, it is read again, known by its digest, and moved then."""
    try:
        got = _take_in(feed, source, drop.read(path), lambda _received: feed.cursor)
    except Lost:
        raise
    except (ChengshuError, OSError) as error:
        drop.move(path, drop.FAILED, {"file": path.name, "error": str(error)[:2_000]})
        return None
    drop.move(path, drop.DONE, report(path.name, got.receipt))
    return got


def report(name: str, receipt: Receipt) -> dict[str, Any]:
    """What stands beside a file: what became of it, and its first problems."""
    return {
        "file": name,
        "delivery": receipt.delivery,
        "received": receipt.received,
        "added": receipt.rows,
        "known": receipt.known,
        "refused": receipt.refused,
        "came_before": receipt.replayed,
        "problems": [
            {"line": each.line, "reason": each.reason, "detail": each.detail} for each in receipt.problems[:100]
        ],
    }


_LOOKS: Final[Mapping[FeedKind, Callable[[Feed, Source], tuple[Ran, bool]]]] = {
    FeedKind.HTTP: _look_http, FeedKind.SQL: _look_sql, FeedKind.FILE: _look_file,
}  # fmt: skip
