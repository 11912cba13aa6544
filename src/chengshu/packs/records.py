"""What a pack says and what the living city has, in the same words: natural keys instead of numbers.

Two rows with the same key are compared field by field; `where` tells the line of the pack and takes no part.
A division is named `code@valid_from`; an empty reference is an empty text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

NEW = "new"  # the state before a case's first step, present in every kind
OPEN = "open"  # the move that opens a case


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of one table, known by `key`."""

    where: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """The fields that are compared."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}


@dataclass(frozen=True, kw_only=True, slots=True)
class CityRow(Row):
    name: str
    label: str
    label_en: str
    timezone: str
    language: str
    number_prefix: str
    about: Mapping[str, Any]

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class DivisionRow(Row):
    code: str
    valid_from: date
    valid_to: date | None
    name: str
    name_en: str
    level: int
    parent: str
    source: str

    @property
    def key(self) -> str:
        return f"{self.code}@{self.valid_from}"

    def valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def overlaps(self, other: DivisionRow) -> bool:
        return self.valid_from < (other.valid_to or date.max) and other.valid_from < (self.valid_to or date.max)

    def covers(self, other: DivisionRow) -> bool:
        return self.valid_from <= other.valid_from and (other.valid_to or date.max) <= (self.valid_to or date.max)


@dataclass(frozen=True, kw_only=True, slots=True)
class SuccessionRow(Row):
    predecessor: str
    successor: str
    date: date
    note: str

    @property
    def key(self) -> str:
        return f"{self.predecessor}→{self.successor}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundaryRow(Row):
    division: str
    wkb: bytes
    source: str

    @property
    def key(self) -> str:
        return self.division


@dataclass(frozen=True, kw_only=True, slots=True)
class DepartmentRow(Row):
    code: str
    name: str
    name_en: str
    level: int
    parent: str
    function: str
    division: str
    kind: str
    last_resort: bool
    active: bool = True

    @property
    def key(self) -> str:
        return self.code


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRow(Row):
    code: str
    label: str
    label_en: str
    opening_clocks: tuple[str, ...]
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.code


@dataclass(frozen=True, kw_only=True, slots=True)
class StateRow(Row):
    kind: str
    code: str
    label: str
    label_en: str
    phase: str
    rank: int

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.code}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveRow(Row):
    kind: str
    code: str
    from_state: str
    to_state: str
    label: str
    label_en: str
    roles: tuple[str, ...]
    needs: tuple[str, ...] = ()
    not_who: tuple[str, ...] = ()
    clocks_stop: tuple[str, ...] = ()
    clocks_start: tuple[str, ...] = ()
    clocks_pause: bool = False
    clocks_resume: bool = False
    does: tuple[str, ...] = ()
    why: str
    why_en: str
    rank: int
    active: bool = True

    @property
    def key(self) -> str:
        """Steps refer to a move with both its ends: another end is another move."""
        return f"{self.kind}/{self.code}: {self.from_state}→{self.to_state}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeRow(Row):
    code: str
    kind: str
    major: str
    major_en: str
    minor: str
    minor_en: str
    name: str
    name_en: str
    register_standard: str
    close_standard: str
    limits: Mapping[str, str]
    dated_limits: tuple[Mapping[str, Any], ...]
    severity: int
    urgent: bool
    evidence: tuple[str, ...]
    source: str
    active: bool = True

    @property
    def key(self) -> str:
        return self.code


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRow(Row):
    username: str
    name: str
    language: str

    @property
    def key(self) -> str:
        return self.username


@dataclass(frozen=True, kw_only=True, slots=True)
class PostRow(Row):
    account: str
    role: str
    department: str
    division: str
    active: bool = True

    @property
    def key(self) -> str:
        return f"{self.account}: {self.role} {self.department or '–'} {self.division}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PartRow(Row):
    name: str
    value: Any

    @property
    def key(self) -> str:
        return self.name


TABLES = (
    "divisions",
    "successions",
    "boundaries",
    "departments",
    "kinds",
    "states",
    "moves",
    "types",
    "accounts",
    "posts",
)  # in the order in which they are written: each refers to those before it


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """A city pack without mistakes."""

    name: str
    digest: str
    root: str
    city: CityRow
    divisions: tuple[DivisionRow, ...]
    successions: tuple[SuccessionRow, ...]
    boundaries: tuple[BoundaryRow, ...]
    departments: tuple[DepartmentRow, ...]
    kinds: tuple[KindRow, ...]
    states: tuple[StateRow, ...]
    moves: tuple[MoveRow, ...]
    types: tuple[TypeRow, ...]
    accounts: tuple[AccountRow, ...]
    posts: tuple[PostRow, ...]
    parts: tuple[PartRow, ...]

    def rows(self, table: str) -> tuple[Row, ...]:
        """The rows of one of TABLES."""
        rows: tuple[Row, ...] = getattr(self, table)
        return rows
