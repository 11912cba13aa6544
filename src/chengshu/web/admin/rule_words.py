"""Dispatch rules as sentences that a person can read aloud, and as YAML that a person can edit."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid
from chengshu.web.admin import field_words
from chengshu.web.words import local, origin, severity

LONGEST = 400_000  # characters of a table
NAMES = {
    "kind": gettext_noop("it is a %(values)s"),
    "type": gettext_noop("it is about %(values)s"),
    "major": gettext_noop("its class is %(values)s"),
    "minor": gettext_noop("its group is %(values)s"),
    "division": gettext_noop("it lies in %(values)s"),
    "source": gettext_noop("it came by %(values)s"),
    "severity_max": gettext_noop("its severity is %(values)s or worse"),
    "hours": gettext_noop("it came %(values)s"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A rule in words: its conditions (none: always), the unit, the reason."""

    id: str
    conditions: Sequence[str]
    unit: str
    because: str


def sentences(known: Catalog, rules: Sequence[Mapping[str, Any]]) -> list[Sentence]:
    """All rules of a table in their order."""
    return [
        Sentence(
            id=str(rule.get("id", "")),
            conditions=[_condition(known, name, value) for name, value in (rule.get("when") or {}).items()],
            unit=_unit(known, rule.get("unit")),
            because=local(rule, "because"),
        )
        for rule in rules
    ]


def _condition(known: Catalog, name: str, value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    words = _(", ").join(_value(known, name, each) for each in values)
    return _(NAMES[name]) % {"values": words} if name in NAMES else f"{name}: {words}"


def _value(known: Catalog, name: str, value: Any) -> str:
    match name:
        case "type" if value in known.type_codes:
            return local(known.type_codes[value], "name")
        case "kind" if value in known.kind_codes:
            return local(known.kind_codes[value], "label")
        case "major" | "minor":
            return next((local(t, name) for t in known.types.values() if getattr(t, name) == value), str(value))
        case "source":
            return origin(str(value))
        case "severity_max" if value in (1, 2, 3, 4):
            return severity(value)
        case "hours":
            return _("in working hours") if value == "working" else _("outside working hours")
        case _:
            return str(value)


def _unit(known: Catalog, unit: Any) -> str:
    if isinstance(unit, str):
        return local(known.department_codes[unit], "name") if unit in known.department_codes else unit
    if not isinstance(unit, Mapping):
        return str(unit)
    function, level = str(unit.get("function", "")), str(unit.get("level", ""))
    fitting = [d for d in known.functions.get(function, []) if not level or d.get_level_display() == level]
    if len(fitting) == 1:
        return local(fitting[0], "name")
    words = {"function": field_words.function(known.city, function), "level": _level(known, level)}
    if not fitting:
        return _("the unit for %(function)s of its %(level)s, of which there is none") % words
    words |= {"example": local(min(fitting, key=lambda d: d.code), "name"), "count": str(len(fitting))}
    return _("the unit for %(function)s of its %(level)s, such as %(example)s (%(count)s of them)") % words


def _level(known: Catalog, level: str) -> str:
    names = known.city.about.get("levels", {})
    return local(names[level], "label") if level in names else level or _("place")


def written(rules: Sequence[Mapping[str, Any]]) -> str:
    """A table as YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # short lists and mappings in one line
    yaml.allow_unicode, yaml.width = True, 110
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump([_ordered(rule) for rule in rules], out)
    return out.getvalue()


def _ordered(rule: Mapping[str, Any]) -> dict[str, Any]:
    first = [name for name in ("id", "when", "unit", "because", "because_en") if name in rule]
    return {name: rule[name] for name in [*first, *(n for n in rule if n not in first)]}


def read(text: str) -> list[dict[str, Any]]:
    """The table that a person wrote. Raise Invalid with the line when it is no list of rules."""
    if len(text) > LONGEST:
        raise Invalid(_("The table is too long."), where="rules", remedy=_("Keep it below 400 000 characters."))
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise Invalid(_("The table uses aliases (*name)."), where="rules", remedy=_("Write each rule in full."))
        rules = YAML(typ="safe", pure=True).load(text)
        json.dumps(rules)
    except (YAMLError, TypeError, ValueError, RecursionError) as error:
        raise _unreadable(error) from error
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise Invalid(_("The table is no list of rules."), where="rules", remedy=_("Begin each rule with “- id:”."))
    return rules


def _unreadable(error: Exception) -> Invalid:
    """What is no YAML, with its place: the parser's own words are for programmers."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if mark is None:
        what = _("The table holds a value that no rule can hold.")
    else:
        what = _("The table cannot be read as YAML from line %(line)d, column %(column)d on.") % {
            "line": mark.line + 1, "column": mark.column + 1,
        }  # fmt: skip
    remedy = _("Look for a missing colon, quote or bracket there or on the line before; indent with spaces.")
    return Invalid(what, where="rules", remedy=remedy)
