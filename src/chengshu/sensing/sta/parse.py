"""Query options as written, into terms. Bounded in length, depth and number, for what comes may be hostile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path as File
from typing import Any, Final
from urllib.parse import unquote_plus

from lark import Lark, Token, Transformer, UnexpectedInput

from chengshu.sensing.sta import literals
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.terms import (
    Among,
    Binary,
    Call,
    Every,
    Expand,
    Literal,
    Minus,
    Negate,
    Options,
    Order,
    Path,
    Some,
    Term,
    below,
)

LONGEST: Final = 16_000  # characters of a query
DEEPEST: Final = 40  # terms within one another
MOST_TERMS: Final = 1_000
LONGEST_NUMBER: Final = 300  # digits
DEEPEST_EXPAND: Final = 6
MOST_EXPANDS: Final = 40
MOST_ROWS: Final = 10_000  # of $top; more are cut, with a link to the next
FURTHEST: Final = 2**63 - 1  # of $skip
AFTER: Final = "$skiptoken"


class _Build(Transformer[Token, Any]):
    """Terms from the parser's reductions, bottom up, so that no depth of nesting is a depth of calls."""

    def filter(self, children: list[Any]) -> Term:
        found: Term = children[0]
        return found

    def orderby(self, children: list[Order]) -> tuple[Order, ...]:
        return tuple(children)

    def order(self, children: list[Any]) -> Order:
        return Order(by=children[0], descending=children[1] is not None and children[1].type == "DESC")

    def expand(self, children: list[Expand]) -> tuple[Expand, ...]:
        return merged(children)

    def select(self, children: list[Path]) -> tuple[str, ...]:
        return tuple(path.text for path in children)

    def expansion(self, children: list[Any]) -> Expand:
        names = [str(child) for child in children if isinstance(child, Token) and child.type == "NAME"]
        options = _combined(
            [_ending(one, after) for one, after in pairwise(children) if isinstance(one, Options) and after is not None]
        )
        for name in reversed(names[1:]):
            options = Options(expand=(Expand(name=name, options=options),))
        return Expand(name=names[0], options=options)

    def filter_option(self, children: list[Any]) -> Options:
        return Options(filter=children[1], spans=_span(children[0]))

    def orderby_option(self, children: list[Any]) -> Options:
        return Options(orderby=children[1], spans=_span(children[0]))

    def expand_option(self, children: list[Any]) -> Options:
        return Options(expand=children[1], spans=_span(children[0]))

    def select_option(self, children: list[Any]) -> Options:
        return Options(select=children[1], spans=_span(children[0]))

    def top_option(self, children: list[Token]) -> Options:
        return Options(top=_whole("$top", str(children[1])), spans=_span(children[0]))

    def skip_option(self, children: list[Token]) -> Options:
        return Options(skip=_whole("$skip", str(children[1])), spans=_span(children[0]))

    def count_option(self, children: list[Token]) -> Options:
        return Options(count=children[1] == "true", spans=_span(children[0]))

    def bracket(self, children: list[Any]) -> Term:
        found: Term = children[1]
        return found

    def some(self, children: list[Term]) -> Some:
        return Some(parts=tuple(children))

    def every(self, children: list[Term]) -> Every:
        return Every(parts=tuple(children))

    def negate(self, children: list[Term]) -> Negate:
        return Negate(of=children[0])

    def binary(self, children: list[Any]) -> Binary:
        return Binary(left=children[0], operator=str(children[1]), right=children[2])

    def among(self, children: list[Term]) -> Among:
        return Among(value=children[0], choices=tuple(child for child in children[1:] if not isinstance(child, Token)))

    def minus(self, children: list[Term]) -> Term:
        return Minus(of=children[-1])

    def call(self, children: list[Any]) -> Call:
        return Call(
            name=str(children[0]),
            arguments=tuple(child for child in children[1:] if child is not None and not isinstance(child, Token)),
        )

    def path(self, children: list[Token]) -> Path:
        return Path(parts=tuple(map(str, children)))

    def number(self, children: list[Token]) -> Literal:
        text = str(children[0])
        value = (int(text) if text.isdecimal() else float(text)) if len(text) <= LONGEST_NUMBER else math.inf
        if not abs(value) <= 1e300:
            raise BadQuery("This number is out of reach.", where=text[:40])
        return Literal(kind="number", value=value, source=text)

    def string(self, children: list[Token]) -> Literal:
        text = str(children[0])[1:-1].replace("''", "'")
        if "\0" in text:
            raise BadQuery("A text holds a zero byte.", where="$filter")
        return Literal(kind="text", value=text, source=text)

    def true(self, _children: list[Token]) -> Literal:
        return Literal(kind="bool", value=True)

    def false(self, _children: list[Token]) -> Literal:
        return Literal(kind="bool", value=False)

    def null(self, _children: list[Token]) -> Literal:
        return Literal(kind="null", value=None)

    def duration(self, children: list[Token]) -> Literal:
        return literals.duration(str(children[0]))

    def geometry(self, children: list[Token]) -> Literal:
        return literals.geometry(str(children[0]))

    def interval(self, children: list[Token]) -> Literal:
        return literals.interval(str(children[0]))

    def moment(self, children: list[Token]) -> Literal:
        return literals.instant(str(children[0]))

    def date(self, children: list[Token]) -> Literal:
        return literals.day(str(children[0]))

    def clock(self, children: list[Token]) -> Literal:
        return literals.clock(str(children[0]))


_PARSER: Final = Lark(
    (File(__file__).parent / "grammar.lark").read_text(encoding="utf-8"),
    parser="lalr",
    start=["filter", "orderby", "expand", "select"],
    transformer=_Build(),
    maybe_placeholders=True,
)


def parse(query: str) -> Options:
    """The options of a query string as it stands in an address. Raises `BadQuery` for what cannot be understood."""
    if len(query) > LONGEST:
        raise BadQuery("The query is too long.", where=f"{len(query)}", remedy="Send a shorter one, or a batch.")
    return _parsed(query)


@lru_cache(maxsize=500)
def _parsed(query: str) -> Options:
    given: dict[str, str] = {}
    for part in query.split("&"):
        name, _equals, value = part.partition("=")
        name, value = unquote_plus(name).strip(), unquote_plus(value)
        if name in given:
            raise BadQuery("An option is given twice.", where=name[:60])
        if name.startswith("$"):
            given[name] = value
    options = _combined([_option(name, value) for name, value in given.items()])
    check_expands(options.expand)
    return replace(options, text=tuple((n, v) for n, v in given.items() if n not in ("$skip", AFTER)))


def _option(name: str, value: str) -> Options:
    if name not in _READ:
        raise BadQuery("There is no such query option.", where=name[:60], remedy=", ".join(_READ))
    return _READ[name](value)


def _read(start: str, value: str) -> Any:
    try:
        return _PARSER.parse(value, start=start)
    except UnexpectedInput as error:
        column = getattr(error, "column", 0)
        place = value[max(0, column - 1) : column + 30] if isinstance(column, int) and column > 0 else value[-30:]
        raise BadQuery("The query cannot be read.", where=f"${start}, at: {place[:60]}") from error


def _filter(value: str) -> Options:
    term: Term = _read("filter", value)
    bounded(term)
    return Options(filter=term)


def _orderby(value: str) -> Options:
    orders: tuple[Order, ...] = _read("orderby", value)
    for order in orders:
        bounded(order.by)
    return Options(orderby=orders)


def _expand(value: str) -> Options:
    found: tuple[Expand, ...] = _read("expand", value)
    check_expands(found)
    return Options(expand=tuple(_written(each, value) for each in found))


def _written(expand: Expand, source: str) -> Expand:
    """An expansion with its options as they were written."""
    options = expand.options
    text = tuple((name, source[a:b].strip()) for name, a, b in options.spans if name != "$skip")
    if options.expand and not any(name == "$expand" for name, _ in text):  # of the form a/b
        text = (*text, ("$expand", ",".join(map(_shown, options.expand))))
    inner = tuple(_written(each, source) for each in options.expand)
    return replace(expand, options=replace(options, expand=inner, text=text))


def _shown(expand: Expand) -> str:
    inner = ",".join(map(_shown, expand.options.expand))
    return f"{expand.name}($expand={inner})" if inner else expand.name


_READ: Final[dict[str, Callable[[str], Options]]] = {
    "$filter": _filter,
    "$orderby": _orderby,
    "$expand": _expand,
    "$select": lambda value: Options(select=_read("select", value)),
    "$top": lambda value: Options(top=_whole("$top", value)),
    "$skip": lambda value: Options(skip=_whole("$skip", value)),
    "$count": lambda value: Options(count=_truth("$count", value)),
    "$resultFormat": lambda value: Options(data_array=_format(value)),
    AFTER: lambda value: Options(after=value[:100]),
}


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or len(value) > 19 or int(value) > FURTHEST:
        raise BadQuery("This is a whole number from 0.", where=f"{name}={value[:40]}")
    return int(value)


def _truth(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise BadQuery("This is true or false.", where=f"{name}={value[:40]}")
    return value == "true"


def _format(value: str) -> bool:
    if value.lower() != "dataarray":
        raise BadQuery("There is no such result format.", where=value[:40], remedy="dataArray")
    return True


def _span(begin: Token) -> tuple[tuple[str, int, int], ...]:
    """Where an option's text begins, after its name; its end is where the next delimiter stands."""
    return ((str(begin).rstrip("= \t"), begin.end_pos or 0, 0),)


def _ending(option: Options, after: Token) -> Options:
    return replace(option, spans=tuple((name, start, after.start_pos or 0) for name, start, _ in option.spans))


_EMPTY: Final = Options()
_NAMES: Final = (
    "filter", "orderby", "expand", "select", "top", "skip", "count", "data_array", "after",
)  # fmt: skip


def _combined(parts: Sequence[Options]) -> Options:
    """Options given one by one as one. Raises `BadQuery` for the same one twice."""
    found: dict[str, Any] = {}
    spans: list[tuple[str, int, int]] = []
    for part in parts:
        if {name for name, _, _ in part.spans} & {name for name, _, _ in spans}:
            raise BadQuery("An option is given twice.", where=part.spans[0][0])
        spans += part.spans
        found |= {name: getattr(part, name) for name in _NAMES if getattr(part, name) != getattr(_EMPTY, name)}
    return Options(**found, spans=tuple(spans))


def merged(expands: Sequence[Expand]) -> tuple[Expand, ...]:
    """Expansions with those of one link as one: `Datastreams,Datastreams/Sensor` shows Datastreams once."""
    found: dict[str, Expand] = {}
    for each in expands:
        known = found.get(each.name)
        found[each.name] = each if known is None else replace(known, options=_both(known.options, each.options))
    return tuple(found.values())


def _both(one: Options, other: Options) -> Options:
    named = [(n, a, b) for n, a, b in (*one.spans, *other.spans) if n != "$expand"]
    given = {name: getattr(other, name) for name in _NAMES if getattr(other, name) != getattr(_EMPTY, name)}
    return replace(one, **{**given, "expand": merged((*one.expand, *other.expand)), "spans": tuple(named)})


def bounded(term: Term) -> None:
    """Refuse terms that are too many or too deep."""
    rest, count = [(term, 1)], 0
    while rest:
        one, depth = rest.pop()
        count += 1
        if depth > DEEPEST or count > MOST_TERMS:
            raise BadQuery("The query is too large.", where="$filter", remedy="Ask for less at once.")
        rest += [(each, depth + 1) for each in below(one)]


def check_expands(expands: Sequence[Expand]) -> None:
    """Refuse expansions that are too many or too deep, and what is too large within them."""
    rest, count = [(each, 1) for each in expands], 0
    while rest:
        one, depth = rest.pop()
        count += 1
        if depth > DEEPEST_EXPAND or count > MOST_EXPANDS:
            raise BadQuery("The query is too large.", where="$expand", remedy="Expand less at once.")
        for term in (one.options.filter, *(order.by for order in one.options.orderby)):
            if term is not None:
                bounded(term)
        rest += [(each, depth + 1) for each in one.options.expand]
