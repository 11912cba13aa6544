"""The indicators against counts made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from chengshu.scene import Window
from chengshu.scenes.devices.indicators import INDICATORS, spoken_share, strange
from tests.scenes.devices.world import SLOT, window

AT = datetime(2026, 11, 2, tzinfo=UTC)
THINGS = pl.DataFrame(
    {"thing": ["a", "b", "c", "hourly", "unsaid"], "name": "x", "period": [60.0, 600.0, 300.0, 3600.0, None]}
)
HABITS = pl.DataFrame(
    {"thing": ["a", "b", "c"], "longest": 0.0, "moves": 50, "low": [0.0, 0.0, 5.0], "high": [10.0, 10.0, 5.0]}
)


def slot(values: dict[str, float], things: pl.DataFrame = THINGS, taught: pl.DataFrame = HABITS) -> Window:
    schema = pl.Schema({"thing": pl.String(), "at": pl.Datetime("us", "UTC"), "value": pl.Float64()})
    frame = pl.DataFrame([(thing, AT, value) for thing, value in values.items()], schema=schema, orient="row")
    return window(frame, AT, AT + SLOT, things=things, taught=taught)


def test_share_counts_those_that_are_due_in_a_slot() -> None:
    assert spoken_share(slot({"a": 1, "hourly": 2, "unsaid": 3}))["value"].to_list() == [1 / 3]
    assert spoken_share(slot({"a": 1, "b": 1, "c": 1}))["value"].to_list() == [1.0]


def test_strange_is_farther_off_than_the_taught_days_reach() -> None:
    assert strange(slot({"a": 19.9, "b": -10.1, "c": 900, "hourly": 900}))["value"].to_list() == [1.0]  # b
    assert strange(slot({"a": 5, "b": 5}))["value"].to_list() == [0.0]


def test_indicators_of_nothing_fail_not() -> None:
    for indicator in INDICATORS:
        for empty in (slot({}), slot({}, taught=pl.DataFrame()), slot({"a": 1}, things=pl.DataFrame({"thing": ["z"]}))):
            assert "value" in indicator.compute(empty).columns
    assert spoken_share(slot({"a": 1}, things=THINGS.filter(pl.col("thing") == "hourly"))).is_empty()
