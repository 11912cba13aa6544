"""The forecast says what the same weekdays brought, admits what it does not know, and its band holds what it promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chengshu.evaluation.forecast import JUDGED, NEEDED, forecast


def test_a_weekly_rhythm_without_noise_is_told_exactly() -> None:
    week = [10.0, 20, 30, 40, 50, 5, 1]
    told = forecast(week * 20, 7)
    assert told is not None
    assert list(told.middle) == list(told.low) == list(told.high) == week
    assert (told.covered, told.judged) == (JUDGED, JUDGED)


def test_ten_days_ahead_ask_the_weeks_that_are_known() -> None:
    told = forecast([10.0, 20, 30, 40, 50, 5, 1] * 20, 10)
    assert told is not None
    assert told.middle[7:] == (10, 20, 30)


def test_too_little_history_says_nothing() -> None:
    assert forecast([5.0] * 40, 7) is None
    assert forecast([], 7) is None
    assert forecast([None] * 200, 7) is None


def test_about_eighty_of_a_hundred_days_lie_in_the_band() -> None:
    generator = np.random.default_rng(11)
    inside = total = 0
    for _ in range(40):
        values = generator.poisson(np.tile([80, 90, 85, 88, 95, 40, 30], NEEDED // 7 + 4)).astype(float)
        told = forecast(values.tolist(), 7)
        assert told is not None
        inside, total = inside + told.covered, total + told.judged
    assert 0.74 < inside / total < 0.88


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=220), st.integers(1, 14))
def test_a_share_stays_a_share_and_the_band_is_in_order(values: list[float | None], days: int) -> None:
    told = forecast(values, days, highest=1.0)
    if told is not None:
        assert len(told.middle) == len(told.low) == len(told.high) == days
        assert all(0 <= low <= high <= 1 for low, high in zip(told.low, told.high, strict=True))
        assert told.covered <= told.judged <= JUDGED
