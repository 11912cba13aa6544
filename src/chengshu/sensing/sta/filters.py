"""Terms as conditions and values in SQL.

A condition on what is linked means: some linked entity is so. Conditions joined by `and` that begin with the same link are said
of one and the same linked entity: `Datastreams/name eq 'a' and Datastreams/Sensor/name eq 'b'` asks for one datastream of both.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from chengshu.sensing.sta import functions, geo
from chengshu.sensing.sta.comparing import among, arithmetic, compare
from chengshu.sensing.sta.entities import ENTITIES, ID, Entity, Member, joined
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.sql import Statement, Value, number, truth
from chengshu.sensing.sta.terms import (
    Among,
    Binary,
    Call,
    Every,
    Literal,
    Minus,
    Negate,
    Path,
    Some,
    Term,
    below,
)

COMPARES: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_CASTS: Final = {"text": "text", "bool": "boolean", "date": "date", "clock": "time", "duration": "interval"}


@dataclass(kw_only=True, slots=True)
class Joins:
    """The rows that the paths of one condition lead to, from the row `alias` of `entity`."""

    statement: Statement
    entity: Entity
    alias: str
    found: dict[tuple[str, ...], tuple[Entity, str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    def at(self, names: tuple[str, ...]) -> tuple[Entity, str]:
        """The entity and row at the end of these links."""
        if not names:
            return self.entity, self.alias
        if names not in self.found:
            source, a = self.at(names[:-1])
            link = source.links[names[-1]]
            target, b = ENTITIES[link.target], self.statement.alias()
            self.found[names] = (target, b)
            self.tables.append(f"{self.statement.table(target)} {b}")
            self.conditions.append(joined(link, a, b))
            if not link.within:
                self.conditions.append(self.statement.seen(target, b))
        return self.found[names]

    def exists(self, condition: str) -> str:
        """A condition on these rows as one on the row they start from."""
        if not self.tables:
            return condition
        return f"EXISTS (SELECT 1 FROM {', '.join(self.tables)} WHERE {' AND '.join([*self.conditions, condition])})"

    def least(self, value: str, *, descending: bool) -> str:
        """The least value, or the greatest, of what these rows say."""
        if not self.tables:
            return value
        which = "max" if descending else "min"
        return f"(SELECT {which}({value}) FROM {', '.join(self.tables)} WHERE {' AND '.join(self.conditions)})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiler:
    """Makes SQL of terms about the row `alias` of `entity`."""

    statement: Statement
    entity: Entity
    alias: str

    def condition(self, term: Term) -> str:
        """A term as a condition. Raises `BadQuery` for one that is none."""
        match term:
            case Every(parts=parts):
                return f"({' AND '.join(self._every(parts))})"
            case Some(parts=parts):
                return f"({' OR '.join(map(self.condition, parts))})"
            case Negate(of=of):
                return f"(({self.condition(of)}) IS NOT TRUE)"
            case _:
                return self._together([term])

    def order(self, term: Term, *, descending: bool) -> str:
        """What rows are ordered by, with its direction: null comes first, or last when descending (OData 4, 11.2.5.2)."""
        joins = self._joins()
        value = self.value(term, joins)
        if value.kind == "geo":
            raise BadQuery("Nothing is ordered by a geometry.", where="$orderby")
        direction = "DESC" if descending else "ASC"
        if isinstance(term, Path) and not joins.tables and self._never_null(term):
            return f"{value.sql} {direction}"
        nulls = "NULLS LAST" if descending else "NULLS FIRST"
        keys = [value.sql, f"{value.sql.partition('.')[0]}.other"] if value.kind == "result" else [value.sql]
        if joins.tables and value.kind in ("json", "bool", "result"):  # JSON and truths have no least
            keys[-1] = f"({keys[-1]})::text"
        return ", ".join(f"{joins.least(key, descending=descending)} {direction} {nulls}" for key in keys)

    def value(self, term: Term, joins: Joins) -> Value:
        """A term as a value, on the rows of `joins`."""
        match term:
            case Literal():
                return self._literal(term)
            case Path():
                return self._path(term, joins)
            case Call():
                return self._call(term, joins)
            case Binary(operator=operator, left=left, right=right):
                made = compare if operator in COMPARES else arithmetic
                return made(self.statement, operator, self.value(left, joins), self.value(right, joins))
            case Among(value=value, choices=choices):
                return among(self.statement, self.value(value, joins), [self.value(c, joins) for c in choices])
            case Minus(of=of):
                return self._minus(of, joins)
            case Negate(of=of):
                return Value(kind="bool", sql=f"(({truth(self.value(of, joins))}) IS NOT TRUE)")
            case Every(parts=parts) | Some(parts=parts):
                word = " AND " if isinstance(term, Every) else " OR "
                return Value(kind="bool", sql=f"({word.join(truth(self.value(part, joins)) for part in parts)})")

    def _joins(self) -> Joins:
        return Joins(statement=self.statement, entity=self.entity, alias=self.alias)

    def groups(self, term: Term) -> Iterator[Sequence[Term]]:
        """The terms that a condition is made of; those that are said of the same linked rows together."""
        match term:
            case Every(parts=parts):
                alone, groups = self._apart(parts)
                for part in alone:
                    yield from self.groups(part)
                yield from groups
            case Some(parts=parts):
                for part in parts:
                    yield from self.groups(part)
            case Negate(of=of):
                yield from self.groups(of)
            case _:
                yield [term]

    def _every(self, parts: Sequence[Term]) -> Iterator[str]:
        """Conditions that all must hold; those about the same linked entity as one."""
        alone, groups = self._apart(parts)
        yield from map(self.condition, alone)
        yield from map(self._together, groups)

    def _apart(self, parts: Sequence[Term]) -> tuple[list[Term], list[list[Term]]]:
        """Parts that stand alone, and those about the same linked entity together."""
        alone: list[Term] = []
        groups: dict[str, list[Term]] = {}
        for part in parts:
            links = set() if isinstance(part, Every | Some | Negate) else {*self._links(part)}
            if len(links) == 1:
                groups.setdefault(links.pop(), []).append(part)
            else:
                alone.append(part)
        return alone, list(groups.values())

    def _together(self, terms: Sequence[Term]) -> str:
        joins = self._joins()
        return joins.exists(" AND ".join(truth(self.value(term, joins)) for term in terms))

    def _links(self, term: Term) -> Iterator[str]:
        """The first links of the paths in a term."""
        if isinstance(term, Path) and term.parts[0] in self.entity.links:
            yield term.parts[0]
        for each in below(term):
            yield from self._links(each)

    def _never_null(self, path: Path) -> bool:
        member = self.entity.members.get(ID if path.parts[0] == "id" else path.parts[0])
        return member is not None and not member.nullable and len(path.parts) == 1

    def _literal(self, term: Literal) -> Value:
        statement, value = self.statement, term.value
        if term.kind == "null":
            return Value(kind="null", sql="NULL")
        if term.kind == "geo":
            return Value(kind="geo", sql="NULL", literal=value, source=term.source)
        if term.kind == "time":
            start, end = (statement.param(at, "timestamptz") if at is not None else "" for at in value)
            return Value(kind="time", sql=start, end=end, literal=value, source=term.source)
        cast = _CASTS.get(term.kind, "" if isinstance(value, int) else "float8")
        return Value(kind=term.kind, sql=statement.param(value, cast), literal=value, source=term.source)

    def _minus(self, of: Term, joins: Joins) -> Value:
        value = self.value(of, joins)
        if value.kind == "duration":
            return Value(kind="duration", sql=f"(- {value.sql})")
        literal = -value.literal if value.kind == "number" and value.literal is not None else None
        return Value(kind="number", sql=f"(- {number(value)})", literal=literal)

    def _path(self, path: Path, joins: Joins) -> Value:
        entity, names = self.entity, list(path.parts)
        links: list[str] = []
        while names and names[0] in entity.links:
            links.append(names.pop(0))
            entity = ENTITIES[entity.links[links[-1]].target]
        if not names:
            raise BadQuery("A link has no value.", where=path.text, remedy=f"Name a property, such as {path.text}/id.")
        name = ID if names[0] == "id" else names[0]
        if name not in entity.members:
            raise BadQuery("There is no such property.", where=f"{entity.name}: {path.text}"[:200])
        shortcut = self._by_key(links, name, joins)
        if shortcut is not None:
            return shortcut
        entity, alias = joins.at(tuple(links))
        return self._member(entity, alias, entity.members[name], names[1:], path)

    def _by_key(self, links: list[str], name: str, joins: Joins) -> Value | None:
        """The id of what a link to one leads to stands in the row itself."""
        if not links or name != ID:
            return None
        source, link = self.entity, None
        for each in links:
            link = source.links[each]
            owner, source = source, ENTITIES[link.target]
        if link is None or link.many or not link.within:
            return None
        _entity, alias = joins.at(tuple(links[:-1]))
        assert owner.links[link.name] is link
        return Value(kind="number", sql=f"{alias}.{link.column}", source="/".join([*links, "id"]))

    def _member(self, entity: Entity, alias: str, member: Member, keys: list[str], path: Path) -> Value:
        column = f"{alias}.{member.column}"
        if keys:
            if member.kind not in ("json", "geo", "result"):
                raise BadQuery("This property has no parts.", where=path.text[:200])
            whole = f"{alias}.other" if member.kind == "result" else column
            return Value(kind="json", sql=f"({whole} #> {self.statement.param(keys, 'text[]')})", source=path.text)
        match member.kind:
            case "id":
                return Value(kind="number", sql=column, source=path.text)
            case "time":
                first = entity.name == "Observations" and member.column == "at"
                end = f"coalesce({alias}.{member.end}, {column})" if member.end else ""
                return Value(kind="time", sql=column, end=end, prune=first, source=path.text)
            case kind:
                return Value(kind=kind, sql=column, source=path.text, place=(entity, alias, member.name))

    def _call(self, call: Call, joins: Joins) -> Value:
        arguments = [self.value(each, joins) for each in call.arguments]
        if call.name in geo.FUNCTIONS:
            return geo.call(self.statement, call.name, arguments)
        return functions.call(self.statement, call.name, arguments)
