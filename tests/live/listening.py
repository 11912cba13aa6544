"""Somebody who listens to the live process over HTTP, as a browser does."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE = 20.0  # seconds


@dataclass
class Listener:
    """What came in, event by event; `closed` when the server ended the stream."""

    events: queue.Queue[tuple[str, dict[str, Any]]] = field(default_factory=queue.Queue)
    closed: threading.Event = field(default_factory=threading.Event)

    def next(self, name: str, fits: Callable[[dict[str, Any]], bool] = lambda _data: True) -> dict[str, Any]:
        """The next event of this name that fits; AssertionError when none comes."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                got, data = self.events.get(timeout=max(until - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no {name} came") from None
            if got == name and fits(data):
                return data

    def case(self, number: str) -> dict[str, Any]:
        return self.next("case", lambda data: data["number"] == number)

    def numbers(self) -> set[str]:
        """The cases of all events that came in and were not looked at."""
        found = set()
        while not self.events.empty():
            name, data = self.events.get()
            if name == "case":
                found.add(data["number"])
        return found


@contextmanager
def listening(address: str) -> Iterator[Listener]:
    """Listen while the block runs; begins when the server has answered."""
    listener, client = Listener(), httpx.Client(timeout=60)
    with client.stream("GET", address) as answer:
        assert answer.status_code == 200, answer.read()
        thread = threading.Thread(target=_read, args=(answer, listener), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            # Closing alone would not wake the thread that reads.
            with suppress(OSError):
                answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            thread.join(5)
            client.close()


def _read(answer: httpx.Response, listener: Listener) -> None:
    name = ""
    try:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                listener.events.put((name, json.loads(line.removeprefix("data: "))))
    except (httpx.HTTPError, OSError, RuntimeError, ValueError):
        pass  # closed on either side
    listener.closed.set()
