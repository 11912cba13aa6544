"""The parts of a pack that change by versions: dispatch, escalation, calendar, parameters, sources; and the city itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.calendar import WorkingCalendar
from chengshu.core.errors import ChengshuError, Mistakes
from chengshu.packs.places_files import DIVISIONS, LEVELS
from chengshu.packs.records import CityRow, TypeRow
from chengshu.packs.source import Document, Mend
from chengshu.packs.work_files import DEPARTMENTS, TYPES, Codes
from chengshu.parties import notices_text
from chengshu.sensing import kinds

# Parameters that the platform itself asks for; scenes bring their own.
NEEDED_PARAMETERS = ("reopen_window_days", "duplicate_radius_m", "duplicate_window_h", "returns_before_last_resort")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the conditions of a dispatch rule may name, and which file says so."""

    allowed: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, codes: Codes, types: Sequence[TypeRow]) -> Words:
        return cls(
            allowed={
                "type": frozenset(row.code for row in types),
                "major": frozenset(row.major for row in types),
                "minor": frozenset(row.minor for row in types),
                "kind": codes.kinds,
                "division": frozenset(codes.divisions.codes),
            }
        )


_FILES = {"type": TYPES, "major": TYPES, "minor": TYPES, "kind": "moves.yaml", "division": DIVISIONS}


def check_dispatch(document: Document, codes: Codes, types: Sequence[TypeRow], mend: Mend) -> None:
    """Rules name what exists, each its own id, and the last catches all that is left."""
    rules: list[dict[str, Any]] = document.content["rules"]
    words, seen = Words.of(codes, types), dict[str, str]()
    for i, rule in enumerate(rules):
        where, name = document.at("rules", i), str(rule["id"])
        if name in seen:
            what = _("the rule {id} stands twice, also in {other}.").format(id=name, other=seen[name])
            mend.wrong(where, what, _("Give each rule its own id."))
        seen.setdefault(name, where)
        for what, remedy in (*_conditions(rule, words, mend), *_unit(rule, codes, mend)):
            mend.wrong(where, what, remedy)
        last = i == len(rules) - 1
        if last and rule["when"]:
            mend.wrong(where, _("the last rule has conditions."), _("End with a rule whose `when` is {}."))
        if not last and not rule["when"]:
            what = _("the rule {id} always matches: no rule after it is ever asked.").format(id=name)
            mend.wrong(where, what, _("Move it to the end."))


def _conditions(rule: Mapping[str, Any], words: Words, mend: Mend) -> Iterator[tuple[str, str]]:
    for name, values in (rule["when"] or {}).items():
        if name not in words.allowed or not mend.judges(_FILES[name]):
            continue
        for value in values:
            if str(value) not in words.allowed[name]:
                what = _("the rule {id} asks for an unknown {name} {value}.").format(
                    id=rule["id"], name=name, value=value
                )
                yield what, _("Use what {file} has.").format(file=_FILES[name])


def _unit(rule: Mapping[str, Any], codes: Codes, mend: Mend) -> Iterator[tuple[str, str]]:
    unit = rule["unit"]
    if not mend.judges(DEPARTMENTS):
        return
    if isinstance(unit, str):
        if unit not in codes.departments:
            what = _("the rule {id} sends to an unknown department {unit}.").format(id=rule["id"], unit=unit)
            yield what, _("Use a code of departments.csv, or {function, level}.")
        return
    level = LEVELS.get(unit.get("level"))
    if not any(d.function == unit["function"] and level in (None, d.level) for d in codes.departments.values()):
        what = _("the rule {id} sends to the function {function}, which no department of level {level} has.").format(
            id=rule["id"], function=unit["function"], level=unit.get("level", "*")
        )
        yield what, _("Use a function and level of departments.csv.")


def check_escalation(document: Document, mend: Mend) -> None:
    """Levels count up."""
    levels = [level["level"] for level in document.content["levels"]]
    for i, (before, after) in enumerate(pairwise(levels), 1):
        if after <= before:
            what = _("level {after} stands after level {before}.").format(after=after, before=before)
            mend.wrong(document.at("levels", i), what, _("Write the levels in rising order, each once."))


def check_calendar(document: Document, zone: ZoneInfo, mend: Mend) -> None:
    """The calendar can be counted with."""
    try:
        WorkingCalendar.from_dict(document.content, zone, where=document.name)
    except Mistakes as errors:
        for mistake in errors.mistakes:
            key = mistake.where.rpartition(": ")[2]
            mend.wrong(document.at(key), f"{key} {mistake.what}", mistake.remedy)
    except ChengshuError as error:
        mend.wrong(document.at(), error.what, error.remedy)


def check_parameters(document: Document, mend: Mend) -> None:
    """Values begin on days of the calendar, and what the platform asks for is there. Their types are the schema's."""
    for name, entry in document.content.items():
        for day in entry["values"]:
            try:
                date.fromisoformat(day)
            except ValueError:
                what = _("{name}: {day} is not a day of the calendar.").format(name=name, day=day)
                mend.wrong(document.at(name, "values", day), what, _("Mend the date."))
    for name in NEEDED_PARAMETERS:
        if name not in document.content:
            mend.wrong(document.at(), _("the parameter {name} is missing.").format(name=name), _("Add it."))


def check_notices(document: Document, mend: Mend) -> None:
    """The city's own words for notices can be filled in."""
    try:
        notices_text.check(document.content)
    except Mistakes as errors:
        for mistake in errors.mistakes:
            mend.wrong(document.at("templates"), f"{mistake.where}: {mistake.what}", mistake.remedy)


def check_thing_types(document: Document, codes: Codes, types: Sequence[TypeRow], mend: Mend) -> None:
    """What is late is silent later, and who mends it and by which case type is in the pack."""
    functions = {department.function for department in codes.departments.values()}
    named = [(("types", code), rule) for code, rule in document.content["types"].items()]
    for path, rule in [(("default",), document.content.get("default", {})), *named]:
        name = path[-1]
        if "late" in rule and "silent" in rule and kinds.seconds(rule["late"]) >= kinds.seconds(rule["silent"]):
            what = _("{name} is silent before it is late.").format(name=name)
            mend.wrong(document.at(*path), what, _("Let `silent` be longer than `late`."))
        if (wanted := rule.get("function")) and wanted not in functions and mend.judges(DEPARTMENTS):
            what = _("{name} is mended by the function {function}, which no department has.").format(
                name=name, function=wanted
            )
            mend.wrong(document.at(*path), what, _("Use a function of departments.csv."))
        if (case := rule.get("case_type")) and case not in {row.code for row in types} and mend.judges(TYPES):
            mend.wrong(
                document.at(*path), _("there is no case type {code}.").format(code=case),
                _("Use a code of case_types.csv."),
            )  # fmt: skip


def check_sources(document: Document, folder: Path, mend: Mend) -> None:
    """Each source has its own name, its file is in the pack, and its zone exists; each kind is observed once."""
    seen: set[str] = set()
    kinds: set[str] = set()
    for i, entry in enumerate(document.content.get("observed", [])):
        if entry["kind"] in kinds:
            what = _("the kind {name} is observed twice.").format(name=entry["kind"])
            mend.wrong(document.at("observed", i), what, _("Leave one."))
        kinds.add(entry["kind"])
    for i, source in enumerate(document.content["sources"]):
        where = document.at("sources", i)
        if source["name"] in seen:
            mend.wrong(where, _("the source {name} stands twice.").format(name=source["name"]), _("Rename one."))
        seen.add(source["name"])
        if not _is_within(folder / source["file"], folder):
            what = _("the file {file} is not in the pack.").format(file=source["file"])
            mend.wrong(where, what, _("Put it into data/, or mend the name."))
        if "timezone" in source:
            zone_of(source["timezone"], document.at("sources", i, "timezone"), mend)


def _is_within(file: Path, folder: Path) -> bool:
    try:
        return file.is_file() and file.resolve().is_relative_to(folder.resolve())
    except OSError:  # no file can have such a name
        return False


def zone_of(name: str, where: str, mend: Mend) -> ZoneInfo | None:
    """A zone by its name, or None and a mistake."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        what = _("{name} is no time zone.").format(name=name)
        mend.wrong(where, what, _("Use a name of the IANA list, such as Asia/Shanghai."))
        return None


def read_city(document: Document, folder: str, mend: Mend) -> CityRow:
    """The city as a whole; its pack's folder bears its name."""
    content = document.content
    if content["name"] != folder:
        what = _("the city is called {name}, its folder {folder}.").format(name=content["name"], folder=folder)
        mend.wrong(document.at("name"), what, _("Give both the same name."))
    named = {k: content[k] for k in ("name", "label", "label_en", "timezone", "language", "number_prefix")}
    about = {"about": "", "sources": [], "synthetic": []} | {k: v for k, v in content.items() if k not in named}
    return CityRow(where=document.at(), about=about, **named)
