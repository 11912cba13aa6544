"""The replay of the real record: measured numbers, restarts, labels, days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.utils import translation

from chengshu.brain.cli import days_of, told
from chengshu.brain.models import SceneState
from chengshu.brain.replay import HISTORY, city_named, like, play_all, play_live, standing
from chengshu.brain.tape import _keep
from chengshu.cases.models import Case
from chengshu.core.errors import ChengshuError, Invalid, NotFound
from chengshu.places.models import City
from chengshu.scene import Rejected


def stop_after(slots: int) -> Callable[[float], bool]:
    waits = iter(range(slots))
    return lambda _seconds: next(waits, None) is None


def clock() -> datetime:
    return datetime(2026, 3, 6, 1, 0, tzinfo=UTC)


def test_the_whole_record_in_true_time_and_again(hangzhou: City) -> None:
    tally = play_all("crowd", "hangzhou")
    assert (tally.rows, tally.slots, tally.quarantined) == (155_520, 432, {})
    assert tally.opened == {"crowd.station.warning": 13, "crowd.station.alarm": 1}
    assert list(tally.opened_by_day.values()) == [0, 2, 5, 7]
    assert tally.refused == {}
    cases = Case.objects.filter(scene="crowd")
    assert cases.count() == 14
    for case in cases.select_related("state", "unit"):
        assert case.state.code == "dispatched"
        tasks = case.tasks.select_related("unit").order_by("-lead")
        assert [(task.lead, task.unit.function) for task in tasks] == [(True, "metro"), (False, "operations_center")]
        assert case.opened_at.year == 2019
    again = play_all("crowd", "hangzhou")
    assert (again.skipped, again.findings) == (432, 0)
    with translation.override("en"):
        assert "432 slots played, 432 of them known before" in told(again)


def test_a_part_first_gives_the_same_in_the_end(hangzhou: City) -> None:
    first = play_all("crowd", "hangzhou", days=(15, 16))
    assert (first.slots, sum(first.opened.values())) == (216, 2)
    rest = play_all("crowd", "hangzhou")
    assert (rest.skipped, sum(rest.opened.values())) == (216, 12)


def test_live_goes_on_after_a_stop_and_begins_a_new_round(hangzhou: City) -> None:
    play_live("crowd", "hangzhou", speed=600, pause=stop_after(200), now=clock)
    number, seen = standing("crowd", hangzhou.pk)
    assert (number, seen) == (1, datetime(2019, 1, 16, 13, 20, tzinfo=UTC))  # 200 slots: day 16, 21:20 in Hangzhou
    rest = play_live("crowd", "hangzhou", speed=600, pause=lambda _: False, once=True, now=clock)
    assert rest.slots == 232
    assert Case.objects.filter(scene="crowd", key__startswith="hangzhou/live-1/").count() == 14
    again = play_live("crowd", "hangzhou", speed=600, pause=lambda _: False, once=True, now=clock)
    assert (again.slots, standing("crowd", hangzhou.pk)[0]) == (0, 1), "one round in all"
    play_live("crowd", "hangzhou", speed=600, pause=stop_after(5), now=clock)
    assert standing("crowd", hangzhou.pk)[0] == 2


def test_a_round_stands_where_the_slowest_detector_is(hangzhou: City) -> None:
    early, late = (datetime(2019, 1, 16, hour, tzinfo=UTC) for hour in (8, 9))
    for detector, seen in (("first", late), ("second", early), ("third", late)):
        SceneState.objects.create(city=hangzhou, scene="x", detector=detector, stream="live-1", seen_until=seen)
    assert standing("x", hangzhou.pk) == (1, early)
    SceneState.objects.create(city=hangzhou, scene="x", detector="fourth", stream="live-1")
    assert standing("x", hangzhou.pk) == (1, None)


def test_live_cases_are_of_today_and_say_what_they_are(hangzhou: City) -> None:
    play_live("crowd", "hangzhou", speed=600, pause=lambda _: False, once=True, days=(16, 16), now=clock)
    alarm = Case.objects.get(scene="crowd", type__code="crowd.station.alarm")
    assert alarm.opened_at == clock()
    assert alarm.due_at is not None
    assert alarm.due_at > clock()
    assert "2019-01-16 20:30" in alarm.description
    assert "01-16 20:30" in alarm.title
    report = alarm.reports.get()
    assert report.payload["true_time"] == "2019-01-16T12:40:00+00:00"
    assert report.payload["schematic"] is True


def test_at_true_speed_it_begins_at_the_present_time_of_day(hangzhou: City) -> None:
    friday_noon = datetime(2026, 3, 6, 4, 5, tzinfo=UTC)  # 12:05 in Hangzhou
    play_live("crowd", "hangzhou", speed=1, pause=stop_after(1), now=lambda: friday_noon)
    assert standing("crowd", hangzhou.pk) == (1, datetime(2019, 1, 18, 4, 20, tzinfo=UTC))


def test_speed_sets_the_pause(hangzhou: City) -> None:
    waited: list[float] = []

    def pause(seconds: float) -> bool:
        waited.append(seconds)
        return True

    play_live("crowd", "hangzhou", speed=60, pause=pause)
    assert waited == [10.0]
    with pytest.raises(Invalid, match="not above 0"):
        play_live("crowd", "hangzhou", speed=0, pause=pause)


def test_the_day_most_like_today() -> None:
    days = tuple(date(2019, 1, day) for day in (15, 16, 17, 18))
    weekday = lambda day: day.weekday() < 5  # noqa: E731
    assert like(date(2026, 3, 5), days, weekday) == date(2019, 1, 17)  # a Thursday
    assert like(date(2026, 3, 9), days, weekday) == date(2019, 1, 15)  # a Monday: the first working day there is
    assert like(date(2026, 3, 8), days, weekday) == date(2019, 1, 15)  # a Sunday: none is free


def test_days_that_teach_are_not_played(hangzhou: City) -> None:
    with pytest.raises(Invalid, match="Days 1 to 14 teach"):
        play_all("crowd", "hangzhou", days=(14, 15))
    with pytest.raises(Invalid, match="nothing to play"):
        play_all("crowd", "hangzhou", days=(30, 31))


def test_unknown_cities_and_scenes_are_told(db: None) -> None:
    with pytest.raises(NotFound, match="load-city"):
        city_named("atlantis")
    with pytest.raises(ChengshuError):
        play_all("no-scene", "hangzhou")


@pytest.mark.parametrize(("text", "days"), [("", None), ("16", (16, 16)), ("15-18", (15, 18))])
def test_days_are_read(text: str, days: tuple[int, int] | None) -> None:
    assert days_of(text) == days


@pytest.mark.parametrize("text", ["18-15", "x", "0", "15-", "-3"])
def test_what_names_no_days_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        days_of(text)


def test_rows_left_out_are_kept_with_their_reason(tmp_path: Path, settings: object) -> None:
    settings.HOME = tmp_path  # type: ignore[attr-defined]
    _keep("crowd", b"x", (Rejected(line=7, reason="inflow is negative", content="1,1,1,-1", remedy="r"),))
    [file] = (tmp_path / "quarantine").iterdir()
    assert '"line": 7' in file.read_text()
    assert HISTORY == "history"
