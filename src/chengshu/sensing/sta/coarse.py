"""Terms about Observations as conditions that the lake is asked, in DuckDB's SQL: never narrower than the terms.

PostgreSQL decides in the end, so what has no counterpart here is simply not said. `exact` tells that nothing was left out. Times
are compared as whole microseconds, for a lake in an object store is read by Arrow, to which DuckDB hands no times on. There are
no parameters: numbers and quoted texts stand in the condition.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words and of numbers
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any, Final

from django.db import connection

from chengshu.sensing import moved, seam
from chengshu.sensing.sta import functions, literals
from chengshu.sensing.sta.comparing import SIGNS, TURNED, times
from chengshu.sensing.sta.entities import ENTITIES, ID
from chengshu.sensing.sta.filters import COMPARES, Compiler
from chengshu.sensing.sta.sql import Statement, Value
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

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHEN: Final = "phenomenonTime"
_LINKS: Final = {"Datastream": "datastream", "FeatureOfInterest": "feature"}
_NUMBER: Final = "coalesce(result, CASE WHEN regexp_matches(other, '^-?[0-9]') THEN try_cast(other AS DOUBLE) END)"
"""A result as a number: whole numbers that float64 does not hold stand in the other column."""
_COLUMNS: Final[dict[tuple[str, ...], Value]] = {
    ("id",): Value(kind="number", sql="id"),
    (ID,): Value(kind="number", sql="id"),
    ("Datastream", "id"): Value(kind="number", sql="datastream"),
    ("Datastream", ID): Value(kind="number", sql="datastream"),
    ("result",): Value(kind="result", sql=_NUMBER),
    (_WHEN,): Value(kind="time", sql='epoch_us("at")', end='epoch_us(coalesce("until", "at"))', source=_WHEN),
    ("resultTime",): Value(kind="time", sql="epoch_us(result_time)"),
    ("validTime",): Value(
        kind="time", sql="epoch_us(valid_from)", end="epoch_us(coalesce(valid_until, valid_from))"
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Coarse:
    """A condition on the lake's rows. What fits begins at `since` or later and not after `until`, where these are known."""

    sql: str = "true"
    exact: bool = True
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, day: date) -> bool:
        """Whether rows of a UTC day may fit."""
        return (self.since is None or day >= self.since.astimezone(UTC).date()) and (
            self.until is None or day <= self.until.astimezone(UTC).date()
        )


ALL: Final = Coarse()
_SOME: Final = Coarse(exact=False)
_NONE: Final = Coarse(sql="false")


def coarse(statement: Statement, term: Term | None) -> Coarse:
    """The condition for a term about Observations; for none, all of them."""
    match term:
        case None:
            return ALL
        case Every(parts=parts):
            return _every(statement, parts)
        case Some(parts=parts):
            return _some([coarse(statement, part) for part in parts])
        case Negate(of=of):
            found = coarse(statement, of)
            return Coarse(sql=f"(({found.sql}) IS NOT TRUE)") if found.exact else _SOME
        case Literal(kind="bool", value=value):
            return ALL if value else _NONE
        case Among(value=value, choices=choices):
            return coarse(statement, Some(parts=tuple(Binary(operator="eq", left=value, right=c) for c in choices)))
        case _:
            return _compared(statement, term) or _linked(statement, [term]) or _SOME


def both(*found: Coarse) -> Coarse:
    """All of some conditions."""
    since = max((each.since for each in found if each.since is not None), default=None)
    until = min((each.until for each in found if each.until is not None), default=None)
    return Coarse(
        sql=" AND ".join(f"({each.sql})" for each in found) or "true",
        exact=all(each.exact for each in found),
        since=since,
        until=until,
    )


def _some(found: Sequence[Coarse]) -> Coarse:
    since, until = [each.since for each in found], [each.until for each in found]
    return Coarse(
        sql=f"({' OR '.join(each.sql for each in found)})",
        exact=all(each.exact for each in found),
        since=min(each for each in since if each) if all(since) else None,
        until=max(each for each in until if each) if all(until) else None,
    )


def _every(statement: Statement, parts: Sequence[Term]) -> Coarse:
    """Parts about one link are said of one and the same linked entity, so they are asked together."""
    groups: dict[str, list[Term]] = {}
    rest: list[Term] = []
    for part in parts:
        link = None if isinstance(part, Every | Some | Negate) else link_of(part)
        (groups.setdefault(link, []) if link in _LINKS else rest).append(part)
    linked = [_linked(statement, group) or _SOME for group in groups.values()]
    return both(*(coarse(statement, part) for part in rest), *linked)


def paths(term: Term) -> Iterator[Path]:
    """The paths in a term."""
    if isinstance(term, Path):
        yield term
    for each in below(term):
        yield from paths(each)


def link_of(term: Term) -> str | None:
    """The name that all paths of a term begin with, if there is just one."""
    names = {path.parts[0] for path in paths(term)}
    return names.pop() if len(names) == 1 else None


def stripped(term: Term, names: int) -> Term:
    """A term whose paths begin so many names later."""
    match term:
        case Path(parts=parts):
            return Path(parts=parts[names:])
        case Call():
            return replace(term, arguments=tuple(stripped(each, names) for each in below(term)))
        case Every() | Some():
            return replace(term, parts=tuple(stripped(each, names) for each in below(term)))
        case Binary(left=left, right=right):
            return replace(term, left=stripped(left, names), right=stripped(right, names))
        case Among(value=value, choices=choices):
            return Among(value=stripped(value, names), choices=tuple(stripped(each, names) for each in choices))
        case Minus(of=of) | Negate(of=of):
            return replace(term, of=stripped(of, names))
        case _:
            return term


def _linked(statement: Statement, terms: Sequence[Term]) -> Coarse | None:
    """Conditions on the Datastream or the FeatureOfInterest: which these are, PostgreSQL knows."""
    link = link_of(terms[0])
    found = [path.parts for term in terms for path in paths(term)]
    if link not in _LINKS or any("Observations" in parts or len(parts) < 2 for parts in found):
        return None
    inner, target = statement.again(), ENTITIES["Observations"].links[link]
    entity, a = ENTITIES[target.target], inner.alias()
    term = Every(parts=tuple(stripped(each, 1) for each in terms))
    where = [Compiler(statement=inner, entity=entity, alias=a).condition(term)]
    where += [] if target.within else [inner.seen(entity, a)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {a}.id FROM {entity.table} {a} WHERE {' AND '.join(where)}", inner.values)
        ids = [row[0] for row in cursor.fetchall()]
    assert statement.sealed is not None
    return Coarse(sql=f"{_LINKS[link]} IN {statement.sealed.ids(ids)}") if ids else _NONE


def _compared(statement: Statement, term: Term) -> Coarse | None:
    match term:
        case Binary(operator=operator, left=left, right=right) if operator in COMPARES:
            a, b = _value(statement, left), _value(statement, right)
            return None if a is None or b is None else _comparison(operator, _alike(a, b), _alike(b, a))
        case Call(name=name, arguments=(left, right)) if name in functions.RELATIONS:
            a, b = _value(statement, left), _value(statement, right)
            if a is None or b is None or not a.kind == b.kind == "time":
                return None
            since, until = _related(name, b.literal) if a.source == _WHEN and b.literal is not None else (None, None)
            return Coarse(sql=functions.call(statement, name, (a, b)).sql, since=since, until=until)
        case _:
            return None


def _comparison(operator: str, a: Value, b: Value) -> Coarse | None:
    if "null" in (a.kind, b.kind):
        return _with_null(operator, b if a.kind == "null" else a)
    if a.kind == b.kind == "time":
        since, until = _bounds(operator, a, b)
        return Coarse(sql=times(operator, a, b), since=since, until=until)
    kinds = {a.kind, b.kind}
    if kinds in ({"result", "text"}, {"result", "bool"}):
        return _of_other(operator, a if b.kind == "result" else b)
    constant = (a if a.kind == "number" else b).literal is not None
    if kinds == {"number"} or (kinds == {"number", "result"} and constant):
        day = _day(a, b) if operator == "eq" else None
        return Coarse(sql=f"({a.sql} {SIGNS[operator]} {b.sql})", since=day, until=day)
    return None


def _day(a: Value, b: Value) -> datetime | None:
    """The day of the observation of which an id is compared with a whole number."""
    number = next((one.literal for one, other in ((a, b), (b, a)) if other.sql == "id"), None)
    return seam.start(moved.day_of(number)) if isinstance(number, int) and number >= 0 else None


def _with_null(operator: str, value: Value) -> Coarse | None:
    if operator not in ("eq", "ne") or value.kind == "null":
        return None
    column = (
        "result IS NULL AND (other IS NULL OR other = 'null')" if value.kind == "result" else f"{value.sql} IS NULL"
    )
    return Coarse(sql=f"({column})" if operator == "eq" else f"(NOT ({column}))")


def _of_other(operator: str, constant: Value) -> Coarse | None:
    """A result that is a text or a truth stands as JSON, written as PostgreSQL writes it."""
    if operator not in ("eq", "ne"):
        return None
    kind = "starts_with(other, '\"')" if constant.kind == "text" else "other IN ('true', 'false')"
    text = json.dumps(constant.literal, ensure_ascii=False).replace("'", "''")
    return Coarse(sql=f"((CASE WHEN {kind} THEN other END) {SIGNS[operator]} '{text}')")


def _bounds(operator: str, a: Value, b: Value) -> tuple[datetime | None, datetime | None]:
    """Between which times the phenomenonTime begins, where it is compared with a constant."""
    if b.source == _WHEN and a.literal is not None:
        operator, a, b = TURNED[operator], b, a
    if a.source != _WHEN or b.literal is None:
        return None, None
    start, end = b.literal
    match operator:
        case "eq":
            return start, start
        case "lt" | "le":
            return None, start
        case "gt":
            return end or start, None
        case "ge":
            return start, None
        case _:
            return None, None


def _related(name: str, literal: Any) -> tuple[datetime | None, datetime | None]:
    start, end = literal[0], literal[1] or literal[0]
    found: dict[str, tuple[datetime | None, datetime | None]] = {
        "before": (None, start),
        "after": (end, None),
        "during": (start, end),
        "overlaps": (None, end),
        "starts": (start, start),
        "finishes": (None, end),
    }
    return found.get(name, (None, None))


def _value(statement: Statement, term: Term) -> Value | None:
    match term:
        case Path(parts=parts):
            return _COLUMNS.get(parts)
        case Literal(kind="number", value=value):
            return _number(value)
        case Minus(of=Literal(kind="number", value=value)):
            return _number(-value)
        case Literal(kind="null"):
            return Value(kind="null", sql="NULL")
        case Literal(kind="text" | "date" | "bool" as kind, value=value):
            return Value(kind=kind, sql="", literal=value)
        case _:
            moment = _moment(statement, term)
            return _time(*moment) if moment is not None else None


def _number(value: float) -> Value:
    exact = isinstance(value, int) and abs(value) < 2**63
    return Value(kind="number", sql=str(value) if exact else f"'{float(value)!r}'::DOUBLE", literal=value)


def _moment(statement: Statement, term: Term) -> tuple[datetime, datetime | None] | None:
    """A constant time: as written, or reckoned from one."""
    match term:
        case Literal(kind="time", value=(start, end)):
            return start, end
        case Call(name=name, arguments=()) if name in functions.MOMENTS:
            return functions.MOMENTS[name](statement), None
        case Binary(operator="add" | "sub" as operator, left=left, right=Literal(kind="duration", value=span)):
            found = _moment(statement, left)
            return None if found is None else _moved(found[0], span if operator == "add" else -span)
        case _:
            return None


def _moved(at: datetime, span: timedelta) -> tuple[datetime, datetime | None] | None:
    try:
        return at + span, None
    except OverflowError:
        return None


def _time(start: datetime, end: datetime | None) -> Value:
    return Value(kind="time", sql=_micros(start), end=_micros(end) if end else "", literal=(start, end))


def _micros(at: datetime) -> str:
    return str((at - EPOCH) // timedelta(microseconds=1))


def _alike(a: Value, b: Value) -> Value:
    """A text or a date as a time, where a time is compared with it."""
    if b.kind != "time":
        return a
    if a.kind == "text":
        return _time(*literals.of_text(a.literal).value)
    if a.kind == "date":
        return _time(datetime.combine(a.literal, clock_time(), UTC), None)
    return a
