"""SQL in the making: parameters, aliases and scope of one statement, and values of the kinds that the query language knows."""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from chengshu.sensing.scope import Scope
from chengshu.sensing.sta.entities import Entity
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.sealed import BOTH, Sealed


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """An expression in SQL. Kinds: number, text, bool, null, time, date, clock, duration, json, result, geo.

    A time that may be an interval has its `end`; `literal` holds a constant as Python has it, `source` as it was written.
    """

    kind: str
    sql: str
    end: str = ""
    prune: bool = False  # whether comparisons are to be said of the start too, so that partitions are passed over
    literal: Any = None
    source: str = ""
    place: tuple[Entity, str, str] | None = None  # of a geometry: entity, alias, member
    reach: Any = None  # of a distance: the geometry it is from


@dataclass(kw_only=True, slots=True)
class Statement:
    """One statement on its way: `values` are its parameters, in the scope of whom it is for."""

    scope: Scope
    base: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    values: dict[str, Any] = field(default_factory=dict)
    aliases: int = 0
    sealed: Sealed | None = None  # where days are sealed
    counted: dict[int, dict[int, int]] = field(
        default_factory=dict
    )  # of sealed days: by options (their identity), by source

    def again(self) -> Statement:
        """Another statement of the same reading."""
        return Statement(scope=self.scope, base=self.base, now=self.now, sealed=self.sealed)

    def table(self, entity: Entity) -> str:
        """Where the rows of a set stand; those of sealed days that were brought with them."""
        if entity.name == "Observations" and self.sealed is not None and self.sealed.rows:
            return BOTH
        return entity.table

    def param(self, value: Any, cast: str = "") -> str:
        """A placeholder for a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s" + (f"::{cast}" if cast else "")

    def alias(self) -> str:
        """A name for a row that no other has."""
        self.aliases += 1
        return f"t{self.aliases}"

    def seen(self, entity: Entity, a: str) -> str:
        """The condition under which the row `a` is seen by whom the statement is for."""
        return _SEEN[entity.name](self, a)


def _common(statement: Statement, a: str) -> str:
    return f"{a}.city_id = {statement.scope.city:d}"


def _thing(statement: Statement, a: str) -> str:
    scope = statement.scope
    found = [_common(statement, a)]
    if scope.division is not None:
        found.append(f"{a}.places @> ARRAY[{scope.division:d}]::bigint[]")
    if scope.department is not None:
        mends = f" OR {a}.duty_id = {scope.department:d}" if scope.duty else ""
        found.append(f"({a}.owner_id = {scope.department:d}{mends})")
    return " AND ".join(found)


def _of_thing(statement: Statement, a: str) -> str:
    t = statement.alias()
    return f"EXISTS (SELECT 1 FROM sensing_thing {t} WHERE {t}.id = {a}.thing_id AND {_thing(statement, t)})"


def _datastream(statement: Statement, a: str) -> str:
    return _common(statement, a) if statement.scope.whole else _of_thing(statement, a)


def _observation(statement: Statement, a: str) -> str:
    d = statement.alias()
    inner = _datastream(statement, d)
    return f"EXISTS (SELECT 1 FROM sensing_datastream {d} WHERE {d}.id = {a}.datastream AND {inner})"


def _placed(statement: Statement, a: str) -> str:
    found = [_common(statement, a)]
    if statement.scope.division is not None:
        found.append(f"{a}.places @> ARRAY[{statement.scope.division:d}]::bigint[]")
    return " AND ".join(found)


def _location(statement: Statement, a: str) -> str:
    found = _placed(statement, a)
    return found if statement.scope.department is None else f"{found} AND {_theirs(statement, f'{a}.id')}"


def _feature(statement: Statement, a: str) -> str:
    found = _placed(statement, a)
    if statement.scope.department is None:
        return found
    return f"{found} AND ({a}.location_id IS NULL OR {_theirs(statement, f'{a}.location_id')})"


def _theirs(statement: Statement, location: str) -> str:
    """A Location where a Thing of the department stands or stood, or where none of anybody's does."""
    t, u = statement.alias(), statement.alias()
    stands = "sensing_thing_locations m"
    stood = "sensing_historicallocation_locations m JOIN sensing_historicallocation h ON h.id = m.historicallocation_id"
    return (
        f"(EXISTS (SELECT 1 FROM {stands} JOIN sensing_thing {t} ON {t}.id = m.thing_id"
        f" WHERE m.location_id = {location} AND {_thing(statement, t)})"
        f" OR EXISTS (SELECT 1 FROM {stood} JOIN sensing_thing {u} ON {u}.id = h.thing_id"
        f" WHERE m.location_id = {location} AND {_thing(statement, u)})"
        f" OR NOT EXISTS (SELECT 1 FROM {stands} WHERE m.location_id = {location}"
        f" UNION ALL SELECT 1 FROM {stood} WHERE m.location_id = {location}))"
    )


_SEEN: Final = {
    "Things": _thing,
    "Locations": _location,
    "HistoricalLocations": _of_thing,
    "Datastreams": _datastream,
    "Sensors": _common,
    "ObservedProperties": _common,
    "Observations": _observation,
    "FeaturesOfInterest": _feature,
}


def number(value: Value) -> str:
    """A value as a number; JSON that is none is null."""
    match value.kind:
        case "number":
            return value.sql
        case "json":
            return f"(CASE WHEN jsonb_typeof({value.sql}) = 'number' THEN ({value.sql} #>> '{{}}')::numeric END)"
        case "result":
            other = _other(value)
            # Whole numbers that float64 does not hold stand in the other column.
            exact = f"CASE WHEN jsonb_typeof({other}) = 'number' THEN ({other} #>> '{{}}')::numeric END"
            return f"coalesce({value.sql}, {exact})"
        case _:
            raise BadQuery("This is no number.", where=value.source or value.kind)


def text(value: Value) -> str:
    """A value as text; JSON that is none is null."""
    match value.kind:
        case "text":
            return value.sql
        case "json" | "result" as kind:
            inner = value.sql if kind == "json" else _other(value)
            return f"(CASE WHEN jsonb_typeof({inner}) = 'string' THEN {inner} #>> '{{}}' END)"
        case _:
            raise BadQuery("This is no text.", where=value.source or value.kind)


def truth(value: Value) -> str:
    """A value as a condition; JSON that is neither true nor false is null."""
    match value.kind:
        case "bool":
            return value.sql
        case "json" | "result" as kind:
            inner = value.sql if kind == "json" else _other(value)
            return f"(CASE WHEN jsonb_typeof({inner}) = 'boolean' THEN ({inner} #>> '{{}}')::boolean END)"
        case _:
            raise BadQuery("This is neither true nor false.", where=value.source or value.kind)


def document(value: Value) -> str:
    """JSON or a result as jsonb."""
    return value.sql if value.kind == "json" else f"coalesce(to_jsonb({value.sql}), {_other(value)})"


def time(value: Value) -> str:
    """The start of a time."""
    if value.kind != "time":
        raise BadQuery("This is no time.", where=value.source or value.kind)
    return value.sql


def _other(value: Value) -> str:
    return f"{value.sql.partition('.')[0]}.other"
