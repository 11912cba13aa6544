"""Bytes to observations: the captured payload, and everything that can be wrong with a row."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import polars as pl
import pytest

from chengshu.core.errors import Invalid
from chengshu.scenes.devices.scene import SCENE
from chengshu.scenes.devices.sources import decode

PAYLOADS = SCENE.folder / "payloads"


def test_captured_payload_becomes_observations_in_order_of_time() -> None:
    content = (PAYLOADS / "loop_speeds_two_detectors.csv").read_bytes()
    decoded = decode(content, {})
    assert not decoded.quarantine and decoded.frame.height == 2 * 216
    assert decoded.frame["at"].is_sorted()
    assert decoded.frame.row(0, named=True)["at"] == datetime(2012, 3, 2, 2, tzinfo=UTC)  # 18:00 in Los Angeles
    assert decoded.frame.schema == {"thing": pl.String, "at": pl.Datetime("us", "UTC"), "value": pl.Float64}
    assert decode(gzip.compress(content), {}).frame.equals(decoded.frame)


def test_damaged_rows_are_kept_apart_with_line_and_reason() -> None:
    decoded = decode((PAYLOADS / "damaged_rows.csv").read_bytes(), {})
    assert decoded.frame.height == 5
    assert {row.line: row.reason for row in decoded.quarantine} == {
        6: "value is not a number",
        7: "value is not a number",
        8: "at is no time with an offset",
        9: "no datastream",
        10: "not 3 fields",
        11: "a row for this datastream and time stood before",
        12: "value is not a number",
        13: "not 3 fields",
    }
    assert all(row.remedy for row in decoded.quarantine)


def test_columns_go_by_the_names_of_the_city() -> None:
    options = {"columns": {"datastream": "id", "at": "time", "value": "v"}}
    assert decode(b"v,time,id\n2.5,2026-11-02T00:00:00Z,a\n", options).frame.row(0)[::2] == ("a", 2.5)
    with pytest.raises(Invalid, match="columns id, time"):
        decode(b"v,datastream,at\n", options)


def test_a_damaged_archive_is_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="damaged"):
        decode(gzip.compress(b"datastream,at,value\n" * 100)[:-20], {})
