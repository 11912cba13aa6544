from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core.errors import Invalid
from chengshu.core.limits import Limit, LimitHistory, Unit, histories

BOSTON = ZoneInfo("America/New_York")


@given(st.integers(0, 999_999), st.sampled_from(Unit))
def test_a_limit_reads_what_it_writes(amount: int, unit: Unit) -> None:
    limit = Limit(amount=amount, unit=unit)
    assert Limit.parse(str(limit)) == limit
    assert hash(Limit.parse(str(limit))) == hash(limit)


def test_the_parts_of_a_limit() -> None:
    limit = Limit.parse("4wh")
    assert (limit.amount, limit.unit, limit.unit.working) == (4, Unit.WORKING_HOURS, True)
    assert not Limit.parse("15d").unit.working


@pytest.mark.parametrize("text", ["", "4", "wh", "4 wh", "04wh", "-1d", "1.5h", "4WH", "4w", "1000000m", "٤h", "4wh\n"])
def test_what_is_no_limit_is_refused_with_place_and_remedy(text: str) -> None:
    with pytest.raises(Invalid, match="is not a limit") as caught:
        Limit.parse(text, where="case_types.csv:7")
    assert caught.value.where == "case_types.csv:7"
    assert "30m" in caught.value.remedy


def test_an_amount_out_of_range_is_refused() -> None:
    with pytest.raises(Invalid, match="out of range"):
        Limit(amount=-1, unit=Unit.HOURS)


def test_a_history_gives_the_limit_of_the_moment() -> None:
    history = LimitHistory.read("1wd", [("2015-02-16T13:00", "1wd"), ("", "2wd")], BOSTON)
    before = datetime(2015, 2, 16, 12, 59, 59, tzinfo=BOSTON)
    assert str(history.at(before)) == "2wd"
    assert str(history.at(datetime(2015, 2, 16, 18, 0, tzinfo=UTC))) == "1wd"


def test_a_limit_without_history_always_holds() -> None:
    history = LimitHistory.read("30m", [], BOSTON)
    assert str(history.at(datetime(1999, 1, 1, tzinfo=UTC))) == "30m"
    assert LimitHistory.read("", [], BOSTON).at(datetime(1999, 1, 1, tzinfo=UTC)) is None


def test_before_a_history_begins_there_is_no_limit() -> None:
    history = LimitHistory.read("1wd", [("2015-02-16", "1wd")], BOSTON)
    assert history.at(datetime(2015, 2, 15, tzinfo=BOSTON)) is None


def test_a_history_refuses_naive_times_and_unreadable_dates() -> None:
    history = LimitHistory.read("30m", [], BOSTON)
    with pytest.raises(Invalid, match="no zone"):
        history.at(datetime(2015, 1, 1))  # noqa: DTZ001
    with pytest.raises(Invalid, match="not a date"):
        LimitHistory.read("", [("16/02/2015", "1wd")], BOSTON, where="limits.csv:2")


def test_histories_of_many_types_take_dated_rows_of_their_stage_only() -> None:
    rows = [
        {"type": "sign", "stage": "total", "valid_from": "", "limit": "2wd"},
        {"type": "sign", "stage": "handle", "valid_from": "", "limit": "9wd"},
    ]
    found = histories({"sign": "1wd", "light": "10wd"}, rows, BOSTON)
    now = datetime(2015, 1, 1, tzinfo=UTC)
    assert {name: str(history.at(now)) for name, history in found.items()} == {"sign": "2wd", "light": "10wd"}
