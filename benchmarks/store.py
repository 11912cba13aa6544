"""Cities that hold as many cases as a measurement wants, made of the words of 58 000 real requests."""

from __future__ import annotations

import csv
import gzip
import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.city import ROOT, City
from benchmarks.results import note
from chengshu.core.slug import slug

REQUESTS = ROOT / "cities" / "boston" / "data" / "requests_2015_h1.csv.gz"
HOMES = "CHENGSHU_BENCH_HOME"
ORIGIN = "bench"
SPACE = timedelta(seconds=90)  # between two cases; a million of them take 2.9 years, up to now
RECENT = 5_000  # cases, of which every second is still open
LATE = 500  # of the others one in so many is still open, and overdue
SETTLE_LIMIT = 1200.0  # seconds for the worker to do what followed, and to count the days anew
WAITING = """
    SELECT EXISTS (SELECT FROM cases_outbox) OR EXISTS (SELECT FROM cases_clock WHERE next_at <= now())
        OR NOT EXISTS (SELECT FROM evaluation_counteduntil WHERE until > %s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One real request: what was asked, where, who got it and how long it took."""

    type: str
    title: str
    description: str
    place: str
    division: str
    unit: str
    took: timedelta


def requests() -> list[Request]:
    """The requests of the pack's data that its configuration knows."""
    with gzip.open(REQUESTS, "rt", encoding="utf-8", newline="") as file:
        found = [_request(row) for row in csv.DictReader(file)]
    return [request for request in found if request is not None]


def _request(row: dict[str, str]) -> Request | None:
    opened, closed = _time(row["OPEN_DT"]), _time(row["CLOSED_DT"])
    if opened is None:
        return None
    return Request(
        type=slug(row["TYPE"]),
        title=row["CASE_TITLE"][:200] or row["TYPE"],
        description=f"{row['REASON']}: {row['CLOSURE_REASON']}"[:2000],
        place=row["Location"],
        division=slug(row["neighborhood"]),
        unit=slug(row["QUEUE"]),
        took=max(closed - opened, timedelta(minutes=10)) if closed else timedelta(days=20),
    )


def _time(text: str) -> datetime | None:
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC) if text else None


def histories(count: int, start: int = 0) -> Iterator[Any]:
    """Histories number `start` to `start + count`, each with its own key; the real requests come round again and again."""
    rows = importlib.import_module("chengshu.cases.rows")
    known = _catalog()
    fitting = [r for r in requests() if r.type in known.type_codes and r.unit in known.department_codes]
    divisions = {place.code for place in known.divisions.values()}
    last = start + count
    now = datetime.now(UTC)
    for number, request in islice(zip(range(last), cycle(fitting), strict=False), start, None):
        opened = now - (last - number) * SPACE
        closed = opened + min(request.took, SPACE * (last - number) / 2)
        moves = [rows.PastMove(move="assign", at=opened, unit=request.unit)]
        if number % (2 if last - number <= RECENT else LATE):
            moves.append(rows.PastMove(move="close", at=closed, note="Case closed."))
        yield rows.History(
            origin=ORIGIN,
            origin_key=str(number),
            type=request.type,
            title=request.title,
            description=request.description,
            place_text=request.place,
            division=request.division if request.division in divisions else None,
            opened_at=opened,
            moves=tuple(moves),
        )


def use(city: City) -> None:
    """Let this process work in the database of a city that runs; once for a process."""
    os.environ.update(
        CHENGSHU_DATABASE_URL=city.database_url,
        CHENGSHU_HOME=str(city.home),
        DJANGO_SETTINGS_MODULE="chengshu.settings",
    )
    importlib.import_module("django").setup()


def _catalog() -> Any:
    models = importlib.import_module("chengshu.places.models")
    return importlib.import_module("chengshu.cases.catalog").catalog(city_id(models))


def city_id(models: Any = None) -> int:
    """The id of the one city that is loaded."""
    models = models or importlib.import_module("chengshu.places.models")
    return int(models.City.objects.get(name="boston").pk)


def system() -> Any:
    """The platform acting in that city."""
    principal = importlib.import_module("chengshu.parties.principal")
    known = _catalog()
    return principal.system(known.city.pk, known.root)


def fill(city: City, count: int) -> tuple[int, float]:
    """Import histories until `count` cases are stored; how many were imported, and the seconds that took."""
    importing = importlib.import_module("chengshu.cases.importing")
    [[stored]] = city.sql("SELECT count(*) FROM cases_case")
    if stored >= count:
        return 0, 0.0
    [[start]] = city.sql(
        "SELECT coalesce(max(origin_key::bigint) + 1, 0) FROM cases_report WHERE origin = %s", [ORIGIN]
    )
    note(f"storing {count - stored} cases")
    begin = time.perf_counter()
    result = importing.import_history(histories(count - stored, start), city=city_id(), actor=system())
    seconds = time.perf_counter() - begin
    if result.quarantined or result.accepted != count - stored:
        raise RuntimeError(f"{result.accepted} accepted, refused: {result.quarantined[:3]}")
    city.sql("ANALYZE")
    settle(city)
    return result.accepted, seconds


def settle(city: City) -> None:
    """Wait until the worker has done what followed; RuntimeError when it does not come to an end."""
    until, begun = time.monotonic() + SETTLE_LIMIT, datetime.now(UTC)
    while city.sql(WAITING, [begun])[0][0]:
        if time.monotonic() > until:
            raise RuntimeError("The worker does not come to an end.")
        time.sleep(0.05)


def home(name: str) -> Path:
    """The folder of a city that is kept between the measurements of a run."""
    return Path(os.environ[HOMES]) / name


@contextmanager
def city(name: str, count: int) -> Iterator[tuple[City, int]]:
    """A running city that holds at least `count` cases, and how many it holds."""
    with City(home=home(name)) as running:
        use(running)
        fill(running, count)
        settle(running)
        yield running, int(running.sql("SELECT count(*) FROM cases_case")[0][0])
