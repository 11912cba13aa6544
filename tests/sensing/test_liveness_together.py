"""Several workers judge while things speak and detectors mark: over real connections with real commits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from chengshu.places.models import City, Division
from chengshu.sensing import liveness
from chengshu.sensing.models import Slice, Tally, Thing, ThingChange

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST = 1 << 40  # numbers that no other test reaches
SLICES, EACH = 12, 100


@pytest.fixture
def fleet(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[int]]:
    """Things in many slices that have not spoken for a day, really committed, and really gone afterwards."""
    with django_db_blocker.unblock():
        city = City.objects.get(name="hangzhou")
        xihu = Division.objects.get(city=city, code="330106", valid_to=None)
        ids = [FIRST + (s << liveness.BITS) + n for s in range(SLICES) for n in range(EACH)]
        Thing.objects.bulk_create(
            Thing(
                pk=pk, city=city, name="x", description="", type="water_gauge", places=xihu.path,
                last_seen=NOW - timedelta(days=1), state="live", state_at=NOW - timedelta(days=2),
            )
            for pk in ids
        )  # fmt: skip
        yield ids
        ThingChange.objects.filter(thing__gte=FIRST).delete()
        Thing.objects.filter(pk__gte=FIRST).delete()
        Tally.objects.all().delete()
        Slice.objects.all().delete()
        liveness.forget()


def _closing(work: Callable[[], object]) -> None:
    try:
        work()
    finally:
        connections.close_all()


def test_each_change_is_written_once_whoever_judges(fleet: list[int]) -> None:
    speaking, faulty = fleet[::3], fleet[1::10]
    begin = threading.Barrier(5)

    def judge() -> None:
        begin.wait()
        for _ in range(6):
            liveness.tick(NOW)

    def speak() -> None:
        """As whoever keeps latest results does it: Things locked in order of their numbers."""
        begin.wait()
        for start in range(0, len(speaking), 40):
            with transaction.atomic(), connection.cursor() as cursor:
                some = speaking[start : start + 40]
                cursor.execute("SELECT id FROM sensing_thing WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [some])
                cursor.execute("UPDATE sensing_thing SET last_seen = %s WHERE id = ANY(%s)", [NOW, some])

    def mark() -> None:
        begin.wait()
        for start in range(0, len(faulty), 30):
            liveness.mark_faulty(faulty[start : start + 30], at=NOW, why="flat")

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(_closing, work) for work in (judge, judge, judge, speak, mark)]:
            done.result()
    later = NOW + timedelta(seconds=2)
    Slice.objects.update(due_at=later)
    liveness.tick(later, budget=60.0)
    marked = set(faulty)
    states = dict(Thing.objects.filter(pk__gte=FIRST).values_list("pk", "state"))
    heard = set(speaking)
    assert all(states[pk] == ("faulty" if pk in marked else "live" if pk in heard else "silent") for pk in fleet)
    told = Counter(ThingChange.objects.filter(thing__gte=FIRST, state="silent").values_list("thing", flat=True))
    assert set(told.values()) == {1} and set(fleet) - heard - marked <= set(told)
    assert Counter(states.values()) == {y.state: y.n for y in _summed()}


def _summed() -> list[Tally]:
    found: dict[str, Tally] = {}
    for each in Tally.objects.filter(slice__gte=FIRST >> liveness.BITS):
        if each.state in found:
            found[each.state].n += each.n
        else:
            found[each.state] = each
    return list(found.values())
