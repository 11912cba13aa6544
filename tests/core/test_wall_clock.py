from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core.wall_clock import EPOCH, MICROSECOND, from_micros, to_micros, wall_clock

ZONES = ["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"]
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(datetime(2005, 1, 2), datetime(2035, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def _wall(moment: datetime, zone: ZoneInfo) -> int:
    return (moment.astimezone(zone).replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def _near_changes(zone: ZoneInfo) -> list[datetime]:
    clock = wall_clock(zone, 2005, 2035)
    return [from_micros(int(change)) + timedelta(minutes=m) for change in clock.changes for m in range(-90, 91, 15)]


@given(moments, zones)
def test_wall_times_are_those_of_zoneinfo(moment: datetime, zone: ZoneInfo) -> None:
    local = wall_clock(zone, 2005, 2035).local(np.array([to_micros(moment)]))
    assert local.tolist() == [_wall(moment, zone)]


def test_around_every_change_of_offset_wall_times_are_those_of_zoneinfo() -> None:
    for zone in map(ZoneInfo, ZONES):
        moments = _near_changes(zone)
        local = wall_clock(zone, 2005, 2035).local(np.array([to_micros(m) for m in moments], dtype=np.int64))
        assert local.tolist() == [_wall(m, zone) for m in moments]


def test_back_to_utc_a_wall_time_that_occurs_twice_is_the_first() -> None:
    for zone in map(ZoneInfo, ZONES):
        walls = [moment.astimezone(zone).replace(fold=0) for moment in _near_changes(zone)]
        micros = np.array([_wall(wall, zone) for wall in walls], dtype=np.int64)
        expected = [to_micros(wall.astimezone(UTC)) for wall in walls]
        assert wall_clock(zone, 2005, 2035).utc(micros).tolist() == expected


def test_a_skipped_wall_time_is_the_moment_of_the_change() -> None:
    zone = ZoneInfo("America/New_York")
    skipped = (datetime(2015, 3, 8, 2, 30, tzinfo=UTC) - EPOCH) // MICROSECOND
    utc = wall_clock(zone, 2015, 2015).utc(np.array([skipped]))
    assert from_micros(int(utc[0])).astimezone(zone) == datetime(2015, 3, 8, 3, 0, tzinfo=zone)


@given(zones, st.lists(st.integers(0, 30 * 365 * 24 * 60), min_size=2, max_size=20))
def test_later_wall_times_are_never_earlier_moments(zone: ZoneInfo, minutes: list[int]) -> None:
    start = (datetime(2005, 1, 2, tzinfo=UTC) - EPOCH) // MICROSECOND
    walls = start + np.array(sorted(minutes), dtype=np.int64) * 60_000_000
    assert (np.diff(wall_clock(zone, 2005, 2035).utc(walls)) >= 0).all()
