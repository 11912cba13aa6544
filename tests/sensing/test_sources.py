"""Foreign formats by declared mappings: what is right goes on, what is not is told with its line, and nothing hostile hurts."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import xlsxwriter
from django.utils import translation
from google.transit import gtfs_realtime_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from chengshu.core.errors import Invalid, Mistakes, TooLarge
from chengshu.sensing.records import Incoming, Reason
from chengshu.sensing.sources import formats, guess
from chengshu.sensing.sources.mapping import Source, Time, parse, plain, read_text
from chengshu.sensing.sources.shape import decode, take
from chengshu.sensing.sources.times import instants

PAYLOADS = Path(__file__).parent / "payloads"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "traffic" / "losloop" / "speed_first80.csv.gz"
FEEDS = Path(__file__).parents[2] / "cities" / "hangzhou"
ZONE = "Asia/Shanghai"
LOSLOOP = {
    "format": "csv",
    "time": {"start": "2012-03-01T00:00:00", "step": 300, "zone": "America/Los_Angeles", "length": 300},
    "melt": {"into": "sensor", "value": "speed"},
    "results": [{"key": "losloop-{sensor}", "value": "speed", "unit": "[mi_i]/h", "store_unit": "km/h"}],
}


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Sentences are compared in English."""
    with translation.override("en"):
        yield


def mapping(**more: Any) -> Source:
    """A mapping of readings `id, time, pm25`, with changes."""
    usual = {
        "format": "csv",
        "time": {"column": "time"},
        "results": [{"key": "{id}-pm25", "value": "pm25", "unit": "ug/m3"}],
    }
    return parse({**usual, **more})


def read(content: bytes | str, **more: Any) -> Incoming:
    return decode(content.encode() if isinstance(content, str) else content, mapping(**more), zone=ZONE)


def told(found: Incoming) -> list[tuple[Any, ...]]:
    return [
        (row["line"], row["key"], row["at"].isoformat(), row["result"] if row["other"] is None else row["other"])
        for row in found.rows.iter_rows(named=True)
    ]


def test_good_rows_go_on_and_bad_ones_are_told_with_their_lines() -> None:
    found = read(
        "id,time,pm25\nA,2026-11-22 08:00,35\nB,yesterday,36\nC,2026-11-22 08:00\n,2026-11-22 08:00,3\n"
        "D,2026-11-22 08:00,many\nE,2026-11-22 08:00,NA\n\nF,2026-11-22T08:00:00Z,37.5\n"
    )
    assert told(found) == [
        (2, "A-pm25", "2026-11-22T00:00:00+00:00", 35.0),
        (9, "F-pm25", "2026-11-22T08:00:00+00:00", 37.5),
    ]
    assert {each.line: each.reason for each in found.refused} == {
        4: Reason.FORM, 3: Reason.TIME, 5: Reason.FORM, 6: Reason.TYPE,
    }  # fmt: skip
    assert next(each for each in found.refused if each.line == 6).content == {
        "id": "D", "time": "2026-11-22 08:00", "pm25": "many",
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found(encoding: str, delimiter: str) -> None:
    text = "站点,时间,浓度\n朝晖五区,2026/11/22 8:00,35\n滨江,2026/11/22 8:05,36\n".replace(",", delimiter)
    found = read(
        text.encode(encoding), time={"column": "时间"}, results=[{"key": "{站点}-pm25", "value": "浓度"}],
    )  # fmt: skip
    assert [row[1:3] for row in told(found)] == [
        ("朝晖五区-pm25", "2026-11-22T00:00:00+00:00"), ("滨江-pm25", "2026-11-22T00:05:00+00:00"),
    ]  # fmt: skip


def test_a_wrong_encoding_spoils_only_the_rows_that_hold_it() -> None:
    found = read(b"id,time,pm25\nA,2026-11-22 08:00,35\n" + b"B,2026-11-22 08:00,\xff\xff\n", encoding="utf-8")
    assert [row[1] for row in told(found)] == ["A-pm25"]
    assert [(each.line, each.reason) for each in found.refused] == [(3, Reason.TYPE)]


def test_json_rows_at_a_path_with_several_results_a_row() -> None:
    content = json.dumps(
        {"data": {"items": [
            {"dev": {"id": "w1"}, "ts": 1795334400000, "temp": 21.5, "open": True, "state": "晴"},
            {"dev": {"id": "w2"}, "ts": None, "temp": 20, "open": "maybe", "state": None},
            "junk",
        ]}}
    )  # fmt: skip
    found = read(
        content, format="json", rows="data.items", time={"column": "ts", "format": "epoch_ms"},
        results=[
            {"key": "{dev.id}-temp", "value": "temp", "unit": "Cel"},
            {"key": "{dev.id}-open", "value": "open", "type": "truth"},
            {"key": "{dev.id}-state", "value": "state", "type": "category"},
        ],
    )  # fmt: skip
    at = datetime.fromtimestamp(1795334400, UTC).isoformat()
    assert told(found) == [(1, "w1-temp", at, 21.5), (1, "w1-open", at, "true"), (1, "w1-state", at, '"晴"')]
    assert sorted((each.line, each.reason) for each in found.refused) == [(2, "time"), (3, "form")]


def test_ndjson_lines_that_are_none_are_refused_by_themselves() -> None:
    found = read('{"id":"A","time":"2026-11-22T08:00:00Z","pm25":1}\n{broken\n\n[1]\n', format="ndjson")
    assert [row[0] for row in told(found)] == [1]
    assert sorted((each.line, each.reason) for each in found.refused) == [(2, "form"), (4, "form")]


def test_xml_rows_at_an_element_path_attributes_and_namespaces() -> None:
    content = """<?xml version="1.0"?><r xmlns="urn:x"><head><row id="no"/></head><data>
      <row id="A"><time>2026-11-22T08:00:00Z</time><v unit="ug/m3"><pm25>35</pm25></v></row>
      <row id="B"><time>2026-11-22T09:00:00Z</time><v unit="mg/m3"><pm25>0.036</pm25></v></row></data></r>"""
    found = read(
        content, format="xml", rows="data/row",
        results=[{"key": "{@id}-pm25", "value": "v/pm25", "unit_column": "v/@unit"}],
    )  # fmt: skip
    assert [row[1] for row in told(found)] == ["A-pm25", "B-pm25"]
    assert found.rows["unit"].to_list() == ["ug/m3", "mg/m3"]


def workbook(rows: list[list[Any]], sheet: str = "数据") -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"})
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            page.write(number, column, value)
    book.close()
    return file.getvalue()


def test_a_workbook_with_dates_of_its_own() -> None:
    content = workbook(
        [["id", "time", "pm25"], ["A", datetime.fromisoformat("2026-11-22T08:00"), 35], ["B", "2026-11-22 09:00", "x"]]
    )
    found = read(content, format="xlsx", sheet="数据")
    assert told(found) == [(2, "A-pm25", "2026-11-22T00:00:00+00:00", 35.0)]
    assert [(each.line, each.reason) for each in found.refused] == [(3, "type")]
    with pytest.raises(Invalid, match="数据"):
        read(content, format="xlsx", sheet="别的")


def test_parquet_keeps_times_with_and_without_a_zone() -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2],
            "time": [datetime.fromisoformat("2026-11-22T08:00"), datetime.fromisoformat("2026-11-22T09:00")],
            "pm25": [35.125, None],
        }
    )
    for zone, hour in ((None, 0), ("UTC", 8)):
        file = io.BytesIO()
        (frame if zone is None else frame.with_columns(pl.col("time").dt.replace_time_zone(zone))).write_parquet(file)
        [row] = told(read(file.getvalue(), format="parquet"))
        assert row == (1, "1-pm25", f"2026-11-22T{hour:02}:00:00+00:00", 35.125)


def feed() -> gtfs_realtime_pb2.FeedMessage:
    made = gtfs_realtime_pb2.FeedMessage()
    made.header.gtfs_realtime_version, made.header.timestamp = "2.0", 1795334400
    return made


def test_gtfs_vehicles_stand_where_they_are_in_wgs84() -> None:
    made = feed()
    for number, (lon, lat) in enumerate([(120.16, 30.27), (200.0, 95.0)]):
        vehicle = made.entity.add(id=str(number)).vehicle
        vehicle.vehicle.id, vehicle.trip.route_id = f"bus{number}", "B1"
        vehicle.position.longitude, vehicle.position.latitude, vehicle.position.speed = lon, lat, 7.5
    found = read(
        made.SerializeToString(), format="gtfs-rt", rows="vehicles", time={"column": "timestamp", "format": "epoch"},
        place={"lon": "lon", "lat": "lat", "crs": "gcj02"},
        results=[
            {"key": "{vehicle_id}-position", "type": "position"},
            {"key": "{vehicle_id}-speed", "value": "speed", "unit": "m/s"},
        ],
    )  # fmt: skip
    position, speed = told(found)
    lon, lat = json.loads(position[3])["coordinates"]
    assert (round(lon, 3), round(lat, 3)) == (120.155, 30.272)  # 450 m west and 260 m north of the shifted point
    assert speed[1:] == ("bus0-speed", datetime.fromtimestamp(1795334400, UTC).isoformat(), 7.5)
    assert json.loads(found.rows["parameters"][1]) == {"lon": lon, "lat": lat}
    assert [(each.line, each.reason) for each in found.refused] == [(2, "place")]


def test_gtfs_trips_and_alerts() -> None:
    made = feed()
    update = made.entity.add(id="t").trip_update
    update.trip.trip_id = "T1"
    stop = update.stop_time_update.add(stop_id="S1")
    stop.arrival.delay = 90
    alert = made.entity.add(id="a").alert
    alert.effect = gtfs_realtime_pb2.Alert.DETOUR
    alert.informed_entity.add(route_id="R1")
    content, time = made.SerializeToString(), {"column": "timestamp", "format": "epoch"}
    [trip] = told(read(content, format="gtfs-rt", rows="trips", time=time,
                       results=[{"key": "{trip_id}-{stop_id}", "value": "arrival_delay", "unit": "s"}]))  # fmt: skip
    [warning] = told(read(content, format="gtfs-rt", rows="alerts", time=time,
                          results=[{"key": "route-{route_id}", "value": "effect", "type": "category"}]))  # fmt: skip
    assert (trip[1], trip[3], warning[1], warning[3]) == ("T1-S1", 90.0, "route-R1", '"DETOUR"')


def test_the_real_metro_inflow_by_its_mapping() -> None:
    source = parse(read_text((FEEDS / "feeds" / "metro.yaml").read_text(encoding="utf-8")))
    content = (FEEDS / "data" / "hangzhou_metro_inflow.csv.gz").read_bytes()
    found = take(content, source, zone=ZONE, door="file:metro")
    rows = found.incoming.rows
    assert (rows.height, len(found.incoming.refused), found.streams.height) == (155_520, 0, 80)
    first = rows.row(0, named=True)
    assert (first["at"], first["until"], first["result"]) == (
        datetime(2018, 12, 31, 22, tzinfo=UTC), datetime(2018, 12, 31, 22, 10, tzinfo=UTC), 17.0,
    )  # fmt: skip
    assert rows["at"].max() == datetime(2019, 1, 18, 15, 50, tzinfo=UTC)


def test_a_wide_table_without_times_a_captured_piece_of_los_loop() -> None:
    found = decode((PAYLOADS / "losloop.csv").read_bytes(), parse(LOSLOOP), zone=ZONE)
    assert found.rows.height == 20 * 8
    assert told(found)[0] == (2, "losloop-773869", "2012-03-01T08:00:00+00:00", 64.375)
    assert found.rows["at"].max() == datetime(2012, 3, 1, 9, 35, tzinfo=UTC)


@pytest.mark.skipif(not SHARED.exists(), reason="the whole Los-loop file is not on this machine")
def test_the_whole_of_los_loop() -> None:
    found = decode(SHARED.read_bytes(), parse(LOSLOOP), zone=ZONE)
    assert (found.rows.height, found.rows["key"].n_unique(), len(found.refused)) == (1612 * 207, 207, 0)


MOMENTS = st.datetimes(
    datetime.fromisoformat("1970-01-03"), datetime.fromisoformat("2090-01-01")
)  # beyond, tables of zones differ
ZONES = st.sampled_from(
    ["Asia/Shanghai", "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Europe/Berlin"]
)


def instant(told: Time, zone: str, **columns: list[str]) -> datetime | None:
    frame = pl.DataFrame({"n": [1], **columns}, schema={"n": pl.Int64, **dict.fromkeys(columns, pl.String)})
    found: datetime | None = frame.select(instants(told, zone, datetime.now(UTC), rows="n")).item()
    return found


@settings(max_examples=120, deadline=None)
@given(
    wall=MOMENTS,
    zone=ZONES,
    form=st.sampled_from(["iso", "space", "slash", "compact", "offset", "epoch", "epoch_ms", "%d.%m.%Y %H:%M:%S"]),
)
def test_a_time_comes_back_however_it_was_written(wall: datetime, zone: str, form: str) -> None:
    wall = wall.replace(microsecond=0)
    right = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if right.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall:
        return  # an hour that never was, in the night of a change of clocks
    texts = {
        "iso": wall.isoformat(), "space": f"{wall:%Y-%m-%d %H:%M:%S}", "slash": f"{wall:%Y/%m/%d %H:%M:%S}",
        "compact": f"{wall:%Y%m%d%H%M%S}", "offset": right.astimezone(ZoneInfo(zone)).isoformat(),
        "epoch": str(int(right.timestamp())), "epoch_ms": str(int(right.timestamp() * 1000)),
    }  # fmt: skip
    text = texts.get(form) or wall.strftime(form)
    kind = form if form in {"epoch", "epoch_ms"} or "%" in form else "iso"
    assert instant(Time(column="t", format=kind), zone, t=[text]) == right


@settings(max_examples=80, deadline=None)
@given(day=st.dates(date(1971, 1, 1), date(2090, 1, 1)), minutes=st.sampled_from([1, 5, 10, 15, 60]), data=st.data())
def test_slots_of_a_day_come_back(day: date, minutes: int, data: st.DataObject) -> None:
    slot = data.draw(st.integers(0, 1440 // minutes + 3))
    told = Time(date="d", slot="s", minutes=minutes)
    found = instant(told, ZONE, d=[day.isoformat()], s=[str(slot)])
    if slot * minutes >= 1440:
        assert found is None
        return
    wall = datetime.fromisoformat(day.isoformat()) + timedelta(minutes=slot * minutes)
    number = Time(date="d", first_day="2000-01-01", slot="s", minutes=minutes)
    again = instant(number, ZONE, d=[str((day - date(2000, 1, 1)).days + 1)], s=[str(slot)])
    right = wall.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
    if right.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None) == wall:  # Shanghai changed its clocks from 1986 to 1991
        assert found == again == right


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["csv", "json", "ndjson", "xlsx", "parquet", "xml", "gtfs-rt"]))
def test_any_bytes_are_read_or_refused_in_a_sentence(content: bytes, kind: str) -> None:
    try:
        read(content, format=kind, rows="vehicles" if kind == "gtfs-rt" else "")
    except Invalid as error:
        assert error.what


def test_hostile_contents_are_refused_cheaply() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (300 * 2**20))
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x><row>&b;</row></x>'
    with pytest.raises(TooLarge):
        read(bomb.getvalue(), format="xlsx")
    with pytest.raises(Invalid, match="entities"):
        read(entities, format="xml", rows="row")
    with pytest.raises(Invalid):
        read("<a>" * 5_000 + "</a>" * 5_000, format="xml", rows="row")
    with pytest.raises(TooLarge):
        read(b"a," * 4_000_000)
    with pytest.raises(TooLarge):
        read(gzip.compress(b"0" * (257 * 2**20), 1))
    with pytest.raises(Invalid):
        read("[" * 200_000, format="json")
    with pytest.raises(Invalid, match="10000"):
        read("id,time,pm25\n" + "x\n" * 11_000)


def test_a_small_parquet_that_stands_for_much_is_refused() -> None:
    file = io.BytesIO()
    pl.DataFrame(
        {"id": ["x" * 100_000] * 5_000, "time": ["2026-11-22T08:00:00Z"] * 5_000, "pm25": [1.0] * 5_000}
    ).write_parquet(file, compression="zstd")
    assert len(file.getvalue()) < 2**20
    with pytest.raises(TooLarge):
        read(file.getvalue(), format="parquet")


def test_a_half_written_file_gives_its_whole_rows() -> None:
    whole = "id,time,pm25\nA,2026-11-22 08:00,35\nB,2026-11-22 08:0"
    found = read(whole)
    assert len(told(found)) == 1
    assert [each.line for each in found.refused] == [3]
    with pytest.raises(Invalid, match="damaged"):
        read(gzip.compress(whole.encode())[:-9])


def test_every_mistake_of_a_mapping_is_told_at_once() -> None:
    with pytest.raises(Mistakes) as caught:
        parse({"format": "tsv", "time": {"colum": "t"}, "results": [], "colour": 1})
    assert {each.where for each in caught.value.mistakes} == {"", "format", "time", "results"}
    with pytest.raises(Mistakes) as caught:
        parse({"format": "csv", "time": {"column": "t", "zone": "Mars/Base", "start": "now"},
               "results": [{"key": "{a", "value": "x", "unit": "furlong"}, {"key": "b"}]})  # fmt: skip
    assert {each.where for each in caught.value.mistakes} == {
        "time", "time/zone", "time/start", "results/0/key", "results/0/unit", "results/1",
    }  # fmt: skip
    with pytest.raises(Invalid, match="aliases"):
        read_text("a: &a [1]\nb: *a")
    assert parse(plain(mapping())) == mapping()


def test_a_missing_column_names_those_that_are_there() -> None:
    with pytest.raises(Invalid, match=r"pm25, time are missing.*there: id, when, pm10"):
        read("id,when,pm10\nA,1,2\n")


def test_the_cursor_is_the_greatest_value() -> None:
    content = b"id,time,pm25\n9,2026-11-22 08:00,1\n10,2026-11-22 09:00,2\n"
    for column, right in (("id", "10"), ("time", "2026-11-22 09:00")):
        assert take(content, mapping(cursor=column), zone=ZONE, door="x").cursor == right


def test_only_columns_that_are_named_are_held() -> None:
    found = formats.table(b"id,time,pm25,more\nA,1,2,3\n", mapping())
    assert found.columns == ["id", "time", "pm25"]


def test_hours_without_minutes_are_read_and_a_table_without_times_is_guessed() -> None:
    [row] = told(read("id,time,pm25\n7,2026-11-22 08,3\n", time={"column": "time", "format": "%Y-%m-%d %H"}))
    assert row[2] == "2026-11-22T00:00:00+00:00"
    assert guess.guess(b"name,v\nfoo,1\nbar,2\n")["time"] == {"received": True}
