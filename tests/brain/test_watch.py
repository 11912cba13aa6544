"""Scenes looking at a city's observations: the same findings as of a record, whatever comes late, and numbers with lineage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from chengshu.brain import series, watch
from chengshu.brain.look import look, window
from chengshu.brain.models import Checkpoint, Lesson, Point, SceneState
from chengshu.brain.records import Batch, Knowledge
from chengshu.brain.sensed import Bound
from chengshu.brain.watch import Watched, begin, catch_up, tick, watched
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Report
from chengshu.parties.principal import Principal, system
from chengshu.places.models import City, Division
from chengshu.scenes.crowd.sources import METRO_INFLOW
from chengshu.sensing.accept import accept
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, Delivery, ObservedProperty, Sensor, Thing
from chengshu.sensing.records import Incoming
from tests.sensing.conftest import MEASUREMENT

DAY = timedelta(days=1)
SLOT = METRO_INFLOW.period
Send = Callable[[pl.DataFrame], None]
STATIONS = ("9", "10", "11", "78", "4")


@pytest.fixture
def known(hangzhou: City) -> Catalog:
    return catalog(hangzhou.pk)


@pytest.fixture
def gateway(hangzhou: City, known: Catalog) -> Principal:
    return system(hangzhou.pk, known.root)


@pytest.fixture
def record(known: Catalog) -> pl.DataFrame:
    """The real inflow of the stations that stood out on the fifteenth day, and of two calm ones."""
    entry = known.parts["sources"]["sources"][0]
    content = (Path(settings.CITIES_ROOT) / "hangzhou" / entry["file"]).read_bytes()
    frame = METRO_INFLOW.decode(content, {"timezone": known.city.timezone, **entry}).frame
    return frame.filter(pl.col("thing").is_in(list(STATIONS)))


@pytest.fixture
def stations(hangzhou: City) -> dict[str, int]:
    """The datastream of each station by its number."""
    sensor = Sensor.objects.create(city=hangzhou, name="gate", description="", encoding_type="text/plain", metadata="x")
    inflow = ObservedProperty.objects.create(
        city=hangzhou, name="inflow", description="", definition="urn:chengshu:property:metro-inflow"
    )
    xihu = Division.objects.get(city=hangzhou, code="330106", valid_to=None)
    made = {}
    for number in STATIONS:
        thing = Thing.objects.create(
            city=hangzhou, name=f"station {number}", description="", key=number, type="metro_station", places=xihu.path
        )
        made[number] = Datastream.objects.create(
            city=hangzhou, name="inflow", description="", thing=thing, sensor=sensor, observed_property=inflow,
            observation_type=MEASUREMENT, unit_of_measurement={}, ucum="{person}", period=600.0,
        ).pk  # fmt: skip
    changed()
    return made


@pytest.fixture
def crowd(known: Catalog) -> Watched:
    [found] = [each for each in watched(known) if each.loaded.scene.name == "crowd"]
    return found


@pytest.fixture
def send(gateway: Principal, stations: dict[str, int]) -> Send:
    """Send rows of the record through the door."""

    def accepted(rows: pl.DataFrame) -> None:
        incoming = rows.select(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("line"),
            pl.col("thing").replace_strict(stations, return_dtype=pl.Int64).alias("datastream"),
            "at",
            pl.col("inflow").cast(pl.Float64).alias("result"),
            pl.lit(None, dtype=pl.String).alias("other"),
        )
        receipt = accept(Incoming(door="test", media_type="x", content=None, rows=incoming), actor=gateway)
        assert (receipt.rows, receipt.refused) == (rows.height, 0)

    return accepted


def day(record: pl.DataFrame, number: int) -> datetime:
    """When the nth day of the record begins, in the city."""
    first = record["at"].min()
    assert isinstance(first, datetime)
    return first - timedelta(hours=6) + (number - 1) * DAY


def found(stream: str = "") -> list[tuple[str, str, datetime]]:
    """Key with its time, type and time of what was found."""
    prefix = "/".join(filter(None, ("hangzhou", stream))) + "/"
    rows = Report.objects.filter(origin="scene:crowd").values_list("origin_key", "case__type__code", "occurred_at")
    keys = sorted((key.removeprefix(prefix), kind, at) for key, kind, at in rows if key.startswith(prefix))
    return [row for row in keys if "/" not in row[0]]


def played(crowd: Watched, record: pl.DataFrame, number: int) -> list[tuple[str, str, datetime]]:
    """What the scene finds on a day when it is given the record slot by slot, taught by the fourteen days before."""
    loaded, known = crowd.loaded, crowd.known
    [detector] = loaded.scene.detectors
    assert detector.teach
    start, end = day(record, number - 14), day(record, number)
    before = record.filter(pl.col("at").is_between(start, end, closed="left"))
    lesson = Batch(source="metro_inflow", frame=before, start=start, end=end)
    taught = detector.teach(window(loaded, lesson, known, Knowledge()))
    knowledge = Knowledge(taught={detector.name: taught})
    for frame in record.filter(pl.col("at").is_between(end, end + DAY, closed="left")).partition_by("at"):
        at = frame["at"][0]
        slot = Batch(source="metro_inflow", frame=frame, start=at, end=at + SLOT)
        look(loaded, slot, city=known.city.pk, at=slot.end, knowledge=knowledge, stream="x")
    return found("x")


def test_observations_give_what_the_record_gives(record: pl.DataFrame, send: Send, crowd: Watched) -> None:
    expected = played(crowd, record, 17)
    assert {key.partition(":")[0] for key, _kind, _at in expected} >= {"9", "11"}
    send(record)
    begin(crowd, day(record, 17))
    done = catch_up(crowd, datetime.now(UTC), until=day(record, 18), patience=600)
    assert done.rows == len(STATIONS) * 108
    assert 1 < done.windows < 20  # more at once, where there is much to catch up with
    assert done.findings == len(expected)
    assert found() == expected
    assert Lesson.objects.get().rows == 14 * len(STATIONS) * 108


def test_what_comes_late_is_looked_at_and_nothing_is_found_twice(
    record: pl.DataFrame, send: Send, crowd: Watched
) -> None:
    expected = played(crowd, record, 17)
    evening = day(record, 17) + timedelta(hours=20)
    late = (pl.col("thing") == "9") & pl.col("at").is_between(evening, evening + timedelta(hours=1))
    now = datetime.now(UTC)
    send(record.filter(~late & (pl.col("at") < day(record, 18))))
    watch._arrivals(crowd.known, [crowd], now)
    begin(crowd, day(record, 17))
    for hour in range(24):  # as it would go on by itself
        catch_up(crowd, now, until=day(record, 17) + timedelta(hours=hour + 1))
    without = found()
    assert len(without) < len(expected)
    send(record.filter(late))
    watch._arrivals(crowd.known, [crowd], now)
    state = SceneState.objects.get(scene="crowd", stream="")
    assert evening - timedelta(hours=1) <= state.seen_until <= evening  # and not since the morning
    catch_up(crowd, now, until=day(record, 18), patience=600)
    assert found() == expected
    points = Point.objects.filter(scene="crowd", indicator="network_inflow", at=evening + SLOT)
    assert points.get().look.rows > 0


def test_a_new_source_begins_now_and_goes_on_with_what_comes(
    hangzhou: City, record: pl.DataFrame, send: Send, crowd: Watched
) -> None:
    send(record.filter(pl.col("at") < day(record, 2)))
    now = datetime.now(UTC)
    assert tick(now) == 0
    began = SceneState.objects.get(scene="crowd", stream="")
    assert began.seen_until == crowd.settled(now)
    assert not Delivery.objects.filter(looked=False).exists()

    at = crowd.settled(now)
    send(pl.DataFrame({"thing": ["9", "4"], "at": [at, at], "inflow": [120, 30]}))
    tick(at + SLOT)
    assert not series.latest(hangzhou.pk, "crowd", "network_inflow")  # it is still waited for
    tick(at + SLOT + crowd.bound.late)
    [value] = series.latest(hangzhou.pk, "crowd", "network_inflow")
    assert (value.value, value.at, value.rows) == (150.0, at + SLOT, 2)
    assert (value.since, value.until, value.lesson) == (at, at + SLOT, at.astimezone(crowd.known.zone).date())
    assert tick(at + SLOT + crowd.bound.late) == 0


def test_what_breaks_off_leaves_nothing_and_is_done_again(
    record: pl.DataFrame, send: Send, crowd: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = played(crowd, record, 17)
    send(record.filter(pl.col("at") < day(record, 18)))
    begin(crowd, day(record, 17))

    def die(*_args: object, **_named: object) -> None:
        raise RuntimeError("killed when the cases were written")

    with monkeypatch.context() as broken, pytest.raises(RuntimeError), transaction.atomic():
        broken.setattr(series, "keep", die)
        catch_up(crowd, datetime.now(UTC), until=day(record, 18), patience=600)
    assert found() == []
    assert SceneState.objects.get(scene="crowd", stream="").seen_until == day(record, 17)
    catch_up(crowd, datetime.now(UTC), until=day(record, 18), patience=600)
    assert found() == expected


def test_looking_again_from_a_day_on_opens_nothing_twice(record: pl.DataFrame, send: Send, crowd: Watched) -> None:
    send(record.filter(pl.col("at") < day(record, 18)))
    until = day(record, 18)
    begin(crowd, day(record, 17))
    first = catch_up(crowd, datetime.now(UTC), until=until, patience=600)
    before, numbers = (
        found(),
        list(Point.objects.order_by("indicator", "at", "thing").values_list("at", "thing", "value")),
    )
    assert first.opened > 0
    begin(crowd, day(record, 17))
    again = catch_up(crowd, datetime.now(UTC), until=until, patience=600)
    assert (again.findings, again.opened) == (first.findings, 0)
    assert found() == before
    assert list(Point.objects.order_by("indicator", "at", "thing").values_list("at", "thing", "value")) == numbers


def test_only_so_many_checkpoints_are_kept(record: pl.DataFrame, send: Send, crowd: Watched) -> None:
    send(record)
    begin(crowd, day(record, 1))
    catch_up(crowd, datetime.now(UTC), until=day(record, 19), patience=600)
    kept = list(Checkpoint.objects.order_by("until").values_list("until", flat=True))
    assert kept[0] <= day(record, 19) - watch.BACK < kept[1]
    assert kept[-1] == day(record, 19)


def test_checkpoints_of_the_last_hour_are_close_those_before_an_hour_apart() -> None:
    end = datetime(2026, 11, 20, 12, tzinfo=UTC)
    every = [end - n * watch.FINE for n in range(12 * 24 * 9, -1, -1)]
    left = sorted(watch.wanted(every, end))
    assert [each for each in left if each > end - watch.HOUR] == every[-12:]
    before = [each for each in left if each <= end - watch.HOUR]
    assert {later - earlier for earlier, later in pairwise(before)} == {watch.HOUR}
    assert before[0] == end - watch.BACK
    assert watch.wanted(left, end) == set(left)


def test_one_worker_at_a_time_looks_at_a_city(hangzhou: City, crowd: Watched) -> None:
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('brain.watch'), %s)", [hangzhou.pk])
        tick(datetime.now(UTC))
        other.execute("SELECT pg_advisory_unlock_all()")
        assert not SceneState.objects.filter(stream="").exists()
    tick(datetime.now(UTC))
    assert SceneState.objects.filter(stream="").exists()


def test_a_scene_that_fails_keeps_no_other_waiting(
    hangzhou: City, crowd: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    tick(now)
    others = SceneState.objects.filter(stream="").exclude(scene="crowd")
    assert others.exists()
    real = watch.frame

    def broken(bound: Bound, *given: object) -> pl.DataFrame:
        if bound.source.name == "metro_inflow":
            raise ZeroDivisionError("a scene's mistake")
        return real(bound, *given)  # type: ignore[arg-type]

    later = now + timedelta(hours=2)
    with monkeypatch.context() as patched:
        patched.setattr(watch, "frame", broken)
        tick(later)
    assert "scene.failed" in capsys.readouterr().out
    assert SceneState.objects.get(stream="", scene="crowd").seen_until == crowd.settled(now)
    assert all(state.seen_until > now + timedelta(hours=1) for state in others)
    assert tick(later) == 0  # let be for a while
    monkeypatch.setattr(watch, "RESTING", 0.0)
    crowd.known.memo.pop(f"failed:{crowd.name}")
    tick(later)
    assert SceneState.objects.get(stream="", scene="crowd").seen_until == crowd.settled(later)
