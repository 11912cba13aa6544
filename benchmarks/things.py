"""The register at a million things: judging all of them, a tick in which nothing is due, and the pages people open."""

from __future__ import annotations

import importlib
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks import store
from benchmarks.city import City, temporary_home
from benchmarks.load import Client, Tally
from benchmarks.results import Result, milliseconds, note

THINGS = 1_000_000
STREAMS = 200_000  # of the first things, with a latest result
TIMES = 100
LONGEST = timedelta(minutes=15).total_seconds()  # within which all are judged again
WARM_UP = 10
GOAL = 100.0  # milliseconds within which an answer feels immediate

# Synthetic: types and districts by turns; 96 of 100 spoke within the time of their type, the others long ago.
_FILL = """
WITH city AS (SELECT id FROM places_city WHERE name = 'hangzhou'),
 place AS (SELECT path, row_number() OVER (ORDER BY d.id) - 1 AS i, count(*) OVER () AS count
    FROM places_division d, city WHERE d.city_id = city.id AND level = 3 AND valid_to IS NULL),
 kind AS (SELECT code, row_number() OVER (ORDER BY code) - 1 AS i, count(*) OVER () AS count
    FROM places_part p, city, jsonb_object_keys(p.value -> 'types') code
    WHERE p.city_id = city.id AND p.name = 'thing_types' AND p.active)
INSERT INTO sensing_thing (city_id, key, name, description, places, type, state, last_seen, lon, lat)
SELECT city.id, 'T-' || n, 'synthetic ' || n, '', place.path, kind.code, 'new',
    now() - CASE WHEN n %% 100 < 96 THEN interval '1 minute' * random() ELSE interval '9 days' END, 120.1, 30.2
FROM city, generate_series(1, %s) n
    JOIN place ON place.i = n %% place.count JOIN kind ON kind.i = (n / 7) %% kind.count ORDER BY n
"""
_STREAMS = """
WITH city AS (SELECT id FROM places_city WHERE name = 'hangzhou'),
 sensor AS (INSERT INTO sensing_sensor (city_id, name, description, encoding_type, metadata)
    SELECT id, 'synthetic', '', 'text/html', '""' FROM city RETURNING id),
 property AS (INSERT INTO sensing_observedproperty (city_id, name, description, definition)
    SELECT id, 'synthetic', '', 'urn:synthetic' FROM city RETURNING id)
INSERT INTO sensing_datastream (city_id, name, description, observation_type, unit_of_measurement, thing_id, sensor_id,
    observed_property_id, ucum, last_result, last_at, last_start, last_received)
SELECT city.id, 'synthetic', '', 'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement', '{}', t.id,
    sensor.id, property.id, 'Cel', random() * 40, now(), now(), now()
FROM city, sensor, property, (SELECT id FROM sensing_thing ORDER BY id LIMIT %s) t
"""


def register_of_things() -> list[Result]:
    """Judging and pages at a million things."""
    with temporary_home() as home, City(home=home, packs="hangzhou") as city:
        note(f"{THINGS} things are filled in")
        _fill(city)
        _own(city)
        judged = _judge()
        page, api = city.session("operator"), {"Authorization": f"Bearer {city.token('operator', 'operator')}"}
        [[thing]] = city.sql("SELECT min(id) FROM sensing_thing")
        pages = {
            "vitals": (page, "/things"),
            "register": (page, "/things/register"),
            "register_silent": (page, "/things/register?state=silent"),
            "register_type_faulty": (page, "/things/register?type=camera&state=faulty"),
            "register_name": (page, "/things/register?q=synthetic+99999"),
            "register_key": (page, "/things/register?q=T-500000"),
            "thing": (page, f"/things/{thing}"),
            "api_things": (api, "/api/things"),
            "api_vitals": (api, "/api/vitals"),
        }
        return [*judged, *(_page(name, city.client(headers=head), path) for name, (head, path) in pages.items())]


def _fill(city: City) -> None:
    city.sql(_FILL, (THINGS,))
    city.sql(_STREAMS, (STREAMS,))
    city.sql("VACUUM ANALYZE sensing_thing, sensing_datastream")


def _own(city: City) -> None:
    """Let this process call the platform's functions on the city's database, and keep the city's own workers out of it."""
    store.use(city)
    for process in city.parts()["worker"]:
        process.suspend()  # City.stop() ends it by force


def _judge() -> list[Result]:
    """The first judging of all, when every state is written; the same again, when none changes; and a tick of nothing due."""
    liveness = importlib.import_module("chengshu.sensing.liveness")
    now = datetime.now(UTC)
    first = _timed(liveness, now)
    _due()
    again = _timed(liveness, now)
    idle = min(_timed(liveness, now) for _ in range(5))
    return [
        Result(
            name="register_of_things", value=THINGS / seconds, unit="things/s", n=THINGS,
            compared_to=f"all of them within {LONGEST:.0f} s, the longest rest, asks {THINGS / LONGEST:.4g}/s",
            ratio=seconds and LONGEST / seconds, details={"what": what, "seconds": seconds},
        )
        for what, seconds in (("judged first, every state written", first), ("judged again, nothing changes", again))
    ] + [
        Result(name="register_of_things", value=1_000 * idle, unit="ms", n=5, details={"what": "a tick, nothing due"})
    ]  # fmt: skip


def _timed(liveness: Any, now: datetime) -> float:
    begin = time.perf_counter()
    liveness.tick(now, budget=3_600.0)
    return time.perf_counter() - begin


def _due() -> None:
    models = importlib.import_module("chengshu.sensing.models")
    models.Slice.objects.update(due_at=datetime(2000, 1, 1, tzinfo=UTC))


def _page(name: str, client: Client, path: str) -> Result:
    tally = Tally()
    for _ in range(WARM_UP):
        client.get(path)
    for _ in range(TIMES):
        tally.timed(name, partial(client.get, path), 200)
    times = milliseconds(tally.seconds[name])
    return Result(
        name="register_of_things", value=times["p95"], unit="ms", n=TIMES, compared_to=f"{GOAL:.0f} ms",
        ratio=times["p95"] / GOAL, details={"what": name, "path": path, **times},
    )  # fmt: skip
