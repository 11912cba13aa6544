"""From readings to a maintenance case and back: the door, the detectors, the register of things, the case, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from chengshu.brain import lessons, series, upkeep
from chengshu.brain.lessons import midnight
from chengshu.brain.models import Lesson, SceneState, Upkeep
from chengshu.brain.watch import Watched, begin, catch_up, watched
from chengshu.brain.yaml_cases import try_in_city
from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal, system
from chengshu.places.models import City, Division
from chengshu.scenes.devices.sources import PERIOD
from chengshu.sensing import liveness
from chengshu.sensing.accept import accept
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, ObservedProperty, Sensor, Thing, ThingChange
from chengshu.sensing.records import Incoming
from tests.sensing.conftest import MEASUREMENT

pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GAUGES = ("WL-1", "WL-2", "WL-3")


@pytest.fixture
def known(hangzhou: City) -> Catalog:
    return catalog(hangzhou.pk)


@pytest.fixture
def devices(known: Catalog) -> Watched:
    [found] = [each for each in watched(known) if each.loaded.scene.name == "devices"]
    return found


@pytest.fixture
def today(known: Catalog) -> datetime:
    """The midnight before yesterday, so that all of the day after it has passed."""
    return midnight((datetime.now(UTC) - 2 * DAY).astimezone(known.zone).date(), known)


@pytest.fixture
def gauges(hangzhou: City) -> dict[str, Datastream]:
    """Water gauges of Xihu, which its urban management bureau mends."""
    sensor = Sensor.objects.create(
        city=hangzhou, name="radar", description="", encoding_type="text/plain", metadata="x"
    )
    level = ObservedProperty.objects.create(city=hangzhou, name="level", description="", definition="urn:test:level")
    duty = Department.objects.get(city=hangzhou, code="330106-CGJ")
    xihu = Division.objects.get(city=hangzhou, code="330106", valid_to=None)
    made = {}
    for key in GAUGES:
        thing = Thing.objects.create(
            city=hangzhou, name=f"{key}水位计", description="", key=key, type="water_gauge", places=xihu.path, duty=duty
        )
        made[key] = Datastream.objects.create(
            city=hangzhou, name="水位", description="", thing=thing, sensor=sensor, observed_property=level,
            observation_type=MEASUREMENT, unit_of_measurement={}, ucum="m", period=600.0,
        )  # fmt: skip
    changed()
    return made


def levels(today: datetime, gauges: dict[str, Datastream]) -> pl.DataFrame:
    """Three days of waves and one of today: WL-1 stands still from 6 o'clock on, WL-2 leaps once, WL-3 is well."""
    random = np.random.default_rng(5)
    frames = []
    for key, stream in gauges.items():
        at = [today - 3 * DAY + i * PERIOD for i in range(4 * 144)]
        values = np.round(3 + np.sin(np.arange(len(at)) / 30) / 5 + random.normal(0, 0.01, len(at)), 3)
        if key == "WL-1":
            values[3 * 144 + 36 :] = 3.125
        if key == "WL-2":
            values[3 * 144 + 60] += 2
        frames.append(pl.DataFrame({"datastream": stream.pk, "at": at, "result": values}))
    return pl.concat(frames)


def send(rows: pl.DataFrame, actor: Principal) -> None:
    given = rows.with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("line"), pl.lit(None, dtype=pl.String).alias("other")
    )
    incoming = given.select("line", "datastream", pl.col("at").cast(pl.Datetime("us", "UTC")), "result", "other")
    receipt = accept(Incoming(door="test", media_type="x", content=None, rows=incoming), actor=actor)
    assert (receipt.rows, receipt.refused) == (rows.height, 0)


def states() -> dict[str, str]:
    return dict(Thing.objects.filter(key__in=GAUGES).values_list("key", "state"))


def test_a_faulty_gauge_becomes_a_case_of_who_mends_it_and_is_well_when_the_case_ends(
    known: Catalog, devices: Watched, gauges: dict[str, Datastream], today: datetime, who: Who
) -> None:
    send(levels(today, gauges), system(known.city.pk, known.root))
    now = datetime.now(UTC)
    begin(devices, today)
    early = catch_up(devices, now, until=today + 9 * HOUR)
    assert early.rows == 3 * 54 and set(states().values()) == {"new"}
    catch_up(devices, now, until=today + 12 * HOUR)
    assert states() == {"WL-1": "faulty", "WL-2": "faulty", "WL-3": "new"}
    assert not Case.objects.exists()  # a fault is no report of the scene

    assert upkeep.tick(now) == 2
    cases = {upkeep_of(key): key for key in ("WL-1", "WL-2")}
    assert len(cases) == 2
    assert {(c.unit.code, c.type.code, c.scene) for c in cases} == {("330106-CGJ", "equip.upkeep", "upkeep")}
    stuck, jump = sorted(cases, key=lambda case: cases[case])
    assert "WL-1水位计 · 水位读数连续3." in stuck.description and "停在3.12" in stuck.description
    assert "WL-2水位计 · 水位读数跳变" in jump.description
    catch_up(devices, now, until=today + DAY)
    assert upkeep.tick(now) == 0  # it lasts, and is known

    [done] = advance([MoveRequest(case=jump.pk, move="reject", note="误报")], actor=who("operator"), at=now + MINUTE)
    assert done.ok
    upkeep.tick(now + 2 * MINUTE)
    assert states() == {"WL-1": "faulty", "WL-2": "live", "WL-3": "new"}
    assert not Upkeep.objects.filter(thing=gauges["WL-2"].thing, ended_at=None).exists()


def upkeep_of(key: str) -> Case:
    return Upkeep.objects.select_related("case__unit", "case__type").get(thing__key=key).case


def test_looking_again_marks_nothing_twice(
    known: Catalog, devices: Watched, gauges: dict[str, Datastream], today: datetime
) -> None:
    send(levels(today, gauges), system(known.city.pk, known.root))
    now = datetime.now(UTC)
    for _again in range(2):
        begin(devices, today)
        catch_up(devices, now, until=today + 12 * HOUR)
    assert ThingChange.objects.filter(state="faulty").count() == 2


def test_a_line_that_goes_on_after_its_case_was_closed_is_told_again(
    known: Catalog, devices: Watched, gauges: dict[str, Datastream], today: datetime
) -> None:
    rows = levels(today, {"WL-1": gauges["WL-1"]})
    more = pl.DataFrame({"datastream": gauges["WL-1"].pk, "at": [today + DAY + i * PERIOD for i in range(72)]})
    send(pl.concat([rows, more.with_columns(pl.lit(3.125).alias("result"))]), system(known.city.pk, known.root))
    now = datetime.now(UTC)
    begin(devices, today)
    catch_up(devices, now, until=today + DAY)
    liveness.mark_mended([gauges["WL-1"].thing_id], at=now, why="结案")
    catch_up(devices, now, until=today + DAY + 9 * HOUR)
    assert states()["WL-1"] == "live"
    catch_up(devices, now, until=today + DAY + 12 * HOUR)
    assert states()["WL-1"] == "faulty"


def test_what_the_city_does_not_name_is_left_alone_and_the_numbers_are_kept(
    known: Catalog, devices: Watched, gauges: dict[str, Datastream], today: datetime
) -> None:
    Thing.objects.filter(key="WL-1").update(type="camera")
    changed()
    send(levels(today, gauges), system(known.city.pk, known.root))
    begin(devices, today)
    catch_up(devices, datetime.now(UTC), until=today + 12 * HOUR)
    assert states() == {"WL-1": "new", "WL-2": "faulty", "WL-3": "new"}
    state = SceneState.objects.get(scene="devices", detector="stuck", stream="")
    assert len(state.state["thing"]) == 2
    values = series.series(known.city.pk, "devices", "spoken_share", since=today, until=today + 12 * HOUR)
    assert {value.value for value in values} == {1.0} and len(values) == 72
    strange = series.series(known.city.pk, "devices", "strange", since=today, until=today + 12 * HOUR)
    assert [value.at for value in strange if value.value] == [today + 10 * HOUR + PERIOD]


def test_teaching_many_datastreams_part_by_part_teaches_the_same(
    known: Catalog, devices: Watched, gauges: dict[str, Datastream], today: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(levels(today, gauges), system(known.city.pk, known.root))
    day = today.astimezone(known.zone).date()

    def taught(rows: int) -> dict[str, list[tuple[object, ...]]]:
        monkeypatch.setattr(lessons, "ROWS", rows)
        Lesson.objects.all().delete()
        found = lessons.lessons(devices.loaded, devices.bound, devices.streams(), known, day).taught
        assert set(Lesson.objects.values_list("rows", flat=True)) == {3 * 432}
        return {name: sorted(frame.rows()) for name, frame in found.items()}

    whole = taught(1_000_000)
    assert {name: len(rows) for name, rows in whole.items()} == {"stuck": 3, "jump": 3}
    assert taught(1) == whole


def test_a_sentence_names_no_unit_for_a_fault(known: Catalog, devices: Watched) -> None:
    sentence = next(each for each in devices.loaded.sentences if each.then)
    [expected] = sentence.then
    wrong = replace(sentence, then=(replace(expected, dispatched_to="metro"),))
    assert try_in_city(devices.loaded, sentence, known).holds
    [mismatch] = try_in_city(devices.loaded, wrong, known).mismatches
    assert "the register of things names" in mismatch
