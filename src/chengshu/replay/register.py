"""Reading a register of requests as a city publishes it: CSV, plain or gzipped.

Bad rows are set aside with reason and remedy.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import cos, hypot, radians
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid

SKEW = timedelta(
    minutes=1
)  # the register's clock of closings ran up to 32 s behind its clock of reports (docs/how-to/replay-boston.md)
FAR = 60.0  # km from the city's centre beyond which a point is a mistake
YEARS = range(1990, 2101)
OUTCOME = (
    "closed",
    "on_time",
    "status",
    "closure",
)  # what nobody knew when the request came in; the closing move tells it
_FIELD = 1 << 20
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2}):(\d{2}) ?([AaPp])[Mm]")
REASONS: Mapping[str, tuple[str, str]] = {
    "wrong_columns": (
        "The row has not as many fields as the header.",
        "Put fields that hold a comma or a quote into quotes.",
    ),
    "undecodable": ("The row holds bytes that are not UTF-8.", "Save the file as UTF-8."),
    "unusable_character": ("The row holds a NUL character.", "Remove it."),
    "missing_id": ("The row has no id, or one of more than 300 characters.", "Give every request an id of its own."),
    "missing_type": ("The row names no type.", "Name the type of the request."),
    "bad_opened": ("The time of the report is missing or cannot be read.", "Write it as 01/31/2015 05:30:00 PM."),
    "bad_target": ("The target time cannot be read.", "Write it as 01/31/2015 05:30:00 PM, or leave it empty."),
    "bad_closed": ("The time of closing cannot be read.", "Write it as 01/31/2015 05:30:00 PM, or leave it empty."),
    "in_the_future": ("It was reported or closed in the future.", "Correct the times."),
    "closed_before_opened": ("It was closed more than a minute before it was reported.", "Correct the times."),
    "closed_without_time": ("It is said to be closed, but not when.", "Give the time of closing."),
    "duplicate_id": ("An earlier row has the same id.", "Keep one of the rows, or give the other an id of its own."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as recorded. Times are UTC; `recorded` is the register's own word for in time or late; `raw` is the row as
    it was when the request came in, without its outcome."""

    line: int
    key: str
    opened: datetime
    target: datetime | None
    closed: datetime | None
    recorded: str
    title: str
    type: str
    unit: str
    department: str
    neighborhood: str
    place_text: str
    lon: float | None
    lat: float | None
    closure: str
    channel: str
    raw: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAside:
    """A row that cannot become a case."""

    line: int
    reason: str
    content: str

    def as_dict(self) -> dict[str, Any]:
        what, remedy = REASONS[self.reason]
        return {"line": self.line, "reason": self.reason, "what": what, "remedy": remedy, "content": self.content}


@dataclass(kw_only=True, slots=True)
class Register:
    """All of a file: `remarks` counts what was taken without its doubtful part, such as a point outside the city."""

    rows: int = 0
    requests: list[Request] = field(default_factory=list)
    quarantine: list[SetAside] = field(default_factory=list)
    remarks: dict[str, int] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """How many rows were set aside, by reason."""
        found: dict[str, int] = {}
        for row in self.quarantine:
            found[row.reason] = found.get(row.reason, 0) + 1
        return dict(sorted(found.items()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a file is to be read: an entry of the pack's sources.yaml, and where the city lies."""

    columns: Mapping[str, str]
    zone: ZoneInfo
    center: tuple[float, float]
    no_place: tuple[float, float, str] | None

    @classmethod
    def of(cls, source: Mapping[str, Any], zone: ZoneInfo, center: Sequence[float]) -> Self:
        nowhere = source.get("no_place")
        return cls(
            columns=source["columns"],
            zone=ZoneInfo(source["timezone"]) if "timezone" in source else zone,
            center=(center[0], center[1]),
            no_place=(nowhere["longitude"], nowhere["latitude"], nowhere["when_empty"]) if nowhere else None,
        )


def read_register(file: Path, layout: Layout, *, now: datetime | None = None, most: int | None = None) -> Register:
    """Read a file; every row becomes a request or is set aside.

    Args:
        now: what lies after it is in the future.
        most: stop after this many rows.

    Raises:
        Invalid: the file cannot be read, is not such a CSV, or lacks columns.
    """
    lines = list(io.StringIO(_text(file), newline=""))
    header = _header(file, lines, layout)
    reading = _Reading(layout=layout, header=header, now=(now or datetime.now(UTC)) + timedelta(minutes=10))
    for number, values, content in islice(_records(lines, len(header)), most):
        reading.take(number, values, content)
    return reading.register


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Invalid(
            _("It cannot be read: %(reason)s.") % {"reason": reason},
            where=str(file),
            remedy="Give a CSV file, plain or gzipped.",
        ) from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or content[:4] == b"PK\x03\x04":
        raise Invalid("It is not UTF-8 text.", where=str(file), remedy="Save it as CSV in UTF-8.")
    # Bytes that are no UTF-8 are marked, so that only their rows are lost.
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _header(file: Path, lines: Sequence[str], layout: Layout) -> list[str]:
    names = [name.strip() for name in next(csv.reader(lines[:1]), [])]
    folded = {name.casefold() for name in names}
    if len(names) == 1 and (other := next((mark for mark in ";\t|" if mark in names[0]), None)):
        what = _("Its columns are separated by %(mark)s.") % {"mark": repr(other)}
        raise Invalid(what, where=f"{file}:1", remedy="Separate them by commas.")
    missing = [column for column in layout.columns.values() if column.casefold() not in folded]
    if missing:
        what = _("The header lacks %(columns)s.") % {"columns": ", ".join(missing)}
        remedy = _("Give the columns %(columns)s.") % {"columns": ", ".join(layout.columns.values())}
        raise Invalid(what, where=f"{file}:1", remedy=remedy)
    return names


def _records(lines: Sequence[str], width: int) -> Iterator[tuple[int, list[str] | None, str]]:
    """Line number, fields (None where the row has another number of them) and text of every record.

    A stray quote swallows the lines behind it: such a record is given up at its first line, and reading goes on with
    the next.
    """
    csv.field_size_limit(_FIELD)
    at = 1
    while at < len(lines):
        start = at
        reader = csv.reader(lines[i] for i in range(start, len(lines)))
        for values in _fields(reader):
            first, at = at, start + max(reader.line_num, 1)
            if values == []:
                continue
            if values is None or len(values) != width:
                at = first + 1
                yield first + 1, None, lines[first]
                break
            yield first + 1, values, "".join(lines[first:at])
        else:
            return


def _fields(reader: Any) -> Iterator[list[str] | None]:
    """The records of a reader; None for one that it cannot read."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


@dataclass(kw_only=True)
class _Reading:
    """One reading of one file."""

    layout: Layout
    header: list[str]
    now: datetime
    register: Register = field(default_factory=Register)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        at = {name.casefold(): i for i, name in enumerate(self.header)}
        self.at = {ours: at[theirs.casefold()] for ours, theirs in self.layout.columns.items()}

    def take(self, line: int, values: list[str] | None, content: str) -> None:
        """Make a request of a record, or set it aside."""
        self.register.rows += 1
        row = None if values is None else {name: values[i].strip() for name, i in self.at.items()}
        reason, times = self._judge(row, content)
        if row is None or reason:
            shown = content.rstrip("\r\n").encode("utf-8", "backslashreplace").decode()[:4000]
            self.register.quarantine.append(SetAside(line=line, reason=reason, content=shown))
            return
        self.seen.add(row["key"])
        later = {self.at[name] for name in OUTCOME if name in self.at}
        cells = enumerate(zip(self.header, values or [], strict=True))
        raw = dict(cell for i, cell in cells if i not in later)
        self.register.requests.append(self._request(line, row, times, raw))

    def _judge(self, row: Mapping[str, str] | None, content: str) -> tuple[str, dict[str, datetime | None]]:
        """Why a row cannot be taken (empty: it can), and its times."""
        if _undecodable(content):
            return "undecodable", {}
        if row is None:
            return "wrong_columns", {}
        if "\x00" in content:
            return "unusable_character", {}
        for name, reason in (("key", "missing_id"), ("type", "missing_type")):
            if not row[name] or len(row[name]) > 300:
                return reason, {}
        if row["key"] in self.seen:
            return "duplicate_id", {}
        return self._judge_times(row)

    def _judge_times(self, row: Mapping[str, str]) -> tuple[str, dict[str, datetime | None]]:
        times: dict[str, datetime | None] = {}
        for name in ("opened", "target", "closed"):
            times[name] = moment(row[name], self.layout.zone)
            if times[name] is None and (row[name] or name == "opened"):
                return f"bad_{name}", {}
        opened, closed = times["opened"], times["closed"]
        if opened is None or opened > self.now or (closed is not None and closed > self.now):
            return "in_the_future", {}
        if closed is None:
            return ("closed_without_time" if row["status"].casefold() == "closed" else ""), times
        if closed < opened and (later := moment(row["closed"], self.layout.zone, fold=1)):
            closed = later  # in the hour that the end of summer time repeats, the second passage may be meant
        if closed < opened - SKEW:
            return "closed_before_opened", {}
        return "", times | {"closed": max(closed, opened)}

    def _request(
        self, line: int, row: Mapping[str, str], times: Mapping[str, datetime | None], raw: Mapping[str, str]
    ) -> Request:
        lon, lat = self._point(row)
        opened = times["opened"]
        assert opened is not None
        return Request(
            line=line, key=row["key"], opened=opened, target=times["target"], closed=times["closed"],
            recorded=row["on_time"], title=row["title"], type=row["type"], unit=row["unit"],
            department=row["department"], neighborhood=row["neighborhood"], place_text=row["place_text"], lon=lon,
            lat=lat, closure=row["closure"], channel=row["channel"], raw=raw,
        )  # fmt: skip

    def _point(self, row: Mapping[str, str]) -> tuple[float, float] | tuple[None, None]:
        """The place of a request, or none where the register knows none or writes an impossible one."""
        if not (row["longitude"] or row["latitude"]):
            return None, None
        try:
            lon, lat = float(row["longitude"]), float(row["latitude"])
        except ValueError:
            return self._without("point_unreadable")
        nowhere = self.layout.no_place
        if nowhere and (lon, lat) == nowhere[:2] and not row[nowhere[2]]:
            return None, None
        east, north = (lon - self.layout.center[0]) * cos(radians(self.layout.center[1])), lat - self.layout.center[1]
        return (lon, lat) if hypot(east, north) * 111.2 <= FAR else self._without("point_outside_the_city")

    def _without(self, remark: str) -> tuple[None, None]:
        self.register.remarks[remark] = self.register.remarks.get(remark, 0) + 1
        return None, None


def _undecodable(content: str) -> bool:
    if content.isascii():
        return False
    try:
        content.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def moment(text: str, zone: ZoneInfo, *, fold: int = 0) -> datetime | None:
    """The UTC time of a local `01/31/2015 05:30:00 PM` or ISO 8601 time; None when it is neither or out of all reason."""
    if found := _US.fullmatch(text):
        month, day, year, hour, minute, second = map(int, found.groups()[:6])
        hour = hour % 12 + (12 if found[7] in "Pp" else 0) if 1 <= hour <= 12 else 99
    try:
        local = (
            datetime(year, month, day, hour, minute, second, tzinfo=zone, fold=fold)
            if found
            else datetime.fromisoformat(text)
        )
    except ValueError:
        return None
    if local.year not in YEARS:
        return None
    return (local if local.tzinfo else local.replace(tzinfo=zone, fold=fold)).astimezone(UTC)
