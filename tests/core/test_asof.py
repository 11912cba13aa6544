from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from chengshu.core.asof import AsOf
from chengshu.core.errors import Invalid


def _times(*days: str) -> NDArray[np.datetime64]:
    return np.array([day or "NaT" for day in days], dtype="datetime64[us]")


def test_the_moment_lies_between_what_happened_and_what_was_still_to_come() -> None:
    found = AsOf.infer(
        opened=_times("2015-01-01", "2015-01-02", "2015-01-03", "2015-01-04"),
        closed=_times("2015-02-01", "", "", ""),
        target=_times("2015-01-05", "2015-03-01", "2015-04-01", ""),
        overdue=np.array([True, True, False, False]),
        on_time=np.array([False, False, True, True]),
    )
    assert (str(found.earliest), str(found.latest)) == ("2015-03-01T00:00:00.000000", "2015-04-01T00:00:00.000000")
    assert found.moment == found.earliest
    assert not found.contradiction


def test_a_target_of_a_closed_case_says_nothing() -> None:
    found = AsOf.infer(
        opened=_times("2015-01-01"),
        closed=_times("2015-01-02"),
        target=_times("2020-01-01"),
        overdue=np.array([False]),
        on_time=np.array([True]),
    )
    assert (str(found.earliest)[:10], found.latest) == ("2015-01-02", None)


def test_statuses_that_cannot_be_of_one_moment_are_seen() -> None:
    found = AsOf.infer(
        opened=_times("2015-01-01", "2015-01-01"),
        closed=_times("", ""),
        target=_times("2015-06-01", "2015-05-01"),
        overdue=np.array([True, False]),
        on_time=np.array([False, True]),
    )
    assert found.contradiction


def test_an_empty_file_is_refused() -> None:
    none = _times()
    no = np.array([], dtype=bool)
    with pytest.raises(Invalid, match="records nothing"):
        AsOf.infer(opened=none, closed=none, target=none, overdue=no, on_time=no)
