"""A load generator that costs little, since it works on the processors that it measures: threads with raw HTTP/1.1 sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One keep-alive connection, for one thread. Answers must carry a Content-Length."""

    def __init__(self, port: int, token: str = "", headers: dict[str, str] | None = None) -> None:
        fixed = {"Host": f"127.0.0.1:{port}", "Accept": "application/json", **(headers or {})}
        if token:
            fixed["Authorization"] = f"Bearer {token}"
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in fixed.items())
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> Answer:
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._fixed}\r\n".encode())
        return self._read()

    def post(self, path: str, body: Any, headers: str = "") -> Answer:
        return self.send(path, json.dumps(body).encode(), "application/json", headers)

    def send(self, path: str, data: bytes, kind: str, headers: str = "") -> Answer:
        """POST a body of a media type as it is."""
        head = f"POST {path} HTTP/1.1\r\n{self._fixed}{headers}Content-Type: {kind}\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return self._read()

    def _read(self) -> Answer:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].decode("latin-1").lower()
        said = head.partition("content-length:")[2]
        if not said:  # what stands before the city answers without one when it gives up
            raise ConnectionError(f"The server gave up: {head[:200]}")
        length = int(said.split("\r\n", 1)[0])
        parts = [data[end + 4 :]]
        left = length - len(parts[0])
        while left > 0:
            parts.append(self._more())
            left -= len(parts[-1])
        return Answer(status=int(head.split(" ", 2)[1]), body=b"".join(parts))

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("The server closed the connection.")
        return data

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass
class Tally:
    """What one client saw: seconds per call by name, and how often it went round."""

    rounds: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, name: str, call: Callable[[], Answer], *expected: int) -> Answer:
        """Make a call and keep its time; RuntimeError when the answer is not as expected."""
        begin = time.perf_counter()
        answer = call()
        self.seconds.setdefault(name, []).append(time.perf_counter() - begin)
        if answer.status not in expected:
            raise RuntimeError(f"{name}: {answer.status} {answer.body[:500]!r}")
        return answer


def gather(clients: int, seconds: float, work: Callable[[int, Tally, Callable[[], bool]], None]) -> tuple[Tally, float]:
    """Run `work(number, tally, going)` in `clients` threads for some seconds; all tallies as one, and the time it took."""
    tallies = [Tally() for _ in range(clients)]
    errors: list[BaseException] = []
    begin = time.perf_counter()

    def going() -> bool:
        return time.perf_counter() - begin < seconds and not errors

    def run(number: int) -> None:
        try:
            work(number, tallies[number], going)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    if errors:
        raise errors[0]
    return _together(tallies), took


def _together(tallies: list[Tally]) -> Tally:
    whole = Tally(rounds=sum(tally.rounds for tally in tallies))
    for tally in tallies:
        for name, seconds in tally.seconds.items():
            whole.seconds.setdefault(name, []).extend(seconds)
    return whole
