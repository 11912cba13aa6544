"""Two hundred cockpits listen to ten moves a second: how late they hear, what it costs, and whether the desk feels it."""

from __future__ import annotations

import importlib
import json
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from benchmarks import store
from benchmarks.city import City
from benchmarks.lifecycle import TYPE
from benchmarks.load import Tally, gather
from benchmarks.results import Result, milliseconds, note

STORED = 10_000
STREAMS = 200
RATE = 10.0  # moves a second
SECONDS = 20.0
DESKS = 2  # clients that ask for the desk's list, one request after the other
GOAL_MS, GOAL_MIB = 100.0, 100.0
_SIGNED_IN = """
    WITH made AS (
        INSERT INTO parties_account (password, username, name, language, is_active, demo, created_at)
        SELECT '', %s || n, 'x', 'en', true, false, now() FROM generate_series(1, %s) n RETURNING id, username
    ), kept AS (
        INSERT INTO django_session (session_key, session_data, expire_date)
        SELECT username, '', now() + interval '1 hour' FROM made
    )
    INSERT INTO usersessions_usersession (user_id, created_at, ip, last_seen_at, session_key, user_agent, data)
    SELECT id, now(), '127.0.0.1', now(), username, '', '{}' FROM made RETURNING user_id, session_key
"""


@dataclass
class Pages:
    """Open streams, read by one thread; `heard` has for every case and step when each page heard of it."""

    sockets: list[socket.socket] = field(default_factory=list)
    heard: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    closed: int = 0
    busy: float = 0.0  # processor seconds that reading took, on the machine that is measured

    def read(self, stop: threading.Event) -> None:
        """Read all streams until told to stop."""
        rest = dict.fromkeys(self.sockets, b"")
        with selectors.DefaultSelector() as selector:
            for each in self.sockets:
                selector.register(each, selectors.EVENT_READ, each)
            while not stop.is_set():
                for key, _mask in selector.select(0.2):
                    data, now = key.data.recv(65536), time.time()
                    if not data:
                        self.closed += 1
                        selector.unregister(key.data)
                    *lines, rest[key.data] = (rest[key.data] + data).split(b"\n")
                    for line in lines:
                        self._note(line, now)
                self.busy = time.thread_time()

    def _note(self, line: bytes, now: float) -> None:
        if line.startswith(b'data: {"number"'):
            said = json.loads(line[6:])
            self.heard.setdefault((said["id"], said["seq"]), []).append(now)


@contextmanager
def listening(city: City) -> Iterator[Pages]:
    """All pages listen while the block runs, as leaders of the whole city with an account and a session each."""
    tickets = importlib.import_module("chengshu.live.tickets")
    [(post, root)] = city.sql(
        "SELECT p.id, p.division_id FROM parties_post p JOIN parties_account a ON a.id = p.account_id"
        " WHERE a.username = 'bos-operator' ORDER BY p.id LIMIT 1"
    )
    pages, stop = Pages(), threading.Event()
    for account, key in city.sql(_SIGNED_IN, [f"bench-{secrets.token_hex(4)}-", STREAMS]):
        session = tickets.session_digest(key)
        ticket = tickets.issue(tickets.Ticket(account, post, "x", "leader", "area", root, root, None, session))
        page = socket.create_connection(("127.0.0.1", city.live_port))
        page.sendall(f"GET /stream?ticket={quote(ticket)} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        pages.sockets.append(page)
    reader = threading.Thread(target=pages.read, args=(stop,), daemon=True)
    reader.start()
    time.sleep(1)
    try:
        yield pages
    finally:
        stop.set()
        reader.join()
        for page in pages.sockets:
            page.close()


def _reported(city: City, count: int) -> list[str]:
    """New cases, which wait for their first move."""
    with city.client(city.token("bos-operator", "operator")) as client:
        body = {
            "type": TYPE,
            "title": "Street lamp out",
            "description": "Dark.",
            "place_text": "12 Beacon Street, Boston",
        }
        found = [client.post("/api/cases", body | {"key": secrets.token_hex(8)}).json()["id"] for _ in range(count)]
    store.settle(city)
    return found


def _moving(city: City, cases: list[str], stop: threading.Event) -> threading.Thread:
    """Assign one case after the other, `RATE` a second, until all are or `stop` is set."""

    def run() -> None:
        with city.client(city.token("bos-operator", "operator")) as client:
            begin = time.perf_counter()
            for number, case in enumerate(cases):
                if stop.wait(max(0.0, begin + number / RATE - time.perf_counter())):
                    return
                answer = client.post(f"/api/cases/{case}/moves", {"move": "assign"})
                if answer.status != 200:
                    raise RuntimeError(answer.body)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _desk(city: City) -> Callable[[int, Tally, Callable[[], bool]], None]:
    headers = [city.session("bos-operator") for _ in range(DESKS)]

    def work(number: int, tally: Tally, going: Callable[[], bool]) -> None:
        with city.client(headers=headers[number]) as client:
            while going():
                tally.timed("desk", lambda: client.get("/desk"), 200)
                tally.rounds += 1

    return work


def _lateness(city: City, pages: Pages, cases: list[str]) -> list[float]:
    """Seconds from the writing of each step, just before its commit, to the line at each page; all must have come."""
    rows = city.sql(
        "SELECT case_id::text, seq, recorded_at FROM cases_step WHERE case_id = ANY (%s::uuid[]) AND seq = 2", [cases]
    )
    written: dict[tuple[str, int], datetime] = {(case, seq): at for case, seq, at in rows}
    heard = {key: pages.heard.get(key, []) for key in written}
    missing = sum(STREAMS - len(times) for times in heard.values())
    if missing or pages.closed or not written:
        raise RuntimeError(f"{missing} events of {len(written)} moves are missing; {pages.closed} streams were closed.")
    return [at - written[key].timestamp() for key, times in heard.items() for at in times]


def _loaded(city: City) -> tuple[float, float]:
    """Lists of the desk a second while moves are made, and their 95th percentile in ms."""
    stop = threading.Event()
    mover = _moving(city, _reported(city, int(RATE * SECONDS)), stop)
    tally, took = gather(DESKS, SECONDS, _desk(city))
    stop.set()
    mover.join()
    return tally.rounds / took, milliseconds(tally.seconds["desk"])["p95"]


def live_cockpits() -> list[Result]:
    """Lateness of events, memory of the live process, and the desk's list without and with open pages, in turn."""
    with store.city("small", STORED) as (city, stored):
        gather(DESKS, 3.0, _desk(city))
        without = [_loaded(city)]
        with listening(city) as pages:
            cases = _reported(city, int(RATE * SECONDS))
            used = city.processor_seconds()["live"]
            _moving(city, cases, threading.Event()).join()
            time.sleep(2)
            lateness = _lateness(city, pages, cases)
            used = city.processor_seconds()["live"] - used
            memory = city.memory()["live"] / 2**20
            reading, begun = pages.busy, time.perf_counter()
            with_pages = [_loaded(city), _loaded(city)]
            reading = (pages.busy - reading) / (time.perf_counter() - begun)
        without.append(_loaded(city))
    note(f"desk without: {without}, with: {with_pages}")
    return [_result(lateness, memory, used, stored), _desk_result(without, with_pages, reading, stored)]


def _result(lateness: list[float], memory: float, used: float, stored: int) -> Result:
    times = milliseconds(lateness)
    details: dict[str, Any] = {
        "streams": STREAMS, "moves_per_s": RATE, "stored": stored, **times, "worst_ms": 1000 * max(lateness),
        "memory_mib_of_live_process": memory, "goal_mib": GOAL_MIB, "processor_share_of_live_process": used / (SECONDS + 2),
    }  # fmt: skip
    return Result(
        name="live_cockpits", value=times["p95"], unit="ms", n=len(lateness), compared_to=f"{GOAL_MS:.0f} ms",
        ratio=times["p95"] / GOAL_MS, details=details,
    )  # fmt: skip


def _desk_result(
    without: list[tuple[float, float]], with_pages: list[tuple[float, float]], reading: float, stored: int
) -> Result:
    before = sum(rate for rate, _p95 in without) / len(without)
    after = sum(rate for rate, _p95 in with_pages) / len(with_pages)
    return Result(
        name="live_cockpits_desk", value=after, unit="lists/s", n=round(after * SECONDS * len(with_pages)),
        compared_to=f"{before:.4g} lists/s without open pages", ratio=after / before,
        details={"stored": stored, "clients": DESKS, "p95_ms_without": [p for _r, p in without],
                 "p95_ms_with": [p for _r, p in with_pages], "processor_share_of_the_readers": reading},
    )  # fmt: skip
