"""A first mapping for a content that nobody has described: the format by its bytes, the columns by their names and values.

It is a proposal that a person looks at; every word of it can be changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import polars as pl
from django.utils.translation import gettext as _

from chengshu.core import units
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.sensing.sources import formats, gtfs
from chengshu.sensing.sources.mapping import MISSING, Source, Time, parse
from chengshu.sensing.sources.table import LINE, Table
from chengshu.sensing.sources.times import instants

NOBODY: Final = "thing-1"  # where no column tells whose a row is
ROWS: Final = 200  # of a sample that are looked at
WIDE: Final = 12  # numbers beside each other, without a key, from which on a table counts as wide
TIME: Final = re.compile(r"time|date|时间|日期|时刻|timestamp|^ts$|^t$|datetime|采集|监测时", re.I)
KEY: Final = re.compile(
    r"(^|[_@./-])(id|code|key|no|sn|imei)$|station|sensor|device|detector|编号|编码|站点|站号|设备|点位|测点", re.I
)
LON: Final = re.compile(r"^(.*[_./@])?(lon|lng|long|longitude|经度|x)$", re.I)
LAT: Final = re.compile(r"^(.*[_./@])?(lat|latitude|纬度|y)$", re.I)
NAMED: Final = re.compile(r"name$|名称$|站名$", re.I)
UNIT: Final = re.compile(r"[(（\[]\s*([^()（）\[\]]+?)\s*[)）\]]\s*$")
WRITTEN: Final = {
    "℃": "Cel", "°C": "Cel", "C": "Cel", "μg/m3": "ug/m3", "µg/m3": "ug/m3", "μg/m³": "ug/m3", "µg/m³": "ug/m3",
    "ug/m³": "ug/m3", "mg/m³": "mg/m3", "mph": "[mi_i]/h", "辆": "{vehicle}", "人": "{person}", "人次": "{person}",
    "度": "deg", "米": "m", "毫米": "mm", "kwh": "kW.h", "kWh": "kW.h", "m³/h": "m3/h", "次": "{count}", "dB": "dB",
}  # fmt: skip
USUAL: Final = (
    (re.compile(r"^(pm2_?5|pm10|so2|no2|o3)(?![a-z])", re.I), "ug/m3"), (re.compile(r"temp|温度|气温", re.I), "Cel"),
    (re.compile(r"humid|湿度", re.I), "%"), (re.compile(r"inflow|passenger|客流|人数", re.I), "{person}"),
)  # fmt: skip


def format_of(content: bytes) -> str:
    """The format that the bytes look like."""
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if content[:4] == b"PK\x03\x04":
        return "xlsx"
    if content[:4] == b"PAR1":
        return "parquet"
    if head[:1] == b"<":
        return "xml"
    if head[:1] in {b"{", b"["}:
        return _json_or_lines(content)
    return "gtfs-rt" if _is_feed(content) else "csv"


def _json_or_lines(content: bytes) -> str:
    try:
        msgspec.json.decode(content.lstrip(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError):
        return "ndjson"
    return "json"


def _is_feed(content: bytes) -> bool:
    try:
        return any(True for rows in gtfs.SORTS for _record in gtfs.records(content, rows))
    except Invalid:
        return False


def guess(content: bytes) -> dict[str, Any]:
    """A mapping for a content, as plain values. Raises `Invalid` when nothing can be made of it."""
    plain = formats.unpacked(content)
    given: dict[str, Any] = {"format": format_of(plain)}
    if rows := _rows(plain, given["format"]):
        given["rows"] = rows
    if given["format"] == "csv":
        given["delimiter"] = formats.delimiter_of(plain, formats.encoding_of(plain))
    table = formats.table(plain, _bare(given), every=True, most=ROWS)
    if not table.columns:
        raise Invalid(_("Nothing can be read of this."), remedy=_("Paste some whole lines, with the header."))
    return {**given, **_columns(table)}


def columns(content: bytes, given: Mapping[str, Any]) -> list[str]:
    """All columns of a content, read as a mapping says; none when it cannot be."""
    told = {
        name: given[name]
        for name in ("format", "rows", "encoding", "delimiter", "header", "skip", "sheet")
        if name in given
    }
    try:
        return formats.table(content, _bare(told), every=True, most=ROWS).columns
    except ChengshuError:
        return []


def _bare(given: Mapping[str, Any]) -> Source:
    """A mapping that reads everything and says nothing yet."""
    return parse({**given, "time": {"received": True}, "results": [{"key": "x", "value": "x"}]})


def _rows(content: bytes, kind: str) -> str:
    if kind == "json":
        return _longest(msgspec.json.decode(content.lstrip(b"\xef\xbb\xbf")))
    if kind == "gtfs-rt":
        return next(rows for rows in gtfs.SORTS if any(True for _record in gtfs.records(content, rows)))
    return formats.repeated(content) if kind == "xml" else ""


def _longest(value: Any, before: str = "", depth: int = 0) -> str:
    """The path of the longest list of records."""
    found = dict(_lists(value, before, depth))
    return max(found, key=lambda path: found[path]) if found else ""


def _lists(value: Any, path: str, depth: int) -> list[tuple[str, int]]:
    if isinstance(value, list):
        return [(path, len(value))] if any(isinstance(each, dict) for each in value) else []
    if not isinstance(value, dict) or depth > 5:
        return []
    return [
        found
        for name, each in value.items()
        if "." not in name
        for found in _lists(each, f"{path}.{name}" if path else name, depth + 1)
    ]


def _columns(table: Table) -> dict[str, Any]:
    """Times, keys, coordinates and results among the columns."""
    frame = table.frame.with_columns(pl.exclude(LINE).str.strip_chars())
    frame = frame.with_columns(pl.when(~pl.exclude(LINE).is_in(list(MISSING))).then(pl.exclude(LINE)))
    numbers = [name for name in table.columns if _share(frame[name], _numeric) > 0.5]
    time, stamp = _time(frame, table.columns, numbers)
    lon, lat = _first(LON, numbers), _first(LAT, numbers)
    key = _key(table.columns, numbers, frame)
    used = {stamp, lon, lat, key}
    values = [name for name in numbers if name not in used and not TIME.search(name)]
    found: dict[str, Any] = {"time": time}
    if key is None and len(values) >= WIDE:
        found["melt"] = {"into": "sensor", "value": "reading", "keep": [stamp] if stamp else []}
        found["results"] = [{"key": "{sensor}", "value": "reading"}]
        return {**found, "ensure": {"thing": "{sensor}"}}
    if lon and lat:
        found["place"] = {"lon": lon, "lat": lat}
    found["results"] = _results(values, key, bool(lon and lat), table.columns)
    name = _first(NAMED, [each for each in table.columns if each not in numbers])
    found["ensure"] = {"thing": f"{{{key}}}" if key else NOBODY, **({"name": f"{{{name}}}"} if name else {})}
    return found


def _results(values: Sequence[str], key: str | None, placed: bool, columns: Sequence[str]) -> list[dict[str, Any]]:
    whose = f"{{{key}}}" if key else NOBODY
    results = [{"key": f"{whose}-{_short(name)}", "value": name, **_unit(name)} for name in values[:40]]
    if not results and placed:
        return [{"key": f"{whose}-position", "type": "position"}]
    rest = next((name for name in columns if name != key), columns[0])
    return results or [{"key": whose, "value": rest, "type": "category"}]


def _share(column: pl.Series, right: Callable[[pl.Series], pl.Series]) -> float:
    """Which part of a column's values is right; none of an empty one."""
    values = column.drop_nulls()
    return float(right(values).is_not_null().sum()) / len(values) if len(values) else 0.0


def _numeric(values: pl.Series) -> pl.Series:
    return values.cast(pl.Float64, strict=False)


def _time(frame: pl.DataFrame, columns: Sequence[str], numbers: Sequence[str]) -> tuple[dict[str, Any], str | None]:
    """How times are told, and by which column; when the content came in, where none is found."""
    for name in sorted(columns, key=lambda each: not TIME.search(each)):
        for form in _forms(frame[name], name in numbers, bool(TIME.search(name))):
            told = Time(column=name, format=form)
            times = frame.select(instants(told, "UTC", datetime.now(UTC), rows=LINE).alias("t"))["t"]
            years = times.dt.year().drop_nulls()
            if len(years) > 0.9 * frame[name].drop_nulls().len() and 1990 <= int(str(years.min())) <= 2100:
                return {"column": name, **({} if form == "iso" else {"format": form})}, name
    return {"received": True}, None


def _forms(column: pl.Series, number: bool, named: bool) -> Sequence[str]:
    """The formats worth a try."""
    values = column.drop_nulls()
    if not len(values):
        return ()
    if not number:
        return (
            "iso",
            "%d.%m.%Y %H:%M:%S",
            "%d/%m/%Y %H:%M:%S",
            "%Y年%m月%d日 %H:%M",
            "%Y年%m月%d日 %H时",
            "%m/%d/%Y %H:%M:%S",
        )
    size = len(str(values[0]).partition(".")[0])
    return {10: ("epoch",), 13: ("epoch_ms",), 8: ("iso",), 12: ("iso",), 14: ("iso",)}.get(size, ()) if named else ()


def _first(pattern: re.Pattern[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if pattern.search(name)), None)


def _key(columns: Sequence[str], numbers: Sequence[str], frame: pl.DataFrame) -> str | None:
    named = [name for name in columns if KEY.search(name) and not TIME.search(name) and "{" not in name]
    if named:
        return named[0]
    texts = [name for name in columns if name not in numbers and not TIME.search(name) and "{" not in name]
    return next((name for name in texts if frame[name].n_unique() < max(frame.height, 2)), None)


def _unit(name: str) -> dict[str, str]:
    """The unit that a column's name tells, in UCUM."""
    written = UNIT.search(name)
    code = WRITTEN.get(written[1], written[1]) if written else next((u for each, u in USUAL if each.search(name)), "")
    try:
        return {"unit": code} if code and units.known(code) else {}
    except ChengshuError:
        return {}


def _short(name: str) -> str:
    """What a column's name contributes to a key: its last step, without its unit and what a template could not hold."""
    last = re.split(r"/|\.(?!\d)", UNIT.sub("", name).strip())[-1]  # PM2.5 is one word
    return re.sub(r"[{}\s@]+", "", last) or "value"
