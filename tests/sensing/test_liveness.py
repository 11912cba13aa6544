"""Every Thing is in the state that the rule of its type says, whatever was heard of it when, and only changes are written."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from chengshu.places.models import City, Division, Part
from chengshu.sensing import kinds, liveness
from chengshu.sensing.models import Datastream, Slice, Tally, Thing, ThingChange
from tests.sensing.conftest import Stream

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RULES = {
    "types": {
        "gauge": {"name": "水位计", "late": "30m", "silent": "2h", "source": "test"},
        "meter": {"name": "水表", "late": "36h", "silent": "4d", "source": "test"},
    },
    "default": {"late_periods": 3, "silent_periods": 10, "late": "1h", "silent": "1d"},
}
SPANS = {"gauge": (1_800.0, 7_200.0), "meter": (129_600.0, 345_600.0)}


@pytest.fixture(autouse=True)
def _afresh(hangzhou: City) -> None:
    liveness.forget()
    Part.objects.filter(city=hangzhou, name=kinds.PART).update(value=RULES)


def put(city: City, **more: object) -> Thing:
    xihu = Division.objects.get(city=city, code="330106", valid_to=None)
    return Thing.objects.create(city=city, name="x", description="", **{"places": xihu.path, **more})


def state(thing: Thing) -> str:
    return Thing.objects.values_list("state", flat=True).get(pk=thing.pk)


def reference(type: str, period: float | None, heard: float | None, retired: bool) -> str:
    """The rule in plain words: seconds since it was heard of against two spans."""
    if retired:
        return "retired"
    if heard is None:
        return "new"
    late, silent = SPANS.get(type, (period * 3, period * 10) if period else (3_600.0, 86_400.0))
    return "silent" if heard >= silent else "late" if heard >= late else "live"


def test_states_are_those_of_a_plain_reference(hangzhou: City, stream: Stream) -> None:
    chance = random.Random(7)
    expected = {}
    for _ in range(300):
        one = stream(period=(period := chance.choice([None, 30.0, 300.0, 86_400.0])))
        type, retired = chance.choice(["", "gauge", "meter", "unknown"]), chance.random() < 0.1
        heard = chance.choice([None, chance.uniform(0, 10_000), chance.uniform(0, 500_000)])
        Thing.objects.filter(pk=one.thing_id).update(
            type=type,
            last_seen=None if heard is None else NOW - timedelta(seconds=heard),
            retired_at=NOW if retired else None,
        )
        expected[one.thing_id] = reference(type, period, heard, retired)
    liveness.tick(NOW)
    assert dict(Thing.objects.values_list("pk", "state")) == expected
    counted = {(y.type, y.state): y.n for y in Tally.objects.all()}
    assert sum(counted.values()) == 300 and counted["gauge", "silent"] == sum(
        expected[t.pk] == "silent" for t in Thing.objects.filter(type="gauge")
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), min_size=1, max_size=12))
def test_whatever_comes_when_it_ends_where_the_reference_ends(steps: list[tuple[int, bool]]) -> None:
    """Time passes, it speaks or not, workers tick in between: never another state than the rule's."""
    Thing.objects.all().delete()
    Slice.objects.all().delete()
    one = put(City.objects.get(name="hangzhou"), type="gauge")
    now, heard = NOW, None
    for seconds, speaks in steps:
        now += timedelta(seconds=seconds + 1)
        if speaks:
            heard = now
            Thing.objects.filter(pk=one.pk).update(last_seen=now)
        now += timedelta(seconds=1)
        liveness.tick(now)
        since = (now - heard).total_seconds() if heard else None
        assert state(one) == reference("gauge", None, since, False)


def test_a_slice_rests_until_something_in_it_can_change(hangzhou: City) -> None:
    put(hangzhou, type="gauge", last_seen=NOW - timedelta(minutes=20))
    assert liveness.tick(NOW) == 1
    assert Slice.objects.get().due_at == NOW + timedelta(minutes=10)
    assert liveness.tick(NOW + timedelta(minutes=5)) == 0
    assert Slice.objects.get().judged_at == NOW
    assert liveness.tick(NOW + timedelta(minutes=10)) == 1
    put(hangzhou, type="meter", last_seen=NOW)
    liveness.tick(NOW + timedelta(minutes=30))
    assert Slice.objects.get().due_at == NOW + timedelta(minutes=45)  # never farther: rules change too


def test_only_rows_whose_state_changes_are_written(hangzhou: City) -> None:
    for _ in range(5):
        put(hangzhou, type="gauge", last_seen=NOW, state="live", state_at=NOW)
    dead = put(hangzhou, type="gauge", last_seen=NOW - timedelta(days=1), state="live", state_at=NOW)

    def versions() -> dict[int, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, ctid::text FROM sensing_thing")
            return dict(cursor.fetchall())

    before = versions()
    assert liveness.tick(NOW) == 1
    assert {pk for pk, at in versions().items() if at != before[pk]} == {dead.pk}
    [told] = ThingChange.objects.all()
    assert (told.thing_id, told.was, told.state, told.told) == (dead.pk, "live", "silent", False)


def test_neighbours_in_other_slices_are_judged_apart(hangzhou: City) -> None:
    low = put(hangzhou, type="gauge", last_seen=NOW - timedelta(days=1))
    far = put(hangzhou, pk=low.pk + (40 << liveness.BITS), type="gauge", last_seen=NOW - timedelta(days=1))
    assert liveness.tick(NOW, budget=-1.0) == 1  # one slice a tick: the budget is spent
    assert sorted([state(low), state(far)]) == ["new", "silent"]
    assert liveness.tick(NOW) == 1
    assert Slice.objects.count() == 2


def test_a_faulty_thing_stays_so_until_somebody_says_it_is_well(hangzhou: City) -> None:
    one = put(hangzhou, type="gauge", last_seen=NOW)
    liveness.tick(NOW)
    assert liveness.mark_faulty([one.pk], at=NOW, why="flat line") == 1
    assert liveness.mark_faulty([one.pk], at=NOW, why="flat line") == 0  # said before
    Thing.objects.filter(pk=one.pk).update(last_seen=NOW + timedelta(minutes=1))
    liveness.tick(NOW + timedelta(minutes=1))
    assert state(one) == "faulty" and Tally.objects.get().state == "faulty"
    assert liveness.mark_mended([one.pk], at=NOW + timedelta(minutes=2), why="replaced") == 1
    assert state(one) == "live"
    liveness.tick(NOW + timedelta(hours=3))
    assert state(one) == "silent"
    assert list(ThingChange.objects.order_by("pk").values_list("act", "was", "state")) == [
        ("state", "new", "live"), ("faulty", "live", "faulty"), ("mended", "faulty", "live"), ("state", "live", "silent"),
    ]  # fmt: skip


def test_what_speaks_while_it_is_judged_is_not_called_silent(hangzhou: City) -> None:
    """Whoever writes last_seen between reading and writing wins: the judgement of that Thing is left for later."""
    one = put(hangzhou, type="gauge", last_seen=NOW - timedelta(days=1))
    said = liveness._rules()
    with connection.cursor() as cursor:
        plain = liveness._JUDGE.replace("t.last_seen IS NOT DISTINCT FROM j.last_seen", "t.last_seen = '1999-01-01Z'")
        cursor.execute(
            plain,
            {**said, "slice": one.pk >> 13, "first": 0, "after": 1 << 60, "now": NOW, "longest": NOW},
        )
        assert cursor.fetchone()[0] == 0
    assert state(one) == "new" and Tally.objects.get().state == "new"


def test_a_type_that_changes_counts_within_the_longest_rest(hangzhou: City) -> None:
    one = put(hangzhou, type="meter", last_seen=NOW)
    liveness.tick(NOW)
    Thing.objects.filter(pk=one.pk).update(type="gauge")
    liveness.tick(NOW + timedelta(minutes=40))
    assert state(one) == "late"
    assert Datastream.objects.count() == 0


def test_cities_with_and_without_types_are_judged_together(hangzhou: City) -> None:
    """One says whole numbers of periods, the other nothing: the rules of both go to the database in one list."""
    other = City.objects.create(
        name="elsewhere", label="x", label_en="x", timezone="UTC", language="en", number_prefix="EL", about={}
    )
    there = Thing.objects.create(city=other, name="x", description="", places=[], last_seen=NOW - timedelta(days=2))
    here = put(hangzhou, type="gauge", last_seen=NOW - timedelta(minutes=40))
    liveness.tick(NOW)
    assert (state(there), state(here)) == ("silent", "late")
