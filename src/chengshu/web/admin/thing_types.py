"""Types of things that sense: when one is late and silent, who mends it, and what counts as an outage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.sensing import kinds
from chengshu.web.admin import parts
from chengshu.web.admin.frame import ADMIN, READERS
from chengshu.web.pages import Request, known, page, text

SPARE: Final = 1  # empty rows, for a new type
MOST: Final = 200  # types of a form
FIELDS: Final = ("name", "name_en", "late", "silent", "function", "case_type", "source")
NEEDED: Final = frozenset({"name", "late", "silent", "source"})
DEFAULTS: Final = ("late", "silent", "case_type")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the fields offer; `rows` are the types with their codes and an empty one; spans of `usual` are texts."""

    rows: Sequence[tuple[str, Mapping[str, str]]]
    usual: Mapping[str, Any]
    outage: Mapping[str, Any]
    functions: Sequence[str]
    case_types: Sequence[str]


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """The types."""
    return parts.show(request, KIND)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Check or save the types."""
    return parts.send(request, KIND)


def _read(request: Request, value: Any) -> Any:
    types = dict(row for i in range(MOST) if (row := _type(request, i)))
    usual: dict[str, Any] = {name: given for name in DEFAULTS if (given := text(request, f"default_{name}", 100))}
    for name in ("late_periods", "silent_periods"):
        if given := text(request, f"default_{name}", 10):
            usual[name] = _number(given, f"default_{name}")
    found = {"default": usual, "types": types}
    if things := text(request, "outage_things", 10):
        found["outage"] = {"things": _number(things, "outage_things"), "within": text(request, "outage_within", 10)}
    return found


def _number(given: str, where: str) -> float | int:
    try:
        return int(given) if given.isdecimal() else float(given)
    except ValueError as error:
        raise Invalid(_("This is no number."), where=where, remedy=_("Such as 3 or 2.5.")) from error


def _type(request: Request, i: int) -> tuple[str, dict[str, str]] | None:
    """One row of the form; an empty code drops it."""
    code = text(request, f"code_{i}", 60)
    given = {name: text(request, f"{name}_{i}", 200) for name in FIELDS}
    return (code, {name: value for name, value in given.items() if value or name in NEEDED}) if code else None


def _more(request: Request, value: Any, _now: Any) -> Choices:
    said, catalog = kinds.parse({}), known(request)
    usual = {"late_periods": said.default.late_periods, "silent_periods": said.default.silent_periods, "case_type": ""}
    outage = {"things": said.outage.things, "within": "15m"}
    empty = dict.fromkeys(FIELDS, "")
    return Choices(
        rows=[(code, {**empty, **each}) for code, each in value["types"].items()][:MOST] + [("", empty)] * SPARE,
        usual={"late": "1h", "silent": "1d", **usual, **value.get("default", {})},
        outage={**outage, **value.get("outage", {})},
        functions=sorted({d.function for d in catalog.departments.values() if d.active and d.function}),
        case_types=sorted(code for code, each in catalog.type_codes.items() if each.active),
    )


KIND: Final = parts.Kind(
    name=kinds.PART, route="admin_thing_types", template="admin/thing_types.html", read=_read, more=_more,
    empty={"types": {}},
)  # fmt: skip
