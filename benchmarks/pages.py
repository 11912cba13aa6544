"""Times of lists and of a case's page, as HTML and as JSON, on a large store; one caller, one request after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

from benchmarks import store
from benchmarks.city import City
from benchmarks.load import Client, Tally
from benchmarks.results import Result, milliseconds

STORED = 1_000_000
WARM_UP = 20
TIMES = 200
GOAL = 100.0  # milliseconds within which an answer feels immediate


def list_page() -> list[Result]:
    """The operator's desk, lists with filters and searches: rare and frequent words, newest and nearest due first."""
    with store.city("large", STORED) as (city, stored):
        html = city.client(headers=city.session("bos-operator"))
        api = city.client(city.token("bos-operator", "operator"))
        [[unit]] = city.sql("SELECT code FROM parties_department WHERE code = 'pwdx-street-light-outages'")
        asked = {
            "desk": (html, ["/desk"]),
            "desk_search_rare": (html, ["/desk?q=ballast"]),
            "api_open": (api, ["/api/cases?open=true"]),
            "api_overdue": (api, ["/api/cases?overdue=true"]),
            "api_unit": (api, [f"/api/cases?unit={unit}&open=true"]),
            "api_new": (api, ["/api/cases?order=new"]),
            "api_search_frequent": (api, ["/api/cases?q=street+light"]),
            "api_search_frequent_new": (api, ["/api/cases?q=street+light&order=new"]),
            "api_search_two": (api, ["/api/cases?q=pothole+beacon"]),
        }
        return [_result("list_page", name, *one, stored) for name, one in asked.items()]


def case_page() -> list[Result]:
    """The page of a case with its whole story, the same as JSON, and the case alone."""
    with store.city("large", STORED) as (city, stored):
        html = city.client(headers=city.session("bos-operator"))
        api = city.client(city.token("bos-operator", "operator"))
        numbers = _numbers(city)
        return [
            _result("case_page", "html", html, [f"/cases/{number}" for number in numbers], stored),
            _result("case_page", "api_story", api, [f"/api/cases/{number}/story" for number in numbers], stored),
            _result("case_page", "api_case", api, [f"/api/cases/{number}" for number in numbers], stored),
        ]


def _numbers(city: City) -> list[str]:
    rows = city.sql("SELECT number FROM cases_case TABLESAMPLE SYSTEM (0.1) LIMIT %s", (TIMES,))
    return [number for (number,) in rows] or [
        n for (n,) in city.sql("SELECT number FROM cases_case LIMIT %s", (TIMES,))
    ]


def _result(name: str, what: str, client: Client, paths: Sequence[str], stored: int) -> Result:
    tally = Tally()
    for place, path in enumerate(islice(cycle(paths), WARM_UP + TIMES)):
        tally.timed("warm" if place < WARM_UP else "measured", lambda path=path: client.get(path), 200)  # type: ignore[misc]
    times = milliseconds(tally.seconds["measured"])
    return Result(
        name=name, value=times["p95"], unit="ms", n=TIMES, compared_to=f"{GOAL:.0f} ms, within which an answer feels immediate",
        ratio=times["p95"] / GOAL, details={"what": what, "stored": stored, **times},
    )  # fmt: skip
