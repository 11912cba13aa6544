"""Dated parameters: the value of a day."""

from __future__ import annotations

from datetime import date

import pytest

from chengshu.core.errors import NotFound
from chengshu.core.parameters import Parameters

CONTENT = {
    "window": {"unit": "d", "source": "test", "values": {"2024-01-01": 15, "2020-01-01": 30, date(2026, 1, 1): 60}},
    "empty": {"unit": "d", "source": "test", "values": {}},
}


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2019, 12, 31), 30),
        (date(2020, 1, 1), 30),
        (date(2023, 12, 31), 30),
        (date(2024, 1, 1), 15),
        (date(2025, 12, 31), 15),
        (date(2026, 1, 1), 60),
        (date(2999, 1, 1), 60),
    ],
)
def test_the_value_of_a_day(day: date, value: int) -> None:
    assert Parameters.from_dict(CONTENT).at("window", day) == value


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_parameter_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(NotFound, match=name) as refused:
        Parameters.from_dict(CONTENT).at(name, date(2025, 1, 1))
    assert refused.value.remedy
