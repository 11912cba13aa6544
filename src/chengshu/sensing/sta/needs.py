"""What of sealed days an answer needs, found out and brought before the one statement of the answer is made.

For a page in the order of time or of ids days are brought one after the other, until what is there fills the page. What a filter
asks of the Observations of other entities needs one that fits of each. All else needs all that may fit.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words and of numbers; what comes from outside is a parameter
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from chengshu.sensing.sta import select
from chengshu.sensing.sta.asked import OBSERVATIONS, Asked, after, ids_of
from chengshu.sensing.sta.coarse import ALL, both, coarse, paths, stripped
from chengshu.sensing.sta.entities import ENTITIES, Entity, Link, joined
from chengshu.sensing.sta.filters import Compiler, Joins
from chengshu.sensing.sta.paths import Target, observed
from chengshu.sensing.sta.sql import Statement, truth
from chengshu.sensing.sta.terms import Every, Expand, Options, Path, Term

SET: Final = "Observations"

Rows = Callable[[Statement], tuple[str, str]]
"""The rows of a set that an answer picks: what stands behind FROM, and their alias."""
Candidates = Callable[[Statement], tuple[list[str], str, list[str]]]
"""Rows of a set among which are all that a filter may pick: tables, alias, conditions."""


def concerned(path: str, options: Options) -> bool:
    """Whether an address or its options lead to Observations at all."""
    return SET in path or _asks(options)


def _asks(options: Options) -> bool:
    terms = [*([options.filter] if options.filter is not None else []), *(order.by for order in options.orderby)]
    return any(_passes(term) for term in terms) or any(
        each.name == SET or _asks(each.options) for each in options.expand
    )


def _passes(term: Term) -> bool:
    return any(SET in path.parts for path in paths(term))


def of_set(statement: Statement, target: Target, options: Options, budget: int) -> None:
    """Bring what a page of a set needs."""
    if statement.sealed is None:
        return
    of_filter(statement, target, options)
    if target.entity is OBSERVATIONS:
        _of_target(statement, target, options).page(select.page_size(options))
    _of_expands(statement, target.entity, options, _page_of(target, options), budget)


def of_entity(statement: Statement, target: Target, options: Options) -> None:
    """Bring what one entity with what is expanded needs."""
    if statement.sealed is not None:
        _of_expands(statement, target.entity, options, _one(target), select.BUDGET)


def of_ids(statement: Statement, entity: Entity, ids: Sequence[int], options: Options) -> None:
    """Bring what entities of these ids with what is expanded need."""
    if statement.sealed is not None:
        _of_expands(statement, entity, options, _some_of(entity, ids), select.BUDGET)


def of_filter(statement: Statement, target: Target, options: Options) -> None:
    """Bring what the conditions and the order of a set ask of Observations by way of links."""
    if statement.sealed is not None and _asks(replace(options, expand=())):
        _of_terms(statement, target.entity, options, lambda inner: _all_of(inner, target, options))


def counted(statement: Statement, target: Target, options: Options) -> int | None:
    """How many Observations of sealed days a set has; None where they were brought, and are counted with the others."""
    if statement.sealed is None or target.entity is not OBSERVATIONS:
        return None
    found = _of_target(statement, target, replace(options, after="")).counts()
    return None if found is None else sum(found.values())


def _of_target(statement: Statement, target: Target, options: Options) -> Asked:
    """The Observations that an address names."""
    assert statement.sealed is not None
    fit = both(coarse(statement, options.filter), after(options, one_stream=target.one_stream))
    asked = Asked(
        statement=statement, sealed=statement.sealed, options=options, fit=fit, one_stream=target.one_stream
    )  # fmt: skip
    if target.parent is None:
        return asked
    entity, name, number = target.parent
    return replace(asked, by=_column(entity), sources=[number], within=entity.links[name].within)


def _column(source: Entity) -> str:
    """The column of an Observation that holds the id of an entity of this set."""
    return "datastream" if source.name == "Datastreams" else "feature"


# What is expanded.


def _page_of(target: Target, options: Options) -> Rows:
    def made(statement: Statement) -> tuple[str, str]:
        a, entity = statement.alias(), target.entity
        where = target.conditions(statement, a)
        picked, skip = select.paged(statement, entity, a, options, where, one_stream=target.one_stream)
        return f"({select.rows(statement, entity, picked, a, limit=select.page_size(options), skip=skip)}) {a}", a

    return made


def _one(target: Target) -> Rows:
    def made(statement: Statement) -> tuple[str, str]:
        a = statement.alias()
        where = " AND ".join(target.conditions(statement, a))
        return f"(SELECT {a}.* FROM {statement.table(target.entity)} {a} WHERE {where}) {a}", a

    return made


def _some_of(entity: Entity, ids: Sequence[int]) -> Rows:
    def made(statement: Statement) -> tuple[str, str]:
        a = statement.alias()
        where = observed(statement, a, ids) if entity is OBSERVATIONS else f"{a}.id = ANY({statement.param(list(ids))})"
        where = f"({where}) AND {statement.seen(entity, a)}"
        return f"(SELECT {a}.* FROM {statement.table(entity)} {a} WHERE {where}) {a}", a

    return made


def _of_expands(statement: Statement, entity: Entity, options: Options, rows: Rows, budget: int) -> None:
    for each in options.expand:
        if each.name in entity.links and (each.name == SET or _asks(each.options)):
            _of_expand(statement, entity, each, rows, budget)


def _of_expand(statement: Statement, entity: Entity, expand: Expand, rows: Rows, budget: int) -> None:
    """Bring what one link needs; `budget` is that of the pages below."""
    assert statement.sealed is not None
    statement.sealed.in_time()
    link, options = entity.links[expand.name], expand.options
    target = ENTITIES[link.target]
    size = select.page_size(options, budget)
    if _asks(replace(options, expand=())):
        _of_terms(statement, target, options, lambda inner: _linked(inner, rows, link, options))
    if expand.name == SET:
        _of_observations(statement, entity, link, options, rows, size)
    below = budget // max(size, 1) if link.many else budget
    _of_expands(statement, target, options, _along(rows, entity, link, options, size), below)


def _of_observations(statement: Statement, source: Entity, link: Link, options: Options, rows: Rows, size: int) -> None:
    assert statement.sealed is not None
    inner = statement.again()
    tables, a = rows(inner)
    asked = Asked(
        statement=statement, sealed=statement.sealed, options=options, fit=coarse(statement, options.filter),
        by=_column(source), sources=ids_of(f"SELECT DISTINCT {a}.id FROM {tables}", inner), within=link.within,
        one_stream=source.name == "Datastreams",
    )  # fmt: skip
    asked.page(size)
    if options.count and (counts := asked.counts()) is not None:
        statement.counted[id(options)] = counts


def _along(rows: Rows, source: Entity, link: Link, options: Options, size: int) -> Rows:
    """The rows that a link leads to from rows."""

    def made(statement: Statement) -> tuple[str, str]:
        tables, a = rows(statement)
        target, b = ENTITIES[link.target], statement.alias()
        where = [joined(link, a, b), *([] if link.within else [statement.seen(target, b)])]
        one_stream = source.name == "Datastreams" and link.name == SET
        picked = select.pick(statement, target, b, options, where, one_stream=one_stream)
        limit, skip = (size, options.skip) if link.many else (1, 0)
        return f"{tables}, LATERAL ({select.rows(statement, target, picked, b, limit=limit, skip=skip)}) {b}", b

    return made


# What conditions and orders ask by way of links.


def _all_of(statement: Statement, target: Target, options: Options) -> tuple[list[str], str, list[str]]:
    a = statement.alias()
    where = [*target.conditions(statement, a), *_plain(statement, target.entity, a, options)]
    return [f"{statement.table(target.entity)} {a}"], a, where


def _linked(statement: Statement, rows: Rows, link: Link, options: Options) -> tuple[list[str], str, list[str]]:
    tables, a = rows(statement)
    target, b = ENTITIES[link.target], statement.alias()
    where = [joined(link, a, b), *([] if link.within else [statement.seen(target, b)])]
    return [tables, f"{statement.table(target)} {b}"], b, [*where, *_plain(statement, target, b, options)]


def _plain(statement: Statement, entity: Entity, alias: str, options: Options) -> Iterator[str]:
    """The conditions of a filter that must all hold and lead to no Observations."""
    term = options.filter
    parts = term.parts if isinstance(term, Every) else (term,) if term is not None else ()
    if found := tuple(part for part in parts if not _passes(part)):
        yield Compiler(statement=statement, entity=entity, alias=alias).condition(Every(parts=found))


def _of_terms(statement: Statement, entity: Entity, options: Options, candidates: Candidates) -> None:
    for terms, order in _groups(statement, entity, options):
        prefixes = {prefix for term in terms for path in paths(term) for prefix in _through(entity, path)}
        for prefix in sorted(prefixes, key=len):
            _of_prefix(statement, entity, terms, prefix, candidates, order=order)


def _groups(statement: Statement, entity: Entity, options: Options) -> Iterator[tuple[Sequence[Term], bool]]:
    """Terms that are said of the same linked rows; those of the order are told apart."""
    if options.filter is not None:
        compiler = Compiler(statement=statement.again(), entity=entity, alias="")
        yield from ((terms, False) for terms in compiler.groups(options.filter))
    yield from (([order.by], True) for order in options.orderby)


def _through(entity: Entity, path: Path) -> Iterator[tuple[str, ...]]:
    """The links of a path up to each set of Observations that it leads to."""
    for place, name in enumerate(path.parts):
        if name not in entity.links:
            return
        entity = ENTITIES[entity.links[name].target]
        if name == SET:
            yield path.parts[: place + 1]


def _of_prefix(
    statement: Statement,
    entity: Entity,
    terms: Sequence[Term],
    prefix: tuple[str, ...],
    candidates: Candidates,
    *,
    order: bool,
) -> None:
    """Bring the Observations to which the links `prefix` lead: one that fits of each source where that decides it, else all."""
    assert statement.sealed is not None
    own = [term for term in terms if any(_begins(path, prefix) for path in paths(term))]
    whole = [term for term in own if all(_begins(path, prefix) for path in paths(term))]
    fit = ALL if order else coarse(statement, Every(parts=tuple(stripped(term, len(prefix)) for term in whole)))
    owner = _owner(entity, prefix)
    sources = _sources(statement, entity, terms, prefix, candidates) if entity is not OBSERVATIONS else None
    asked = Asked(
        statement=statement, sealed=statement.sealed, options=Options(), fit=fit, sources=sources or (),
        by=_column(owner) if sources is not None else "", within=sources is not None and owner.links[SET].within,
    )  # fmt: skip
    where, streams = asked.narrowed(asked.sources)
    one = not order and fit.exact and len(whole) == len(own)
    statement.sealed.bring(
        asked.days(), where, streams=streams, by=_column(owner), order="id", first=1 if one else None
    )


def _begins(path: Path, prefix: tuple[str, ...]) -> bool:
    return path.parts[: len(prefix)] == prefix


def _owner(entity: Entity, prefix: tuple[str, ...]) -> Entity:
    """The set of those whose Observations the last link leads to."""
    for name in prefix[:-1]:
        entity = ENTITIES[entity.links[name].target]
    return entity


def _sources(
    statement: Statement, entity: Entity, terms: Sequence[Term], prefix: tuple[str, ...], candidates: Candidates
) -> list[int]:
    """The ids of those whose Observations are asked for."""
    inner = statement.again()
    tables, a, where = candidates(inner)
    joins = Joins(statement=inner, entity=entity, alias=a)
    _entity, source = joins.at(prefix[:-1])
    compiler = Compiler(statement=inner, entity=entity, alias=a)
    said: list[Any] = (
        [truth(compiler.value(term, joins)) for term in terms if not _passes(term)] if len(terms) > 1 else []
    )
    condition = " AND ".join([*where, *joins.conditions, *said]) or "true"
    return ids_of(f"SELECT DISTINCT {source}.id FROM {', '.join([*tables, *joins.tables])} WHERE {condition}", inner)
