"""The functions of the query language that are no geometry: of texts, times and numbers (18-088, 9.3.3.5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.sql import Statement, Value, number, text, time

BLANKS: Final = "E' \\t\\r\\n'"
Made = Callable[[Sequence[str]], str]
_TEXT, _NUMBER, _TIME = "text", "number", "time"


def _part(name: str) -> Made:
    return lambda a: f"extract({name} FROM {a[0]} AT TIME ZONE 'UTC')"


def _rounded(how: str) -> Made:
    return lambda a: f"{how}(({a[0]})::numeric)"


def _cut(a: Sequence[str]) -> str:
    start = f"greatest(trunc({a[1]})::int, 0) + 1"
    length = f", greatest(trunc({a[2]})::int, 0)" if len(a) == 3 else ""
    return f"substr({a[0]}, {start}{length})"


TABLE: Final[dict[str, tuple[str, tuple[str, ...], Made]]] = {
    "substringof": ("bool", (_TEXT, _TEXT), lambda a: f"(strpos({a[1]}, {a[0]}) > 0)"),
    "contains": ("bool", (_TEXT, _TEXT), lambda a: f"(strpos({a[0]}, {a[1]}) > 0)"),
    "startswith": ("bool", (_TEXT, _TEXT), lambda a: f"starts_with({a[0]}, {a[1]})"),
    "endswith": ("bool", (_TEXT, _TEXT), lambda a: f"(right({a[0]}, length({a[1]})) = {a[1]})"),
    "length": ("number", (_TEXT,), lambda a: f"length({a[0]})"),
    "indexof": ("number", (_TEXT, _TEXT), lambda a: f"(strpos({a[0]}, {a[1]}) - 1)"),
    "substring": ("text", (_TEXT, _NUMBER), _cut),
    "tolower": ("text", (_TEXT,), lambda a: f"lower({a[0]})"),
    "toupper": ("text", (_TEXT,), lambda a: f"upper({a[0]})"),
    "trim": ("text", (_TEXT,), lambda a: f"btrim({a[0]}, {BLANKS})"),
    "concat": ("text", (_TEXT, _TEXT), lambda a: f"({a[0]} || {a[1]})"),
    "year": ("number", (_TIME,), _part("year")),
    "month": ("number", (_TIME,), _part("month")),
    "day": ("number", (_TIME,), _part("day")),
    "hour": ("number", (_TIME,), _part("hour")),
    "minute": ("number", (_TIME,), _part("minute")),
    "second": ("number", (_TIME,), lambda a: f"floor({_part('second')(a)})"),
    "fractionalseconds": ("number", (_TIME,), lambda a: f"mod({_part('second')(a)}, 1)"),
    "date": ("date", (_TIME,), lambda a: f"({a[0]} AT TIME ZONE 'UTC')::date"),
    "time": ("clock", (_TIME,), lambda a: f"({a[0]} AT TIME ZONE 'UTC')::time"),
    "round": ("number", (_NUMBER,), _rounded("round")),
    "floor": ("number", (_NUMBER,), _rounded("floor")),
    "ceiling": ("number", (_NUMBER,), _rounded("ceil")),
}
"""Result, arguments and SQL of each function."""
_CASTS: Final = {_TEXT: text, _NUMBER: number, _TIME: time}
MOMENTS: Final[dict[str, Callable[[Statement], datetime]]] = {
    "now": lambda statement: statement.now,
    "mindatetime": lambda _: datetime(1, 1, 1, tzinfo=UTC),
    "maxdatetime": lambda _: datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
}
RELATIONS: Final = {
    "before": "{e1} < {s2}",
    "after": "{s1} > {e2}",
    "meets": "({e1} = {s2} OR {e2} = {s1})",
    "during": "({s1} >= {s2} AND {e1} <= {e2})",
    "overlaps": "({s1} <= {e2} AND {e1} >= {s2})",
    "starts": "{s1} = {s2}",
    "finishes": "{e1} = {e2}",
}
"""Of two times, by their starts and ends (s, e)."""


def call(statement: Statement, name: str, arguments: Sequence[Value]) -> Value:
    """A function of values. Raises `BadQuery` for one that is not known or has other arguments."""
    if name in MOMENTS:
        _count(name, arguments, 0, 0)
        at = MOMENTS[name](statement)
        return Value(kind="time", sql=statement.param(at, "timestamptz"), literal=(at, None), source=f"{name}()")
    if name in RELATIONS:
        _count(name, arguments, 2, 2)
        return Value(kind="bool", sql=_related(name, *arguments))
    if name == "totaloffsetminutes":
        _count(name, arguments, 1, 1)
        return Value(kind="number", sql=f"({time(arguments[0])} IS NOT NULL)::int * 0")  # times are kept in UTC
    if name not in TABLE:
        raise BadQuery("There is no such function.", where=name[:60])
    result, kinds, made = TABLE[name]
    most = 3 if name == "substring" else len(kinds)
    _count(name, arguments, len(kinds), most)
    kinds = (*kinds, _NUMBER)[: len(arguments)]
    return Value(
        kind=result, sql=made([_CASTS[kind](each) for kind, each in zip(kinds, arguments, strict=True)]), source=name
    )


def _count(name: str, arguments: Sequence[Value], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise BadQuery("This function has another number of arguments.", where=f"{name}: {least}")


def _related(name: str, a: Value, b: Value) -> str:
    s1, s2 = time(a), time(b)
    found = RELATIONS[name].format(s1=s1, s2=s2, e1=a.end or s1, e2=b.end or s2)
    if not a.prune:
        return found
    # The start lies before the end: what says so lets partitions be passed over.
    reach = {"before": f"{s1} < {s2}", "overlaps": f"{s1} <= {b.end or s2}", "during": f"{s1} <= {b.end or s2}"}
    return f"({found} AND {reach[name]})" if name in reach else found
