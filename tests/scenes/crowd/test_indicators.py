"""The indicators against sums made by hand from the same slot."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from chengshu.scene import Window
from chengshu.scenes.crowd.indicators import INDICATORS, network_inflow, network_ratio, stations_busy, top_stations
from chengshu.scenes.crowd.profile import teach
from tests.scenes.crowd.world import TEACH, days, window


@cache
def evening() -> Window:
    """Day 16 up to the slot of 20:30, when station 78 stood out."""
    frame = days(16)
    return window(frame.filter(pl.col("at") <= frame["at"].unique().sort()[87]), teach(window(days(*TEACH))))


def test_network_inflow_is_the_sum_of_the_latest_slot() -> None:
    frame = evening().frame
    by_hand = frame.filter(pl.col("at") == frame["at"].max())["inflow"].sum()
    assert network_inflow(evening())["value"].to_list() == [by_hand]


def test_ratio_is_the_inflow_over_what_is_usual() -> None:
    usual = evening().taught.filter((pl.col("day_type") == "work") & (pl.col("minute") == 20 * 60 + 30))["usual"].sum()
    [ratio] = network_ratio(evening())["value"].to_list()
    assert ratio == pytest.approx(network_inflow(evening())["value"][0] / usual)
    assert 0.8 < ratio < 1.2


def test_top_station_is_the_one_with_the_event() -> None:
    top = top_stations(evening())
    assert top["thing"][0] == "78"
    assert top["value"].is_sorted(descending=True)
    assert top.height <= 10


def test_busy_stations_are_counted() -> None:
    assert stations_busy(evening())["value"][0] >= 1


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda indicator: indicator.name)
def test_indicators_of_an_empty_window_fail_not(indicator: object) -> None:
    empty = window(days(99), teach(window(days(*TEACH))))
    computed = indicator.compute(empty)  # type: ignore[attr-defined]
    assert "value" in computed.columns
