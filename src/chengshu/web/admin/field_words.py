"""What the fields of the configuration are called, and how their values are said."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import STAGES
from chengshu.core.errors import Invalid
from chengshu.packs.diff import NOTHING
from chengshu.parties.roles import Role
from chengshu.places.models import City
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
    "not_who": gettext_noop("Not who did"),
    "does": gettext_noop("What it does"),
    "clocks_stop": gettext_noop("Clocks it stops"),
    "clocks_start": gettext_noop("Clocks it starts"),
    "clocks_pause": gettext_noop("All clocks stand still"),
    "clocks_resume": gettext_noop("All clocks go on"),
    "opening_clocks": gettext_noop("Clocks that start with the case"),
    "why": gettext_noop("Why"),
    "why_en": gettext_noop("Why, in English"),
    "phase": gettext_noop("Phase"),
    "rank": gettext_noop("Place in the list"),
    "version": gettext_noop("Version"),
    "limits": gettext_noop("Limits"),
    "rules": gettext_noop("Dispatch rules"),
}
# Fields of forms that are called otherwise than what they are stored as: their place on the page, and their words.
FIELDS = {
    "why": ("why", gettext_noop("Reason for the change")),
    "since": ("", gettext_noop("Counts from")),
    "limits_since": ("since", gettext_noop("Changed limits count from")),
    "value": ("", gettext_noop("New value")),
    "hours": ("hours", gettext_noop("Working hours of a day")),
    "last": ("last", gettext_noop("Last day")),
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
NEEDS = {
    "unit": gettext_noop("a unit"),
    "note": gettext_noop("words"),
    "type": gettext_noop("a case type"),
    "evidence": gettext_noop("evidence"),
    "type_evidence": gettext_noop("the evidence that its case type asks for"),
    "rating": gettext_noop("a rating"),
    "tasks_done": gettext_noop("that all assisting tasks are done"),
    "task": gettext_noop("an open task of one's own unit"),
    "target": gettext_noop("another case"),
    "until": gettext_noop("a time"),
    "tracker": gettext_noop("a person who tracks"),
    "window": gettext_noop("to be within the time for reopening"),
    "undo": gettext_noop("to be done at once, by who made the step"),
}
DOES = {
    "create_task": gettext_noop("gives the unit a task"),
    "finish_tasks": gettext_noop("finishes the tasks"),
    "cancel_tasks": gettext_noop("takes the tasks back"),
    "task_done": gettext_noop("marks the task as done"),
    "count_return": gettext_noop("counts a return"),
    "count_rework": gettext_noop("counts a rework"),
    "merge": gettext_noop("joins the case to another"),
    "split": gettext_noop("gives another unit a task"),
    "urge": gettext_noop("counts an urging"),
    "track": gettext_noop("names a tracker"),
    "escalate": gettext_noop("raises the level of escalation"),
    "extend": gettext_noop("moves the due time"),
    "undo": gettext_noop("takes the step back"),
}
PHASES = {
    "open": gettext_noop("Open"),
    "done": gettext_noop("Finished"),
    "dead": gettext_noop("Ended without a result"),
}
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
    "thing_types": gettext_noop("Types of things"),
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


def field(name: str) -> tuple[str, str]:
    """The place on the page and the words of a field of a form; neither for what is none."""
    if name.removesuffix("_limit") in STAGES:
        return f"{name.removesuffix('_limit')}_amount", label(f"limits.{name.removesuffix('_limit')}")
    if name in FIELDS:
        place, words = FIELDS[name]
        return place, _(words)
    return (name, label(name)) if name in LABELS else ("", "")


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
        return _(", ").join(_item(name, str(item)) for item in value)
    return _told(name.partition(".")[0], value)


def _item(name: str, item: str) -> str:
    """One item of a list in words."""
    match name:
        case "roles" if item in set(Role):
            return words.role(item)
        case "needs":
            return word(NEEDS, item)
        case "does":
            return word(DOES, item)
        case "clocks_stop" | "clocks_start" | "opening_clocks":
            return _("all") if item == "all" else words.stage(item)
        case _:
            return word(EVIDENCE, item)


def _told(first: str, value: Any) -> str:
    match first:
        case "limits" | "dated_limits":
            return limit(str(value))
        case "severity" if value in (1, 2, 3, 4):
            return words.severity(value)
        case "level" if value in NUMBERS:
            return _(LEVELS[NUMBERS[value]])
        case "phase" if value in PHASES:
            return _(PHASES[value])
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


def function(city: City, code: str) -> str:
    """What the city calls a function of its departments; the code where it gives no name."""
    named = city.about.get("functions", {}).get(code)
    return words.local(named, "label") if named else code


def functions(known: Catalog) -> dict[str, str]:
    """The words by which rules find a department, in their order, each with what it is called."""
    codes = {*known.functions, *known.city.about.get("functions", {})} - {""}
    return {code: function(known.city, code) for code in sorted(codes)}


def word(table: dict[str, str], code: str) -> str:
    return _(table[code]) if code in table else code
