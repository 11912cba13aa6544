"""What each detector finds, in series short enough to be judged by eye."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chengshu import detectors
from chengshu.core.errors import Invalid
from chengshu.detectors import (
    Given,
    Group,
    Near,
    Taught,
    baseline,
    disagree,
    drift,
    jump,
    rate,
    silence,
    stuck,
    threshold,
)
from chengshu.detectors.hold import Levels
from chengshu.detectors.neighbours import near_pairs
from chengshu.detectors.numbers import Told
from chengshu.scene import Detector, Finding, Scene
from tests.detectors.world import START, STEP, frame, params, told, window

ABOUT: Any = {"column": "value", "prefix": "p", "type": "flood.level"}
LEVEL = threshold(**ABOUT)
FOUR = pl.DataFrame({"thing": ["a", "b", "c", "d"], "division": ["x"] * 4})


def found(series: dict[str, list[float | None]], **numbers: float) -> list[tuple[str, float]]:
    return told(LEVEL(window(frame(series), params(**numbers))).findings)


def test_a_level_is_reached_by_consecutive_readings_and_told_once() -> None:
    series: dict[str, list[float | None]] = {"a": [3, 1, 3, 3, 3, 3]}
    assert found(series, enter=3, exit=2, enter_slots=2) == [("a", 3)]


def test_between_the_levels_nothing_begins_and_nothing_ends() -> None:
    series: dict[str, list[float | None]] = {"a": [2.5, 3, 2.5, 3, 2, 3], "b": [2.5, 2.5, 2.5]}
    assert found(series, enter=3, exit=2) == [("a", 1)]


def test_what_ended_may_begin_again() -> None:
    series: dict[str, list[float | None]] = {"a": [3, 1, 3, 1, 1, 3]}
    assert found(series, enter=3, exit=2, exit_slots=2) == [("a", 0), ("a", 5)]


def test_what_lasts_is_repeated_and_a_reading_within_is_not() -> None:
    series: dict[str, list[float | None]] = {"a": [3, 3, 3, 2.5, 3, 3, 3]}
    assert found(series, enter=3, exit=2, repeat_slots=2) == [("a", 0), ("a", 2), ("a", 4), ("a", 6)]


def test_a_slot_that_says_nothing_neither_counts_nor_ends() -> None:
    series: dict[str, list[float | None]] = {"a": [3, None, math.nan, 3]}
    assert found(series, enter=3, exit=2, enter_slots=2) == [("a", 3)]


def test_a_gap_longer_than_declared_begins_anew() -> None:
    series: dict[str, list[float | None]] = {"a": [3, None, 3], "b": [3, None, None, 3]}
    assert found(series, enter=3, exit=2, enter_slots=2, gap=600) == [("a", 2)]
    held: dict[str, list[float | None]] = {"a": [3, None, None, 3]}
    assert found(held, enter=3, exit=2, gap=600) == [("a", 0), ("a", 3)]


def test_what_is_calm_or_gone_is_not_remembered() -> None:
    numbers = params(enter=3, exit=2, gap=600)
    assert LEVEL(window(frame({"a": [1, 2.5], "b": [3, 3]}), numbers)).state["thing"] == ["b"]
    late = LEVEL(window(frame({"b": [3, 3]}), numbers, end=START + 4 * STEP))
    assert late.state["thing"] == []


def test_low_levels_are_given_in_their_own_sign() -> None:
    low = threshold("below", **ABOUT)(window(frame({"a": [0.3, 0.2, 0.22, 0.3, 0.1]}), params(enter=0.2, exit=0.25)))
    assert told(low.findings) == [("a", 1), ("a", 4)]


def test_levels_that_would_end_before_they_begin_are_refused() -> None:
    for side, enter, leave in (("above", 2, 3), ("below", 3, 2), ("both", 2, 3)):
        with pytest.raises(Invalid, match="p_exit"):
            threshold(side, **ABOUT)(window(frame({}), params(enter=enter, exit=leave)))  # type: ignore[arg-type]


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(Invalid, match="p_exit"):
        LEVEL(window(frame({"a": [1.0]}), params(enter=3)))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(Invalid, match="value"):
        LEVEL(window(frame({"a": [1.0]}).rename({"value": "depth"}), params(enter=3, exit=2)))


def test_a_finding_says_what_where_when_and_why() -> None:
    things = pl.DataFrame({"thing": ["a"], "name": ["Gauge A"], "division": ["330106"], "lon": [120.1], "lat": [30.2]})
    detector = threshold(**ABOUT, period=STEP)
    [finding] = detector(window(frame({"a": [3.5]}), params(enter=3, exit=2), things=things)).findings
    assert finding == Finding(
        scene="flood",
        key="a:p",
        type="flood.level",
        title="p.title: Gauge A 08:00",
        description="p.description: Gauge A 08:00",
        severity=2,
        occurred_at=START + STEP,
        place="Gauge A",
        division="330106",
        lon=120.1,
        lat=30.2,
        facts={"thing": "a", "at": START.isoformat(), "value": 3.5, "measure": 3.5},
    )


def test_a_scene_declares_one_in_few_lines() -> None:
    detector = Detector(name="flood", source="levels", types=("flood.level",), detect=LEVEL, teach=LEVEL.teach)
    scene = Scene(
        name="flood",
        folder=Path(),
        sources=(),
        detectors=(detector,),
        indicators=(),
        rehearse=None,  # type: ignore[arg-type]
    )
    seen = scene.detectors[0].detect(window(frame({"a": [3.5]}), params(enter=3, exit=2)))
    assert seen.findings[0].type in detector.types


@pytest.mark.parametrize(
    ("number", "text"),
    [(331.0, "331"), (12345.678, "12345.68"), (0.25, "0.25"), (-3.10, "-3.1"), (100, "100"), (0, "0")],
)
def test_numbers_in_texts_are_short(number: float, text: str) -> None:
    assert f"{Told(number)}" == text
    assert f"{Told(number):.3f}" == f"{number:.3f}"


def test_rate_is_the_change_per_hour() -> None:
    series = frame({"a": [0, 1, None, 1, 3, 3, 0]})  # 12 per hour, nothing, 0, 24, 0, -36
    seen = rate(**ABOUT)(window(series, params(enter=24, exit=12)))
    assert told(seen.findings) == [("a", 4), ("a", 6)]
    assert [(f.facts["before"], round(f.facts["measure"], 9)) for f in seen.findings] == [(1, 24), (3, -36)]
    falling = rate("below", **ABOUT)(window(series, params(enter=-24, exit=-12)))
    assert told(falling.findings) == [("a", 6)]


def test_rate_after_a_gap_compares_with_nothing() -> None:
    seen = rate(**ABOUT)(window(frame({"a": [0, None, None, 99]}), params(enter=24, exit=12, gap=600)))
    assert seen.findings == ()


def test_baseline_knows_kinds_of_day_and_times_of_day() -> None:
    """Ten working days say 100 at 8 o'clock and 10 an hour later, four free days 20; all a little scattered."""
    past = pl.concat(
        [
            frame({"a": [level + scatter]}, start=START - timedelta(days=14 - day) + timedelta(hours=hour))
            for day in range(14)
            for hour, level in ((0, 100.0), (1, 10.0))
            for scatter in (float(day % 3 - 1) - (80.0 if day % 7 >= 5 and hour == 0 else 0.0),)
        ]
    )
    numbers = params(enter=5, exit=3, least_days=2, spread_floor=0.5)
    detector = baseline(Taught(season=timedelta(minutes=10)), **ABOUT)
    taught = detector.teach(window(past, numbers, start=START - timedelta(days=14)))
    eight = {row["day_type"]: row["usual"] for row in taught.filter(pl.col("minute") == 480).iter_rows(named=True)}
    assert eight.keys() == {"work", "eve", "rest"}
    assert 99 <= eight["work"] <= 101
    assert 19 <= eight["rest"] <= 21
    [work] = detector(window(frame({"a": [30.0]}), numbers, taught=taught)).findings
    assert work.facts["measure"] == pytest.approx((30 - eight["work"]) / work.facts["spread"])
    saturday = START + timedelta(days=5)
    assert detector(window(frame({"a": [20.5]}, saturday), numbers, start=saturday, taught=taught)).findings == ()
    unknown = START + timedelta(hours=5)  # nobody taught one in the afternoon
    assert detector(window(frame({"a": [999.0]}, unknown), numbers, start=unknown, taught=taught)).findings == ()


def test_the_day_before_a_free_day_falls_back_to_working_days() -> None:
    numbers = params(enter=5, exit=3, least_days=2, spread_floor=0.5)
    past = pl.concat([frame({"a": [100.0]}, START - timedelta(days=7 - day)) for day in range(5)])  # one Friday
    detector = baseline(Taught(season=timedelta(minutes=10)), **ABOUT)
    taught = detector.teach(window(past, numbers, start=START - timedelta(days=7)))
    assert set(taught["day_type"]) == {"work"}
    friday = START + timedelta(days=4)
    [finding] = detector(window(frame({"a": [110.0]}, friday), numbers, start=friday, taught=taught)).findings
    assert finding.facts["usual"] == 100


def test_spread_is_the_robust_one_and_never_below_its_floor() -> None:
    past = frame({"a": [1.0, 2.0, 3.0, 4.0, 100.0], "b": [5.0] * 5})  # a: median 3, absolute deviations 2 1 0 1 97
    numbers = params(enter=5, exit=3, least_days=1, spread_floor=0.1)
    detector = baseline(Taught(), **ABOUT)
    taught = detector.teach(window(past, numbers))
    assert taught["usual"].to_list() == [3.0, 5.0]
    assert taught["spread"].to_list() == [pytest.approx(1.4826), 0.0]
    seen = detector(window(frame({"a": [3 + 5 * 1.4827], "b": [5.51]}), numbers, taught=taught))
    assert [finding.facts["spread"] for finding in seen.findings] == [pytest.approx(1.4826), 0.1]


def test_a_jump_is_measured_by_the_thing_s_own_changes() -> None:
    lively = [float(5 * (slot % 2) + slot % 3) for slot in range(40)]
    still = [float(slot % 2) / 10 for slot in range(40)]
    numbers = params(enter=8, exit=4, least_days=1, spread_floor=0.1)
    detector = jump(Taught(), **ABOUT)
    taught = detector.teach(window(frame({"a": lively, "b": still}), numbers))
    seen = detector(window(frame({"a": [0, 9, 9], "b": [0, 9, 9]}), numbers, taught=taught))
    assert told(seen.findings) == [("b", 1)]
    given = jump(Given(), **ABOUT)(window(frame({"a": [0, 9, 9]}), params(enter=8, exit=4, mean=0, spread=1)))
    assert told(given.findings) == [("a", 1)]
    assert given.findings[0].facts["before"] == 0


def test_a_flat_line_is_measured_from_the_reading_it_began_with() -> None:
    numbers = params(enter=900, exit=1, tolerance=0.1)
    series = frame({"flat": [5, 5, 5.1, 5, 5], "creeping": [5, 5.06, 5.12, 5.18, 5.24], "dry": [0, 0, 0, 0, 0]})
    seen = stuck(resting=0.0, **ABOUT)(window(series, numbers))
    assert told(seen.findings) == [("flat", 3)]
    assert seen.findings[0].facts == {
        "thing": "flat", "at": (START + 3 * STEP).isoformat(), "value": 5.0, "measure": 900.0, "flat": 5.0,
    }  # fmt: skip
    assert told(stuck(**ABOUT)(window(series, numbers)).findings) == [("dry", 3), ("flat", 3)]


def test_who_disagrees_with_the_group_is_found_by_the_modified_z_score() -> None:
    """Middle of 9 10 11 30 is 10.5, absolute deviations 0.5 0.5 1.5 19.5, their median 1."""
    series = frame({"a": [9.0], "b": [10.0], "c": [11.0], "d": [30.0]})
    detector = disagree(Group(by="division"), **ABOUT)
    numbers = params(enter=3.5, exit=2, least=3, spread_floor=0.1)
    [finding] = detector(window(series, numbers, things=FOUR)).findings
    assert finding.facts["thing"] == "d"
    assert finding.facts["middle"] == 10.5
    assert finding.facts["measure"] == pytest.approx(19.5 / 1.4826)
    assert finding.facts["neighbours"] == 4
    two = series.filter(pl.col("thing").is_in(["a", "d"]))
    assert detector(window(two, numbers, things=FOUR)).findings == ()


def test_neighbours_are_those_within_the_distance() -> None:
    things = pl.DataFrame(
        {
            "thing": ["a", "b", "c", "far"],
            "lon": [120.0, 120.001, 120.002, 121.0],
            "lat": [30.0] * 4,
            "division": ["x"] * 4,
        }
    )
    series = frame({"a": [10.0], "b": [10.0], "c": [50.0], "far": [90.0]})
    numbers = params(enter=3.5, exit=2, least=3, spread_floor=0.1, distance=500)
    seen = disagree(Near(), **ABOUT)(window(series, numbers, things=things))
    assert told(seen.findings) == [("c", 0)]


def test_pairs_are_those_that_a_search_of_all_finds() -> None:
    rng = np.random.default_rng(4)
    points = pl.DataFrame(
        {
            "thing": [f"{n:03}" for n in range(300)],
            "lon": rng.uniform(120, 120.1, 300),
            "lat": rng.uniform(59.9, 60, 300),
        }
    )
    lon, lat = np.radians(points["lon"].to_numpy()), np.radians(points["lat"].to_numpy())
    unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    chord = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    all_pairs = {(int(a), int(b)) for a, b in zip(*np.where(2 * np.arcsin(chord / 2) * 6371008.8 <= 700), strict=True)}
    pairs = near_pairs(points, 700)
    assert {(int(a), int(b)) for a, b in pairs.iter_rows()} == all_pairs
    assert len(pairs) == len(all_pairs) > 300


def test_a_slow_drift_is_found_although_no_reading_stands_out() -> None:
    rng = np.random.default_rng(7)
    weather = 20 + 5 * np.sin(np.arange(300) / 30)
    series = {thing: [float(v) for v in weather + rng.normal(0, 0.3, 300)] for thing in "abcdefghi"}
    series["d"] = [value + max(0, slot - 100) * 0.01 for slot, value in enumerate(series["d"])]
    nine = pl.DataFrame({"thing": list("abcdefghi"), "division": ["x"] * 9})
    numbers = params(enter=6, exit=3, least=3, weight=0.1, least_days=1, spread_floor=0.05)
    detector = drift(Group(by="division"), Taught(), **ABOUT)
    rows = frame(series)  # type: ignore[arg-type]
    early = rows.filter(pl.col("at") < START + 100 * STEP)
    taught = detector.teach(window(early, numbers, things=nine))
    seen = detector(window(rows, numbers, things=nine, taught=taught))
    assert {thing for thing, _ in told(seen.findings)} == {"d"}
    assert 100 < told(seen.findings)[0][1] < 250
    assert abs(seen.findings[0].facts["offset"]) < 2
    quiet = params(enter=6, exit=3, least=3, spread_floor=0.3)
    assert (
        disagree(Group(by="division"), **ABOUT)(
            window(rows.filter(pl.col("at") < START + 250 * STEP), {**quiet, "p_enter": 12}, things=nine)
        ).findings
        == ()
    )


QUIET = params(period=300, periods=3, repeat_periods=4)
SILENCE = silence(**ABOUT)


def test_silence_is_told_at_the_instant_it_became_too_long() -> None:
    seen = SILENCE(window(frame({"a": [1, 2]}), QUIET, end=START + 9 * STEP, things=FOUR.head(1)))
    assert told(seen.findings) == [("a", 4), ("a", 8)]
    assert [finding.facts["missed"] for finding in seen.findings] == [3, 7]
    assert seen.findings[0].facts["silent"] == 900
    assert seen.findings[0].facts["last"] == (START + STEP).timestamp()


def test_silence_within_a_window_is_found_and_a_word_ends_it() -> None:
    seen = SILENCE(window(frame({"a": [1, None, None, math.nan, 2, 3]}), QUIET, things=FOUR.head(1)))
    assert told(seen.findings) == [("a", 3)]


def test_who_was_never_heard_is_silent_from_when_it_was_first_watched() -> None:
    first = SILENCE(window(frame({}), QUIET, things=FOUR.head(1)))
    later = SILENCE(
        window(frame({}), QUIET, start=START + STEP, end=START + 3 * STEP, state=first.state, things=FOUR.head(2))
    )
    assert first.findings == ()
    assert told(later.findings) == [("a", 3)]  # and not b, which is watched for two slots only


def test_who_left_the_register_is_no_longer_missed() -> None:
    first = SILENCE(window(frame({"a": [1.0], "b": [1.0]}), QUIET, things=FOUR.head(2)))
    later = window(frame({}), QUIET, start=START + STEP, end=START + 9 * STEP, state=first.state, things=FOUR[1:2])
    assert {thing for thing, _ in told(SILENCE(later).findings)} == {"b"}


def test_each_thing_has_its_own_period() -> None:
    things = FOUR.head(3).with_columns(pl.Series("period", [600.0, None, 0.0]))
    taught = SILENCE.teach(window(frame({"b": [1, None, None, 1, None, None, 1], "c": [1.0]}), QUIET))
    assert taught.rows() == [("b", 900.0)]
    seen = SILENCE(
        window(frame({"a": [1.0], "b": [1.0], "c": [1.0]}), QUIET, end=START + 10 * STEP, things=things, taught=taught)
    )
    assert told(seen.findings) == [("c", 3), ("a", 6), ("c", 7), ("b", 9)]


def test_every_detector_and_every_parameter_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/detectors.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in Path(detectors.__file__).parent.glob("*.py"))
    asked = set(re.findall(r'(?:numbers|numbers\(window\)|self)(?:\.within\(|\[)"(\w+)"', code)) | {
        field.name for field in fields(Levels)
    }
    assert not [name for name in detectors.__all__ if name not in {"Watch", "Silence"} and f"`{name}(" not in page]
    assert {"enter", "mean", "distance", "severity", "gap"} <= asked
    assert not [name for name in asked if f"`{name}`" not in page]
