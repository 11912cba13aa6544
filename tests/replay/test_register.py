"""Registers as cities publish them, and as they arrive: cut off, mixed up, in other encodings."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chengshu.core.errors import Invalid
from chengshu.replay.register import REASONS, Layout, Register, moment, read_register
from tests.cases.town import CITIES, yaml_of

BOSTON = ZoneInfo("America/New_York")
SOURCE = yaml_of("boston", "sources.yaml")["sources"][0]
LAYOUT = Layout.of(SOURCE, BOSTON, (-71.0589, 42.3601))
HEADER = list(SOURCE["columns"].values())
GOOD = {
    "CASE_ENQUIRY_ID": "1",
    "OPEN_DT": "01/05/2015 09:00:00 AM",
    "TARGET_DT": "01/07/2015 09:00:00 AM",
    "CLOSED_DT": "01/06/2015 10:00:00 AM",
    "OnTime_Status": "ONTIME",
    "CASE_STATUS": "Closed",
    "TYPE": "Street Light Outages",
    "Department": "PWDx",
    "Location": "1 Main St",
    "LATITUDE": "42.35",
    "LONGITUDE": "-71.06",
}


def _csv(*rows: dict[str, str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, HEADER, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _read(tmp_path: Path, content: bytes) -> Register:
    file = tmp_path / "requests.csv"
    file.write_bytes(content)
    return read_register(file, LAYOUT)


def test_a_good_row_is_read_in_utc(tmp_path: Path) -> None:
    register = _read(tmp_path, _csv(GOOD))
    [request] = register.requests
    assert request.opened == datetime(2015, 1, 5, 14, tzinfo=UTC)
    assert (request.key, request.type, request.lon, request.lat) == ("1", "Street Light Outages", -71.06, 42.35)
    assert request.raw["OPEN_DT"] == GOOD["OPEN_DT"]
    assert (register.rows, register.quarantine, register.remarks) == (1, [], {})


BAD = {
    "missing_id": {"CASE_ENQUIRY_ID": " "},
    "missing_type": {"TYPE": ""},
    "bad_opened": {"OPEN_DT": "yesterday"},
    "bad_target": {"TARGET_DT": "02/30/2015 09:00:00 AM"},
    "bad_closed": {"CLOSED_DT": "13/01/2015 09:00:00 AM"},
    "in_the_future": {"OPEN_DT": "01/05/2090 09:00:00 AM"},
    "closed_before_opened": {"CLOSED_DT": "01/05/2015 08:58:00 AM"},
    "closed_without_time": {"CLOSED_DT": ""},
    "unusable_character": {"CLOSURE_REASON": "a\x00b"},
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_set_aside_with_reason_line_and_remedy(tmp_path: Path, reason: str) -> None:
    register = _read(
        tmp_path, _csv({**GOOD, "CASE_ENQUIRY_ID": "2"}, GOOD | BAD[reason], {**GOOD, "CASE_ENQUIRY_ID": "3"})
    )
    assert [request.key for request in register.requests] == ["2", "3"]
    [row] = register.quarantine
    assert (row.line, row.reason) == (3, reason)
    assert row.as_dict()["remedy"] == REASONS[reason][1]
    assert register.reasons() == {reason: 1}


def test_the_same_id_twice_is_taken_once(tmp_path: Path) -> None:
    register = _read(tmp_path, _csv(GOOD, GOOD, {**GOOD, "CASE_ENQUIRY_ID": "2"}))
    assert [request.key for request in register.requests] == ["1", "2"]
    assert register.reasons() == {"duplicate_id": 1}


def test_rows_of_another_width_and_bytes_of_another_encoding_are_alone_lost(tmp_path: Path) -> None:
    lines = _csv(*({**GOOD, "CASE_ENQUIRY_ID": str(i)} for i in range(6))).split(b"\r\n")
    lines[2] += b",one,more"
    lines[3] = lines[3].replace(b"Main", b"M\xe4in")
    lines[4] = b"cut off"
    register = _read(tmp_path, b"\r\n".join(lines))
    assert [request.key for request in register.requests] == ["0", "4", "5"]
    assert [(row.line, row.reason) for row in register.quarantine] == [
        (3, "wrong_columns"),
        (4, "undecodable"),
        (5, "wrong_columns"),
    ]
    assert "\\udce4" in register.quarantine[1].content


def test_a_stray_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    lines = _csv(*({**GOOD, "CASE_ENQUIRY_ID": str(i)} for i in range(50))).split(b"\r\n")
    lines[5] = b'"' + lines[5]
    register = _read(tmp_path, b"\r\n".join(lines))
    assert [row.line for row in register.quarantine] == [6]
    assert len(register.requests) == 49
    assert register.rows == 50


def test_fields_may_hold_lines(tmp_path: Path) -> None:
    register = _read(
        tmp_path, _csv(GOOD | {"CLOSURE_REASON": 'two\nlines, "quoted"'}, {**GOOD, "CASE_ENQUIRY_ID": "2"})
    )
    assert [request.closure for request in register.requests] == ['two\nlines, "quoted"', ""]


def test_a_closing_recorded_seconds_early_counts_as_at_once(tmp_path: Path) -> None:
    [request] = _read(tmp_path, _csv(GOOD | {"CLOSED_DT": "01/05/2015 08:59:28 AM"})).requests
    assert request.closed == request.opened


def test_points_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    places = [("30.25", "120.17"), ("x", "-71"), ("42.3594", "-71.0587"), ("", ""), ("nan", "-71")]
    rows = [
        GOOD | {"CASE_ENQUIRY_ID": str(i), "LATITUDE": lat, "LONGITUDE": lon, "Location": ""}
        for i, (lat, lon) in enumerate(places)
    ]
    register = _read(tmp_path, _csv(*rows))
    assert [request.lon for request in register.requests] == [None] * len(places)
    assert register.remarks == {"point_outside_the_city": 2, "point_unreadable": 1}


def test_times_of_two_kinds_and_of_the_repeated_hour() -> None:
    assert (
        moment("2015-07-01 12:00:00", BOSTON)
        == moment("07/01/2015 12:00:00 PM", BOSTON)
        == datetime(2015, 7, 1, 16, tzinfo=UTC)
    )
    assert moment("2015-07-01T12:00:00Z", BOSTON) == datetime(2015, 7, 1, 12, tzinfo=UTC)
    assert moment("11/01/2015 01:30:00 AM", BOSTON) == datetime(2015, 11, 1, 5, 30, tzinfo=UTC)
    for text in ("", "1", "00/00/2015 01:00:00 AM", "01/01/2015 13:00:00 PM", "01/01/0015 01:00:00 AM", "9999-12-31"):
        assert moment(text, BOSTON) is None


def test_closed_in_the_second_passage_of_the_repeated_hour(tmp_path: Path) -> None:
    row = GOOD | {"OPEN_DT": "11/01/2015 01:50:00 AM", "CLOSED_DT": "11/01/2015 01:10:00 AM", "TARGET_DT": ""}
    [request] = _read(tmp_path, _csv(row)).requests
    assert request.closed is not None
    assert (request.closed - request.opened).total_seconds() == 20 * 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "header lacks"),
        (b"CASE_ENQUIRY_ID,OPEN_DT\n1,2\n", "header lacks TARGET_DT"),
        (_csv(GOOD).replace(b",", b";"), "separated by ';'"),
        (_csv(GOOD).replace(b",", b"\t"), "separated by"),
        (_csv(GOOD).decode().encode("utf-16"), "not UTF-8"),
        (gzip.compress(_csv(GOOD), mtime=0)[:60], "cannot be read"),
        (gzip.compress(_csv(GOOD), mtime=0)[:20] + b"\xff" * 40, "cannot be read"),
        (b"PK\x03\x04....", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_with_a_remedy(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        _read(tmp_path, content)
    assert refused.value.remedy
    assert "requests.csv" in refused.value.where


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        read_register(tmp_path / "none.csv", LAYOUT)


def test_marks_gzip_and_the_case_of_the_header_do_not_matter(tmp_path: Path) -> None:
    content = _csv(GOOD).replace(b"CASE_ENQUIRY_ID", b"case_enquiry_id")
    assert len(_read(tmp_path, gzip.compress(b"\xef\xbb\xbf" + content)).requests) == 1


def test_the_shipped_register_is_read_wholly() -> None:
    register = read_register(CITIES / "boston" / SOURCE["file"], LAYOUT, most=4000)
    assert (register.rows, len(register.requests), register.quarantine) == (4000, 4000, [])
