"""Reading by SensorThings: an address and a query in, the answer's text out. Whatever is read is in the scope of who asks."""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from django.db import DataError, OperationalError, connection, transaction
from psycopg import errors

from chengshu.core.errors import NotFound
from chengshu.parties.principal import Principal
from chengshu.sensing.scope import Scope, read_scope
from chengshu.sensing.seam import HOLD
from chengshu.sensing.sta import needs, select
from chengshu.sensing.sta.entities import ENTITIES, ID, Member
from chengshu.sensing.sta.errors import BadQuery, TooSlow
from chengshu.sensing.sta.filters import Compiler
from chengshu.sensing.sta.parse import parse
from chengshu.sensing.sta.paths import Target, observed, resolve
from chengshu.sensing.sta.sealed import opened
from chengshu.sensing.sta.sql import Statement
from chengshu.sensing.sta.terms import Options

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
LONGEST: Final = "30s"  # that a query may take
COMPONENTS: Final = ("id", "phenomenonTime", "resultTime", "result")
"""Of a data array, unless $select names others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is answered; without a text there is no content (204)."""

    text: str | None
    media_type: str = JSON


def read(principal: Principal, path: str, query: str, base: str) -> Answer:
    """Answer a GET.

    Args:
        path: after the service's address, such as `/Things(1)/Datastreams`.
        query: the query string, as it stands in the address.
        base: the service's address without a slash at its end, for links.

    Raises:
        NotFound: when nothing is there, or not for this principal.
        BadQuery: for a query that cannot be understood, or that its values make impossible.
        TooSlow: for one that takes too long.
    """
    scope = read_scope(principal)
    options = parse(query)
    with _reading(scope, base, whole=needs.concerned(path, options)) as statement:
        target = resolve(path, scope, statement.sealed)
        return _answer(target, options, statement)


def find(path: str, scope: Scope) -> Target:
    """What an address names. Raises `NotFound`."""
    with _reading(scope, "", whole=needs.concerned(path, Options())) as statement:
        return resolve(path, scope, statement.sealed)


def texts(
    principal: Principal, name: str, ids: Sequence[int], base: str, options: Options | None = None
) -> dict[int, str]:
    """Entities of one set as JSON texts by their ids; those that are not there, or not for this principal, are left out."""
    scope, entity, options = read_scope(principal), ENTITIES[name], options or Options()
    with _reading(scope, base, whole=needs.concerned("", options)) as statement:
        needs.of_ids(statement, entity, ids, options)
        a = statement.alias()
        where = f"{a}.id = ANY({statement.param(list(ids), 'bigint[]')})"
        if name == "Observations":
            where = observed(statement, a, ids)
        text = select.row(statement, entity, a, options)
        table, seen = statement.table(entity), statement.seen(entity, a)
        return dict(_fetch(f"SELECT {a}.id, {text} FROM {table} {a} WHERE ({where}) AND {seen}", statement))


def check(target: Target, principal: Principal) -> None:
    """See that an entity is there, and where the address says. Raises `NotFound`."""
    with _reading(read_scope(principal), "", whole=target.entity.name == "Observations") as statement:
        _single(target, Options(select=(ID,)), statement)


@contextmanager
def _reading(scope: Scope, base: str, *, whole: bool) -> Iterator[Statement]:
    """A statement, in a transaction; where Observations are read (`whole`), in one snapshot of partitions and lake."""
    with limited(whole=whole):
        if not whole:
            yield Statement(scope=scope, base=base)
            return
        with opened() as sealed:
            yield Statement(scope=scope, base=base, sealed=sealed)


@contextmanager
def limited(*, whole: bool = False) -> Iterator[None]:
    """A transaction in which no statement runs long, and in which what values make impossible is a bad query."""
    alone = not connection.in_atomic_block
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                if whole and alone:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute(f"SET LOCAL statement_timeout = '{LONGEST}'")
                if whole:
                    cursor.execute(HOLD)
            yield
    except DataError as error:
        raise BadQuery("The query computes what cannot be.", where=str(error).partition("\n")[0][:200]) from error
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.QueryCanceled):
            raise
        raise TooSlow("The query takes too long.", remedy="Ask for a shorter time or fewer entities.") from error


def _fetch(sql: str, statement: Statement) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, statement.values)
        return list(cursor.fetchall())


def _answer(target: Target, options: Options, statement: Statement) -> Answer:
    if options.data_array and (target.id is not None or target.entity.name != "Observations"):
        raise BadQuery("Data arrays are of Observations.", where="$resultFormat")
    match target.rest:
        case ():
            return _set(target, options, statement) if target.id is None else _entity(target, options, statement)
        case ("$ref",):
            return _references(target, options, statement)
        case ("$count",):
            needs.of_filter(statement, target, options)
            return Answer(text=str(_counted(target, options, statement)), media_type=TEXT)
        case rest:
            return _property(target, rest, statement)


def _entity(target: Target, options: Options, statement: Statement) -> Answer:
    if options.filter or options.orderby or options.top is not None or options.skip or options.count or options.after:
        raise BadQuery("Of one entity only $select and $expand are asked.", where=target.address)
    return Answer(text=_single(target, options, statement))


def _single(target: Target, options: Options, statement: Statement) -> str:
    needs.of_entity(statement, target, options)
    a = statement.alias()
    where = " AND ".join(target.conditions(statement, a))
    text = select.row(statement, target.entity, a, options)
    found = _fetch(f"SELECT {text} FROM {statement.table(target.entity)} {a} WHERE {where}", statement)
    if not found:
        raise NotFound("Nothing is found at this address.", where=target.address)
    return str(found[0][0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The rows of a page, each with what precedes its text, and the address of the next page."""

    rows: list[tuple[Any, ...]]
    following: str


def _page(target: Target, options: Options, statement: Statement, made: Callable[[str], list[str]]) -> Page:
    """A page of a set; `made` gives the columns of a row by its alias."""
    size, entity = select.page_size(options), target.entity
    needs.of_set(statement, target, options, select.BUDGET // max(size, 1))
    a = statement.alias()
    where = target.conditions(statement, a)
    picked, skip = select.paged(statement, entity, a, options, where, one_stream=target.one_stream)
    inner = select.rows(statement, entity, picked, a, limit=size + 1, skip=skip)
    columns = ", ".join([f"{a}.id", *made(a)])
    found = _fetch(f"SELECT {columns}, {select.token(a, picked.key)} FROM ({inner}) {a}", statement)
    following = ""
    if len(found) > size > 0:
        token = str(found[size - 1][-1])
        following = f"{statement.base}{target.address}{''.join('/' + each for each in target.rest)}?" + (
            select.quote_options(options, skip=options.skip + size, token=token)
        )
    return Page(rows=[row[1:-1] for row in found[:size]], following=following)


def _set(target: Target, options: Options, statement: Statement) -> Answer:
    if options.data_array:
        return _data_array(target, options, statement)
    budget = select.BUDGET // max(select.page_size(options), 1)
    page = _page(target, options, statement, lambda a: [select.row(statement, target.entity, a, options, budget)])
    return Answer(text=_enveloped(target, options, statement, page, [row[0] for row in page.rows]))


def _enveloped(target: Target, options: Options, statement: Statement, page: Page, texts: Iterable[str]) -> str:
    """A set's JSON: its count and next page where there is one, and its entities."""
    head = f'"@iot.count":{_counted(target, options, statement)},' if options.count else ""
    head += f'"@iot.nextLink":{select.as_json(page.following)},' if page.following else ""
    return f'{{{head}"value":[{",".join(texts)}]}}'


def _counted(target: Target, options: Options, statement: Statement) -> int:
    sealed = needs.counted(statement, target, options)
    inner = statement.again()
    a = inner.alias()
    where = target.conditions(inner, a)
    if options.filter is not None:
        where.append(Compiler(statement=inner, entity=target.entity, alias=a).condition(options.filter))
    found = _fetch(select.count(inner, target.entity, tuple(where), a, hot=sealed is not None), inner)
    return int(found[0][0]) + (sealed or 0)


def _references(target: Target, options: Options, statement: Statement) -> Answer:
    """Addresses of entities only."""
    only = replace(options, expand=(), select=(select.SELF,))
    if target.id is not None:
        return Answer(text=_single(target, only, statement))
    page = _page(target, options, statement, lambda a: [select.row(statement, target.entity, a, only)])
    return Answer(text=_enveloped(target, options, statement, page, [row[0] for row in page.rows]))


def _data_array(target: Target, options: Options, statement: Statement) -> Answer:
    """Observations as arrays, those of one datastream together (18-088, 12.1)."""
    if options.expand:
        raise BadQuery("A data array is not expanded.", where="$expand")
    names = options.select or COMPONENTS
    members = [target.entity.members.get(ID if name == "id" else name) for name in names]
    if None in members:
        raise BadQuery("There is no such property.", where=",".join(names)[:100])
    chosen = [member for member in members if member]
    page = _page(target, options, statement, lambda a: [f"{a}.datastream", _array(a, chosen)])
    groups = list(_groups(page.rows, names, statement.base))
    return Answer(text=_enveloped(target, options, statement, page, groups))


def _array(alias: str, members: Sequence[Member]) -> str:
    return "'[' || " + " || ',' || ".join(f"coalesce({select.json_of(alias, m)}, 'null')" for m in members) + " || ']'"


def _groups(rows: Sequence[tuple[Any, ...]], names: Sequence[str], base: str) -> Iterator[str]:
    order = {datastream: place for place, datastream in enumerate(dict.fromkeys(row[0] for row in rows))}
    for datastream, group in groupby(sorted(rows, key=lambda row: order[row[0]]), key=lambda row: row[0]):
        arrays = [row[1] for row in group]
        head = {"Datastream@iot.navigationLink": f"{base}/Datastreams({datastream})", "components": list(names)}
        text = json.dumps({**head, "dataArray@iot.count": len(arrays)}, ensure_ascii=False)
        yield f'{text[:-1]}, "dataArray": [{",".join(arrays)}]}}'


def _property(target: Target, rest: tuple[str, ...], statement: Statement) -> Answer:
    """A property, or with `$value` its bare value: text as it is, all else as JSON."""
    bare = rest[-1] == "$value"
    names = rest[:-1] if bare else rest
    if not names or any(name.startswith("$") for name in names):
        raise NotFound("Nothing is found at this address.", where="/".join(rest)[:200])
    member = target.entity.members.get(ID if names[0] == "id" else names[0])
    if member is None:
        raise NotFound("Nothing is found at this address.", where="/".join(rest)[:200])
    document = json.loads(_single(target, Options(select=(member.name,)), statement))
    value = _within(document.get(member.name), names[1:])
    if value is None:
        return Answer(text=None)
    if bare and isinstance(value, str):
        return Answer(text=value, media_type=TEXT)
    text = json.dumps(value if bare else {names[-1]: value}, ensure_ascii=False)
    return Answer(text=text, media_type=TEXT if bare and not isinstance(value, dict | list) else JSON)


def _within(value: Any, names: Sequence[str]) -> Any:
    """What stands at a path in JSON. Raises `NotFound` when nothing does."""
    for name in names:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdecimal() and int(name[:9]) < len(value):
            value = value[int(name[:9])]
        else:
            raise NotFound("Nothing is found at this address.", where="/".join(names)[:200])
    return value
