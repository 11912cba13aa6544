"""How many readers a city bears: lists and cases as JSON and as pages, and the public page of a case, each made anew."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from benchmarks import store
from benchmarks.city import City
from benchmarks.load import Client, Tally, gather
from benchmarks.results import Result, milliseconds

STORED = 1_000_000
CLIENTS = 24  # kept connections: so many that the web processes get about the same
EACH = 20  # cases that one reader reads
WARM_UP = 5.0  # seconds, unmeasured: connections are made and plans kept
SECONDS = 20.0
LISTS, CASES = 400.0, 300.0  # answers a second
FOLLOWED = 515.0  # ten times the average of a province's service app


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Who reads: what a client sends with each request, and the addresses that it asks for in turn."""

    headers: dict[str, str]
    paths: Sequence[str]


def list_rate() -> list[Result]:
    """Lists of open cases a second, as a program reads them and as the operator's desk."""
    with store.city("large", STORED) as (city, stored):
        return [
            _rate(city, stored, "list_rate", LISTS, "api", [Reader(headers=_token(city), paths=["/api/cases?open=true"])]),
            _rate(city, stored, "list_rate", LISTS, "html", [Reader(headers=_operator(city), paths=["/desk"])]),
        ]  # fmt: skip


def case_rate() -> list[Result]:
    """Cases a second, as a program reads them and as the operator's page with everything about them."""
    with store.city("large", STORED) as (city, stored):
        numbers, token, operator = _numbers(city), _token(city), _operator(city)
        api = [Reader(headers=token, paths=[f"/api/cases/{number}" for number in some]) for some in numbers]
        html = [Reader(headers=operator, paths=[f"/cases/{number}" for number in some]) for some in numbers]
        return [
            _rate(city, stored, "case_rate", CASES, "api", api),
            _rate(city, stored, "case_rate", CASES, "html", html),
        ]


def follow_page() -> list[Result]:
    """Pages a second of cases followed by number and word, from a cookie."""
    with store.city("large", STORED) as (city, stored):
        return [_rate(city, stored, "follow_page", FOLLOWED, "html", [_citizen(some) for some in _numbers(city)])]


def _numbers(city: City) -> list[list[str]]:
    """For each client the numbers of cases from all over the store."""
    rows = city.sql("SELECT number FROM cases_case TABLESAMPLE SYSTEM (1) LIMIT %s", (CLIENTS * EACH,))
    found = [number for (number,) in rows]
    return [found[start::CLIENTS] for start in range(CLIENTS)]


def _token(city: City) -> dict[str, str]:
    return {"Authorization": f"Bearer {city.token('bos-operator', 'operator')}"}


def _operator(city: City) -> dict[str, str]:
    return {"Accept": "text/html", **city.session("bos-operator")}


def _citizen(numbers: list[str]) -> Reader:
    """What a browser sends that was shown the words of these cases."""
    visitor = importlib.import_module("chengshu.web.portal.visitor")
    signed = visitor.signed({number: [store.city_id(), True] for number in numbers})
    headers = {"Cookie": f"{visitor.FOLLOWED}={signed}", "Accept": "text/html", "Accept-Language": "zh-CN"}
    return Reader(headers=headers, paths=[f"/follow/{number}" for number in numbers])


def _rate(city: City, stored: int, name: str, goal: float, what: str, readers: Sequence[Reader]) -> Result:
    """Answers a second to `CLIENTS` readers on the same machine, each of whom asks again as soon as it has its answer."""
    read = _reading(city, readers)
    gather(CLIENTS, WARM_UP, read)
    before = city.processor_seconds()
    tally, seconds = gather(CLIENTS, SECONDS, read)
    used = {part: 1000 * (after - before[part]) / tally.rounds for part, after in city.processor_seconds().items()}
    rate = tally.rounds / seconds
    details: dict[str, Any] = {
        "what": what, "stored": stored, "clients": CLIENTS, "processor_ms": used, **milliseconds(tally.seconds["read"]),
    }  # fmt: skip
    return Result(
        name=name, value=rate, unit="answers/s", n=tally.rounds, compared_to=f"{goal:.0f} answers/s", ratio=rate / goal,
        details=details,
    )  # fmt: skip


def _reading(city: City, readers: Sequence[Reader]) -> Callable[[int, Tally, Callable[[], bool]], None]:
    def read(number: int, tally: Tally, going: Callable[[], bool]) -> None:
        reader = readers[number % len(readers)]
        with city.client(headers=reader.headers) as client:
            _each(client, reader.paths, tally, going)

    return read


def _each(client: Client, paths: Sequence[str], tally: Tally, going: Callable[[], bool]) -> None:
    for path in cycle(paths):
        if not going():
            return
        answer = tally.timed("read", lambda path=path: client.get(path), 200)  # type: ignore[misc]
        if (number := path.rsplit("/", 1)[1].encode()).isupper() and number not in answer.body:
            raise RuntimeError(f"{path} does not tell of its case")
        tally.rounds += 1
