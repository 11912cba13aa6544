"""CUSUM and EWMA against the literature, worked by hand.

The thirty readings are those of Montgomery, Introduction to Statistical Quality Control, section 9.1: mean 10, standard deviation
1; the middle moves to 11 after the twentieth.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from chengshu.core.errors import Invalid
from chengshu.detectors import Given, cusum, ewma
from chengshu.detectors.watch import Watch
from tests.detectors.world import frame, params, told, window

MONTGOMERY = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08,
    9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip
NUMBERS = params(mean=10, spread=1, reference=0.5, enter=5, exit=1, repeat_slots=1, weight=0.1)


def chart(detector: Watch, numbers: dict[str, float]) -> pl.DataFrame:
    """Every reading with its measure: a level that all reach, told each time."""
    everything = {**numbers, "p_enter": 0.0, "p_exit": 0.0}
    return detector.notice(window(frame({"a": MONTGOMERY}), everything))[0].sort("at")


def test_cusum_finds_the_shift_where_the_book_finds_it() -> None:
    """C+ is 5.28 at reading 29, the first beyond H = 5; it has been above 0 since reading 23, so the shift began there."""
    found = cusum(Given(), reset=False, column="value", prefix="p", type="t")(
        window(frame({"a": MONTGOMERY}), NUMBERS)
    ).findings
    assert told(found) == [("a", 28), ("a", 29)]
    assert [round(finding.facts["high"], 2) for finding in found] == [5.28, 5.30]


def test_cusum_sums_by_hand() -> None:
    sums = chart(cusum(Given(), reset=False, column="value", prefix="p", type="t"), NUMBERS)
    high = [0, 0, 0, 1.16, 2.82, 2.50, 0.04, 1.00, 0, 0, 0, 0.97, 0.98, 0, 0]
    low = [0.05, 1.56, 1.77, 0, 0, 0, 1.46, 0, 0.30, 0, 0.47, 0, 0, 0.10, 0]
    assert sums["high"][:15].to_numpy() == pytest.approx(np.array(high), abs=1e-9)
    assert sums["low"][:15].to_numpy() == pytest.approx(np.array(low), abs=1e-9)


def test_a_sum_that_signalled_begins_anew() -> None:
    shifted = [0.0, 3.0, 3.0, 3.0, 3.0, 3.0]  # with k = 0.5 the sum grows by 2.5: 2.5, 5.0 (told), 2.5, 5.0 …
    seen = cusum(Given(), column="value", prefix="p", type="t")(
        window(frame({"a": shifted}), {**NUMBERS, "p_mean": 0.0})
    )
    assert told(seen.findings) == [("a", 2), ("a", 4)]
    assert (seen.state["high"], seen.state["thing"]) == (2.5, ["a"])


def test_a_sum_that_begins_anew_cannot_be_beyond_twice() -> None:
    with pytest.raises(Invalid, match="only once"):
        cusum(Given(), column="value", prefix="p", type="t")(
            window(frame({"a": [0.0]}), {**NUMBERS, "p_enter_slots": 2.0})
        )


def test_one_side_is_not_hidden_by_the_other() -> None:
    series = frame({"a": [-4.0, -4.0, 6.5]})  # the lower sum is still the larger when the upper one signals
    numbers = {**NUMBERS, "p_mean": 0.0}
    assert told(cusum(Given(), "above", column="value", prefix="p", type="t")(window(series, numbers)).findings) == [
        ("a", 2)
    ]


def test_ewma_finds_the_shift() -> None:
    """With lambda = 0.1 and L = 2.7 the limits are then 9.38 and 10.62; the last averages are 10.5731, 10.6468, 10.6341."""
    detector = ewma(Given(), column="value", prefix="p", type="t")
    found = detector(window(frame({"a": MONTGOMERY}), {**NUMBERS, "p_enter": 2.7})).findings
    assert told(found) == [("a", 28), ("a", 29)]
    assert [round(finding.facts["average"], 4) for finding in found] == [0.6468, 0.6341]
    assert round(chart(detector, NUMBERS)["average"][27], 4) == 0.5731


def test_ewma_by_hand() -> None:
    """z1 = 0.1 * -0.55, z2 = 0.1 * -2.01 + 0.9 * z1; their deviations are 0.1 and 0.1 * sqrt(1 + 0.81)."""
    values = chart(ewma(Given(), column="value", prefix="p", type="t"), NUMBERS)
    assert values["average"][:2].to_list() == pytest.approx([-0.055, -0.2505])
    assert values["measure"][:2].to_list() == pytest.approx([-0.55, -0.2505 / (0.1 * np.sqrt(1.81))])


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.1])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(Invalid, match="p_weight"):
        ewma(Given(), column="value", prefix="p", type="t")(
            window(frame({"a": [1.0]}), {**NUMBERS, "p_weight": weight})
        )
