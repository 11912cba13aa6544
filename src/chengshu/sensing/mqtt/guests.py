"""Who is connected to our own broker: the principal of a token, what they may write and see, and the limits they are kept to."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from chengshu.core.errors import ChengshuError, NotAllowed
from chengshu.parties.principal import Principal
from chengshu.parties.tokens import principal_of_token
from chengshu.sensing.mqtt.updates import Watch
from chengshu.sensing.scope import Scope, read_scope, write_scope

WAITING: Final = 2_000  # messages of one connection that are not durable yet …
WAITING_BYTES: Final = 8 * 2**20  # … and their bytes: then nothing more is read of it
RATE: Final = 5_000.0  # messages a second of one connection, sustained …
BURST: Final = 10_000.0  # … and at once
BACKLOG: Final = 10_000  # updates that wait for a subscriber; then it is too slow
WATCHES: Final = 1_000  # topics of SensorThings that one connection may subscribe to
OTHERS: Final = 100  # other filters of one connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """Who a token acts as, and what they write and see; None: nothing."""

    principal: Principal
    writes: Scope | None
    reads: Scope | None


def rights(token: str) -> Rights:
    """The rights of a token. Raises `NotSignedIn` or `NotAllowed`, also for who neither writes nor sees Things."""
    principal = principal_of_token(token)
    writes, reads = _scope(write_scope, principal), _scope(read_scope, principal)
    if writes is None and reads is None:
        raise NotAllowed("This post sees no sensors.", remedy="Use a post of the city's staff, or a gateway's token.")
    return Rights(principal=principal, writes=writes, reads=reads)


def _scope(which: Any, principal: Principal) -> Scope | None:
    try:
        found: Scope = which(principal)
    except ChengshuError:
        return None
    return found


@dataclass(eq=False, kw_only=True, slots=True)
class Guest:
    """One connection that is signed in. Lives in the broker's loop only."""

    name: str
    token: str = field(repr=False)
    rights: Rights
    writer: asyncio.StreamWriter
    keep_alive: int
    heard: float = field(default_factory=time.monotonic)
    waiting: int = 0
    waiting_bytes: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    allowance: float = BURST
    counted: float = field(default_factory=time.monotonic)
    watches: dict[str, Watch] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    backlog: deque[tuple[str, bytes]] = field(default_factory=deque)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    sending: bool = False
    unmapped: int = 0

    def close(self) -> None:
        """End the connection; what it sent is still taken, and not acknowledged."""
        self.writer.transport.abort()

    @property
    def silent(self) -> bool:
        """Whether it was not heard of for one and a half times its keep-alive [3.1.2.10]; not while we do not listen."""
        return self.keep_alive > 0 and not self.waiting and time.monotonic() - self.heard > 1.5 * self.keep_alive

    async def turn(self) -> None:
        """Wait until more may be read of this connection: what it does not wait for, it pays with not being read."""
        while self.waiting >= WAITING or self.waiting_bytes >= WAITING_BYTES:
            self.free.clear()
            await self.free.wait()
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + (now - self.counted) * RATE)
        self.counted = now
        if self.allowance < 1:
            await asyncio.sleep((1 - self.allowance) / RATE + 0.01)

    def took(self, size: int) -> None:
        """A message of it is on its way."""
        self.waiting += 1
        self.waiting_bytes += size
        self.allowance -= 1

    def done(self, size: int) -> None:
        """A message of it is durable."""
        self.waiting -= 1
        self.waiting_bytes -= size
        self.free.set()

    def tell(self, topic: str, payload: bytes) -> bool:
        """Have an update sent to it; False when it is too slow for that."""
        if len(self.backlog) >= BACKLOG:
            return False
        self.backlog.append((topic, payload))
        self.more.set()
        return True
