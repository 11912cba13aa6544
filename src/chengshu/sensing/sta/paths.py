"""Addresses of entities: `/Things(1)/Datastreams(2)/Observations`, `/Things(1)/name/$value`, `/Things/$ref` (18-088, 9.2)."""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection

from chengshu.core.errors import NotFound
from chengshu.sensing import moved
from chengshu.sensing.scope import Scope
from chengshu.sensing.seam import start
from chengshu.sensing.sta.entities import ENTITIES, Entity, joined
from chengshu.sensing.sta.sealed import Sealed
from chengshu.sensing.sta.sql import Statement
from chengshu.sensing.store import DAY

DEEPEST: Final = 20  # segments
_SEGMENT: Final = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<id>[^()]*)\))?")
_ID: Final = re.compile(r"\d{1,18}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What an address names: a set, or with `id` one entity; `parent` is the entity whose link leads there, by its set and id.

    `rest` are the segments after it: property names, `$value`, `$ref`, `$count`. `checked`: the entity is there, and seen.
    """

    entity: Entity
    id: int | None = None
    parent: tuple[Entity, str, int] | None = None
    rest: tuple[str, ...] = ()
    checked: bool = False

    @property
    def address(self) -> str:
        """The address, after the service's own."""
        if self.id is not None:
            return f"/{self.entity.name}({self.id})"
        return f"/{self.parent[0].name}({self.parent[2]})/{self.parent[1]}" if self.parent else f"/{self.entity.name}"

    @property
    def one_stream(self) -> bool:
        """Whether it is the set of one Datastream's Observations."""
        return self.parent is not None and self.parent[0].name == "Datastreams"

    def conditions(self, statement: Statement, alias: str) -> list[str]:
        """The conditions on its rows."""
        found = [] if self.id is None else [has_id(statement, self.entity, alias, self.id)]
        if self.parent is not None:
            entity, name, number = self.parent
            link = entity.links[name]
            found.append(joined(link, "", alias, number))
            if link.within:
                return found
        return [*found, statement.seen(self.entity, alias)]


def has_id(statement: Statement, entity: Entity, alias: str, number: int) -> str:
    """The condition that a row has this id."""
    if entity.name == "Observations":
        return observed(statement, alias, [number])
    return f"{alias}.id = {number:d}"


def observed(statement: Statement, alias: str, numbers: Sequence[int]) -> str:
    """The condition that an observation is one of some; it names their days, so that only those are looked at.

    To be made before the statement's tables are named: those of sealed days are brought.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT observation, day FROM sensing_moved WHERE observation = ANY(%s)", [list(numbers)])
        elsewhere = dict(cursor.fetchall())
    days: dict[date, list[int]] = {}
    for number in numbers:
        days.setdefault(elsewhere.get(number) or moved.told(number), []).append(number)
    found = []
    for day, ids in days.items():
        first, after = (statement.param(each, "timestamptz") for each in (start(day), start(day) + DAY))
        among = statement.param(ids, "bigint[]")
        found.append(f"({alias}.id = ANY({among}) AND {alias}.at >= {first} AND {alias}.at < {after})")
    if statement.sealed is not None:
        statement.sealed.bring_ids(days)
    return f"({' OR '.join(found)})" if found else "false"


def resolve(path: str, scope: Scope, sealed: Sealed | None = None) -> Target:
    """What a path names. Raises `NotFound` when it names nothing, or something on the way is not there for the caller."""
    reading = Statement(scope=scope, base="", sealed=sealed)
    segments = [segment for segment in path.split("/") if segment]
    if not segments or len(segments) > DEEPEST:
        raise _nothing(path)
    name, number = _segment(segments[0], path)
    if name not in ENTITIES:
        raise _nothing(path)
    target = Target(entity=ENTITIES[name], id=number)
    for place, segment in enumerate(segments[1:], start=1):
        if segment.startswith("$") or (target.id is not None and _word(segment) not in target.entity.links):
            return _ended(target, tuple(segments[place:]), path)
        name, number = _segment(segment, path)
        target = _step(target, name, number, reading, path)
    return target


def _segment(segment: str, path: str) -> tuple[str, int | None]:
    found = _SEGMENT.fullmatch(segment)
    if found is None or (found["id"] is not None and not _ID.fullmatch(found["id"])):
        raise _nothing(path)
    return found["name"], int(found["id"]) if found["id"] is not None else None


def _word(segment: str) -> str:
    return segment.partition("(")[0]


def _ended(target: Target, rest: tuple[str, ...], path: str) -> Target:
    """The target with what follows it, where that can follow."""
    of_set = target.id is None and rest in (("$ref",), ("$count",))
    if not of_set and (target.id is None or (rest[0].startswith("$") and rest != ("$ref",))):
        raise _nothing(path)
    return Target(entity=target.entity, id=target.id, parent=target.parent, rest=rest, checked=target.checked)


def _step(target: Target, name: str, number: int | None, reading: Statement, path: str) -> Target:
    """From an entity along a link."""
    if target.id is None or name not in target.entity.links:
        raise _nothing(path)
    link = target.entity.links[name]
    if not target.checked:
        _check(target, reading.again(), path)
    if link.many:
        return Target(entity=ENTITIES[link.target], id=number, parent=(target.entity, name, target.id))
    if number is not None:
        raise _nothing(path)
    return Target(entity=ENTITIES[link.target], id=_linked(target, name, reading.again(), path), checked=True)


def _check(target: Target, statement: Statement, path: str) -> None:
    a = statement.alias()
    where = " AND ".join(target.conditions(statement, a))
    if not _one(f"SELECT {a}.id FROM {statement.table(target.entity)} {a} WHERE {where}", statement):
        raise _nothing(path)


def _linked(target: Target, name: str, statement: Statement, path: str) -> int:
    """The id of what a link to one leads to."""
    link = target.entity.links[name]
    assert target.id is not None
    a, b, other = statement.alias(), statement.alias(), ENTITIES[link.target]
    where = [has_id(statement, target.entity, a, target.id), joined(link, a, b), statement.seen(other, b)]
    found = _one(
        f"SELECT {b}.id FROM {statement.table(target.entity)} {a}, {other.table} {b} WHERE {' AND '.join(where)}",
        statement,
    )
    if found is None:
        raise _nothing(path)
    return found


def _one(sql: str, statement: Statement) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, statement.values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _nothing(path: str) -> NotFound:
    return NotFound("Nothing is found at this address.", where=path[:200])
