"""Whatever comes in is read or refused line by line; nothing disappears, nothing hostile costs much."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core.errors import Invalid, TooLarge
from chengshu.sensing import decode
from chengshu.sensing.binary import encode

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
YEARS = (datetime(1970, 1, 2), datetime(2149, 1, 1))  # noqa: DTZ001 - hypothesis adds the zone


def lines(*rows: object) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def test_the_quick_way_and_the_slow_way_read_the_same() -> None:
    rows = [{"datastream": n, "phenomenonTime": "2026-11-20T16:00:00+08:00", "result": n / 4} for n in range(1, 50)]
    quick = decode.ndjson(lines(*rows))
    slow = decode.ndjson(lines(*rows, "{broken"))
    assert quick.refused == () and [each.line for each in slow.refused] == [50]
    assert quick.rows.equals(slow.rows.select(quick.rows.columns))
    assert quick.rows["at"].to_list() == [AT] * 49


def test_all_members_of_an_observation_are_read() -> None:
    read = decode.ndjson(
        lines(
            {
                "datastream": "T-1",
                "phenomenonTime": "2026-11-20T07:00:00Z/2026-11-20T08:00:00Z",
                "result": {"car": 3},
                "unit": "1",
                "resultTime": "2026-11-20T08:00:01Z",
                "validTime": "2026-11-20T08:00:00Z/2026-11-20T09:00:00Z",
                "resultQuality": "good",
                "parameters": {"lane": 2},
            }
        )
    )
    [row] = read.rows.to_dicts()
    assert (row["key"], row["at"], row["until"]) == ("T-1", AT - timedelta(hours=1), AT)
    assert (row["result"], json.loads(row["other"])) == (None, {"car": 3})
    assert (row["valid_until"], json.loads(row["quality"])) == (AT + timedelta(hours=1), "good")
    assert decode.shown(row)["parameters"] == {"lane": 2}


@given(st.binary(max_size=400))
def test_no_content_breaks_the_reader(content: bytes) -> None:
    read = decode.ndjson(content)
    assert read.rows.height + len(read.refused) == sum(bool(line.strip()) for line in content.split(b"\n"))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**40),
            st.datetimes(*YEARS, timezones=st.just(timezone(timedelta(hours=8)))),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_was_written_is_read(rows: list[tuple[int, datetime, float]]) -> None:
    said = [{"datastream": stream, "phenomenonTime": at.isoformat(), "result": result} for stream, at, result in rows]
    read = decode.ndjson(lines(*said))
    assert read.refused == ()
    assert read.rows.select("datastream", "at", "result").rows() == [(s, at.astimezone(UTC), r) for s, at, r in rows]


def test_what_is_shown_of_a_row_says_the_same_when_it_is_sent_again() -> None:
    said = {"datastream": 7, "phenomenonTime": "2026-11-20T08:00:00+00:00", "result": True, "parameters": {"a": [1]}}
    [row] = decode.ndjson(lines(said)).rows.to_dicts()
    again = decode.ndjson(lines(decode.shown(row))).rows.to_dicts()
    assert again == [row]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_content(encoding: str) -> None:
    plain = lines({"datastream": 1, "phenomenonTime": "2026-11-20T08:00:00Z", "result": 1}) * 50
    packed = gzip.compress(plain) if encoding == "gzip" else bytes(pa.Codec("zstd").compress(plain))
    assert decode.decompress(packed, encoding) == plain
    with pytest.raises(Invalid):
        decode.decompress(packed[: len(packed) // 2], encoding)
    with pytest.raises(Invalid):
        decode.decompress(b"nothing of the kind", encoding)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "LARGEST", 2**20)
    with pytest.raises(TooLarge):
        decode.decompress(gzip.compress(bytes(2**24)), "gzip")
    with pytest.raises(Invalid):
        decode.decompress(b"", "br")


def stream(**columns: object) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_arrow_with_keys_and_truth() -> None:
    read = decode.arrow(
        stream(
            datastream=["a", "b"], phenomenonTime=pa.array([AT, AT], pa.timestamp("ms", "UTC")), result=[True, False]
        )
    )
    assert read.rows.select("key", "at", "result", "other").rows() == [
        ("a", AT, None, "true"),
        ("b", AT, None, "false"),
    ]


def test_arrow_with_times_without_a_zone_and_as_text() -> None:
    naive = decode.arrow(
        stream(datastream=[1], phenomenonTime=pa.array([AT.replace(tzinfo=None)], pa.timestamp("ns")), result=[1.5])
    )
    text = decode.arrow(stream(datastream=[1], phenomenonTime=["2026-11-20T16:00:00+08:00"], result=[1]))
    assert naive.rows["at"].to_list() == text.rows["at"].to_list() == [AT]


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"nonsense", stream(datastream=[1], result=[1])])
def test_arrow_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        decode.arrow(content)


def test_the_binary_form_is_postgresqls() -> None:
    got = encode({"id": ("bigint", np.array([1])), "at": ("timestamptz", np.array([946_684_800_000_001]))})
    assert (
        got
        == b"PGCOPY\n\xff\r\n\0"
        + bytes(8)
        + b"\0\2\0\0\0\x08"
        + (1).to_bytes(8)
        + b"\0\0\0\x08"
        + (1).to_bytes(8)
        + b"\xff\xff"
    )


def test_frames_have_all_columns() -> None:
    assert decode.completed(pl.DataFrame({"datastream": [1]})).columns[:5] == [
        "line",
        "datastream",
        "at",
        "result",
        "other",
    ]
