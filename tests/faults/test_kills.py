"""Web, worker and database are killed in turn while people work: what was acknowledged is there, once, and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from benchmarks.city import ROOT, City, temporary_home
from benchmarks.load import Answer, Client

THREADS = 8
OPERATIONS = 1_000
DUE = 60  # cases that fall due meanwhile
DUE_WITHIN = 20.0  # seconds
PATIENCE = 90.0  # seconds for one operation to be answered, whatever dies
MOVES = ("open", "assign", "close")


@dataclass
class Journal:
    """What the server acknowledged: by case, the move that made each version; and how often it had to be asked again."""

    made: dict[str, dict[int, str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    asked_again: int = 0
    operations: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, case: dict[str, Any], move: str) -> None:
        with self.lock:
            self.made.setdefault(case["id"], {})[case["version"]] = move
            self.operations += 1


class Person:
    """A client that asks again when it gets no answer, as a good program does."""

    def __init__(self, city: City, journal: Journal, words: tuple[str, str]) -> None:
        self._city, self._journal, self._words = city, journal, words
        self._clients: dict[str, Client] = {}

    def ask(self, word: str, call: Callable[[Client], Answer]) -> Answer:
        """Make a call until it is answered by something other than a fault."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = call(self._client(word))
                if answer.status < 500:
                    return answer
            except OSError:
                self._clients.pop(word).close() if word in self._clients else None
            self._journal.asked_again += 1
            time.sleep(0.1)
        raise AssertionError("the city did not come back")

    def _client(self, word: str) -> Client:
        if word not in self._clients:
            self._clients[word] = self._city.client(word)
        return self._clients[word]

    def live(self, key: str) -> None:
        """One case from report to closing."""
        hotline, unit = self._words
        report = {"type": "street-light-outages", "title": f"Lamp {key}", "key": key}
        answer = self.ask(hotline, lambda client: client.post("/api/cases", report))
        assert answer.status in {200, 201}, answer.body
        case = answer.json()
        self._journal.keys[key] = case["id"]
        self._journal.acknowledge(case, "open")
        case = self._move(hotline, case, {"move": "assign"})
        self._move(unit, case, {"move": "close", "note": "Mended."})

    def _move(self, word: str, case: dict[str, Any], body: dict[str, str]) -> dict[str, Any]:
        path, match = f"/api/cases/{case['id']}", f'If-Match: "{case["version"]}"\r\n'
        answer = self.ask(word, lambda client: client.post(f"{path}/moves", body, match))
        if answer.status == 409:  # an earlier try was made, but its answer got lost
            answer = self.ask(word, lambda client: client.get(path))
        assert answer.status == 200, answer.body
        moved: dict[str, Any] = answer.json()
        assert moved["version"] == case["version"] + 1
        self._journal.acknowledge(moved, body["move"])
        return moved

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    with temporary_home() as home, City(home=home) as running:
        yield running


def _work(city: City, journal: Journal) -> list[threading.Thread]:
    words = (city.token("bos-operator", "operator"), city.token("bos-lights", "handler"))

    def run(number: int) -> None:
        person = Person(city, journal, words)
        turn = 0
        while journal.operations < OPERATIONS:
            person.live(f"fault-{number}-{turn}")
            turn += 1
        person.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads


def kill(find: Callable[[], list[psutil.Process]]) -> None:
    """End processes at once, as a crash does; one that has just been started again is waited for."""
    until = time.monotonic() + PATIENCE
    while not (processes := find()):
        assert time.monotonic() < until
        time.sleep(0.05)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _victims(city: City) -> list[Callable[[], list[psutil.Process]]]:
    """One web process, the whole web server, the worker, the database, the worker again."""
    assert city.process is not None
    supervisor = city.process.pid
    return [
        lambda: [process for process in city.parts()["web"] if process.ppid() != supervisor][:1],
        lambda: city.parts()["web"],
        lambda: city.parts()["worker"],
        lambda: [process for process in city.parts()["database"] if process.ppid() == supervisor],
        lambda: city.parts()["worker"],
    ]


def _wait(journal: Journal, operations: int) -> None:
    until = time.monotonic() + PATIENCE
    while journal.operations < operations:
        assert time.monotonic() < until, journal.operations
        time.sleep(0.02)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_is_half_made(city: City) -> None:
    due = [sys.executable, "-m", "tests.faults.due_cases", str(DUE), str(DUE_WITHIN)]
    environment = os.environ | {"CHENGSHU_DATABASE_URL": city.database_url, "CHENGSHU_HOME": str(city.home)}
    subprocess.run(due, cwd=ROOT, env=environment, check=True)
    journal = Journal()
    threads = _work(city, journal)
    for share, victims in enumerate(_victims(city), start=2):
        _wait(journal, OPERATIONS * share // 10)
        kill(victims)
    for thread in threads:
        thread.join()
    assert journal.operations >= OPERATIONS
    assert journal.asked_again > 0, "nobody noticed the kills: they did not hit"
    _everything_acknowledged_is_there(city, journal)
    _nothing_is_half_made(city)
    _settled(city)
    _each_due_event_fired_once(city)
    _everybody_was_told_once(city)
    _check_agrees(city)


def _everything_acknowledged_is_there(city: City, journal: Journal) -> None:
    rows = city.sql("SELECT p.case_id::text, p.seq, m.code FROM cases_step p JOIN cases_move m ON m.id = p.move_id")
    stored: dict[str, dict[int, str]] = {}
    for case, seq, move in rows:
        stored.setdefault(case, {})[seq] = move
    for case, made in journal.made.items():
        assert made.items() <= stored[case].items(), case
    reports = city.sql("SELECT origin_key, case_id::text FROM cases_report WHERE origin_key LIKE 'fault-%'")
    assert len(reports) == len(dict(reports))
    assert journal.keys.items() <= dict(reports).items()


HALF_MADE = """
    SELECT c.number FROM cases_case c JOIN cases_state s ON s.id = c.state_id
    WHERE c.seq <> (SELECT count(*) FROM cases_step p WHERE p.case_id = c.id)
       OR c.state_id <> (SELECT p.to_state_id FROM cases_step p WHERE p.case_id = c.id AND p.seq = c.seq)
       OR NOT EXISTS (SELECT FROM cases_report r WHERE r.case_id = c.id)
       OR NOT EXISTS (SELECT FROM cases_casetext t WHERE t.case_id = c.id)
       OR (s.phase = 'done') <> (c.closed_at IS NOT NULL)
       OR (c.closed_at IS NOT NULL AND EXISTS (
               SELECT FROM cases_clock k WHERE k.case_id = c.id AND k.stopped_at IS NULL))
       OR (s.code = 'assigned') <> EXISTS (
               SELECT FROM cases_task t WHERE t.case_id = c.id AND t.state = 'open' AND t.lead)
"""


def _nothing_is_half_made(city: City) -> None:
    assert city.sql(HALF_MADE) == []


def _settled(city: City) -> None:
    """Wait until all given limits are over, however fast the machine was, and the worker has nothing left to do."""
    waiting = """SELECT (SELECT count(*) FROM cases_outbox),
                        (SELECT count(*) FROM cases_clock WHERE next_at <= now() OR ("limit" = 'given' AND due_at > now()))"""
    until = time.monotonic() + PATIENCE
    while (left := city.sql(waiting)[0]) != (0, 0):
        assert time.monotonic() < until, left
        time.sleep(0.1)


def _each_due_event_fired_once(city: City) -> None:
    """The clocks given with the reports warned and fell due, each once. (Their key forbids twice; the notices show it.)"""
    events = city.sql(
        """SELECT k.id, array_agg(split_part(e.event, '@', 1) ORDER BY e.at, e.event) FROM cases_clock k
           JOIN cases_report r ON r.case_id = k.case_id LEFT JOIN cases_clockevent e ON e.clock_id = k.id
           WHERE r.origin = 'faults' AND k."limit" = 'given' GROUP BY k.id"""
    )
    assert len(events) == DUE
    assert {tuple(names) for _, names in events} <= {("warn", "due"), ("warn", "due", "escalate:1")}
    told = city.sql(
        """SELECT n.kind, n."case", count(*) FROM parties_notice n JOIN cases_report r ON r.case_id = n."case"
           WHERE r.origin = 'faults' AND n.kind IN ('warn', 'due') GROUP BY n.kind, n."case" """
    )
    assert Counter(kind for kind, _, _ in told) == {"warn": DUE, "due": DUE}
    assert {count for _, _, count in told} == {1}


def _everybody_was_told_once(city: City) -> None:
    """The reporter of each closing; nobody of anything twice. (A unit is not told of work that is done already.)"""
    twice = city.sql(
        """SELECT c.number, n.kind, count(*) FROM cases_case c JOIN cases_report r ON r.case_id = c.id
           LEFT JOIN parties_notice n ON n."case" = c.id
           WHERE r.origin_key LIKE 'fault-%' GROUP BY c.number, n.kind HAVING count(*) <> 1"""
    )
    assert twice == []
    kinds = city.sql("SELECT kind, count(*) FROM parties_notice GROUP BY kind")
    moves = city.sql("SELECT m.code, count(*) FROM cases_step p JOIN cases_move m ON m.id = p.move_id GROUP BY m.code")
    assert dict(kinds)["closed"] == dict(moves)["close"]


def _check_agrees(city: City) -> None:
    """`chengshu check` proves that every case follows from its steps."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHENGSHU_")}
    environment["CHENGSHU_HOME"] = str(city.home)
    said = subprocess.run(
        [sys.executable, "-m", "chengshu", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_two_people_move_the_same_case_at_once(city: City) -> None:
    words = [city.token(name, role) for name, role in (("bos-operator", "operator"), ("bos-dispatcher", "dispatcher"))]
    clients = [city.client(word) for word in words]
    for turn in range(10):
        report = {"type": "street-light-outages", "title": "Lamp", "key": f"race-{turn}"}
        case = clients[0].post("/api/cases", report).json()
        together = threading.Barrier(2)
        answers: list[Answer] = []

        def move(client: Client, case: dict[str, Any] = case, together: Any = together, answers: Any = answers) -> None:
            together.wait()
            match = f'If-Match: "{case["version"]}"\r\n'
            answers.append(client.post(f"/api/cases/{case['id']}/moves", {"move": "assign"}, match))

        threads = [threading.Thread(target=move, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won, lost = sorted(answers, key=lambda answer: answer.status)
        assert (won.status, lost.status) == (200, 409)
        told = lost.json()["detail"]
        assert "Assign" in told and "Demo" in told, told  # what happened, and who did it
        assert city.sql("SELECT seq FROM cases_case WHERE id = %s", (case["id"],)) == [(2,)]
    for client in clients:
        client.close()
