"""The mapping as a form: every field of it by a name, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from chengshu.core.errors import Invalid
from chengshu.web.pages import Request, text

WAYS: Final = {
    "column": ("column", "format", "zone"),
    "clock": ("date", "clock", "first_day", "zone"),
    "slot": ("date", "slot", "first_day", "first_slot", "minutes", "zone"),
    "start": ("start", "step", "zone"),
    "received": (),
}
NUMBERS: Final = frozenset({"minutes", "step", "length", "low", "high", "period", "skip"})
PLAIN: Final = ("format", "rows", "encoding", "delimiter", "sheet", "skip", "cursor", "next", "note")
RESULT: Final = ("key", "value", "unit", "unit_column", "type", "store_unit", "name", "low", "high")
MOST: Final = 60  # results in a form
TAB: Final = "\\t"


def way_of(mapping: Mapping[str, Any]) -> str:
    """In which way a mapping tells times."""
    time: Mapping[str, Any] = mapping.get("time") or {}
    if time.get("date"):
        return "slot" if time.get("slot") else "clock"
    return next((way for way in ("start", "received", "column") if time.get(way)), "column")


def read(request: Request) -> dict[str, Any]:
    """The mapping that a form says, over the one that it began with: what has no field stays as it was."""
    base = _base(request)
    mapping = {
        name: value for name, value in base.items() if name not in {*PLAIN, "header", "missing", "place", "melt"}
    }
    mapping |= _fields(request, "m_", PLAIN)
    mapping["delimiter"] = "\t" if mapping.get("delimiter") == TAB else mapping.get("delimiter")
    if mapping["delimiter"] is None:
        del mapping["delimiter"]
    if text(request, "m_header", 5) == "no":
        mapping["header"] = False
    if missing := text(request, "m_missing", 2_000):
        mapping["missing"] = ["", *(word.strip() for word in missing.split("\n"))]
    mapping["time"] = _time(request)
    mapping["results"] = _results(request, base.get("results", []))
    if place := _fields(request, "p_", ("lon", "lat", "crs")):
        mapping |= {"place": place} if {"lon", "lat"} & set(place) else {}
    if text(request, "w_on", 5):
        keep = [name.strip() for name in text(request, "w_keep", 2_000).split(",") if name.strip()]
        mapping["melt"] = {**_fields(request, "w_", ("into", "value")), "keep": keep}
    mapping.pop("ensure", None)
    if text(request, "e_on", 5):
        made = _fields(request, "e_", ("thing", "name", "type", "owner", "division", "sensor"))
        mapping["ensure"] = {**(base.get("ensure") or {}), **made}
    return mapping


def _base(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(text(request, "base", 300_000) or "{}")
    except (ValueError, RecursionError) as error:
        raise Invalid("The form is damaged.", remedy="Load the page again.") from error
    return found if isinstance(found, dict) else {}


def _fields(request: Request, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that are not empty; numbers as such, and what is none of them as it was written: the check tells."""
    given = {name: text(request, prefix + name, 5_000) for name in names}
    return {name: _number(value) if name in NUMBERS else value for name, value in given.items() if value}


def _number(value: str) -> Any:
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _time(request: Request) -> dict[str, Any]:
    way = text(request, "way", 20)
    time = _fields(request, "t_", (*WAYS.get(way, ()), "length"))
    return {**time, "received": True} if way == "received" else time


def _results(request: Request, base: Any) -> list[dict[str, Any]]:
    """The results that are ticked and have a key; what has no field stays."""
    found = []
    for number in range(MOST):
        given = _fields(request, f"r{number}_", RESULT)
        if text(request, f"r{number}_use", 5) and "key" in given:
            same = next(
                (each for each in base if isinstance(each, dict) and each.get("value") == given.get("value")), {}
            )
            rest = {name: value for name, value in same.items() if name not in RESULT}
            found.append({**rest, **given})
    return found
