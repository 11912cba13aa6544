"""What must hold of every detector: batches change nothing, NaN says nothing, things do not touch each other."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chengshu.detectors import (
    Given,
    Group,
    Near,
    Silence,
    Taught,
    Watch,
    baseline,
    cusum,
    disagree,
    drift,
    ewma,
    jump,
    rate,
    silence,
    stuck,
    threshold,
)
from chengshu.scene import Window
from tests.detectors.world import START, STEP, frame, in_parts, params, window

THINGS = pl.DataFrame(
    {
        "thing": ["a", "b", "c", "d"],
        "name": ["A", "B", None, "D"],
        "lon": [120.0, 120.001, 120.002, None],
        "lat": [30.0, 30.0, 30.0, None],
        "division": ["x", "x", "x", None],
    },
    schema_overrides={"lon": pl.Float64(), "lat": pl.Float64()},
)
NUMBERS = {
    "enter": 2, "exit": 1, "enter_slots": 2, "exit_slots": 2, "repeat_slots": 3, "gap": 700, "mean": 1, "spread": 1,
    "reference": 0.5, "weight": 0.3, "tolerance": 0.5, "least": 2, "spread_floor": 0.5, "distance": 150, "least_days": 1,
    "period": 300, "periods": 2, "repeat_periods": 1.5,
}  # fmt: skip
SEASON = Taught(season=timedelta(minutes=10))
ABOUT: Final = {"column": "value", "prefix": "p", "type": "scene.type"}
DETECTORS: dict[str, tuple[Watch | Silence, dict[str, float]]] = {
    "threshold": (threshold(**ABOUT), {}),
    "threshold below": (threshold("below", **ABOUT), {"enter": -1, "exit": 0}),
    "rate": (rate(**ABOUT), {"enter": 24, "exit": 6, "enter_slots": 1}),
    "baseline": (baseline(SEASON, **ABOUT), {}),
    "baseline given": (baseline(Given(), **ABOUT), {}),
    "cusum": (cusum(Given(), **ABOUT), {"enter_slots": 1}),
    "cusum, no reset": (cusum(Taught(), reset=False, **ABOUT), {}),
    "ewma": (ewma(Given(), **ABOUT), {}),
    "ewma of the season": (ewma(SEASON, **ABOUT), {}),
    "jump": (jump(Taught(), **ABOUT), {"enter_slots": 1}),
    "stuck": (stuck(resting=0.0, **ABOUT), {"enter": 600, "exit": 300}),
    "disagree": (disagree(Group(by="division"), **ABOUT), {"enter_slots": 1}),
    "disagree nearby": (disagree(Near(), **ABOUT), {"enter_slots": 1}),
    "drift": (drift(Group(by="division"), Taught(), **ABOUT), {}),
    "drift nearby": (drift(Near(), Given(), **ABOUT), {"mean": 0}),
    "silence": (silence(**ABOUT), {}),
}
named = pytest.mark.parametrize("name", DETECTORS)
values = st.one_of(st.none(), st.just(math.nan), st.sampled_from([-6.0, 0.0, 1.0, 1.5, 6.0]), st.floats(-6, 6))
runs = st.lists(st.tuples(values, st.integers(1, 4)), max_size=12).map(
    lambda parts: [value for value, length in parts for _ in range(length)][:24]
)
series = st.dictionaries(st.sampled_from("abcd"), runs, max_size=4)
PAST = frame({thing: [float(slot % 3) for slot in range(60)] for thing in "abcd"}, START - timedelta(days=7))


def taught_for(detector: Watch | Silence, numbers: dict[str, float]) -> pl.DataFrame:
    return detector.teach(window(PAST, numbers, start=START - timedelta(days=7), things=THINGS))


def whole_window(name: str, rows: pl.DataFrame, slots: int = 30, things: pl.DataFrame = THINGS) -> Window:
    detector, own = DETECTORS[name]
    numbers = params(**{**NUMBERS, **own})
    return window(rows, numbers, end=START + slots * STEP, things=things, taught=taught_for(detector, numbers))


@named
@given(series=series, cuts=st.lists(st.integers(1, 30 * 300), max_size=8))
@settings(max_examples=40, deadline=None)
def test_batches_change_nothing(name: str, series: dict[str, list[float | None]], cuts: list[int]) -> None:
    detector, _ = DETECTORS[name]
    whole = whole_window(name, frame(series))
    seen = detector(whole)
    found, state = in_parts(detector, whole, [START + timedelta(seconds=cut) for cut in cuts])
    assert found == list(seen.findings)
    assert state == json.loads(json.dumps(seen.state, allow_nan=False))


@named
def test_every_detector_has_something_to_find_in_such_series(name: str) -> None:
    """Else the tests around this one would prove nothing of it."""
    rng = np.random.default_rng(5)
    lists = {thing: np.repeat(rng.choice([-6.0, 0.0, 1.0, 1.5, 6.0], 8), 3) for thing in "abc"}
    rows = frame({thing: [float(value) for value in column] for thing, column in lists.items()})
    assert len(DETECTORS[name][0](whole_window(name, rows)).findings) > 1


@named
@given(series=series)
@settings(max_examples=15, deadline=None)
def test_one_slot_at_a_time_is_the_same(name: str, series: dict[str, list[float | None]]) -> None:
    detector, _ = DETECTORS[name]
    whole = whole_window(name, frame(series))
    seen = detector(whole)
    found, state = in_parts(detector, whole, [START + slot * STEP for slot in range(0, 25)])
    assert (found, state) == (list(seen.findings), json.loads(json.dumps(seen.state)))


@named
@given(series=series)
@settings(max_examples=8, deadline=None)
def test_what_says_nothing_is_as_if_it_were_not_there(name: str, series: dict[str, list[float | None]]) -> None:
    detector, _ = DETECTORS[name]
    rows = frame(series)
    said = rows.filter(pl.col("value").is_finite())
    infinite = rows.with_columns(pl.col("value").fill_nan(math.inf).fill_null(-math.inf))
    seen = detector(whole_window(name, rows))
    assert seen == detector(whole_window(name, said)) == detector(whole_window(name, infinite))


@named
def test_an_empty_window_finds_nothing_and_forgets_nothing(name: str) -> None:
    detector, _ = DETECTORS[name]
    no_columns = detector(whole_window(name, pl.DataFrame(), slots=1))
    assert no_columns.findings == ()
    assert detector(whole_window(name, frame({}), slots=1)) == no_columns


@named
def test_of_two_rows_for_the_same_time_the_last_holds(name: str) -> None:
    detector, _ = DETECTORS[name]
    right = frame({"a": [1.0, 2.0, 5.0, 5.0, 5.0], "b": [1.0] * 5, "c": [0.0] * 5})
    wrong = right.with_columns(pl.lit(99.0).alias("value"))
    assert detector(whole_window(name, pl.concat([wrong, right]))) == detector(whole_window(name, right))


@named
def test_one_thing_alone_is_judged_or_not_but_breaks_nothing(name: str) -> None:
    detector, _ = DETECTORS[name]
    detector(whole_window(name, frame({"z": [1.0, 9.0, -9.0]}), things=pl.DataFrame()))


@pytest.mark.parametrize("name", [name for name in DETECTORS if not name.startswith(("disagree", "drift"))])
@given(series=series)
@settings(max_examples=8, deadline=None)
def test_things_do_not_touch_each_other(name: str, series: dict[str, list[float | None]]) -> None:
    detector, _ = DETECTORS[name]
    together = detector(whole_window(name, frame(series))).findings
    for thing in THINGS["thing"]:
        mine = THINGS.filter(pl.col("thing") == thing)
        alone = detector(whole_window(name, frame({thing: series.get(thing, [])}), things=mine)).findings
        assert list(alone) == [finding for finding in together if finding.facts["thing"] == thing]


def test_readings_at_odd_times_are_judged_by_each_thing_s_own_order() -> None:
    """Sensors do not speak in step; a round takes the next reading of each."""
    detector, _ = DETECTORS["cusum"]
    rows = pl.concat(
        [
            frame({"a": [4.0] * 3}, START + timedelta(seconds=7)),
            frame({"b": [1.0, 4.0, 4.0, 4.0]}, START + timedelta(seconds=101)),
        ]
    ).sort("at")
    numbers = params(**{**NUMBERS, "enter_slots": 1})
    whole = window(rows, numbers)
    found, _ = in_parts(detector, whole, rows["at"].to_list())
    assert found == list(detector(whole).findings)
    assert [finding.facts["thing"] for finding in found] == ["a", "b"]
