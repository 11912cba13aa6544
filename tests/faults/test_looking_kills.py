"""Worker and database are killed while a fleet speaks: every reading that was too high becomes one case, and none two."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle

import numpy as np
import psutil
import pytest

from benchmarks.city import City
from benchmarks.seconds import ARROW, synthetic, watching
from chengshu.sensing.synthetic import Faults, as_arrow, levels
from tests.faults.test_kills import Journal, Person, kill

THINGS = 400
SECONDS = 25.0
PATIENCE = 60.0


def _send(city: City, journal: Journal, ids: np.ndarray, told: set[int]) -> None:
    """Readings of all things four times a second, one of them too high."""
    word = city.token("gateway", "gateway")
    person = Person(city, journal, (word, word))
    until, places = time.monotonic() + SECONDS, cycle(range(THINGS))
    while time.monotonic() < until:
        at, place = datetime.now(UTC), next(places)
        results = levels(ids, at, Faults())
        if int(ids[place]) not in told:
            results[place] = 450.0
        content = as_arrow(ids, at, results, 0.25)
        answer = person.ask(word, lambda client, content=content: client.send("/api/observations", content, ARROW))  # type: ignore[misc]
        assert answer.status == 200, answer.body
        told.add(int(ids[place]))
        time.sleep(0.25)
    person.close()


def _victims(city: City) -> list[Callable[[], list[psutil.Process]]]:
    assert city.process is not None
    supervisor = city.process.pid
    return [
        lambda: city.parts()["worker"],
        lambda: [process for process in city.parts()["database"] if process.ppid() == supervisor],
        lambda: city.parts()["worker"],
    ]


@pytest.mark.slow
def test_every_reading_too_high_becomes_one_case() -> None:
    with watching() as city:
        ids, told, journal = synthetic(city, THINGS, rate=THINGS * 4), set[int](), Journal()
        time.sleep(2)  # the worker begins with the source that it now knows
        sender = threading.Thread(target=_send, args=(city, journal, ids, told))
        sender.start()
        for victims, pause in zip(_victims(city), (4.3, 5.7, 6.1), strict=True):
            time.sleep(pause)
            kill(victims)
        sender.join()
        until = time.monotonic() + PATIENCE
        count = "SELECT count(*), count(DISTINCT key) FROM cases_case WHERE scene = 'alarm'"
        while (found := city.sql(count)[0])[1] < len(told) and time.monotonic() < until:
            time.sleep(0.5)
        assert found == (len(told), len(told))
        reports = "SELECT count(*), count(DISTINCT origin_key) FROM cases_report WHERE origin = 'scene:alarm'"
        assert city.sql(reports) == [(len(told), len(told))]
        latest = "SELECT count(*), count(DISTINCT (scene, source, until)) FROM brain_look"
        assert len(set(city.sql(latest)[0])) == 1
