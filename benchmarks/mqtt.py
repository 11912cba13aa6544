"""Messages over MQTT until they are durable, against what the broker's library alone passes from a publisher to a subscriber.

Both are sent by the same raw clients: QoS 1, so many messages on their way at once. The limit is the plain library in a process
of its own, with a subscriber of QoS 0, counted when the subscriber has them.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from benchmarks.city import City, free_port, temporary_home
from benchmarks.results import Result
from benchmarks.sensing import fill

STREAMS = 1_000
DEVICES = 4  # connections
MESSAGES = 10_000  # of each in a round
WINDOW = 500  # messages of a connection that are not acknowledged
ROUNDS = 3
GOAL = 0.5
TIMEOUT = 120.0


def mqtt() -> list[Result]:
    """Messages a second, each an observation, from four devices until durable."""
    port = free_port()
    environment = {"CHENGSHU_MQTT": "embedded", "CHENGSHU_MQTT_PORT": str(port)}
    with (
        temporary_home() as home,
        City(home=home, packs="hangzhou", environment=environment) as city,
        _plain() as plain,
    ):
        ids, token = fill(city, STREAMS), city.token("gateway", "gateway")
        _reach(port)
        clock = iter(range(10_000_000))
        mine: list[float] = []
        limit: list[float] = []
        for _round in range(ROUNDS + 1):  # the first warms up
            limit.append(_passed(plain, [_bodies(ids, clock) for _device in range(DEVICES)]))
            before = _stored(city)
            mine.append(_rate(port, token, [_bodies(ids, clock) for _device in range(DEVICES)]))
            if (added := _stored(city) - before) != DEVICES * MESSAGES:
                raise RuntimeError(f"{added} observations instead of {DEVICES * MESSAGES}")
        deliveries = city.sql("SELECT count(*), sum(refused) FROM sensing_delivery WHERE door = 'mqtt'")[0]
    value, most = statistics.median(mine[1:]), statistics.median(limit[1:])
    details = {
        "devices": DEVICES,
        "window": WINDOW,
        "datastreams": STREAMS,
        "transactions": deliveries[0],
        "refused": deliveries[1],
    }
    return [
        Result(
            name="mqtt", value=value, unit="messages/s", n=ROUNDS * DEVICES * MESSAGES, ratio=value / most, details=details,
            compared_to=f"the broker alone, publisher to subscriber, {most:.4g} messages/s; asked {GOAL}",
        )
    ]  # fmt: skip


@contextmanager
def _plain() -> Iterator[int]:
    """The library's broker alone."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.broker", str(port)]) as running:
        try:
            _reach(port)
            yield port
        finally:
            running.kill()


def _reach(port: int) -> None:
    until = time.monotonic() + TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _stored(city: City) -> int:
    return int(city.sql("SELECT count(*) FROM sensing_observation")[0][0])


def _bodies(ids: Sequence[int], clock: Iterator[int]) -> list[tuple[str, bytes]]:
    """Topics and messages of yesterday, none twice."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    found = []
    for number in range(MESSAGES):
        at = start + timedelta(milliseconds=next(clock))
        body = f'{{"phenomenonTime":"{at:%Y-%m-%dT%H:%M:%S.%f}Z","result":{number % 97 / 10}}}'
        found.append((f"v1.1/Datastreams({ids[number % len(ids)]})/Observations", body.encode()))
    return found


def _text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytes([first])
    while True:
        byte, length = length & 0x7F, length >> 7
        head += bytes([byte | (0x80 if length else 0)])
        if not length:
            return head + body


def _end(data: bytes, at: int) -> int:
    """Where the packet that begins here ends; 0 where that is not known yet."""
    length = 0
    for place in range(4):
        if at + 1 + place >= len(data):
            return 0
        byte = data[at + 1 + place]
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return at + 2 + place + length
    raise RuntimeError("this is no packet")


class _Device:
    """A client of MQTT 3.1.1 that costs little."""

    def __init__(self, port: int, token: str, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        body = _text("MQTT") + b"\x04\xc2\x00\x00" + _text(name) + _text("device") + _text(token or "-")
        self._socket.sendall(_packet(0x10, body))
        self.coming = self.packets()
        if next(self.coming) != (0x20, 4):
            raise RuntimeError("refused")

    def packets(self) -> Iterator[tuple[int, int]]:
        """First byte and length of what comes."""
        at = 0
        while True:
            while (end := _end(self._rest, at)) and end <= len(self._rest):
                first, length = self._rest[at], end - at
                at = end
                yield first, length
            more = self._socket.recv(65_536)
            if not more:
                raise RuntimeError("the broker ended the connection")
            self._rest, at = self._rest[at:] + more, 0

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish with a window; returns when all are acknowledged."""
        coming = self.coming
        for number, (topic, payload) in enumerate(messages):
            if number >= WINDOW:
                next(coming)
            self._socket.sendall(_packet(0x32, _text(topic) + (number % 65_535 + 1).to_bytes(2, "big") + payload))
        for _left in range(min(WINDOW, len(messages))):
            next(coming)

    def subscribe(self, wanted: str) -> None:
        self._socket.sendall(_packet(0x82, b"\x00\x01" + _text(wanted) + b"\x00"))
        next(self.coming)


def _together(works: Sequence[Callable[[], None]]) -> float:
    """Seconds until all are done."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.perf_counter() - begin


def _rate(port: int, token: str, bodies: Sequence[list[tuple[str, bytes]]]) -> float:
    devices = [_Device(port, token, f"device-{number}") for number in range(len(bodies))]
    works = [lambda d=device, b=body: d.publish(b) for device, body in zip(devices, bodies, strict=True)]
    return sum(map(len, bodies)) / _together(works)


def _passed(port: int, bodies: Sequence[list[tuple[str, bytes]]]) -> float:
    listening = _Device(port, "", "listening")
    listening.subscribe("v1.1/#")
    total = sum(map(len, bodies))

    def listen() -> None:
        for _message in range(total):
            next(listening.coming)

    devices = [_Device(port, "", f"device-{number}") for number in range(len(bodies))]
    works = [lambda d=device, b=body: d.publish(b) for device, body in zip(devices, bodies, strict=True)]
    return total / _together([listen, *works])
