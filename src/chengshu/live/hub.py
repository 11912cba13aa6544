"""Who listens now, who has which case open, and what each may hear."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from chengshu.core.errors import ChengshuError
from chengshu.live import metrics
from chengshu.live.tickets import Ticket

QUEUE = 200  # events that may wait for one reader before it counts as too slow
MOST = 2_000  # streams
MOST_OF_ONE = 12  # streams of one account


class TooMany(ChengshuError):
    """More streams are open than this process, or this account, may have."""

    status = 503


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """A case as it stands after something happened to it, and what the rule of visibility asks of it.

    `units` lead it or have a task in it; `left` are those whose task its last step ended.
    """

    id: UUID
    number: str
    seq: int
    state: str
    closed: bool
    move: str
    label: str
    label_en: str
    role: str
    who: str
    places: frozenset[int]
    reporter: int | None
    units: frozenset[int]
    left: frozenset[int]


def event(name: str, data: Any) -> bytes:
    """One event in the format of server-sent events."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def sees(ticket: Ticket, case: Happening) -> bool:
    """Whether a post may see a case: the rule of cases/visibility.py for officials."""
    own = case.reporter == ticket.account and ticket.root in case.places
    match ticket.scope:
        case "area":
            return own or ticket.division in case.places
        case "unit":
            return own or ticket.department in case.units
        case _:
            return False


class Stream:
    """One open page: what waits to be sent to it. `watches` is the number of the case that it shows, if any."""

    def __init__(self, ticket: Ticket, watches: str = "") -> None:
        self.ticket, self.watches = ticket, watches
        self.ended = False
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._task = asyncio.current_task()

    def put(self, data: bytes) -> None:
        """Send this soon; a reader that is too slow is dropped, and will read everything anew when it comes back."""
        if self.ended:
            return
        if len(self._waiting) >= QUEUE:
            metrics.DROPPED.inc()
            self.end()
            return
        metrics.EVENTS.inc()
        self._waiting.append(data)
        self._wake.set()

    async def next(self, patience: float) -> bytes:
        """All that waits; nothing when nothing came within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            return b""
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._wake.clear()
        return data

    def end(self) -> None:
        """Close it, also when it is just waiting for its reader."""
        if not self.ended and self._task is not None:
            self.ended = True
            self._task.cancel()


@dataclass(slots=True)
class Hub:
    """All open streams, and which accounts are writing in which case."""

    streams: set[Stream] = field(default_factory=set)
    watching: dict[str, set[Stream]] = field(default_factory=lambda: defaultdict(set))
    writing: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def join(self, stream: Stream) -> None:
        """Add a stream, and tell those who have the same case open.

        Raises:
            TooMany: there are as many as there may be.
        """
        mine = sum(other.ticket.account == stream.ticket.account for other in self.streams)
        if mine >= MOST_OF_ONE or len(self.streams) >= MOST:
            raise TooMany("Too many pages are open.", remedy="Close some of them.")
        self.streams.add(stream)
        metrics.STREAMS.set(len(self.streams))
        if stream.watches:
            self.watching[stream.watches].add(stream)
            self._tell_who(stream.watches)

    def leave(self, stream: Stream) -> None:
        """Take a stream out; somebody of whom no page is left with the case neither looks nor writes any more."""
        self.streams.discard(stream)
        case = stream.watches
        metrics.STREAMS.set(len(self.streams))
        if not case:
            return
        self.watching[case].discard(stream)
        if not any(other.ticket.account == stream.ticket.account for other in self.watching[case]):
            self.writing[case].discard(stream.ticket.account)
        if not self.watching[case]:
            self.watching.pop(case)
            self.writing.pop(case, None)
            return
        self._tell_who(case)

    def write(self, ticket: Ticket, case: str, writing: bool) -> None:
        """Somebody begins or stops to write in a case that they have open; of others this is not believed."""
        if case not in self.watching or not any(s.ticket.account == ticket.account for s in self.watching[case]):
            return
        known = self.writing[case]
        if (ticket.account in known) != writing:
            (known.add if writing else known.discard)(ticket.account)
            self._tell_who(case)

    def happened(self, cases: Iterable[Happening]) -> None:
        """Tell of cases: all to those who may see them, only that they are gone to the units that lost them."""
        for case in cases:
            data, gone = event("case", told(case)), None
            for stream in list(self.streams):
                if sees(stream.ticket, case):
                    stream.put(data)
                elif stream.ticket.scope == "unit" and stream.ticket.department in case.left:
                    gone = gone or event("case", {"number": case.number, "id": case.id, "gone": True})
                    stream.put(gone)

    def noticed(self, unread: Mapping[int, int]) -> None:
        """Tell accounts how many notices they have not read."""
        for stream in list(self.streams):
            if (count := unread.get(stream.ticket.account)) is not None:
                stream.put(event("notice", {"unread": count}))

    def resync(self) -> None:
        """Something may have been missed: let every page read its parts anew."""
        for stream in list(self.streams):
            stream.put(event("resync", {}))

    def end(self, tickets: Set[Ticket]) -> None:
        """End the streams of tickets that are not good any more."""
        for stream in list(self.streams):
            if stream.ticket in tickets:
                stream.end()

    def end_all(self) -> None:
        """End every stream: the process stops."""
        for stream in list(self.streams):
            stream.end()

    def _tell_who(self, case: str) -> None:
        """Tell everybody at a case who else is."""
        streams, writing = list(self.watching[case]), self.writing.get(case, set())
        people = {
            s.ticket.account: {"name": s.ticket.name, "role": s.ticket.role, "writing": s.ticket.account in writing}
            for s in streams
        }
        for stream in streams:
            others = [person for account, person in people.items() if account != stream.ticket.account]
            stream.put(event("presence", {"case": case, "people": others}))


def told(case: Happening) -> dict[str, Any]:
    """What is said of a case; nothing of those whom it concerns as citizens."""
    return {
        "number": case.number, "id": case.id, "seq": case.seq, "state": case.state, "closed": case.closed,
        "move": case.move, "label": case.label, "label_en": case.label_en, "role": case.role, "who": case.who,
    }  # fmt: skip
