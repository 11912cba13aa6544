"""What the fields of the configuration are called, and how their values are said."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.models import STAGES
from chengshu.core.errors import Invalid
from chengshu.packs.diff import NOTHING
from chengshu.web import words

LABELS = {
    "code": gettext_noop("Code"),
    "name": gettext_noop("Name in Chinese"),
    "name_en": gettext_noop("Name in English"),
    "level": gettext_noop("Level"),
    "parent": gettext_noop("Above it"),
    "function": gettext_noop("Function"),
    "division": gettext_noop("Jurisdiction"),
    "kind": gettext_noop("Kind"),
    "last_resort": gettext_noop("Receiver of last resort"),
    "active": gettext_noop("In use"),
    "major": gettext_noop("Class in Chinese"),
    "major_en": gettext_noop("Class in English"),
    "minor": gettext_noop("Group in Chinese"),
    "minor_en": gettext_noop("Group in English"),
    "register_standard": gettext_noop("Standard for registering"),
    "close_standard": gettext_noop("Standard for closing"),
    "severity": gettext_noop("Severity"),
    "urgent": gettext_noop("Gets a tracker at once"),
    "evidence": gettext_noop("Needed for registering"),
    "source": gettext_noop("Source"),
    "label": gettext_noop("Name in Chinese"),
    "label_en": gettext_noop("Name in English"),
    "roles": gettext_noop("Who may"),
    "needs": gettext_noop("What it needs"),
    "version": gettext_noop("Version"),
    "limits": gettext_noop("Limits"),
    "rules": gettext_noop("Dispatch rules"),
}
LEVELS = {
    "city": gettext_noop("City"),
    "district": gettext_noop("District"),
    "street": gettext_noop("Street"),
    "community": gettext_noop("Community"),
    "grid": gettext_noop("Duty grid"),
}
NUMBERS = dict(enumerate(LEVELS, 1))
LEVELS_BY_NAME = {name: number for number, name in NUMBERS.items()}
KINDS = {
    "office": gettext_noop("Operations centre or office"),
    "unit": gettext_noop("Unit that handles"),
    "company": gettext_noop("Company that handles"),
}
EVIDENCE = {"photo": gettext_noop("photo"), "place": gettext_noop("place")}
HOW = {
    "pack": gettext_noop("City pack"),
    "edit": gettext_noop("Edited"),
    "return": gettext_noop("Returned to an earlier version"),
    "upload": gettext_noop("Pack that was uploaded"),
}
TABLES = {
    "city": gettext_noop("City"),
    "divisions": gettext_noop("Divisions"),
    "successions": gettext_noop("Successions of divisions"),
    "boundaries": gettext_noop("Outlines"),
    "departments": gettext_noop("Departments"),
    "kinds": gettext_noop("Kinds of cases"),
    "states": gettext_noop("States"),
    "moves": gettext_noop("Moves"),
    "types": gettext_noop("Case types"),
    "accounts": gettext_noop("Demo accounts"),
    "posts": gettext_noop("Posts of demo accounts"),
    "parts": gettext_noop("Parts"),
}
PARTS = {
    "dispatch": gettext_noop("Dispatch rules"),
    "escalation": gettext_noop("Escalation"),
    "calendar": gettext_noop("Calendar"),
    "parameters": gettext_noop("Parameters"),
    "sources": gettext_noop("Recorded sources"),
    "notices": gettext_noop("Notices' words"),
}
ACTIONS = {
    "add": gettext_noop("new"),
    "change": gettext_noop("changed"),
    "retire": gettext_noop("retired"),
    "remove": gettext_noop("removed"),
    "keep": gettext_noop("kept as edited"),
}


def label(name: str) -> str:
    """`limits.handle` is the limit of a stage; what has no name of its own is called as it is written."""
    first, _dot, rest = name.partition(".")
    if first == "limits" and rest in STAGES:
        return _("Limit: %(stage)s") % {"stage": words.stage(rest)}
    if first == "dated_limits":
        return _dated(rest)
    found = _(LABELS[first]) if first in LABELS else first
    rest = _("order") if rest == "order" else rest
    return f"{found}: {rest}" if rest else found


def _dated(rest: str) -> str:
    """What a limit was from a time on: `2020-01-01.limits.handle`, or where it comes from: `….sources.handle`."""
    day, _dot, what = rest.partition(".")
    sort, _dot, stage = what.partition(".")
    named = {
        "stage": words.stage(stage),
        "since": _("since ever") if day == NOTHING else _("from %(day)s") % {"day": day},
    }
    source = sort == "sources"
    return (_("Source of the limit: %(stage)s, %(since)s") if source else _("Limit: %(stage)s, %(since)s")) % named


def shown(name: str, value: Any) -> str:
    """A value in words; a dash for nothing."""
    if value in (None, "", (), [], {}):
        return NOTHING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return _(", ").join(str(_(EVIDENCE.get(str(item), str(item)))) for item in value)
    return _told(name.partition(".")[0], value)


def _told(first: str, value: Any) -> str:
    match first:
        case "limits" | "dated_limits":
            return limit(str(value))
        case "severity" if value in (1, 2, 3, 4):
            return words.severity(value)
        case "level" if value in NUMBERS:
            return _(LEVELS[NUMBERS[value]])
        case "kind" if value in KINDS:
            return _(KINDS[value])
        case "division":
            return str(value).partition("@")[0]
        case _:
            return str(value)


def limit(value: str) -> str:
    """A limit in words, or as it is written when it is none."""
    try:
        return words.limit(value)
    except Invalid:
        return value


def level(code: str | int) -> str:
    name = NUMBERS.get(code, "") if isinstance(code, int) else code
    return _(LEVELS[name]) if name in LEVELS else str(code)


def word(table: dict[str, str], code: str) -> str:
    return _(table[code]) if code in table else code
