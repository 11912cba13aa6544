"""Times of the cockpit's pages on a large store; one caller, one request after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

from benchmarks import store
from benchmarks.city import City
from benchmarks.load import Client, Tally
from benchmarks.results import Result, milliseconds

STORED = 1_000_000
WARM_UP = 5
TIMES = 60
GOAL = 150.0  # milliseconds of the server for a page of the cockpit


def cockpit_pages() -> list[Result]:
    """The cockpit of the city and of a district, its lists, lines, brief, handover and map."""
    with store.city("large", STORED) as (city, stored):
        html = city.client(headers=city.session("bos-shift"))
        return [_result(name, html, path, stored) for name, path in _pages(city).items()]


def _pages(city: City) -> dict[str, str]:
    [[district]] = city.sql("SELECT id FROM places_division WHERE level = 2 ORDER BY id LIMIT 1")
    last = datetime.now(UTC).date() - timedelta(days=1)
    month = f"first={last - timedelta(days=27)}&last={last}"
    return {
        "now": "/cockpit",
        "now_district": f"/cockpit?division={district}",
        "now_90_days": "/cockpit?days=90",
        "wall": "/cockpit/wall",
        "line_reported": "/cockpit/line/reported",
        "line_on_time": "/cockpit/line/on_time?days=90",
        "list_overdue": "/cockpit/cases?which=overdue",
        "list_of_a_month": f"/cockpit/cases?indicator=reported&{month}",
        "list_missed_of_a_month": f"/cockpit/cases?indicator=on_time&{month}",
        "brief": "/cockpit/brief",
        "handover": "/cockpit/handover",
        "map": "/cockpit/map.json",
    }


def _result(name: str, client: Client, path: str, stored: int) -> Result:
    tally = Tally()
    for place, one in enumerate(islice(cycle([path]), WARM_UP + TIMES)):
        tally.timed("warm" if place < WARM_UP else "measured", lambda one=one: client.get(one), 200)  # type: ignore[misc]
    times = milliseconds(tally.seconds["measured"])
    return Result(
        name="cockpit_pages", value=times["p95"], unit="ms", n=TIMES, compared_to=f"{GOAL:.0f} ms, the goal for a cockpit page",
        ratio=times["p95"] / GOAL, details={"what": name, "stored": stored, **times},
    )  # fmt: skip
