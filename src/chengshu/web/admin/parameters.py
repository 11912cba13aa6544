"""Parameters: dated numbers of policy, each with its unit and source."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.core.parameters import Parameters
from chengshu.web.admin import frame, parameter_words, parts
from chengshu.web.admin.frame import ADMIN, READERS
from chengshu.web.pages import Request, known, page, text

TEXTS = ("meaning", "meaning_en", "source", "source_en")  # in the city's language, and in English where that is another


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A parameter in words, with its value of today and all its dated values, newest first, each whether it is to come.

    `written` holds its texts as the pack has them, by the names of the form's fields; `like` is how a value is typed.
    """

    name: str
    label: str
    meaning: str
    unit: str
    source: str
    written: Mapping[str, str]
    today: str
    values: Sequence[tuple[str, str, bool]]
    like: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The parameters in the order of their names, the day it is, and the one whose form is open."""

    shown: Sequence[Shown]
    today: str
    open: str


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """All parameters."""
    return parts.show(request, KIND)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Give a parameter a value from a day on, or take back one that has not begun."""
    return parts.send(request, KIND)


def _read(request: Request, value: Any) -> Any:
    name = text(request, "name", 80)
    if name not in value:
        raise Invalid(_("There is no such parameter."), where=name, remedy=_("Choose one of the list."))
    entry = value[name]
    for field in TEXTS:
        if given := text(request, field, 1_000):
            entry[field] = given
    today = datetime.now(known(request).zone).date()
    if drop := frame.day(request, "drop"):
        if drop <= today:
            raise _too_late()
        entry["values"].pop(drop.isoformat(), None)
    elif given := text(request, "value", 500):
        day = frame.day(request, "since")
        if day is None:
            raise Invalid(_("A value needs the day from which it counts."), where="since", remedy=_("Choose the day."))
        if day < today:
            raise _too_late()
        entry["values"][day.isoformat()] = _parsed(given, next(iter(entry["values"].values()), ""))
    return value


def _too_late() -> Invalid:
    """What happened is judged by the number of its day: that of a past day never changes."""
    return Invalid(
        _("This day has come: what happened by its number stays judged by it."),
        where="since",
        remedy=_("Set another value from today or a later day on."),
    )


def _parsed(given: str, like: Any) -> Any:
    """A value of the same type as the others of its parameter; of lists and texts the schema knows more."""
    try:
        if isinstance(like, bool):
            return {"yes": True, "no": False, "true": True, "false": False, "是": True, "否": False}[given.casefold()]
        if isinstance(like, int | float):
            number = float(given)
            if not math.isfinite(number):
                raise ValueError(given)
            return int(number) if number.is_integer() and isinstance(like, int) else number
        if not isinstance(like, list):
            return given
        if not isinstance(found := json.loads(given), list):
            raise TypeError(given)
        return found
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Invalid(
            _("This value is of another type than the others."), where="value", remedy=_("Write it like those before.")
        ) from error


def _more(request: Request, value: Any, now: Any) -> Choices:
    today = datetime.now(known(request).zone).date()
    found = Parameters.from_dict(value)
    shown = [
        Shown(
            name=name,
            label=parameter_words.name(name, _meaning(entry)),
            meaning=_meaning(entry),
            unit=parameter_words.unit(entry["unit"]),
            source=frame.in_words(entry, "source"),
            written={field: entry.get(field, "") for field in TEXTS},
            today=parameter_words.value(found.at(name, today)),
            values=[
                (day, parameter_words.value(v), day > str(today))
                for day, v in sorted(entry["values"].items(), reverse=True)
            ],
            like=_like(entry["values"]),
        )
        for name, entry in sorted(value.items())
    ]
    return Choices(shown=shown, today=str(today), open=text(request, "name", 80))


def _like(values: Any) -> str:
    """How a value is typed, shown by the latest: a list is JSON, which nobody guesses."""
    latest = values[max(values)]
    return json.dumps(latest, ensure_ascii=False) if isinstance(latest, list) else str(latest)


def _meaning(entry: Any) -> str:
    return frame.in_words(entry, "meaning")


KIND = parts.Kind(
    name="parameters", route="admin_parameters", template="admin/parameters.html", read=_read, more=_more, empty={}
)
