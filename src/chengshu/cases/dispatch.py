"""Dispatch rules: an ordered decision table from type, place, time, source and severity to the unit responsible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Move
from chengshu.parties.models import Department
from chengshu.places.models import Level

LEVELS = {level.label: level.value for level in Level}
COLUMNS = ("kind_id", "type_id", "source", "severity", "opened_at", "places")  # of a case, that the rules may ask of
LAST_RESORT = "last_resort"  # the move that sends a case to the centre of its district instead of by the rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the rules may ask of a case. `places` are division ids from the city down."""

    kind: int
    type: int | None
    source: str
    severity: int
    at: datetime
    places: tuple[int, ...]

    @classmethod
    def of_row(
        cls, kind: int, type: int | None, source: str, severity: int, at: datetime, places: Sequence[int]
    ) -> Self:
        """Of a row of a case's COLUMNS."""
        return cls(kind=kind, type=type, source=source, severity=severity, at=at, places=tuple(places))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The unit that a rule chose, and why in words (Chinese and English)."""

    unit: Department
    rule: str
    because: str
    because_en: str


def advise(catalog: Catalog, move: Move, facts: Facts) -> Decision | None:
    """Where a move that gives work to a unit sends a case: the last resort to the centre around it, others by the rules."""
    if move.code != LAST_RESORT:
        return decide(catalog, facts)
    centre = last_resort(catalog, facts.places)
    if centre is None:
        return None
    return Decision(unit=centre, rule=move.code, because=move.why, because_en=move.why_en or move.why)


def decide(catalog: Catalog, facts: Facts, rules: Sequence[Mapping[str, Any]] | None = None) -> Decision | None:
    """The first rule that matches and whose unit exists for the place; None when no rule does.

    Args:
        rules: a table to try instead of the city's own.
    """
    for rule in catalog.parts["dispatch"]["rules"] if rules is None else rules:
        if matches(catalog, rule.get("when") or {}, facts) and (unit := find_unit(catalog, rule["unit"], facts.places)):
            because = rule.get("because", "")
            return Decision(
                unit=unit, rule=str(rule["id"]), because=because, because_en=rule.get("because_en") or because
            )
    return None


def matches(catalog: Catalog, when: Mapping[str, Any], facts: Facts) -> bool:
    """Whether every condition of a rule holds; a rule without conditions always matches."""
    type = catalog.types.get(facts.type or 0)
    named = {
        "kind": catalog.kinds[facts.kind].code,
        "type": type.code if type else None,
        "major": type.major if type else None,
        "minor": type.minor if type else None,
        "source": facts.source,
    }
    if any(name in when and value not in when[name] for name, value in named.items()):
        return False
    if "division" in when and _codes(catalog, facts.places).isdisjoint(map(str, when["division"])):
        return False
    if "severity_max" in when and facts.severity > when["severity_max"]:
        return False
    return "hours" not in when or when["hours"] == _hours(catalog, facts.at)


def _codes(catalog: Catalog, places: Sequence[int]) -> set[str]:
    return {catalog.divisions[place].code for place in places if place in catalog.divisions}


def _hours(catalog: Catalog, at: datetime) -> str:
    return "working" if catalog.calendar.next_opening(at) == at else "off"


def find_unit(catalog: Catalog, wanted: str | Mapping[str, Any], places: Sequence[int]) -> Department | None:
    """An active department by code, or by function and level: the one whose jurisdiction is the nearest around the place."""
    if isinstance(wanted, str):
        named = catalog.department_codes.get(wanted)
        return named if named and named.active else None
    level = LEVELS[wanted["level"]] if "level" in wanted else None
    candidates = catalog.functions.get(wanted["function"], ())
    fitting = [d for d in candidates if d.division_id in places and (level is None or d.level == level)]
    return max(fitting, key=lambda d: places.index(d.division_id), default=None)


def last_resort(catalog: Catalog, places: Sequence[int]) -> Department | None:
    """Who receives a case that was bounced too often: the nearest centre around the place (首接负责)."""
    centres = [d for d in catalog.departments.values() if d.last_resort and d.active and d.division_id in places]
    return max(centres, key=lambda d: places.index(d.division_id), default=None)
