"""Web and database are killed in turn while gateways send: what was acknowledged is there, and nothing is there twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from benchmarks.city import City, temporary_home
from benchmarks.sensing import NDJSON, fill
from tests.faults.test_kills import Journal, Person, kill

STREAMS = 50
GATEWAYS = 4
DELIVERIES = 40  # of each
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    with temporary_home() as home, City(home=home, packs="hangzhou") as running:
        yield running


def _content(ids: list[int], gateway: int, turn: int) -> bytes:
    """All datastreams of a gateway at two times, the first of which the delivery before told already."""
    times = [BEGIN + timedelta(seconds=turn), BEGIN + timedelta(seconds=turn + 1)]
    rows = [
        {"datastream": stream, "phenomenonTime": at.isoformat(), "result": gateway + at.second}
        for at in times
        for stream in ids
    ]
    return "\n".join(map(json.dumps, rows)).encode()


def _send(city: City, journal: Journal, ids: list[int], gateway: int) -> None:
    word = city.token("gateway", "gateway")
    person = Person(city, journal, (word, word))
    for turn in range(DELIVERIES):
        content = _content(ids, gateway, turn)
        answer = person.ask(word, lambda client, content=content: client.send("/api/observations", content, NDJSON))  # type: ignore[misc]
        assert answer.status == 200, answer.body
        told = answer.json()
        assert told["refused"] == 0
        assert told["rows"] + told["known"] == 2 * len(ids)
        with journal.lock:
            journal.operations += 1
    person.close()


def _victims(city: City) -> list[Callable[[], list[psutil.Process]]]:
    assert city.process is not None
    supervisor = city.process.pid
    return [
        lambda: [process for process in city.parts()["web"] if process.ppid() != supervisor][:1],
        lambda: [process for process in city.parts()["database"] if process.ppid() == supervisor],
        lambda: city.parts()["web"],
    ]


@pytest.mark.slow
def test_every_acknowledged_observation_is_there_once(city: City) -> None:
    ids = fill(city, STREAMS * GATEWAYS)
    journal = Journal()
    shares = [ids[number::GATEWAYS] for number in range(GATEWAYS)]
    threads = [threading.Thread(target=_send, args=(city, journal, own, number)) for number, own in enumerate(shares)]
    for thread in threads:
        thread.start()
    for share, victims in enumerate(_victims(city), start=1):
        while journal.operations < GATEWAYS * DELIVERIES * share // 5:
            threads[0].join(0.02)
        kill(victims)
    for thread in threads:
        thread.join()
    assert journal.asked_again > 0, "nobody noticed the kills: they did not hit"
    assert journal.operations == GATEWAYS * DELIVERIES
    stored = city.sql("SELECT count(*), count(DISTINCT (datastream, at)), count(DISTINCT id) FROM sensing_observation")
    wanted = len(ids) * (DELIVERIES + 1)
    assert stored == [(wanted, wanted, wanted)]
    assert city.sql("SELECT sum(rows) FROM sensing_delivery") == [(wanted,)]
    assert city.sql("SELECT count(*) FROM sensing_raw") == [(GATEWAYS * DELIVERIES,)]


def test_the_same_content_from_two_gateways_at_once_is_taken_once(city: City) -> None:
    ids = fill(city, 20)
    content = _content(ids, 1, 5_000)
    answers: list[dict[str, object]] = []

    def send() -> None:
        with city.client(city.token("gateway", "gateway")) as client:
            answers.append(client.send("/api/observations", content, NDJSON).json())

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["delivery"] for answer in answers}) == 1
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 7
    assert city.sql("SELECT count(*) FROM sensing_observation WHERE datastream = ANY(%s)", [ids]) == [(40,)]
