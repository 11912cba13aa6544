"""Several people and workers at once, over real connections with real commits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.db import connection, connections

from chengshu.cases import catalog, importing
from chengshu.cases.advance import advance
from chengshu.cases.due import fire
from chengshu.cases.models import Case, Clock, ClockEvent, Evidence, Kind, Outbox, Report, Step
from chengshu.cases.outbox import drain
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.report import report
from chengshu.cases.worker import run
from chengshu.places.models import City
from tests.cases.histories import histories
from tests.cases.town import Town, build

T = TypeVar("T")
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
OWNED = (
    'cases_outbox WHERE "case" IN ({cases})',
    "cases_clockevent WHERE clock_id IN (SELECT id FROM cases_clock WHERE case_id IN ({cases}))",
    "cases_clock WHERE case_id IN ({cases})",
    "cases_task WHERE case_id IN ({cases})",
    "cases_step WHERE case_id IN ({cases})",
    "cases_casetext WHERE case_id IN ({cases})",
    "cases_report WHERE case_id IN ({cases})",
    "cases_case WHERE id IN ({cases})",
    "cases_casetype WHERE city_id = {city}",
    "cases_move WHERE kind_id IN ({kinds})",
    "cases_state WHERE kind_id IN ({kinds})",
    "cases_kind WHERE city_id = {city}",
    "parties_notice WHERE account_id IN ({people})",
    "parties_post WHERE account_id IN ({people})",
    "parties_account WHERE id IN ({people})",
    "parties_department WHERE city_id = {city}",
    "places_division WHERE city_id = {city}",
    "places_part WHERE city_id = {city}",
    "places_city WHERE id = {city}",
)


@pytest.fixture(scope="module")
def town(django_db_setup: None, django_db_blocker: Any) -> Iterator[Town]:
    """A town that is really committed, and really gone afterwards."""
    with django_db_blocker.unblock():
        made = build("rush")
        yield made
        _remove(made.city)
        catalog.forget()


def _remove(city: City) -> None:
    cases = f"SELECT c.id FROM cases_case c JOIN cases_kind k ON k.id = c.kind_id WHERE k.city_id = {city.pk}"
    kinds = f"SELECT id FROM cases_kind WHERE city_id = {city.pk}"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id FROM parties_post p JOIN places_division d ON d.id = p.division_id WHERE d.city_id = %s",
            [city.pk],
        )
        people = ", ".join({str(row[0]) for row in cursor}) or "0"
        for table in ("cases_step", "cases_report"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
        for owned in OWNED:
            cursor.execute("DELETE FROM " + owned.format(cases=cases, city=city.pk, kinds=kinds, people=people))
        for table in ("cases_step", "cases_report"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_append_only")


def at_once(*works: Callable[[], T]) -> list[T]:
    """Run all at the same moment, each on its own connection."""
    start = threading.Barrier(len(works))

    def alone(work: Callable[[], T]) -> T:
        try:
            start.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(alone, work) for work in works]]


def new(**more: Any) -> NewReport:
    fields: dict[str, Any] = {
        "origin": "rush",
        "origin_key": uuid4().hex,
        "title": "占道",
        "type": "urban",
        "occurred_at": NOW,
    }
    return NewReport(**(fields | more))


def open_case(town: Town, **more: Any) -> Verdict:
    [verdict] = report([new(**more)], city=town.city.pk, actor=town.people["citizen"], at=NOW)
    return verdict


def one(town: Town, request: MoveRequest) -> str:
    """The verdict of one move."""
    [verdict] = advance([request], actor=town.people["operator"], at=NOW)
    return verdict.verdict


def test_of_two_who_move_a_case_one_wins(town: Town) -> None:
    for _ in range(5):
        case = open_case(town).case
        seen = Case.objects.get(pk=case).version
        requests = [
            MoveRequest(case=case, move=m, note=note, version=seen)
            for m, note in (("accept", ""), ("reject", "不属实"))
        ]
        works = [partial(one, town, request) for request in requests]
        assert Counter(at_once(*works)) == {"ok": 1, "conflict": 1}
        assert Step.objects.filter(case=case).count() == 2


def test_without_a_version_the_second_of_the_same_move_is_told_too(town: Town) -> None:
    case = open_case(town).case
    found = Counter(at_once(*[partial(one, town, MoveRequest(case=case, move="accept"))] * 4))
    assert found["ok"] == 1 and set(found) <= {"ok", "conflict", "illegal"}


def test_two_batches_in_opposite_order_both_end(town: Town) -> None:
    cases = [open_case(town).case for _ in range(20)]
    batches = [[MoveRequest(case=c, move="note", note="记一笔") for c in own] for own in (cases, cases[::-1])]
    works = [partial(advance, batch, actor=town.people["operator"], at=NOW) for batch in batches]
    found = Counter(v.verdict for verdicts in at_once(*works) for v in verdicts)
    assert set(found) <= {"ok", "conflict"} and found["ok"] >= 20
    assert Step.objects.filter(case__in=cases, move__code="note").count() == found["ok"]


def test_one_origin_key_makes_one_case(town: Town) -> None:
    same = new()
    works = [lambda: report([same], city=town.city.pk, actor=town.people["citizen"], at=NOW)[0]] * 4
    verdicts = at_once(*works)
    assert Counter(v.verdict for v in verdicts) == {"opened": 1, "known": 3}
    assert len({v.case for v in verdicts}) == 1
    assert Report.objects.filter(origin_key=same.origin_key).count() == 1


def test_one_scene_key_has_one_open_case(town: Town) -> None:
    works = [lambda: report([new(scene="s", key="same")], city=town.city.pk, actor=town.system, at=NOW)[0]] * 4
    verdicts = at_once(*works)
    assert Counter(v.verdict for v in verdicts) == {"opened": 1, "joined": 3}
    assert Case.objects.filter(scene="s", key="same", closed_at=None).count() == 1
    assert Report.objects.filter(case=verdicts[0].case).count() == 4


def test_two_merges_into_each_other_leave_one_open(town: Town) -> None:
    first, second = open_case(town).case, open_case(town).case
    requests = [
        MoveRequest(case=own, move="merge", target=target) for own, target in ((first, second), (second, first))
    ]
    found = Counter(at_once(*[partial(one, town, request) for request in requests]))
    assert found["ok"] == 1, found
    assert Case.objects.filter(pk__in=[first, second], closed_at=None).count() == 1


def test_every_due_event_fires_once_with_many_workers_and_movers(town: Town) -> None:
    Clock.objects.exclude(next_at=None).update(next_at=None)
    cases = [open_case(town).case for _ in range(12)]
    late = NOW + timedelta(days=30)

    def mover() -> int:
        requests = [MoveRequest(case=case, move="note", note="记一笔") for case in cases]
        return sum(v.ok for v in advance(requests, actor=town.people["operator"], at=late))

    at_once(*[lambda: fire(late)] * 3, *[mover] * 2)
    while fire(late):
        pass
    events = Counter(
        ClockEvent.objects.filter(clock__case__in=cases).values_list("clock__case", "clock__stage", "event")
    )
    assert set(events.values()) == {1}
    assert len(events) == 12 * 2 * 2  # accept and total, each warned and due
    assert Outbox.objects.filter(topic="clock", case__in=cases).count() == len(events)


def test_every_outbox_row_is_worked_off_once(town: Town) -> None:
    Outbox.objects.all().delete()
    cases = [open_case(town).case for _ in range(12)]
    assert sum(at_once(*[drain] * 4)) == 12
    assert not Outbox.objects.filter(case__in=cases).exists()


def test_the_worker_survives_a_lost_connection(town: Town) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: (run(stop), connections.close_all()), daemon=True)
    thread.start()
    try:
        _until(lambda: not Outbox.objects.exists())
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        open_case(town)
        _until(lambda: not Outbox.objects.exists())
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def _until(reached: Callable[[], bool], seconds: float = 15) -> None:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    while not reached():
        assert datetime.now(UTC) < end, "it did not happen in time"
        threading.Event().wait(0.1)


def test_the_town_is_a_city_of_its_own(town: Town) -> None:
    assert Kind.objects.filter(city=town.city).count() == 1
    assert not Evidence.objects.filter(case__kind__city=town.city).exists()


def test_an_import_writes_on_two_connections_and_each_key_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 20)
    past = list(histories(town, 90, seed=11))
    before = Case.objects.filter(kind__city=town.city).count()
    result = importing.import_history([*past, *past[:30]], city=town.city.pk, actor=town.system)
    assert (result.accepted, result.known, result.quarantined) == (90, 30, ())
    assert Case.objects.filter(kind__city=town.city).count() == before + 90
    numbers = Case.objects.filter(kind__city=town.city).values_list("number", flat=True)
    assert len(numbers) == len(set(numbers))
