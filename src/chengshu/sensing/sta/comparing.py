"""Comparisons and arithmetic between values of the query language.

Times compare as intervals, an instant being one that ends where it starts: one is less than another that begins after its end.
Null is different from everything and equal to itself (OData 4, 5.1.1.1).
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from datetime import time as clock_time
from typing import Final

from chengshu.sensing.sta import literals
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.geo import narrowed
from chengshu.sensing.sta.sql import Statement, Value, document, number, text, truth

SIGNS: Final = {"eq": "=", "ne": "IS DISTINCT FROM", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
TURNED: Final = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_OPEN: Final = frozenset({"json", "result"})
_MATH: Final[dict[str, Callable[[str, str], str]]] = {
    "add": lambda a, b: f"({a} + {b})",
    "sub": lambda a, b: f"({a} - {b})",
    "mul": lambda a, b: f"({a} * {b})",
    "div": lambda a, b: f"({a} / nullif({b}, 0))",
    "mod": lambda a, b: f"mod(({a})::numeric, nullif(({b})::numeric, 0))::float8",
}


def compare(statement: Statement, operator: str, a: Value, b: Value) -> Value:
    """A comparison. Raises `BadQuery` for values that do not compare."""
    if "null" in (a.kind, b.kind):
        return _with_null(operator, b if a.kind == "null" else a)
    a, b = _alike(statement, a, b), _alike(statement, b, a)
    if "geo" in (a.kind, b.kind):
        raise BadQuery("Geometries do not compare.", where=a.source, remedy="Use st_equals and its kin.")
    if a.kind == b.kind == "time":
        return Value(kind="bool", sql=times(operator, a, b))
    left, right = _pair(a, b)
    near = narrowed(statement, operator, a, b) or narrowed(statement, TURNED[operator], b, a)
    return Value(kind="bool", sql=near or f"({left} {SIGNS[operator]} {right})")


def among(statement: Statement, value: Value, choices: Sequence[Value]) -> Value:
    """Whether a value is one of some."""
    return Value(kind="bool", sql=f"({' OR '.join(compare(statement, 'eq', value, c).sql for c in choices)})")


def _with_null(operator: str, value: Value) -> Value:
    if operator not in ("eq", "ne"):
        return Value(kind="bool", sql="false")
    if value.kind == "null":
        return Value(kind="bool", sql="true" if operator == "eq" else "false")
    sql = document(value) if value.kind in _OPEN else value.sql
    if value.kind in _OPEN:
        sql = f"nullif({sql}, 'null'::jsonb)"
    return Value(kind="bool", sql=f"({sql} IS {'' if operator == 'eq' else 'NOT '}NULL)")


def _alike(statement: Statement, a: Value, b: Value) -> Value:
    """The first value as one of the second's kind, where a literal may be meant so."""
    if a.kind == "text" and a.literal is not None and b.kind == "time":
        start, end = literals.of_text(a.literal).value
        stamps = [statement.param(each, "timestamptz") if each is not None else "" for each in (start, end)]
        return replace(a, kind="time", sql=stamps[0], end=stamps[1], literal=(start, end))
    if a.kind == "date" and a.literal is not None and b.kind == "time":
        start = datetime.combine(a.literal, clock_time(), UTC)
        return replace(a, kind="time", sql=statement.param(start, "timestamptz"), literal=(start, None))
    if a.kind in ("time", "date") and a.literal is not None and b.kind in _OPEN:  # JSON has no times: they are texts
        return replace(a, kind="text", sql=statement.param(a.source, "text"), end="")
    return a


def _pair(a: Value, b: Value) -> tuple[str, str]:
    """Both as expressions of one kind."""
    if a.kind in _OPEN and b.kind in _OPEN:
        return document(a), document(b)
    kind = b.kind if a.kind in _OPEN else a.kind
    if kind != (a.kind if b.kind in _OPEN else b.kind):
        raise BadQuery("These do not compare.", where=f"{a.source or a.kind}, {b.source or b.kind}"[:200])
    cast = {"number": number, "text": text, "bool": truth}.get(kind)
    if cast is None:
        if a.kind != b.kind:
            raise BadQuery("These do not compare.", where=f"{a.source or a.kind}, {b.source or b.kind}"[:200])
        return a.sql, b.sql
    return cast(a), cast(b)


def times(operator: str, a: Value, b: Value) -> str:
    """A comparison of instants or intervals; said of the start too where that lets partitions be passed over."""
    start, end = a.sql, a.end or a.sql
    first, last = b.sql, b.end or b.sql
    match operator:
        case "eq" | "ne":
            same = f"({start} = {first} AND {end} = {last})"
            return same if operator == "eq" else f"({same} IS NOT TRUE)"
        case "lt":
            found = [f"{end} < {first}"] + ([f"{start} < {first}"] if a.prune else [])
        case "gt":
            found = [f"{start} > {last}"] + ([f"{first} < {start}"] if b.prune else [])
        case "le":
            found = [f"{start} <= {first}"] + ([f"{end} <= {last}"] if a.end or b.end else [])
        case _:  # what starts after an instant ends after it
            found = [f"{start} >= {first}"] + ([f"{end} >= {last}"] if b.end else [])
    return f"({' AND '.join(found)})"


def arithmetic(statement: Statement, operator: str, a: Value, b: Value) -> Value:
    """A sum, difference, product, quotient or remainder; of times and durations too."""
    kinds = (a.kind, operator, b.kind)
    if kinds in _TIMELY:
        return Value(kind=_TIMELY[kinds], sql=f"({a.sql} {'+' if operator == 'add' else '-'} {b.sql})")
    if "duration" in (a.kind, b.kind) and operator in ("mul", "div"):
        return _stretched(operator, a, b)
    constant = _constant(operator, a, b)
    if constant is not None:
        return Value(kind="number", sql=statement.param(constant, "float8"), literal=constant)
    return Value(kind="number", sql=_MATH[operator](f"({number(a)})::float8", f"({number(b)})::float8"))


_TIMELY: Final = {
    ("time", "add", "duration"): "time",
    ("time", "sub", "duration"): "time",
    ("duration", "add", "time"): "time",
    ("time", "sub", "time"): "duration",
    ("duration", "add", "duration"): "duration",
    ("duration", "sub", "duration"): "duration",
    ("date", "sub", "date"): "number",
}


def _stretched(operator: str, a: Value, b: Value) -> Value:
    if operator == "div" and a.kind == "duration":
        return Value(kind="duration", sql=f"({a.sql} / nullif(({number(b)})::float8, 0))")
    if operator == "mul":
        span, factor = (a, b) if a.kind == "duration" else (b, a)
        return Value(kind="duration", sql=f"({span.sql} * ({number(factor)})::float8)")
    raise BadQuery("Nothing is divided by a duration.", where="div")


def _constant(operator: str, a: Value, b: Value) -> float | None:
    """What two numbers make, where both are constants."""
    if a.literal is None or b.literal is None or not a.kind == b.kind == "number":
        return None
    known = {"add": operators.add, "sub": operators.sub, "mul": operators.mul}
    found = float(known[operator](float(a.literal), float(b.literal))) if operator in known else None
    return found if found is not None and abs(found) < 1e300 else None
