"""The configuration of a city as the verbs need it, read once and kept until the city's version changes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.models import CaseType, Kind, Move, State
from chengshu.core.calendar import WorkingCalendar
from chengshu.core.errors import Invalid, NotFound
from chengshu.core.limits import Limit, LimitHistory
from chengshu.core.parameters import Parameters
from chengshu.parties.models import Department
from chengshu.places.models import City, Division, Part

_DIVISION = ("id", "city_id", "code", "name", "name_en", "level")
T = TypeVar("T")
PLACE_ENDS = re.compile(r"(?:区|县|市|街道|镇|乡|社区|村)$")
FRESH = 1.0  # seconds for which a process trusts the version it has read


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A division as the verbs need it; `path` holds ids from the city down to itself."""

    code: str
    name: str
    name_en: str
    level: int
    path: tuple[int, ...]
    valid_from: date
    valid_to: date | None

    def valid(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Kinds, states, moves, types, departments and configured parts of one city at one version."""

    city: City
    version: int
    root: int
    kinds: Mapping[int, Kind]
    states: Mapping[int, State]
    moves: Mapping[tuple[int, str, int], Move]
    types: Mapping[int, CaseType]
    departments: Mapping[int, Department]
    divisions: Mapping[int, Place]
    parts: Mapping[str, Any]

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What readers worked out of this configuration; it goes when the configuration changes."""
        return {}

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.city.timezone)

    @cached_property
    def calendar(self) -> WorkingCalendar:
        return WorkingCalendar.from_dict(self.parts["calendar"], self.zone)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters.from_dict(self.parts["parameters"])

    @cached_property
    def kind_codes(self) -> dict[str, Kind]:
        return {kind.code: kind for kind in self.kinds.values()}

    @cached_property
    def opening_moves(self) -> dict[int, Move]:
        """The move that opens a case, by kind."""
        return {move.kind_id: move for move in self.moves.values() if move.code == "open"}

    @cached_property
    def type_codes(self) -> dict[str, CaseType]:
        return {type.code: type for type in self.types.values()}

    @cached_property
    def department_codes(self) -> dict[str, Department]:
        return {department.code: department for department in self.departments.values()}

    @cached_property
    def named_places(self) -> dict[str, list[int]]:
        """Divisions of today below the city by their code and names, also without the last syllable (西湖 for 西湖区)."""
        found: dict[str, list[int]] = {}
        for pk, place in self.divisions.items():
            if place.valid_to is None and pk != self.root:
                short = place.name[: -len(end[0])] if (end := PLACE_ENDS.search(place.name)) else ""
                for name in {
                    place.code,
                    place.name.casefold(),
                    place.name_en.casefold(),
                    short if len(short) > 1 else "",
                }:
                    found.setdefault(name, []).append(pk)
        found.pop("", None)
        return found

    @cached_property
    def named_units(self) -> dict[str, list[int]]:
        """Departments by their code and names."""
        found: dict[str, list[int]] = {}
        for pk, unit in self.departments.items():
            for name in {unit.code.casefold(), unit.name.casefold(), unit.name_en.casefold()} - {""}:
                found.setdefault(name, []).append(pk)
        return found

    @cached_property
    def _division_codes(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for pk, place in self.divisions.items():
            found.setdefault(place.code, []).append(pk)
        return found

    def division(self, code: str, on: date) -> int:
        """The id of the division that bore a code on a day; of the one now valid when none did."""
        known = self._division_codes.get(code, [])
        now = [pk for pk in known if self.divisions[pk].valid_to is None]
        then = [pk for pk in known if self.divisions[pk].valid(on)]
        if not (then or now):
            raise Invalid(
                _("No division %(code)s.") % {"code": repr(code)}, remedy="Use a code of the city's divisions."
            )
        return (then or now)[0]

    @cached_property
    def division_rows(self) -> dict[int, Division]:
        """The divisions as rows without their geometry, for cases to refer to."""
        return {
            pk: Division.from_db(
                "default", _DIVISION, (pk, self.city.pk, place.code, place.name, place.name_en, place.level)
            )
            for pk, place in self.divisions.items()
        }

    @cached_property
    def functions(self) -> dict[str, list[Department]]:
        """Active departments by function."""
        found: dict[str, list[Department]] = {}
        for department in self.departments.values():
            if department.active:
                found.setdefault(department.function, []).append(department)
        return found

    @cached_property
    def _limits(self) -> dict[tuple[int, str], LimitHistory]:
        return {(t.id, stage): _history(t, stage, self.zone) for t in self.types.values() for stage in _stages(t)}

    def kind(self, code: str) -> Kind:
        return _known(self.kind_codes, code, gettext_noop("No case kind %(code)s."))

    def type(self, code: str) -> CaseType:
        return _known(self.type_codes, code, gettext_noop("No case type %(code)s."))

    def department(self, code: str) -> Department:
        return _known(self.department_codes, code, gettext_noop("No department %(code)s."))

    @cached_property
    def _kind_limits(self) -> dict[tuple[int, str], Limit]:
        return {
            (kind.pk, stage): Limit.parse(text, where=kind.code)
            for kind in self.kinds.values()
            for stage, text in kind.limits.items()
        }

    def limit(self, kind_id: int, type_id: int | None, stage: str, at: datetime) -> Limit | None:
        """The limit of a stage for cases of a type that enter it at a time; None when there is none.

        Nobody may yet have said of what type a case is: until then the limits of its kind hold, so that it has a clock.
        """
        if type_id is None:
            return self._kind_limits.get((kind_id, stage))
        history = self._limits.get((type_id, stage))
        return history.at(at) if history else None

    def parameter(self, name: str, at: datetime) -> Any:
        return self.parameters.at(name, at.astimezone(self.zone).date())

    def reopen_window(self, at: datetime) -> timedelta:
        return timedelta(days=float(self.parameter("reopen_window_days", at)))

    @cached_property
    def bounces(self) -> frozenset[str]:
        """Codes of the moves that give a case back, after which it may go to the last resort."""
        return frozenset(move.code for move in self.moves.values() if "count_return" in move.does)

    @cached_property
    def every_move(self) -> dict[int, Move]:
        """The moves in use by id."""
        return {move.pk: move for move in self.moves.values()}

    @cached_property
    def urges(self) -> frozenset[str]:
        """Codes of the moves that press the unit to act."""
        return frozenset(move.code for move in self.moves.values() if "urge" in move.does)

    @cached_property
    def undoes(self) -> frozenset[str]:
        """Codes of the moves that take the last step back."""
        return frozenset(move.code for move in self.moves.values() if "undo" in move.does)

    @cached_property
    def _moves_from(self) -> dict[tuple[int, int], list[Move]]:
        found: dict[tuple[int, int], list[Move]] = {}
        for move in sorted(self.moves.values(), key=lambda move: move.rank):
            found.setdefault((move.kind_id, move.from_state_id), []).append(move)
        return found

    def moves_from(self, kind: int, state: int, *, undo: bool = False) -> list[Move]:
        """The moves that lead out of a state, in the order of the pack; with `undo` also those that take a step back."""
        return [move for move in self._moves_from.get((kind, state), []) if undo or "undo" not in move.does]


def _known(table: Mapping[str, T], code: str, lacking: str) -> T:
    if code not in table:
        raise Invalid(_(lacking) % {"code": repr(code)}, remedy="Use a code of the city pack.")
    return table[code]


def _stages(type: CaseType) -> set[str]:
    return set(type.limits).union(*(dated["limits"] for dated in type.dated_limits))


def _history(type: CaseType, stage: str, zone: ZoneInfo) -> LimitHistory:
    dated = [(d["valid_from"], d["limits"][stage]) for d in type.dated_limits if stage in d["limits"]]
    return LimitHistory.read(type.limits.get(stage, ""), dated, zone, where=type.code)


_kept: dict[int, tuple[float, Catalog]] = {}


def catalog(city: int) -> Catalog:
    """The catalog of a city. At most `FRESH` seconds behind a change made by another process."""
    kept = _kept.get(city)
    now = time.monotonic()
    if kept and now - kept[0] < FRESH:
        return kept[1]
    version = City.objects.values_list("version", flat=True).filter(pk=city).first()
    if version is None:
        raise NotFound("There is no such city.", where=str(city), remedy="Load its pack with `chengshu load-city`.")
    known = kept[1] if kept and kept[1].version == version else _read(city, version)
    _kept[city] = (now, known)
    return known


def forget() -> None:
    """Drop what is kept, so that the next reading sees changes at once."""
    _kept.clear()


def _read(city_id: int, version: int) -> Catalog:
    city = City.objects.get(pk=city_id)
    moves = Move.objects.filter(kind__city=city, active=True)
    return Catalog(
        city=city,
        version=version,
        root=Division.objects.values_list("pk", flat=True).get(city=city, parent=None, valid_to=None),
        kinds=Kind.objects.in_bulk(list(city.kinds.values_list("pk", flat=True))),
        states={state.pk: state for state in State.objects.filter(kind__city=city)},
        moves={(move.kind_id, move.code, move.from_state_id): move for move in moves},
        types={type.pk: type for type in CaseType.objects.filter(city=city)},
        departments={d.pk: d for d in Department.objects.filter(city=city).select_related("division")},
        divisions={
            pk: Place(code=code, name=name, name_en=en, level=level, path=tuple(path), valid_from=start, valid_to=end)
            for pk, code, name, en, level, path, start, end in Division.objects.filter(city=city).values_list(
                "pk", "code", "name", "name_en", "level", "path", "valid_from", "valid_to"
            )
        },
        parts=dict(Part.objects.filter(city=city, active=True).values_list("name", "value")),
    )
