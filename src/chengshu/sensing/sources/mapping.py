"""The mapping: what stands where in a foreign format, declared in YAML or JSON, without any Python.

The records of this module are the language: its JSON Schema is made of them (`schema()`), a mapping is checked against it with
every mistake told at once (`parse()`), and then against what a schema cannot say: zones, formats of time, units, templates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import cache
from string import Formatter
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from chengshu.core import units
from chengshu.core.errors import Invalid, Mistake, Mistakes

Format = Literal["csv", "json", "ndjson", "xlsx", "parquet", "xml", "gtfs-rt", "sql"]
Kind = Literal["number", "count", "truth", "category", "text", "json", "position"]
Crs = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
LARGEST: Final = 256 * 1024  # characters of a mapping's text
MISSING: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "--", "—")
SHOWN: Final = 60  # characters of a wrong value that a message repeats


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the language: a name that is not known is a mistake."""


class Time(Strict, frozen=True):
    """When a row was observed, in one of four ways. Times without a zone are those of `zone`, else of the city.

    `column` with `format`: iso, epoch, epoch_ms, or a pattern such as %Y年%m月%d日 %H:%M. `date` with `clock`, or with `slot`:
    the date's column, or that of a day's number counted from `first_day` as day 1; slots of `minutes` from `first_slot`.
    `start` with `step`: the file has no times, and its rows follow each other every `step` seconds. `received`: none at all.
    `length`: seconds for which the row speaks, from that time on.
    """

    column: Word | None = None
    format: Word = "iso"
    zone: Word | None = None
    date: Word | None = None
    first_day: Word | None = None
    clock: Word | None = None
    slot: Word | None = None
    first_slot: Word = "00:00"
    minutes: Annotated[float, msgspec.Meta(gt=0, le=1440)] | None = None
    start: Word | None = None
    step: Annotated[float, msgspec.Meta(gt=0, le=31_622_400)] | None = None
    received: bool = False
    length: Annotated[float, msgspec.Meta(gt=0, le=31_622_400)] | None = None


class Result(Strict, frozen=True):
    """One observation of a row: whose (`key`, a template such as "{station}-pm25"), which column, in which unit (UCUM).

    The other members describe the datastream, where `ensure` makes it.
    """

    key: Word
    value: Word | None = None
    unit: Word | None = None
    unit_column: Word | None = None
    type: Kind = "number"
    name: Word | None = None
    property: Word | None = None
    definition: Word | None = None
    low: float | None = None
    high: float | None = None
    store_unit: Word | None = None
    period: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Place(Strict, frozen=True):
    """Where a row was observed: columns of longitude and latitude in degrees."""

    lon: Word
    lat: Word
    crs: Crs = "wgs84"


class Melt(Strict, frozen=True):
    """A wide table, a column a sensor: all columns but `keep` become rows: their names `into`, their values `value`."""

    into: Word = "column"
    value: Word = "value"
    keep: list[Word] = []


class Ensure(Strict, frozen=True):
    """Things and datastreams that are not known yet are made, by these templates."""

    thing: Word
    name: Word | None = None
    type: Annotated[str, msgspec.Meta(max_length=100)] = ""
    owner: Word | None = None
    duty: Word | None = None
    division: Word | None = None
    sensor: Word = "unknown sensor"
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class Source(Strict, frozen=True):
    """A mapping. Columns of JSON and XML are paths (`pos.lat`, `pos/@lat`); `rows` is the path of the rows."""

    format: Format
    time: Time
    results: Annotated[list[Result], msgspec.Meta(min_length=1, max_length=200)]
    rows: Annotated[str, msgspec.Meta(max_length=500)] = ""
    encoding: Annotated[str, msgspec.Meta(pattern="^(auto|utf-8|gb18030|utf-16)$")] = "auto"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] | None = None
    header: bool = True
    skip: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    sheet: Word | None = None
    missing: Annotated[list[str], msgspec.Meta(max_length=100)] | None = None
    result_time: Time | None = None
    place: Place | None = None
    melt: Melt | None = None
    cursor: Word | None = None
    next: Word | None = None
    ensure: Ensure | None = None
    note: Annotated[str, msgspec.Meta(max_length=5000)] = ""

    def columns(self) -> set[str]:
        """The columns that it reads from the content (of a wide table, those that are kept)."""
        named = {column for column in self._named() if column}
        if self.melt is not None:
            return (named | set(self.melt.keep)) - {self.melt.into, self.melt.value}
        return named

    def _named(self) -> Iterator[str | None]:
        for time_of in (self.time, self.result_time):
            if time_of is not None:
                yield from (time_of.column, time_of.date, time_of.clock, time_of.slot)
        for each in self.results:
            yield from (each.value, each.unit_column, *fields(each.key), *fields(each.name))
        if self.place is not None:
            yield from (self.place.lon, self.place.lat)
        if self.ensure is not None:
            yield from (*fields(self.ensure.thing), *fields(self.ensure.name))
        yield self.cursor

    def digest(self) -> str:
        """What tells this mapping from another: the same file read by another one is another delivery."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


def fields(template: str | None) -> list[str]:
    """The columns that a template names. Raises `ValueError` for one that cannot be read."""
    parts = list(Formatter().parse(template or ""))
    if any(spec or turned for _text, _name, spec, turned in parts):
        raise ValueError(template)
    if any(name == "" for _text, name, _spec, _turned in parts):
        raise ValueError(template)
    return [name for _text, name, _spec, _turned in parts if name]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the language, for editors and for `parse`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Source)}


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def read_text(text: str) -> Any:
    """A mapping's YAML or JSON text as plain values. Raises `Invalid` when it is neither."""
    if len(text) > LARGEST:
        raise Invalid(_("The mapping is too long."), remedy=_("A mapping has a few hundred lines at most."))
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise Invalid(_("The mapping uses YAML's aliases."), remedy=_("Write the parts out."))
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        where = str(getattr(error, "problem_mark", "") or "").strip()
        raise Invalid(_("The mapping is no YAML and no JSON."), where=where, remedy=_("Mend the line.")) from error


def parse(value: Any) -> Source:
    """A mapping of plain values. Raises `Mistakes` with everything that is wrong with it."""
    wrong = [_words(error) for error in _validator().iter_errors(_plain(value))]
    if wrong:
        raise Mistakes(wrong[:50])
    source = msgspec.convert(_plain(value), Source)
    if wrong := list(_senseless(source)):
        raise Mistakes(wrong)
    return source


def plain(source: Source) -> dict[str, Any]:
    """A mapping as it is kept: plain values, what is usual left out."""
    value: dict[str, Any] = msgspec.to_builtins(source)
    return value


def _plain(value: Any) -> Any:
    """YAML's dates as text: a mapping is the same in YAML and JSON."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | time | datetime) else value


def _words(error: ValidationError) -> Mistake:
    """A breach of the schema in words."""
    where, rule = "/".join(map(str, error.absolute_path)), error.schema if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    if error.validator == "required":
        missing = ", ".join(key for key in rule["required"] if key not in instance)
        return Mistake(where=where, what=_("It lacks %(keys)s.") % {"keys": missing}, remedy=_("Add it."))
    if error.validator == "additionalProperties":
        keys = ", ".join(str(key) for key in instance if key not in rule.get("properties", {}))
        known = _("The keys are %(keys)s.") % {"keys": ", ".join(rule.get("properties", {}))}
        return Mistake(where=where, what=_("%(keys)s is not known here.") % {"keys": keys[:200]}, remedy=known)
    what = _("%(value)s is not right here.") % {"value": repr(instance)[:SHOWN]}
    return Mistake(where=where, what=what, remedy=_right(error))


def _right(error: ValidationError) -> str:
    rule: Any = error.schema
    if error.validator == "enum":
        return str(_("Write one of %(words)s.") % {"words": ", ".join(map(str, rule["enum"]))})
    return str(_("It must be: %(rule)s.") % {"rule": f"{error.validator} {str(error.validator_value)[:SHOWN]}"})


def _senseless(source: Source) -> Iterator[Mistake]:
    """What fits the schema and still means nothing."""
    yield from _times("time", source.time)
    if source.result_time is not None:
        yield from _times("result_time", source.result_time)
    for number, each in enumerate(source.results):
        yield from _result(f"results/{number}", each, source)
    if source.ensure is not None:
        for name in ("thing", "name"):
            yield from _template(f"ensure/{name}", getattr(source.ensure, name))
    if source.melt is not None and source.format not in {"csv", "xlsx", "parquet"}:
        yield Mistake(where="melt", what=_("Only tables can be wide."), remedy=_("Leave melt out."))


def _times(where: str, told: Time) -> Iterator[Mistake]:
    ways = [told.column is not None, told.date is not None, told.start is not None, told.received]
    if sum(ways) != 1:
        what = _("A time is told in exactly one way.")
        yield Mistake(where=where, what=what, remedy=_("Give one of column, date, start or received."))
    if told.date is not None and (told.clock is None) == (told.slot is None):
        remedy = _("Give clock, the column of the time of day, or slot and minutes.")
        yield Mistake(where=where, what=_("A date needs a time of day."), remedy=remedy)
    if told.slot is not None and told.minutes is None:
        yield Mistake(where=where, what=_("How long is a slot?"), remedy=_("Give minutes."))
    if (told.start is None) != (told.step is None):
        yield Mistake(where=where, what=_("Rows without times need start and step."), remedy=_("Give both."))
    for name, right in (("zone", ZoneInfo), ("first_day", date.fromisoformat), ("first_slot", time.fromisoformat),
                        ("start", datetime.fromisoformat)):  # fmt: skip
        value = getattr(told, name)
        if value is not None and not _is(right, value):
            what = _("%(value)s is not right here.") % {"value": value[:SHOWN]}
            yield Mistake(where=f"{where}/{name}", what=what, remedy=_("Write as in the documentation of mappings."))


def _is(right: Any, value: str) -> bool:
    try:
        right(value)
    except (ValueError, KeyError, OSError):
        return False
    return True


def _result(where: str, each: Result, source: Source) -> Iterator[Mistake]:
    yield from _template(f"{where}/key", each.key)
    yield from _template(f"{where}/name", each.name)
    for code in (each.unit, each.store_unit):
        if code is not None and not units.known(code):
            what = _("%(code)s is no unit of UCUM.") % {"code": code[:SHOWN]}
            yield Mistake(where=f"{where}/unit", what=what, remedy=_("Write such as Cel, km/h, ug/m3 or {person}."))
    if (each.type == "position") != (each.value is None):
        what = _("A result has a column, and only a position has none.")
        yield Mistake(where=where, what=what, remedy=_("Give value, or the type position."))
    if each.type == "position" and source.place is None:
        yield Mistake(where=where, what=_("A position needs coordinates."), remedy=_("Give place with lon and lat."))
    if each.low is not None and each.high is not None and each.low > each.high:
        yield Mistake(where=where, what=_("The range is empty."), remedy=_("Give low below high."))


def _template(where: str, template: str | None) -> Iterator[Mistake]:
    try:
        fields(template)
    except ValueError:
        what = _("%(value)s is no template.") % {"value": str(template)[:SHOWN]}
        yield Mistake(where=where, what=what, remedy=_("Write such as {station}-pm25."))
