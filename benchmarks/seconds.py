"""How soon a reading becomes a case while a synthetic fleet speaks, and what a city needs for it, however long it goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import psycopg
import yaml

from benchmarks.city import ROOT, City, temporary_home
from benchmarks.load import Client
from benchmarks.results import Result
from chengshu.sensing.synthetic import Faults, as_arrow, levels

THINGS: Final = 10_000
RATE: Final = 10_000  # observations a second
REQUESTS: Final = 5  # a second
ALARMS: Final = 2  # readings a second that must become cases
SHORT, LONG = 90.0, 1_200.0  # seconds
WARM_UP: Final = 15.0  # seconds that are not counted
GOAL, MEMORY = 3.0, 1.5  # seconds at the 95th percentile; GiB
ARROW: Final = "application/vnd.apache.arrow.stream"
_OBSERVED: Final = [
    {
        "name": "synthetic",
        "kind": "synthetic_level",
        "types": ["synthetic"],
        "columns": {"level": "urn:chengshu:synthetic:level"},
        "late_seconds": 0.5,
    }
]


@contextmanager
def watching() -> Iterator[City]:
    """A city that the scene `alarm` looks at: installed as a foreign scene is, and bound in the city's pack."""
    with temporary_home() as home:
        cities, installed = home.parent / "cities", home.parent / "installed"
        shutil.copytree(ROOT / "cities", cities)
        file = cities / "hangzhou" / "sources.yaml"
        sources = yaml.safe_load(file.read_text(encoding="utf-8"))
        sources["observed"] = _OBSERVED
        file.write_text(yaml.safe_dump(sources, allow_unicode=True), encoding="utf-8")
        _install(installed)
        environment = {"CHENGSHU_CITIES": str(cities), "PYTHONPATH": f"{installed}:{ROOT}"}
        with City(home=home, packs="hangzhou", environment=environment) as city:
            yield city


def _install(folder: Path) -> None:
    about = folder / "benchmark_alarm-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: benchmark-alarm\nVersion: 1\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        "[chengshu.scenes]\nalarm = benchmarks.alarm.scene:SCENE\n", encoding="utf-8"
    )


@dataclass
class Seen:
    """When each alarming thing told its reading, and when its case was seen; both by this machine's clock."""

    told: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    late: float = 0.0
    memory: list[float] = field(default_factory=list)


def sensor_to_case() -> list[Result]:
    """Seconds from a reading until its case can be seen, while 10 000 others come in a second."""
    with watching() as city:
        return _measured(city, SHORT, "sensor_to_case")


def soak() -> list[Result]:
    """The same for twenty minutes, and the most memory that all processes took together meanwhile."""
    with watching() as city:
        return _measured(city, LONG, "soak")


def _measured(city: City, seconds: float, name: str) -> list[Result]:
    streams = synthetic(city, THINGS, rate=RATE)
    time.sleep(3)  # the worker begins with the sources that it now knows
    seen, stop = Seen(), threading.Event()
    watcher = threading.Thread(target=_watch, args=[city, seen, stop])
    watcher.start()
    try:
        _send(city, streams, seen, seconds)
        time.sleep(10)
    finally:
        stop.set()
        watcher.join()
    counted = [thing for thing in seen.told if seen.told[thing] >= min(seen.told.values()) + WARM_UP]
    waits = sorted(seen.found[thing] - seen.told[thing] for thing in counted if thing in seen.found)
    missing = len(counted) - len(waits)
    if missing:
        raise RuntimeError(f"{missing} of {len(counted)} alarming readings became no case")
    p95 = waits[int(0.95 * len(waits))]
    most = max(seen.memory)
    details = {
        "p50": waits[len(waits) // 2], "worst": waits[-1], "rows": seen.rows, "rows_per_s": seen.rows / seconds,
        "behind_s": seen.late, "memory_gib_most": most, "memory_gib_first": seen.memory[0], "seconds": seconds,
    }  # fmt: skip
    return [
        Result(
            name=name, value=p95, unit="s", n=len(waits), compared_to=f"asked {GOAL} s at the 95th percentile",
            ratio=p95 / GOAL, details=details,
        ),
        Result(
            name=f"{name}_memory", value=most, unit="GiB", n=len(seen.memory), compared_to=f"asked {MEMORY} GiB",
            ratio=most / MEMORY, details={"each_minute": seen.memory[:: max(1, len(seen.memory) // 30)]},
        ),
    ]  # fmt: skip


def synthetic(city: City, things: int, *, rate: float) -> np.ndarray:
    """The datastreams of a synthetic fleet, made by the command that makes it for everybody; each has spoken once or so."""
    words = ["simulate", "--things", str(things), "--rate", str(rate), "--seconds", "1", "--port", str(city.port)]
    subprocess.run([sys.executable, "-m", "chengshu", *words], cwd=ROOT, env=city.whole_environment(), check=True)
    found = city.sql(
        "SELECT d.id FROM sensing_datastream d JOIN sensing_thing t ON t.id = d.thing_id"
        " WHERE t.type = 'synthetic' ORDER BY d.id"
    )
    return np.array([pk for (pk,) in found])


def _send(city: City, streams: np.ndarray, seen: Seen, seconds: float) -> None:
    """Sound readings of all in turn, and among them a few too high, each of a thing that was sound so far."""
    names = dict(city.sql("SELECT d.id, t.key FROM sensing_datastream d JOIN sensing_thing t ON t.id = d.thing_id"))
    began, count = time.monotonic(), RATE // REQUESTS
    with Client(city.port, city.token("gateway", "gateway")) as gateway:
        for n in range(int(seconds * REQUESTS)):
            time.sleep(max(0.0, began + n / REQUESTS - time.monotonic()))
            some = np.take(streams, np.arange(n * count, (n + 1) * count), mode="wrap")
            at = datetime.now(UTC)
            results = levels(some, at, Faults())
            place = -1 - n // REQUESTS % count  # near the end of the request, whose rows end now
            key = names[int(some[place])]
            if n % (REQUESTS // ALARMS) == 0 and key not in seen.told:
                results[place] = 450.0
                seen.told[key] = time.time()
            answer = gateway.send("/api/observations", as_arrow(some, at, results, 1 / REQUESTS), ARROW)
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.body[:300]!r}")
            seen.rows += answer.json()["rows"]
            seen.late = max(seen.late, time.monotonic() - began - (n + 1) / REQUESTS)


def _watch(city: City, seen: Seen, stop: threading.Event) -> None:
    """Look every 50 ms for new cases, and every other second at the memory."""
    last, looked = 0.0, datetime.now(UTC)
    with psycopg.connect(city.database_url, autocommit=True) as connection:
        while not stop.is_set():
            for (key,) in connection.execute(
                "SELECT key FROM cases_case WHERE scene = 'alarm' AND opened_at >= %s", [looked]
            ).fetchall():
                seen.found.setdefault(_thing(key), time.time())
            if time.monotonic() - last > 2.0:
                seen.memory.append(sum(city.memory().values()) / 2**30)
                last = time.monotonic()
            stop.wait(0.05)


def _thing(key: str) -> str:
    return key.removeprefix("hangzhou/").rpartition(":")[0]
