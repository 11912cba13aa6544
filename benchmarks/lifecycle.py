"""The four-call life of a complaint over HTTP: create, assign, resolve, search."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import store
from benchmarks.city import City
from benchmarks.load import Client, Tally, gather
from benchmarks.results import Result, milliseconds

CLIENTS = 5
WARM_UP = 5.0  # seconds, unmeasured: connections are made and plans kept
SECONDS = 30.0
CALLS = ("create", "assign", "resolve", "search")
TYPE = "street-light-outages"
PUBLISHED = 6.3  # lifecycles/s at one million cases on 16 processors, the best figure published for an open system


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """The two clients of one thread: the hotline's desk and the unit that does the work."""

    hotline: Client
    unit: Client

    @classmethod
    def of(cls, city: City, words: tuple[str, str]) -> Desk:
        return cls(hotline=city.client(words[0]), unit=city.client(words[1]))

    def close(self) -> None:
        self.hotline.close()
        self.unit.close()


def lifecycle(desk: Desk, tally: Tally, key: str) -> None:
    """One complaint from report to being found as closed; every answer is looked at."""
    report = {
        "type": TYPE,
        "title": f"Street lamp out, pole {key}",
        "description": "The lamp at the corner has been dark for two nights; the next one flickers.",
        "place_text": "12 Beacon Street, Boston",
        "key": key,
    }
    case = tally.timed("create", lambda: desk.hotline.post("/api/cases", report), 201).json()
    moves = f"/api/cases/{case['id']}/moves"
    assigned = tally.timed("assign", lambda: desk.hotline.post(moves, {"move": "assign"}), 200).json()
    closed = {"move": "close", "note": "Lamp and ballast replaced."}
    tally.timed("resolve", lambda: desk.unit.post(moves, closed, f'If-Match: "{assigned["version"]}"\r\n'), 200)
    found = tally.timed("search", lambda: desk.hotline.get(f"/api/cases?q=lamp+{key}"), 200).json()
    if [(each["id"], each["state"]["code"]) for each in found["cases"]] != [(case["id"], "closed")]:
        raise RuntimeError(f"{key} was not found as it was left: {found}")
    tally.rounds += 1


def clients(city: City, run: str) -> Callable[[int, Tally, Callable[[], bool]], None]:
    """What each client does: lifecycles one after the other, with keys that begin with `run`."""
    words = (city.token("bos-operator", "operator"), city.token("bos-lights", "handler"))

    def work(number: int, tally: Tally, going: Callable[[], bool]) -> None:
        desk = Desk.of(city, words)
        while going():
            lifecycle(desk, tally, f"{run}n{number}i{tally.rounds}")
        desk.close()

    return work


def measure(city: City, stored: int) -> Result:
    """Lifecycles a second with `CLIENTS` clients on a city that holds `stored` cases, and what they cost."""
    work = clients(city, f"w{secrets.token_hex(4)}")
    gather(CLIENTS, WARM_UP, work)
    store.settle(city)
    run = f"b{secrets.token_hex(4)}"
    used, own = city.processor_seconds(), time.process_time()
    tally, took = gather(CLIENTS, SECONDS, clients(city, run))
    backlog = city.sql("SELECT count(*) FROM cases_outbox")[0][0]
    store.settle(city)
    spent = {part: 1000 * (after - used[part]) / tally.rounds for part, after in city.processor_seconds().items()}
    spent["load_generator"] = 1000 * (time.process_time() - own) / tally.rounds
    calls = {name: milliseconds(tally.seconds[name]) for name in CALLS}
    return Result(
        name="lifecycle_http",
        value=tally.rounds / took,
        unit="lifecycles/s",
        n=tally.rounds,
        compared_to=f"{PUBLISHED}/s at one million cases on 16 processors, the best published figure of an open system",
        ratio=tally.rounds / took / PUBLISHED,
        details={
            "stored": stored,
            "clients": CLIENTS,
            "ms": calls,
            "worst_p95_ms": max(call["p95"] for call in calls.values()),
            "processor_ms_per_lifecycle": {**spent, "all": sum(spent.values())},
            "outbox_backlog_at_end": backlog,
            "verified": _verified(city, run, tally.rounds),
        },
    )


_STORED = """
    SELECT count(*), count(*) FILTER (WHERE s.code = 'closed'), sum(c.seq),
           (SELECT count(*) FROM cases_step p JOIN cases_report q ON q.case_id = p.case_id WHERE q.origin_key LIKE %s),
           (SELECT count(*) FROM cases_task t JOIN cases_report q ON q.case_id = t.case_id
            WHERE t.state = 'done' AND q.origin_key LIKE %s),
           (SELECT count(DISTINCT n."case") FROM parties_notice n JOIN cases_report q ON q.case_id = n."case"
            WHERE q.origin_key LIKE %s)
    FROM cases_report r JOIN cases_case c ON c.id = r.case_id JOIN cases_state s ON s.id = c.state_id
    WHERE r.origin_key LIKE %s
"""


def _verified(city: City, run: str, rounds: int) -> dict[str, Any]:
    """What stands in the database; RuntimeError when it is not what was acknowledged."""
    names = ("cases", "closed", "moves", "steps", "tasks_done", "with_notice")
    stored = dict(zip(names, map(int, city.sql(_STORED, [f"{run}%"] * 4)[0]), strict=True))
    wanted = dict(zip(names, (rounds, rounds, 3 * rounds, 3 * rounds, rounds, rounds), strict=True))
    if stored != wanted:
        raise RuntimeError(f"Stored {stored}, acknowledged {wanted}.")
    return stored


def at_ten_thousand() -> list[Result]:
    """On a small store."""
    with store.city("small", 10_000) as (city, stored):
        return [measure(city, stored)]


def at_a_million() -> list[Result]:
    """On a large store."""
    with store.city("large", 1_000_000) as (city, stored):
        return [measure(city, stored)]
