"""MQTT 3.1.1 on the wire, as much of it as is done before amqtt sees a packet: framing with a limit, CONNECT, PUBLISH.

Numbers in brackets are the sections of OASIS MQTT 3.1.1.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from amqtt.adapters import BufferReader
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader

from chengshu.sensing.sources.topics import is_topic

LARGEST: Final = 2**20  # bytes of a packet
LARGEST_CONNECT: Final = 16 * 2**10
CONNECT, PUBLISH, PUBREL, DISCONNECT = 1, 3, 6, 14
WELCOME: Final = frozenset(
    {4, 5, 7, 8, 10, 12, 14}
)  # what a client may send besides: acknowledgements, (un)subscribe, ping, end
PUBACK: Final = b"\x40\x02"
PUBREC: Final = b"\x50\x02"
PUBCOMP: Final = b"\x70\x02"
LEVEL: Final = b"\x00\x04MQTT\x04"  # the protocol's name and level [3.1.2.1, 3.1.2.2]
BAD_LEVEL, REFUSED, AWAY = 1, 5, 3  # return codes of CONNACK [3.2.2.3]


class Malformed(Exception):
    """What came is no packet that a client may send: the connection ends [4.8]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """A packet as it came: its first byte, and what follows its length."""

    first: int
    body: bytes
    whole: bytes

    @property
    def kind(self) -> int:
        return self.first >> 4


async def packet(stream: asyncio.StreamReader, largest: int = LARGEST) -> Packet | None:
    """The next packet; None at the end of the stream. Raises `Malformed`, before it is read, for one that is too large."""
    try:
        first = await stream.readexactly(1)
    except (asyncio.IncompleteReadError, OSError):
        return None
    length, head = 0, first
    try:
        for shift in (0, 7, 14, 21):
            byte = await stream.readexactly(1)
            head += byte
            length |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                break
        else:
            raise Malformed("length")
        if length > largest:
            raise Malformed(f"{length} bytes")
        body = await stream.readexactly(length) if length else b""
    except (asyncio.IncompleteReadError, OSError):
        return None
    return Packet(first=first[0], body=body, whole=head + body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A PUBLISH [3.3]. `id` is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int
    id: int

    @property
    def mark(self) -> int:
        """Quality of service and identifier in one number."""
        return self.qos << 16 | self.id


def published(found: Packet) -> Published:
    """Read a PUBLISH. Raises `Malformed`."""
    body, qos = found.body, found.first >> 1 & 3
    size = int.from_bytes(body[:2], "big")
    start = 2 + size + (2 if qos else 0)
    if qos == 3 or len(body) < start:
        raise Malformed("PUBLISH")
    try:
        topic = body[2 : 2 + size].decode()
    except UnicodeDecodeError as error:
        raise Malformed("topic") from error
    if not is_topic(topic):
        raise Malformed(f"topic {topic[:100]!r}")
    number = int.from_bytes(body[2 + size : start], "big") if qos else 0
    if qos and not number:
        raise Malformed("packet identifier")
    return Published(topic=topic, payload=body[start:], qos=qos, id=number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello:
    """A CONNECT [3.1]: the client's own identifier, its password, and the seconds within which it is heard of (0: never)."""

    client: str
    password: str
    keep_alive: int


async def hello(found: Packet) -> Hello | None:
    """Read a CONNECT; None where the client speaks another version. Raises `Malformed`."""
    if found.kind != CONNECT or len(found.body) < 10:
        raise Malformed("CONNECT")
    if not found.body.startswith(LEVEL):
        return None
    try:
        read = await ConnectPacket.from_stream(BufferReader(found.whole))
    except (AMQTTError, MQTTError, NoDataError, ValueError, IndexError) as error:
        raise Malformed("CONNECT") from error
    if read.reserved_flag or read.payload is None:
        raise Malformed("CONNECT")
    return Hello(client=read.client_id or "", password=read.password or "", keep_alive=read.keep_alive)


def connect(client: str) -> bytes:
    """The CONNECT that amqtt is given: a clean session, no will, no time-out; all of these are looked after before it."""
    flags = ConnectVariableHeader.CLEAN_SESSION_FLAG
    header = ConnectVariableHeader(connect_flags=flags, keep_alive=0)
    return bytes(ConnectPacket(variable_header=header, payload=ConnectPayload(client_id=client)).to_bytes())


def refusal(code: int) -> bytes:
    """A CONNACK that refuses."""
    return bytes(ConnackPacket.build(0, code).to_bytes())


def acknowledgement(mark: int) -> bytes:
    """What answers a message [3.4, 3.5]: nothing, PUBACK or PUBREC."""
    qos, number = mark >> 16, (mark & 0xFFFF).to_bytes(2, "big")
    return (b"", PUBACK + number, PUBREC + number)[qos]
