"""Messages are gathered for a moment, taken together, and settled when they are durable. One thread does it, in order.

Who sends waits for the acknowledgement, so a moment ends as soon as nothing more comes; it never lasts longer than `LONGEST`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from chengshu.core.errors import ChengshuError, Conflict
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal
from chengshu.sensing import known
from chengshu.sensing.mqtt import creating, mapped
from chengshu.sensing.mqtt.mapped import Mapped
from chengshu.sensing.mqtt.messages import Message
from chengshu.sensing.sources.feeds import door_of
from chengshu.sensing.sources.receive import actor_of

LONGEST: Final = 0.1  # seconds that a message waits for others
QUIET: Final = 0.005  # seconds without another message after which those that came are taken
MOST: Final = 5_000  # messages at once …
LARGEST: Final = 16 * 2**20  # … and bytes
TRIES: Final = 3  # where others came between
AWAY: Final = frozenset(
    {"08", "25", "40", "53", "55", "57", "58"}
)  # no connection, read-only, a ring of locks, no room, stopping
PAUSE: Final = 1.0  # seconds between tries while the database is away
log = get_logger(__name__)


class Gatherer:
    """Takes messages from any thread. `settle` is told, in its own thread, which are durable, and which never will be."""

    def __init__(self, base: str, settle: Callable[[Sequence[Message], bool], None]) -> None:
        self._base = base
        self._settle = settle
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-gather", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take what came, and end."""
        self._stop.set()
        self._queue.put(None)
        self._thread.join(10)

    def put(self, message: Message) -> None:
        """Have a message taken."""
        self._queue.put(message)

    @property
    def waiting(self) -> int:
        """Messages that are not looked at yet."""
        return self._queue.qsize()

    def _run(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            batch = self._gathered()
            if batch:
                self._settle(batch, self._taken(batch))
        connection.close()

    def _gathered(self) -> list[Message]:
        """The messages of a moment."""
        batch: list[Message] = []
        size, end = 0, 0.0
        while len(batch) < MOST and size < LARGEST:
            try:
                message = self._queue.get(timeout=QUIET if batch else None)
            except queue.Empty:
                break
            if message is None:
                break
            end = end or time.monotonic() + LONGEST
            batch.append(message)
            size += len(message.payload)
            if time.monotonic() > end:
                break
        return batch

    def _taken(self, batch: Sequence[Message]) -> bool:
        """Take messages, as often as it needs; whether they are durable."""
        while True:
            try:
                take(batch, self._base)
                return True
            except Exception as error:
                if not is_away(error):
                    log.exception("mqtt.not-taken", messages=len(batch))
                    return False
                connection.close()
                log.warning("mqtt.database-away", error=str(error), waiting=len(batch))
                if self._stop.wait(PAUSE):
                    return False  # they were not acknowledged: who sent them sends them again


def take(batch: Sequence[Message], base: str) -> None:
    """Take messages: those of SensorThings together by who sent them, the others by their sources."""
    for principal, messages in _by_principal(batch):
        left: list[Message] = []
        _or_alone(messages, partial(_create, principal, left), _refused)
        for message in left:
            _or_alone([message], partial(_post, base), _refused)
    for source, messages in _by_source(batch):
        _or_alone(messages, partial(_map, source), partial(_unmapped, source))


def _by_principal(batch: Sequence[Message]) -> Iterator[tuple[Principal, list[Message]]]:
    found: dict[Principal, list[Message]] = {}
    for message in batch:
        if not message.sources:
            found.setdefault(message.principal, []).append(message)
    yield from found.items()


def _by_source(batch: Sequence[Message]) -> Iterator[tuple[Mapped, list[Message]]]:
    found: dict[int, tuple[Mapped, list[Message]]] = {}
    for message in batch:
        for source in message.sources:
            found.setdefault(source.feed.pk, (source, []))[1].append(message)
    yield from found.values()


def _create(principal: Principal, left: list[Message], messages: Sequence[Message]) -> None:
    left += creating.create(principal, messages)


def _post(base: str, messages: Sequence[Message]) -> None:
    for message in messages:
        creating.post(message, base=base)


def _map(source: Mapped, messages: Sequence[Message]) -> None:
    mapped.take(source, [(each.topic, each.payload) for each in messages], messages[-1].at)


def _refused(message: Message, error: Exception) -> None:
    creating.refuse(message, _said(error))


def _unmapped(source: Mapped, message: Message, error: Exception) -> None:
    mapped.failed(source.feed, _said(error), message.at)
    creating.refuse(message, _said(error), actor=actor_of(source.feed), door=door_of(source.feed))


def _said(error: Exception) -> str:
    """A refusal in words; of anything else only what it was."""
    return str(error) if isinstance(error, ChengshuError) else type(error).__name__


Work = Callable[[Sequence[Message]], object]
Refuse = Callable[[Message, Exception], None]


def _or_alone(messages: Sequence[Message], work: Work, refuse: Refuse) -> None:
    """Do it for all, again where others came between; if it fails, for each by itself: one does not hold up the others."""
    failure: Exception | None = None
    for attempt in range(TRIES):
        try:
            work(messages)
            return
        except Conflict as error:
            failure = error
            known.forget()
            log.info("mqtt.again", attempt=attempt, error=str(error))
        except Exception as error:  # a library's own, of content that nobody thought of
            if is_away(error):
                raise
            failure = error
            log.warning("mqtt.apart", messages=len(messages), error=str(error)[:300])
            break
    if len(messages) > 1:
        for message in messages:
            _or_alone([message], work, refuse)
    elif failure is not None:
        refuse(messages[0], failure)


def is_away(error: Exception) -> bool:
    """Whether it is the database that cannot work now, and not what it was given: by the class of its SQLSTATE."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in AWAY
