"""Sealed days are read as before: nothing lost, nothing doubled, whatever comes late, is changed, or deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from chengshu.core.errors import Conflict
from chengshu.lake import engine, tables
from chengshu.parties.principal import Principal
from chengshu.sensing import cold, keep, store
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.models import Day, Delivery, FeatureOfInterest, Gone, GoneStream, Lake, Raw, Thing
from chengshu.sensing.observations import observations
from chengshu.sensing.records import Receipt
from chengshu.sensing.seal import seal
from chengshu.sensing.seam import OBSERVATIONS, lake_url, snapshot, start
from tests.sensing.conftest import Stream

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = date(2026, 11, 18)
Who = Callable[[str], Principal]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, settings: Any) -> Path:
    settings.LAKE, settings.SPOOL, settings.HOT_DAYS = str(tmp_path / "lake"), tmp_path / "spool", 3
    return tmp_path / "lake"


def send(who: Who, *rows: dict[str, Any], repeat: bool = False) -> Receipt:
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return accept(ndjson(text.encode()), actor=who("gateway"), at=NOW, repeat=repeat)


def row(datastream: int, time: str = "2026-11-18T08:00:00Z", result: object = 20.5, **more: object) -> dict[str, Any]:
    return {"datastream": datastream, "phenomenonTime": time, "result": result, **more}


def everything(**narrow: Any) -> list[dict[str, Any]]:
    with observations(engine.local(), **narrow) as table:
        return table.order_by("datastream", "at", "id").to_pyarrow().to_pylist()


def results(**narrow: Any) -> list[float | None]:
    return [each["result"] for each in everything(**narrow)]


def hot() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sensing_observation")
        return int(cursor.fetchone()[0])


def test_a_sealed_day_reads_as_before_in_every_column(who: Who, stream: Stream) -> None:
    one, other = (
        stream(),
        stream(
            observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation", low=None, high=None
        ),
    )
    send(
        who,
        row(other.pk, "2026-11-18T23:59:59.999999Z", {"级别": 'a "b", \\c\nd', "n": [1, None]}),
        row(one.pk, "2026-11-18T08:00:00.000001Z", 0.1 + 0.2, resultQuality={"ok": True}, parameters={"a": 1}),
        row(one.pk, "2026-11-18T07:00:00Z/2026-11-18T07:05:00Z", -3, resultTime="2026-11-18T07:06:00Z"),
        row(one.pk, "2026-11-20T07:00:00Z", 5),
    )
    before = everything()
    assert len(before) == 4 and before[1]["result"] == 0.1 + 0.2 and before[0]["until"] is not None
    [done] = seal([DAY], now=NOW)
    assert (done.rows, done.version, hot()) == (3, 1, 1)
    assert everything() == before
    assert [each["day"] for each in before] == [DAY, DAY, date(2026, 11, 20), DAY]
    found = Day.objects.get(day=DAY)
    assert (found.hot, found.cold, Lake.objects.get().version) == (False, True, 1)


def test_the_cell_is_that_of_a_point_of_its_own_else_the_things(who: Who, stream: Stream) -> None:
    one, point = stream(), FeatureOfInterest.objects.create(
        city_id=stream().city_id, name="x", description="", places=[], encoding_type="application/geo+json", feature={},
        west=120.15, east=120.15, south=30.25, north=30.25,
    )  # fmt: skip
    Thing.objects.filter(pk=one.thing_id).update(cell=617733150000000000)
    frame = ndjson(json.dumps(row(one.pk)).encode() + b"\n" + json.dumps(row(one.pk, "2026-11-18T09:00:00Z")).encode())
    accept(frame, actor=who("gateway"), at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sensing_observation SET feature = %s WHERE at > '2026-11-18 08:30+00'", [point.pk])
    import h3.api.basic_int as h3

    assert [each["cell"] for each in everything()] == [617733150000000000, h3.latlng_to_cell(30.25, 120.15, 9)]


def test_what_comes_again_is_known_and_what_contradicts_is_refused(who: Who, stream: Stream) -> None:
    one = stream()
    first = send(who, row(one.pk), row(one.pk, "2026-11-18T09:00:00Z", 21))
    seal([DAY], now=NOW)
    again = send(who, row(one.pk), row(one.pk, "2026-11-18T09:00:00Z", 22), row(one.pk, "2026-11-18T10:00:00Z", 23))
    assert (first.rows, again.rows, again.known, again.refused) == (2, 1, 1, 1)
    assert [p.reason for p in again.problems] == ["contradicts"]
    assert results() == [20.5, 21.0, 23.0]
    [done] = seal([DAY], now=NOW)
    assert done.rows == 3 and hot() == 0 and results() == [20.5, 21.0, 23.0]


def test_json_that_comes_again_in_another_order_is_known(who: Who, stream: Stream) -> None:
    one = stream(observation_type="x", low=None, high=None)
    send(who, row(one.pk, result={"a": 1, "b": 2.0}))
    seal([DAY], now=NOW)
    again = send(who, row(one.pk, result={"b": 2, "a": 1}), row(one.pk, result={"b": 2, "a": True}))
    assert (again.known, again.refused) == (1, 1)


def test_an_observation_is_found_changed_and_deleted(who: Who, stream: Stream) -> None:
    one = stream()
    ids = dict(send(who, *(row(one.pk, f"2026-11-18T0{hour}:00:00Z", hour) for hour in range(5))).ids)
    seal([DAY], now=NOW)
    found = cold.fetch(ids[2])
    assert found is not None and (found["result"], found["datastream"]) == (1.0, one.pk)
    assert cold.fetch(ids[5] + 7) is None and cold.fetch(2**62) is None
    assert cold.remove(ids[1]) and not cold.remove(ids[1]) and cold.fetch(ids[1]) is None
    assert store.with_days([DAY], lambda: cold.thaw(ids[2])) and cold.fetch(ids[2]) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sensing_observation SET result = 70 WHERE id = %s", [ids[2]])
    assert results() == [70, 2, 3, 4]
    assert Gone.objects.count() == 2
    seal([DAY], now=NOW)
    assert results() == [70, 2, 3, 4] and Gone.objects.count() == 0
    assert cold.fetch(ids[2])["result"] == 70  # type: ignore[index]


def test_a_deleted_datastream_is_read_no_more(who: Who, stream: Stream) -> None:
    one, two = stream(), stream()
    send(who, row(one.pk, result=1), row(two.pk, result=2))
    seal([DAY], now=NOW)
    GoneStream.objects.create(datastream=one.pk)
    assert results() == [2]
    send(who, row(two.pk, "2026-11-18T10:00:00Z", 3))
    [done] = seal([DAY], now=NOW)
    assert done.rows == 2 and results() == [2, 3]


def test_a_day_of_which_nothing_is_left(who: Who, stream: Stream) -> None:
    one = stream()
    ids = send(who, row(one.pk)).ids
    seal([DAY], now=NOW)
    cold.remove(ids[1])
    store.open_days([DAY])
    assert seal([DAY], now=NOW)[0].rows == 0
    assert results() == [] and not Day.objects.get(day=DAY).cold


def test_narrowed_by_time_and_datastream_over_both_sides(who: Who, stream: Stream) -> None:
    one, two = stream(), stream()
    send(who, *(row(each.pk, f"2026-11-{day}T08:00:00Z", day) for each in (one, two) for day in (17, 18, 19, 20)))
    seal([date(2026, 11, 17), DAY, date(2026, 11, 19)], now=NOW)
    assert results(datastreams=[two.pk]) == [17, 18, 19, 20]
    since, until = datetime(2026, 11, 18, 8, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert results(since=since, until=until) == [18, 19, 18, 19]
    with snapshot(since, until) as seen:
        pages = [
            cold.page(seen, one.pk, since=since, until=until, limit=5, newest_first=down) for down in (False, True)
        ]
    assert [[each["result"] for each in rows] for rows in pages] == [[18, 19], [19, 18]]
    assert results(datastreams=[two.pk, *range(10**9, 10**9 + 1_500)]) == [17, 18, 19, 20]
    assert results(datastreams=[]) == []


def test_what_an_attempt_left_behind_is_taken_back(who: Who, stream: Stream) -> None:
    one = stream()
    send(who, row(one.pk))
    seal([DAY], now=NOW)
    send(who, row(one.pk, "2026-11-18T10:00:00Z", 21), row(one.pk, "2026-11-17T10:00:00Z", 22))

    class Killed(Exception):
        pass

    def kill(point: str) -> None:
        if point == "versioned":
            raise Killed

    with pytest.raises(Killed):
        seal([DAY], now=NOW, reached=kill)
    assert tables.open_table(lake_url(), OBSERVATIONS).version() == 2
    assert results() == [22, 20.5, 21]
    seal([date(2026, 11, 17)], now=NOW)
    assert results() == [22, 20.5, 21] and hot() == 1


def test_a_row_that_comes_while_the_day_is_copied_is_not_lost(who: Who, stream: Stream) -> None:
    one = stream()
    send(who, row(one.pk))
    late = iter([21.0])

    def write(point: str) -> None:
        if point == "written" and (result := next(late, None)):
            send(who, row(one.pk, "2026-11-18T10:00:00Z", result))

    [done] = seal([DAY], now=NOW, reached=write)
    assert done.rows == 2 and results() == [20.5, 21] and hot() == 0


def test_the_rule_seals_forgets_and_keeps(who: Who, stream: Stream, settings: Any) -> None:
    settings.HOT_DAYS, settings.COLD_DAYS, settings.RAW_DAYS = 3, 5, 1
    one = stream()
    send(who, *(row(one.pk, f"2026-11-{day}T08:00:00Z", day) for day in (16, 17, 18, 19, 20)))
    Delivery.objects.update(received=NOW - timedelta(days=2))
    done = keep.tick(NOW)
    assert [each.day.day for each in done.sealed] == [16, 17, 18, 19]
    assert [day.day for day in done.forgotten] == [16]
    assert done.contents == 1 and not Raw.objects.exists()
    assert results() == [17, 18, 19, 20]
    assert keep.tick(NOW) == keep.Kept()


def test_history_that_has_just_come_waits_until_it_was_looked_at(who: Who, stream: Stream) -> None:
    send(who, row(stream().pk))
    assert not keep.tick(NOW + timedelta(minutes=9)).sealed
    Delivery.objects.update(seen=False)
    assert not keep.tick(NOW + timedelta(minutes=11)).sealed
    Delivery.objects.update(seen=True)
    assert [each.day for each in keep.tick(NOW + timedelta(minutes=11)).sealed] == [DAY]


def test_late_rows_are_sealed_after_an_hour_of_quiet(who: Who, stream: Stream) -> None:
    one = stream()
    send(who, row(one.pk))
    real = datetime.now(UTC) + timedelta(days=30)
    assert len(keep.tick(real).sealed) == 1
    send(who, row(one.pk, "2026-11-18T10:00:00Z", 21))
    Day.objects.filter(day=DAY).update(sealed_at=real - timedelta(minutes=59))
    assert not keep.tick(real).sealed
    assert len(keep.tick(real + timedelta(minutes=2)).sealed) == 1


def test_what_was_deleted_leaves_the_files_by_the_rule(who: Who, stream: Stream) -> None:
    one = stream()
    ids = send(who, row(one.pk), row(one.pk, "2026-11-18T10:00:00Z", 21)).ids
    real = datetime.now(UTC) + timedelta(days=1)
    seal([DAY], now=NOW)
    assert cold.remove(ids[1])
    assert [each.rows for each in keep.tick(real).sealed] == [1]
    assert not Gone.objects.exists() and results() == [21]


def test_only_a_day_that_has_ended_and_the_lake_of_this_city(
    who: Who, stream: Stream, lake: Path, settings: Any
) -> None:
    with pytest.raises(Conflict, match="2026-11-21"):
        seal([NOW.date() - timedelta(days=1)], now=NOW)
    send(who, row(stream().pk))
    seal([DAY], now=NOW)
    Lake.objects.update(version=7)
    store.open_days([DAY])
    with pytest.raises(Conflict, match="does not belong"):
        seal([DAY], now=NOW)


def test_vacuum_keeps_what_is_read_now(who: Who, stream: Stream, lake: Path) -> None:
    one = stream()
    send(who, row(one.pk))
    seal([DAY], now=NOW)
    send(who, row(one.pk, "2026-11-18T10:00:00Z", 21))
    seal([DAY], now=NOW)
    assert keep.vacuum() == []
    assert results() == [20.5, 21] and len(list(lake.rglob("*.parquet"))) == 2
    assert start(DAY) + timedelta(hours=8) == everything()[0]["at"]


def test_nothing_is_sealed_by_itself_unless_a_rule_says_so(who: Who, stream: Stream, settings: Any) -> None:
    settings.HOT_DAYS = 0
    send(who, row(stream().pk))
    assert keep.tick(datetime.now(UTC) + timedelta(days=30)).sealed == ()
