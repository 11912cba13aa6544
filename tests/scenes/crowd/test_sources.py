"""Bytes to observations: the captured payloads, and everything that can be wrong with a row."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from chengshu.core.errors import Invalid
from chengshu.scenes.crowd.scene import SCENE
from chengshu.scenes.crowd.sources import METRO_INFLOW, decode
from tests.scenes.crowd.world import OPTIONS, inflow

PAYLOADS = SCENE.folder / "payloads"


def test_captured_payload_becomes_observations_in_order_of_time() -> None:
    decoded = decode((PAYLOADS / "inflow_day16_stations_15_78.csv").read_bytes(), OPTIONS)
    assert not decoded.quarantine
    assert decoded.frame.height == 2 * 108
    assert decoded.frame["at"].is_sorted()
    first = decoded.frame.row(0, named=True)
    assert first["at"] == datetime(2019, 1, 15, 22, 0, tzinfo=UTC)  # 06:00 in Hangzhou
    assert decoded.frame.schema["at"] == pl.Datetime("us", "UTC")
    assert set(decoded.frame.columns) == {"thing", "at", *METRO_INFLOW.columns}


def test_every_row_of_the_whole_record_is_read() -> None:
    assert inflow().height == 80 * 18 * 108


def test_damaged_rows_are_kept_apart_with_line_and_reason() -> None:
    decoded = decode((PAYLOADS / "damaged_rows.csv").read_bytes(), OPTIONS)
    assert decoded.frame.height == 4
    assert {row.line: row.reason for row in decoded.quarantine} == {
        6: "inflow is not a whole number",
        7: "slot is not a whole number",
        8: "slot is outside the day",
        9: "inflow is negative",
        10: "a row for this station and slot stood before",
        11: "day is not a day of the file's years",
        12: "not 4 fields",
        13: "not 4 fields",
    }
    assert all(row.remedy for row in decoded.quarantine)


def test_a_good_row_after_a_bad_one_for_the_same_slot_is_taken() -> None:
    decoded = decode(b"station,day,slot,inflow\n1,1,1,-5\n1,1,1,7\n1,1,1,8\n", OPTIONS)
    assert decoded.frame["inflow"].to_list() == [7]
    assert [row.line for row in decoded.quarantine] == [2, 4]


def test_rows_are_never_lost_between_frame_and_quarantine() -> None:
    content = b"station,day,slot,inflow\n" + b"".join(
        b"%d,1,%d,%s\n" % (i % 7, i % 200, b"x" if i % 11 == 0 else b"5") for i in range(1000)
    )
    decoded = decode(content, OPTIONS)
    assert decoded.frame.height + len(decoded.quarantine) == 1000
    assert Counter(row.reason for row in decoded.quarantine)["slot is outside the day"] > 0


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x1f\x8bnot gzip", b"\x00\xff\xfe"])
def test_what_cannot_be_read_at_all_is_refused_with_a_remedy(content: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        decode(content, OPTIONS)
    assert caught.value.remedy


def test_columns_may_have_other_names_and_any_order_and_gzip_is_read() -> None:
    content = gzip.compress("\ufeffpeople,slot_no,day,stop\r\n12,3,2,9\r\n\r\n".encode())
    columns = {"station": "stop", "slot": "slot_no", "inflow": "people"}
    decoded = decode(content, {**OPTIONS, "columns": columns})
    assert decoded.frame.rows() == [("9", datetime(2019, 1, 1, 22, 30, tzinfo=UTC), 12)]


def test_another_length_of_slot_is_refused() -> None:
    assert timedelta(minutes=10) == METRO_INFLOW.period
    with pytest.raises(Invalid, match="5 minutes"):
        decode(b"station,day,slot,inflow\n", {**OPTIONS, "slot_minutes": 5})
