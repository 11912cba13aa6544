"""How many readers the public pages bear: each follows a case of their own, every answer made anew."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import cycle

from benchmarks import store
from benchmarks.city import City
from benchmarks.load import Client, Tally, gather
from benchmarks.results import Result, milliseconds

STORED = 1_000_000
CLIENTS = 6
EACH = 20  # cases that one reader follows
WARM_UP = 5.0  # seconds, unmeasured: connections are made and plans kept
SECONDS = 20.0
GOAL = 515.0  # pages a second: ten times the average of a province's service app


def follow_page() -> list[Result]:
    """Pages a second of cases followed by number and word, from a cookie; the readers run on the same machine."""
    with store.city("large", STORED) as (city, stored):
        words = [_cookie(numbers) for numbers in _numbers(city)]
        gather(CLIENTS, WARM_UP, _reading(city, words))
        before = city.processor_seconds()
        tally, seconds = gather(CLIENTS, SECONDS, _reading(city, words))
        used = {part: 1000 * (after - before[part]) / tally.rounds for part, after in city.processor_seconds().items()}
    times = milliseconds(tally.seconds["follow"])
    rate = tally.rounds / seconds
    return [
        Result(
            name="follow_page", value=rate, unit="pages/s", n=tally.rounds, compared_to=f"{GOAL:.0f} pages/s",
            ratio=rate / GOAL, details={"stored": stored, "clients": CLIENTS, "seconds": seconds, "processor_ms": used, **times},
        )
    ]  # fmt: skip


def _numbers(city: City) -> list[list[str]]:
    rows = city.sql("SELECT number FROM cases_case TABLESAMPLE SYSTEM (1) LIMIT %s", (CLIENTS * EACH,))
    found = [number for (number,) in rows]
    return [found[start::CLIENTS] for start in range(CLIENTS)]


def _cookie(numbers: list[str]) -> tuple[list[str], dict[str, str]]:
    """What a browser sends that was shown the words of these cases."""
    visitor = importlib.import_module("chengshu.web.portal.visitor")
    signed = visitor.signed({number: [store.city_id(), True] for number in numbers})
    return numbers, {"Cookie": f"{visitor.FOLLOWED}={signed}", "Accept": "text/html", "Accept-Language": "zh-CN"}


def _reading(
    city: City, words: list[tuple[list[str], dict[str, str]]]
) -> Callable[[int, Tally, Callable[[], bool]], None]:
    def read(number: int, tally: Tally, going: Callable[[], bool]) -> None:
        numbers, headers = words[number]
        with city.client(headers=headers) as client:
            _each(client, numbers, tally, going)

    return read


def _each(client: Client, numbers: list[str], tally: Tally, going: Callable[[], bool]) -> None:
    for number in cycle(numbers):
        if not going():
            return
        answer = tally.timed("follow", lambda number=number: client.get(f"/follow/{number}"), 200)  # type: ignore[misc]
        if number.encode() not in answer.body:
            raise RuntimeError(f"{number} does not stand on its page")
        tally.rounds += 1
