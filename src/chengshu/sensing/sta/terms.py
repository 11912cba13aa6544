"""The syntax of query options: immutable terms, made by `parse` and made into SQL by `filters` and `select`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Literal:
    """A constant. Kinds: number, text, bool, null, time (a pair of start and end), date, clock, duration, geo (shapely's)."""

    kind: str
    value: Any
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A member, by way of links and into JSON: `Datastream/Thing/name`, `properties/a/0`."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A function of its arguments."""

    name: str
    arguments: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """A comparison (eq ne gt ge lt le) or arithmetic (add sub mul div mod)."""

    operator: str
    left: Term
    right: Term


@dataclass(frozen=True, kw_only=True, slots=True)
class Among:
    """Whether a value is one of some."""

    value: Term
    choices: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Minus:
    """A number with its sign turned."""

    of: Term


@dataclass(frozen=True, kw_only=True, slots=True)
class Negate:
    """What is not so."""

    of: Term


@dataclass(frozen=True, kw_only=True, slots=True)
class Every:
    """Conditions joined by `and`."""

    parts: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Some:
    """Conditions joined by `or`."""

    parts: tuple[Term, ...]


Term = Literal | Path | Call | Binary | Among | Minus | Negate | Every | Some


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What rows are ordered by."""

    by: Term
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Expand:
    """A link whose entities are shown inline, as `options` say."""

    name: str
    options: Options


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of one set. `text` holds them as they were written, by their names, for the link to the next page."""

    filter: Term | None = None
    orderby: tuple[Order, ...] = ()
    expand: tuple[Expand, ...] = ()
    select: tuple[str, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    data_array: bool = False
    after: str = ""
    text: tuple[tuple[str, str], ...] = ()
    spans: tuple[tuple[str, int, int], ...] = field(default=(), repr=False)


def below(term: Term) -> tuple[Term, ...]:
    """The terms that a term is made of."""
    match term:
        case Call(arguments=found) | Every(parts=found) | Some(parts=found):
            return found
        case Binary(left=left, right=right):
            return (left, right)
        case Among(value=value, choices=choices):
            return (value, *choices)
        case Minus(of=of) | Negate(of=of):
            return (of,)
        case _:
            return ()
