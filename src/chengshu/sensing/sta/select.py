"""Rows of entity sets as JSON text that PostgreSQL builds, with what is expanded inline: one statement for a whole answer.

Rows are picked first (`rows`), their JSON is made of what was picked: what is cut off costs nothing.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from chengshu.sensing.sta.entities import ENTITIES, ID, Entity, Link, Member, joined
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.filters import Compiler
from chengshu.sensing.sta.parse import AFTER, MOST_ROWS
from chengshu.sensing.sta.sql import Statement
from chengshu.sensing.sta.terms import Expand, Options, Order, Path

PAGE: Final = 100
BUDGET: Final = 200_000  # entities of one answer: pages of what is expanded are cut to it, with links to the rest
SELF: Final = "@iot.selfLink"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picked:
    """Which rows of a set: conditions and order in SQL. `key` names how a page goes on from its last row, if it can."""

    where: tuple[str, ...]
    order: tuple[str, ...]
    key: str = ""


def page_size(options: Options, budget: int = MOST_ROWS) -> int:
    """How many entities a page has."""
    return min(PAGE if options.top is None else options.top, MOST_ROWS, max(budget, 1))


def rows(statement: Statement, entity: Entity, picked: Picked, alias: str, *, limit: int, skip: int = 0) -> str:
    """The statement that picks rows of a set."""
    where = f" WHERE {' AND '.join(picked.where)}" if picked.where else ""
    offset = f" OFFSET {skip:d}" if skip else ""
    return (
        f"SELECT {alias}.* FROM {statement.table(entity)} {alias}{where}"
        f" ORDER BY {', '.join(picked.order)} LIMIT {limit:d}{offset}"
    )


def pick(
    statement: Statement, entity: Entity, alias: str, options: Options, where: list[str], *, one_stream: bool
) -> Picked:
    """Conditions and order of a set from its options.

    Observations of one datastream stand in the order of their times by default, for that is the order of their index; all else
    in the order of ids.
    """
    compiler = Compiler(statement=statement, entity=entity, alias=alias)
    found = [*where, *([compiler.condition(options.filter)] if options.filter is not None else [])]
    key = key_of(options, one_stream=one_stream)
    return Picked(where=tuple(found), order=tuple(_order(compiler, options.orderby, key)), key=key)


def paged(
    statement: Statement, entity: Entity, alias: str, options: Options, where: list[str], *, one_stream: bool
) -> tuple[Picked, int]:
    """Conditions and order of a page that goes on from another one, if it does, and how many rows are passed over."""
    picked = pick(statement, entity, alias, options, where, one_stream=one_stream)
    if not options.after:
        return picked, options.skip
    return replace(picked, where=(*picked.where, after(statement, alias, picked.key, options.after))), 0


def key_of(options: Options, *, one_stream: bool) -> str:
    """How a page goes on from its last row: by the time (earliest or latest first), by the id, or not at all."""
    orders = options.orderby
    if one_stream and [order.by for order in orders] in ([], [Path(parts=("phenomenonTime",))]):
        return "latest" if orders and orders[0].descending else "earliest"
    return "" if orders else "id"


def _order(compiler: Compiler, orders: tuple[Order, ...], key: str) -> list[str]:
    a = compiler.alias
    if key in ("earliest", "latest"):
        word = "DESC" if key == "latest" else "ASC"
        last = [f"{a}.id {word}"] if compiler.statement.sealed else []  # late rows of a sealed day count `nth` anew
        return [f"{a}.at {word}", f"{a}.nth {word}", *last]
    return [*(compiler.order(order.by, descending=order.descending) for order in orders), f"{a}.id ASC"]


def after(statement: Statement, alias: str, key: str, token: str) -> str:
    """The condition on rows that come after the one that a page ended with. Raises `BadQuery` for a token that is none."""
    parts = read_token(key, token)
    numbers = [statement.param(part, "bigint") for part in parts]
    if key == "id":
        return f"{alias}.id > {numbers[0]}"
    sign = "<" if key == "latest" else ">"
    at = f"(timestamptz 'epoch' + {numbers[0]} * interval '1 microsecond')"
    place = f"({alias}.at, {alias}.nth, {alias}.id) {sign} ({at}, {numbers[1]}, {numbers[2]})"
    return f"{alias}.at {sign}= {at} AND {place}"


def read_token(key: str, token: str) -> list[int]:
    """The numbers in a token: an id, or the time in microseconds, `nth` and id. Raises `BadQuery` for a token that is none."""
    kind, _colon, rest = token.partition(":")
    parts = rest.split(":")
    if kind != key or len(parts) != (1 if key == "id" else 3) or not all(_is_number(part) for part in parts):
        raise BadQuery(
            "This is no link to a next page.", where=f"{AFTER}={token[:60]}", remedy="Ask for the first page."
        )
    return [int(part) for part in parts]


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 18


def token(alias: str, key: str) -> str:
    """What `after` takes to go on from a row."""
    if key == "id":
        return f"'id:' || {alias}.id"
    if not key:
        return "''"
    micros = f"(extract(epoch FROM {alias}.at) * 1000000)::bigint"
    return f"'{key}:' || {micros} || ':' || {alias}.nth || ':' || {alias}.id"


def row(statement: Statement, entity: Entity, alias: str, options: Options, budget: int = BUDGET) -> str:
    """The JSON text of a row."""
    chosen = _chosen(entity, options.select)
    pieces: list[str] = []
    if not options.select or ID in chosen:
        pieces.append(f"',\"{ID}\":' || {alias}.id")
        pieces.append(f"""',"{SELF}":"' || {own_link(statement, entity, alias)} || '"'""")
    elif SELF in chosen:
        pieces.append(f"""',"{SELF}":"' || {own_link(statement, entity, alias)} || '"'""")
    members = [m for m in entity.members.values() if m.kind != "id" and (not options.select or m.name in chosen)]
    pieces += [_member(alias, member) for member in members]
    expanded = {each.name: each for each in options.expand}
    for name, link in entity.links.items():
        if name in expanded:
            pieces.append(_expanded(statement, entity, alias, expanded.pop(name), budget))
        elif not options.select or name in chosen:
            text = f'/{name}"'
            pieces.append(
                f"""',"{link.name}@iot.navigationLink":"' || {own_link(statement, entity, alias)} || '{text}'"""
            )
    if expanded:
        raise BadQuery("There is no such link.", where=f"{entity.name}/{next(iter(expanded))}"[:100])
    return f"'{{' || ltrim({' || '.join(pieces) if pieces else repr('')}, ',') || '}}'"


def _chosen(entity: Entity, select: tuple[str, ...]) -> set[str]:
    chosen = {ID if name == "id" else name for name in select}
    if unknown := chosen - {*entity.members, *entity.links, SELF}:
        raise BadQuery("There is no such property.", where=f"{entity.name}/{min(unknown)}"[:100])
    return chosen


def own_link(statement: Statement, entity: Entity, alias: str) -> str:
    """The text of an entity's address."""
    return f"{statement.param(f'{statement.base}/{entity.name}(', 'text')} || {alias}.id || ')'"


def _member(alias: str, member: Member) -> str:
    text = json_of(alias, member)
    if member.absent:
        return f"""coalesce(',"{member.name}":' || {text}, '')"""
    return f"""',"{member.name}":' || coalesce({text}, 'null')"""


def json_of(alias: str, member: Member) -> str:
    """The JSON text of a member; null where it is."""
    column = f"{alias}.{member.column}"
    match member.kind:
        case "text":
            return f"to_json({column})::text"
        case "result":
            return f"coalesce({column}::text, {alias}.other::text)"
        case "time":
            return _time(alias, member)
        case _:
            return f"{column}::text"


def _time(alias: str, member: Member) -> str:
    start = _stamp(f"{alias}.{member.column}")
    if not member.end:
        return f"""('"' || {start} || '"')"""
    end = f"{alias}.{member.end}"
    if member.always_interval:
        return f"""('"' || {start} || '/' || {_stamp(end)} || '"')"""
    return f"""('"' || {start} || coalesce('/' || {_stamp(end)}, '') || '"')"""


def _stamp(column: str) -> str:
    """ISO 8601 in UTC: as short as it can be without losing anything."""
    return f"""(rtrim(ltrim(to_json({column} AT TIME ZONE 'UTC')::text, '"'), '"') || 'Z')"""


def _expanded(statement: Statement, entity: Entity, alias: str, expand: Expand, budget: int) -> str:
    link = entity.links[expand.name]
    target, b = ENTITIES[link.target], statement.alias()
    where = [joined(link, alias, b), *([] if link.within else [statement.seen(target, b)])]
    if link.many:
        return _many(statement, entity, alias, link, expand.options, where, b, budget)
    options = expand.options
    if options.filter is not None:
        where.append(Compiler(statement=statement, entity=target, alias=b).condition(options.filter))
    inner = row(statement, target, b, options, budget)
    one = f"(SELECT {inner} FROM {statement.table(target)} {b} WHERE {' AND '.join(where)})"
    return f"""',"{link.name}":' || coalesce({one}, 'null')"""


def _many(
    statement: Statement,
    entity: Entity,
    alias: str,
    link: Link,
    options: Options,
    where: list[str],
    b: str,
    budget: int,
) -> str:
    """A page of what a link leads to, with its count and the link to the next page.

    Rows are numbered in the order in which the picked ones come: PostgreSQL keeps it, for nothing stands between the two.
    """
    target = ENTITIES[link.target]
    size = page_size(options, budget)
    picked = pick(statement, target, b, options, where, one_stream=entity.name == "Datastreams")
    inner = rows(statement, target, picked, b, limit=size + 1, skip=options.skip)
    text = row(statement, target, b, options, budget // max(size, 1))
    n = statement.alias()
    numbered = f"SELECT {b}.*, row_number() OVER () AS n FROM ({inner}) {b}"
    made = f"SELECT n, CASE WHEN n <= {size} THEN {text} END AS j FROM ({numbered}) {b}"
    pieces = [f"""',"{link.name}":[' || coalesce(string_agg({n}.j, ',' ORDER BY {n}.n), '') || ']'"""]
    following = quote_options(options, skip=options.skip + size)
    href = f"{own_link(statement, entity, alias)} || {statement.param(f'/{link.name}?{following}', 'text')}"
    if size:
        pieces.append(
            f"""CASE WHEN count(*) > {size} THEN ',"{link.name}@iot.nextLink":' || to_json({href})::text ELSE '' END"""
        )
    if options.count:
        number = _number(statement, target, picked, b, alias, statement.counted.get(id(options)))
        pieces.append(f"""',"{link.name}@iot.count":' || {number}""")
    return f"(SELECT {' || '.join(pieces)} FROM ({made}) {n})"


def _number(
    statement: Statement, target: Entity, picked: Picked, b: str, alias: str, sealed: dict[int, int] | None
) -> str:
    """How many rows a link leads to; those of sealed days may have been counted already."""
    found = f"({count(statement, target, picked.where, b, hot=sealed is not None)})"
    if not sealed:
        return found
    by_id = statement.param(json.dumps(sealed), "jsonb")
    return f"({found} + coalesce(({by_id} ->> {alias}.id::text)::bigint, 0))"


def count(statement: Statement, entity: Entity, where: tuple[str, ...], alias: str, *, hot: bool = False) -> str:
    """The statement that counts rows; with `hot` only those that stand in partitions."""
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT count(*) FROM {entity.table if hot else statement.table(entity)} {alias}{condition}"


def quote_options(options: Options, *, skip: int, token: str = "") -> str:
    """Options as the query of the link to the next page."""
    given = {**dict(options.text), "$skip": str(skip)}
    if token:
        given[AFTER] = token
    return "&".join(f"{name}={quote(value, safe='/,()$;:@=')}" for name, value in given.items())


def plain(options: Options) -> Options:
    """Options without what shapes the answer: only which entities."""
    return replace(options, expand=(), select=(), data_array=False)


def as_json(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)
