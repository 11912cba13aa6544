"""Who listens to our own broker: what they may subscribe to, what they are told, and how it is sent to them.

amqtt keeps the subscriptions and sends what is told; it is asked nothing else, and nothing is published through it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError, MQTTError
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session
from django.db import DatabaseError, InterfaceError

from chengshu.core.errors import ChengshuError
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal
from chengshu.sensing.mqtt import guests, teller, updates
from chengshu.sensing.mqtt.guests import Guest
from chengshu.sensing.mqtt.packets import Published
from chengshu.sensing.mqtt.teller import Teller
from chengshu.sensing.mqtt.updates import Update, Watch
from chengshu.sensing.scope import Scope
from chengshu.sensing.sources.topics import is_filter, matches, of_sensorthings

TOGETHER: Final = 16  # updates that wait for their acknowledgements at once
GUEST: Final = "chengshu.guest"
PRESENT: Final[ContextVar[Guest]] = ContextVar(GUEST)
"""The guest of the connection that a task serves."""
Ask = Callable[..., Awaitable[Any]]
log = get_logger(__name__)


class Doorkeeper(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]
    """What amqtt asks: who came was looked at before, who may subscribe is asked of the audience."""

    audience: Audience

    async def authenticate(self, *, session: Session) -> bool:
        """Whoever comes as far as this, has signed in."""
        session.attributes[GUEST] = PRESENT.get()
        return True

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether a guest may subscribe. Nothing is published through amqtt."""
        if session is None or topic is None or action != Action.SUBSCRIBE:
            return False
        return await self.audience.subscribe(session.attributes[GUEST], topic)

    async def on_broker_client_unsubscribed(self, *, client_id: str, topic: str) -> None:
        """Nobody is told any more what they did not ask for."""
        self.audience.unsubscribe(client_id, topic)


class Audience:
    """The guests, by their names, and what each listens to. All but `told` runs in the broker's loop.

    Args:
        ask: asks something of the database, in a thread.
    """

    def __init__(self, base: str, ask: Ask) -> None:
        self.guests: dict[str, Guest] = {}
        self.broker = _broker(self)
        self.teller = Teller(base, lambda: self._watches, self.told)
        self._base, self._ask = base, ask
        self._watches: tuple[Watch, ...] = ()
        self._loop = asyncio.get_running_loop()
        self._sending: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin."""
        await self.broker.start()
        self.teller.start()

    async def close(self) -> None:
        """Let everybody go, and end."""
        await asyncio.to_thread(self.teller.stop)
        for guest in list(self.guests.values()):
            guest.writer.close()
        for task in list(self._sending):
            task.cancel()
        await self.broker.shutdown()

    def left(self, guest: Guest) -> None:
        """A guest left, or another one of its name came."""
        if self.guests.get(guest.name) is guest:
            del self.guests[guest.name]
        guest.more.set()
        if guest.watches:
            self._rewatch()

    async def subscribe(self, guest: Guest, topic: str) -> bool:
        """Whether somebody may subscribe to a topic; if so they are told from now on."""
        reads = guest.rights.reads
        if not of_sensorthings(topic):
            # What devices send elsewhere belongs to no Thing yet: it is seen by who sees all of the city.
            whole = reads is not None and reads.whole and len(guest.others) < guests.OTHERS
            if not whole or not is_filter(topic) or topic.startswith("$"):
                return False
            guest.others.add(topic)
            self._start_sending(guest)
            return True
        if reads is None or len(guest.watches) >= guests.WATCHES:
            return False
        try:
            watch, newest = await self._ask(_watched, guest.rights.principal, topic, self._base)
        except (ChengshuError, DatabaseError, InterfaceError) as error:
            log.info("mqtt.no-subscription", client=guest.name, topic=topic[:200], error=str(error)[:300])
            return False
        self._start_sending(guest)
        guest.watches[topic] = watch
        self._rewatch()
        self.teller.begin(newest)
        return True

    def unsubscribe(self, name: str, topic: str) -> None:
        """Somebody does not want to be told any more."""
        if (guest := self.guests.get(name)) is not None:
            guest.others.discard(topic)
            if guest.watches.pop(topic, None) is not None:
                self._rewatch()

    def _rewatch(self) -> None:
        every = (watch for guest in self.guests.values() for watch in guest.watches.values())
        self._watches = tuple({(watch.topic, watch.scope): watch for watch in every}.values())

    def relay(self, guest: Guest, found: Published) -> None:
        """Send what a guest published elsewhere to who looks on in the same city."""
        city = guest.rights.principal.city
        for other in self.guests.values():
            here = other.others and other.rights.principal.city == city
            if here and any(matches(found.topic, wanted) for wanted in other.others):
                self._tell(other, found.topic, found.payload)

    def told(self, found: list[Update]) -> None:
        """Send updates to whom they concern; from any thread."""
        self._loop.call_soon_threadsafe(self._tell_all, found)

    def _tell_all(self, found: list[Update]) -> None:
        whom: dict[tuple[str, Scope], list[Guest]] = {}
        for guest in self.guests.values():
            for watch in guest.watches.values():
                whom.setdefault((watch.topic, watch.scope), []).append(guest)
        for update in found:
            for guest in whom.get((update.watch.topic, update.watch.scope), ()):
                self._tell(guest, update.watch.topic, update.payload)

    def _tell(self, guest: Guest, topic: str, payload: bytes) -> None:
        if not guest.tell(topic, payload):
            log.warning("mqtt.too-slow", client=guest.name)
            guest.close()

    def _start_sending(self, guest: Guest) -> None:
        if not guest.sending:
            guest.sending = True
            task = asyncio.create_task(self._send(guest))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, guest: Guest) -> None:
        """Send a subscriber what waits for it, a few at a time."""
        while self.guests.get(guest.name) is guest:
            await guest.more.wait()
            guest.more.clear()
            while guest.backlog:
                some = [guest.backlog.popleft() for _each in range(min(TOGETHER, len(guest.backlog)))]
                try:
                    await asyncio.gather(*(self._send_one(guest, *each) for each in some))
                except (AMQTTError, MQTTError, OSError, TimeoutError, ValueError):
                    guest.close()
                    return

    async def _send_one(self, guest: Guest, topic: str, payload: bytes) -> None:
        handler = self.broker.sessions.get(guest.name, (None, None))[1]
        if handler is not None and not guest.writer.is_closing():
            await handler.mqtt_publish(topic, payload, self._qos(guest.name, topic), retain=False)

    def _qos(self, name: str, topic: str) -> int:
        """The quality of service that was granted: that of the filter that matches."""
        wanted = self.broker.subscriptions
        filters = (topic,) if topic in wanted else tuple(each for each in wanted if matches(topic, each))
        return max((qos for each in filters for session, qos in wanted[each] if session.client_id == name), default=0)


def _watched(principal: Principal, topic: str, base: str) -> tuple[Watch, int]:
    newest = teller.newest_delivery()
    return updates.watch(principal, topic, base), newest


def _broker(audience: Audience) -> Broker:
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    plugin = f"{Doorkeeper.__module__}.{Doorkeeper.__qualname__}"
    listeners = {"default": ListenerConfig(type=ListenerType.EXTERNAL)}
    broker = Broker(BrokerConfig(listeners=listeners, plugins={plugin: {}}))
    broker.plugins_manager.get_plugin(Doorkeeper.__qualname__).audience = audience
    return broker
