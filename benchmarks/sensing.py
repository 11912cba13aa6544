"""Observations through the doors, against the limit: the same rows copied raw into the same partitions with the same indexes."""

from __future__ import annotations

import importlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from benchmarks.city import City, temporary_home
from benchmarks.load import Client
from benchmarks.results import Result

STREAMS = 10_000
CLIENTS = 2
ROUNDS = 5
ROWS = 200_000  # a round, by each client
GOALS = {10_000: 0.7, 1_000: 0.6}
NDJSON = "application/x-ndjson"

_FILL = """
WITH city AS (SELECT id FROM places_city WHERE name = 'hangzhou'),
 root AS (SELECT d.id FROM places_division d, city WHERE d.city_id = city.id AND d.parent_id IS NULL),
 sensor AS (INSERT INTO sensing_sensor (city_id, name, description, encoding_type, metadata)
    SELECT id, 'synthetic', '', 'text/html', '""' FROM city RETURNING id),
 property AS (INSERT INTO sensing_observedproperty (city_id, name, description, definition)
    SELECT id, 'synthetic', '', 'urn:synthetic' FROM city RETURNING id),
 thing AS (INSERT INTO sensing_thing (city_id, name, description, places, type, state)
    SELECT city.id, 'synthetic ' || n, '', ARRAY[root.id], '', 'new' FROM city, root, generate_series(1, %s) n RETURNING id)
INSERT INTO sensing_datastream (city_id, name, description, observation_type, unit_of_measurement, thing_id, sensor_id,
    observed_property_id, ucum, low, high)
SELECT city.id, 'synthetic', '', 'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement', '{}', thing.id,
    sensor.id, property.id, 'Cel', -1000, 1000
FROM city, sensor, property, thing RETURNING id
"""


@contextmanager
def fleet(things: int) -> Iterator[tuple[City, list[int], str]]:
    """A city with so many synthetic datastreams; it, their ids, and a gateway's token."""
    with temporary_home() as home, City(home=home, packs="hangzhou") as city:
        yield city, fill(city, things), city.token("gateway", "gateway")


def fill(city: City, things: int) -> list[int]:
    """Give a city of the Hangzhou pack so many synthetic datastreams; their ids."""
    ids = sorted(pk for (pk,) in city.sql(_FILL, (things,)))
    city.sql("SELECT nextval('sensing_register_version')")
    return ids


def bulk_observations() -> list[Result]:
    """Rows a second over HTTP until durable and queryable, in requests of 10 000 and of 1 000, by two gateways."""
    with fleet(STREAMS) as (city, ids, token):
        return [_bulk(city, ids, token, size) for size in GOALS]


def _bulk(city: City, ids: Sequence[int], token: str, size: int) -> Result:
    clock = _clock(size)
    through: list[float] = []
    raw: list[float] = []
    for _round in range(ROUNDS + 1):  # the first warms up
        through.append(_through(city, token, _bodies(ids, size, clock)))
        raw.append(_raw(city, _copies(ids, size, clock)))
    mine, limit = statistics.median(through[1:]), statistics.median(raw[1:])
    return Result(
        name="bulk_observations", value=mine, unit="rows/s", n=ROUNDS * CLIENTS * ROWS,
        compared_to=f"raw COPY BINARY into the same indexed partition, {limit:.4g} rows/s; asked {GOALS[size]}",
        ratio=mine / limit, details={"rows_per_request": size, "clients": CLIENTS, "datastreams": len(ids)},
    )  # fmt: skip


def _clock(size: int) -> Callable[[], datetime]:
    """Times of yesterday, none twice: one for each pass over all datastreams."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    count = iter(range(10_000_000))
    return lambda: start + timedelta(milliseconds=next(count) * 5 + (size == 1_000))


def _passes(ids: Sequence[int], size: int, clock: Callable[[], datetime]) -> Iterator[tuple[datetime, np.ndarray]]:
    """For one client: slices of the datastreams, each slice of a pass at its time."""
    wanted = np.array(ids)
    for _pass in range(ROWS // len(wanted)):
        at = clock()
        for first in range(0, len(wanted), size):
            yield at, wanted[first : first + size]


def _bodies(ids: Sequence[int], size: int, clock: Callable[[], datetime]) -> list[list[bytes]]:
    random = np.random.default_rng(1)
    return [
        [
            "".join(
                f'{{"datastream":{stream},"phenomenonTime":"{at:%Y-%m-%dT%H:%M:%S.%f}Z","result":{result:.2f}}}\n'
                for stream, result in zip(some.tolist(), random.normal(20, 5, len(some)).tolist(), strict=True)
            ).encode()
            for at, some in _passes(ids, size, clock)
        ]
        for _client in range(CLIENTS)
    ]


def _copies(ids: Sequence[int], size: int, clock: Callable[[], datetime]) -> list[list[bytes]]:
    encode = importlib.import_module("chengshu.sensing.binary").encode
    random = np.random.default_rng(1)
    serial = iter(range(2**36 + time.time_ns() % 2**35, 2**37, size))
    return [
        [encode(_columns(at, some, next(serial), random)) for at, some in _passes(ids, size, clock)]
        for _client in range(CLIENTS)
    ]


def _columns(at: datetime, streams: np.ndarray, serial: int, random: Any) -> dict[str, Any]:
    count, day = len(streams), (at - datetime(1970, 1, 1, tzinfo=UTC)).days
    return {
        "datastream": ("bigint", streams),
        "at": ("timestamptz", np.full(count, int(at.timestamp() * 1e6))),
        "nth": ("smallint", np.zeros(count, dtype=np.int64)),
        "id": ("bigint", (day << 37) + serial + np.arange(count)),
        "result": ("double", random.normal(20, 5, count)),
    }


def _together(works: Sequence[Callable[[], None]]) -> float:
    """Rows a second of clients at work at once."""
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
    seconds = time.perf_counter() - begin
    if errors:
        raise errors[0]
    return len(works) * ROWS / seconds


def _through(city: City, token: str, bodies: list[list[bytes]]) -> float:
    def client(own: list[bytes]) -> Callable[[], None]:
        def work() -> None:
            with Client(city.port, token) as gateway:
                for body in own:
                    answer = gateway.send("/api/observations", body, NDJSON)
                    if answer.status != 200 or answer.json()["refused"] or answer.json()["known"]:
                        raise RuntimeError(f"{answer.status} {answer.body[:500]!r}")

        return work

    return _together([client(own) for own in bodies])


def _raw(city: City, copies: list[list[bytes]]) -> float:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    statement = (
        f"COPY sensing_observation_{yesterday:%Y%m%d} (datastream, at, nth, id, result) FROM STDIN (FORMAT BINARY)"
    )

    def client(own: list[bytes]) -> Callable[[], None]:
        def work() -> None:
            with psycopg.connect(city.database_url, autocommit=True) as connection:
                for body in own:
                    with connection.cursor().copy(statement) as copy:
                        copy.write(body)

        return work

    return _together([client(own) for own in copies])
