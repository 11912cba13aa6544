"""Our own broker: what comes is framed, authorised and limited here, and amqtt sees the rest.

What is published never passes through amqtt: it is gathered and taken, and acknowledged when it is durable. Numbers in
brackets are the sections of OASIS MQTT 3.1.1.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

from amqtt.adapters import ReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError
from django.db import DatabaseError, InterfaceError, connection

from chengshu.core.errors import ChengshuError
from chengshu.logs import get_logger
from chengshu.sensing.mqtt import guests, packets
from chengshu.sensing.mqtt.audience import PRESENT, Audience
from chengshu.sensing.mqtt.config import Listener
from chengshu.sensing.mqtt.gather import Gatherer
from chengshu.sensing.mqtt.guests import Guest, Rights
from chengshu.sensing.mqtt.mapped import Mapped, Sources
from chengshu.sensing.mqtt.messages import Message
from chengshu.sensing.mqtt.packets import Hello, Malformed, Published
from chengshu.sensing.sources.topics import of_sensorthings

SIGN_IN: Final = 10.0  # seconds within which a client must have signed in
STRANGERS: Final = 100  # connections that have not
MOST: Final = 5_000  # connections
LOOK: Final = 5  # seconds between two looks at who is silent
CHECK: Final = 60  # seconds between two looks at whether tokens still work
log = get_logger(__name__)


class Incoming(ReaderAdapter):  # type: ignore[misc]
    """What amqtt reads of a connection: whole packets, without those that are looked after here."""

    def __init__(self, door: Door, guest: Guest, stream: asyncio.StreamReader) -> None:
        self._door, self._guest, self._stream = door, guest, stream
        self._data, self._at = packets.connect(guest.name), 0

    async def read(self, n: int = -1) -> bytes:
        """Bytes of the present packet; empty at the end."""
        if self._at >= len(self._data) and n != 0:
            self._data, self._at = await self._next(), 0
        found = self._data[self._at : self._at + n]
        self._at += len(found)
        return found

    def feed_eof(self) -> None:
        """Nothing: the stream knows its end."""

    async def _next(self) -> bytes:
        try:
            while True:
                await self._guest.turn()
                found = await packets.packet(self._stream)
                if found is None:
                    return b""
                self._guest.heard = time.monotonic()
                if found.kind == packets.PUBLISH:
                    self._door.publish(self._guest, packets.published(found))
                elif found.kind == packets.PUBREL:
                    self._guest.writer.write(packets.PUBCOMP + found.body[:2])
                elif found.kind in packets.WELCOME:
                    return found.whole
                else:
                    raise Malformed(f"packet of type {found.kind}")
        except Malformed as error:
            log.warning("mqtt.malformed", client=self._guest.name, what=str(error))
            self._guest.close()
            return b""


class Door:
    """The broker of this process. All but `_settled` runs in its loop."""

    def __init__(self, base: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="mqtt-ask")
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="mqtt-read")  # nobody's subscription keeps others out
        self._audience = Audience(base, partial(self._ask_in, self._reading))
        self._gatherer = Gatherer(base, self._settled)
        self._sources = Sources()
        self._strangers = 0

    async def run(self, listener: Listener, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises `OSError` when the port is taken."""
        await self._ask(self._sources.refresh)
        server = await asyncio.start_server(self._came, listener.host, listener.port, ssl=listener.context())
        await self._audience.open()
        self._gatherer.start()
        looking = asyncio.create_task(self._keep_looking())
        log.info("mqtt.open", host=listener.host, port=listener.port, tls=bool(listener.certificate))
        await stop.wait()
        server.close()
        looking.cancel()
        await asyncio.to_thread(self._gatherer.stop)
        await asyncio.sleep(0)  # for the last acknowledgements
        await self._audience.close()

    async def _ask(self, question: Callable[..., Any], *values: Any) -> Any:
        """Ask something of the database, in a thread."""
        return await self._ask_in(self._asking, question, *values)

    async def _ask_in(self, pool: ThreadPoolExecutor, question: Callable[..., Any], *values: Any) -> Any:
        return await self._loop.run_in_executor(pool, _asked, question, values)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection, from its first byte to its last."""
        guest = None
        try:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            guest = await self._welcomed(reader, writer)
            if guest is not None:
                PRESENT.set(guest)
                incoming, outgoing = Incoming(self, guest, reader), StreamWriterAdapter(writer)
                await self._audience.broker.external_connected(incoming, outgoing, "default")
        except (AMQTTError, MQTTError, OSError, TimeoutError, Malformed) as error:
            log.info("mqtt.ended", error=type(error).__name__)
        finally:
            if guest is not None:
                guest.free.set()
                self._audience.left(guest)
            writer.close()

    async def _welcomed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Guest | None:
        """Who signed in; None for whom it was refused, or did not in time."""
        if self._strangers >= STRANGERS or len(self._audience.guests) >= MOST:
            log.warning("mqtt.full", guests=len(self._audience.guests), strangers=self._strangers)
            return None
        self._strangers += 1
        try:
            async with asyncio.timeout(SIGN_IN):
                first = await packets.packet(reader, packets.LARGEST_CONNECT)
                if first is None:
                    return None
                hello = await packets.hello(first)
                code, rights = await self._rights(hello) if hello is not None else (packets.BAD_LEVEL, None)
                if hello is not None and rights is not None:
                    return self._entered(hello, rights, writer)
                writer.write(packets.refusal(code))
                await writer.drain()
        finally:
            self._strangers -= 1
        return None

    async def _rights(self, hello: Hello) -> tuple[int, Rights | None]:
        try:
            return 0, await self._ask(guests.rights, hello.password)
        except ChengshuError as error:
            log.info("mqtt.refused", error=error.what)
            return packets.REFUSED, None
        except (DatabaseError, InterfaceError):
            return packets.AWAY, None

    def _entered(self, hello: Hello, rights: Rights, writer: asyncio.StreamWriter) -> Guest:
        """A new guest; one of the same name and post leaves [3.1.4]."""
        name = f"{rights.principal.post}:{hello.client or uuid4().hex}"
        if (former := self._audience.guests.get(name)) is not None:
            former.close()
        guest = Guest(name=name, token=hello.password, rights=rights, writer=writer, keep_alive=hello.keep_alive)
        self._audience.guests[name] = guest
        return guest

    async def _keep_looking(self) -> None:
        """Read the sources again, end who is silent, and who may not be here any more."""
        turn = 0
        while True:
            await asyncio.sleep(1.0)
            turn += 1
            try:
                await self._ask(self._sources.refresh)
                if turn % LOOK == 0:
                    self._end_silent()
                if turn % CHECK == 0:
                    await self._check()
            except (DatabaseError, InterfaceError) as error:
                log.warning("mqtt.database-away", error=str(error))

    def _end_silent(self) -> None:
        for guest in [guest for guest in self._audience.guests.values() if guest.silent]:
            guest.close()

    async def _check(self) -> None:
        """End whose token works no more, or differently."""
        found: dict[str, Rights | None] = {}
        for guest in list(self._audience.guests.values()):
            if guest.token not in found:
                try:
                    found[guest.token] = await self._ask(guests.rights, guest.token)
                except ChengshuError:
                    found[guest.token] = None
            if found[guest.token] != guest.rights:
                log.info("mqtt.no-longer", client=guest.name)
                guest.close()

    def publish(self, guest: Guest, found: Published) -> None:
        """Something was published: it is taken, relayed to who looks on, and acknowledged when it is durable."""
        writes = guest.rights.writes
        if writes is None:
            log.info("mqtt.not-allowed", client=guest.name, topic=found.topic)
            guest.close()  # 3.1.1 cannot say no to a message [3.3.5]
            return
        if of_sensorthings(found.topic):
            self._gather(guest, found, ())
            return
        self._audience.relay(guest, found)
        if sources := tuple(each for each in self._sources.matching(found.topic) if each.takes_from(writes)):
            self._gather(guest, found, sources)
        else:
            self._unmapped(guest, found)

    def _gather(self, guest: Guest, found: Published, sources: tuple[Mapped, ...]) -> None:
        guest.took(len(found.payload))
        message = Message(
            topic=found.topic, payload=found.payload, at=datetime.now(UTC), principal=guest.rights.principal,
            sources=sources, door=guest, mark=found.mark,
        )  # fmt: skip
        self._gatherer.put(message)

    def _unmapped(self, guest: Guest, found: Published) -> None:
        """No source takes it: nothing is kept of it, which is said once for each connection."""
        guest.unmapped += 1
        guest.allowance -= 1
        if guest.unmapped == 1:
            log.warning("mqtt.no-source", client=guest.name, topic=found.topic)
        guest.writer.write(packets.acknowledgement(found.mark))

    def _settled(self, batch: Sequence[Message], durable: bool) -> None:
        self._loop.call_soon_threadsafe(self._settle, batch, durable)

    def _settle(self, batch: Sequence[Message], durable: bool) -> None:
        answers: dict[Guest, list[bytes]] = {}
        for message in batch:
            message.door.done(len(message.payload))
            answers.setdefault(message.door, []).append(packets.acknowledgement(message.mark))
        for guest, parts in answers.items():
            if not durable:
                guest.close()
            elif not guest.writer.is_closing():
                guest.writer.write(b"".join(parts))


def _asked(question: Callable[..., Any], values: Sequence[Any]) -> Any:
    try:
        return question(*values)
    except (DatabaseError, InterfaceError):
        connection.close()
        raise
