"""Receive updates by subscribing (18-088, 14.3): what a topic asks for, and what is told when something changed.

A topic is the address of a set, of one entity or of a property of one, and may end in `?$select=` and `?$expand=`. Whoever is
told sees what they see by GET, and nothing else; topics of the same scope and options are rendered together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from chengshu.core.errors import ChengshuError, NotFound
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal
from chengshu.sensing.scope import Scope, read_scope
from chengshu.sensing.sources.topics import LONGEST, VERSION
from chengshu.sensing.sta import read
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.parse import parse
from chengshu.sensing.sta.paths import Target
from chengshu.sensing.sta.terms import Options

AT_ONCE: Final = 100  # ids asked for in one address
log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A topic that somebody subscribed to. Two of the same topic and scope are told the same."""

    topic: str
    path: str
    query: str
    target: Target
    options: Options
    principal: Principal
    scope: Scope

    @property
    def stream(self) -> int | None:
        """The datastream whose new observations it asks for; 0 for those of all, None where it asks for anything else."""
        target = self.target
        if target.entity.name != "Observations" or target.id is not None:
            return None
        if target.parent is None:
            return 0
        return target.parent[2] if target.parent[0].name == "Datastreams" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An entity that was made (`members` None) or changed; of a new observation also its datastream."""

    kind: str
    id: int
    members: tuple[str, ...] | None = None
    stream: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """What is told to who watches."""

    watch: Watch
    payload: bytes


def watch(principal: Principal, topic: str, base: str) -> Watch:
    """What a topic asks for.

    Raises:
        NotFound: nothing is there, or not for this principal. NotAllowed: they see no Things.
        BadQuery: options other than $select and $expand, or wrong ones.
    """
    scope = read_scope(principal)
    address, _mark, query = topic.removeprefix(VERSION).partition("?")
    if len(topic) > LONGEST or any(each in topic for each in "+#"):
        raise BadQuery("A subscription names one set, entity or property.", where=topic[:200])
    options = parse(query)
    if options != Options(select=options.select, expand=options.expand, text=options.text, spans=options.spans):
        raise BadQuery("A subscription knows $select and $expand.", where=topic[:200])
    target = read.find(address, scope)
    if target.rest and (query or target.rest[0].startswith("$") or target.rest[-1].startswith("$")):
        raise NotFound("Nothing is found at this address.", where=topic[:200])
    nothing = "" if target.id is not None else "$top=0"
    read.read(principal, address, "&".join(each for each in (query, nothing) if each), base)  # or it is refused here
    return Watch(
        topic=topic, path=address, query=query, target=target, options=options, principal=principal, scope=scope
    )  # fmt: skip


def streams(watches: Iterable[Watch]) -> frozenset[int]:
    """The datastreams whose new observations somebody asks for; 0 among them means all."""
    return frozenset(stream for each in watches if (stream := each.stream) is not None)


def sets_of_observations(watches: Iterable[Watch]) -> bool:
    """Whether somebody asks for new observations in any other way than by datastream."""
    return any(
        each.target.entity.name == "Observations" and each.target.id is None and each.stream is None for each in watches
    )


def told(watches: Collection[Watch], changes: Sequence[Change], base: str) -> Iterator[Update]:
    """What is to be told of changes. What cannot be read is logged, and the others are told."""
    fresh = [change for change in changes if change.stream]
    yield from _observed([each for each in watches if each.stream is not None], fresh, base)
    kinds: dict[str, list[Change]] = {}
    for change in changes:
        if not change.stream:
            kinds.setdefault(change.kind, []).append(change)
    for each in watches:
        same = kinds.get(each.target.entity.name, [])
        linked = each.target.entity.name == "Observations" and each.target.id is None and each.stream is None
        if ids := _concerned(each, [*same, *fresh] if linked else same):
            try:
                yield from _read(each, ids, base)
            except ChengshuError as error:
                log.info("mqtt.not-told", topic=each.topic, error=str(error)[:300])


def _observed(watches: Sequence[Watch], fresh: Sequence[Change], base: str) -> Iterator[Update]:
    """New observations: those of one scope and the same options are rendered once."""
    groups: dict[tuple[Scope, str], list[Watch]] = {}
    for each in watches:
        groups.setdefault((each.scope, each.query), []).append(each)
    by_stream: dict[int | None, list[int]] = {0: [change.id for change in fresh]}
    for change in fresh:
        by_stream.setdefault(change.stream, []).append(change.id)
    for group in groups.values():
        wanted = {each.stream for each in group}
        ids = by_stream[0] if 0 in wanted else [number for stream in wanted for number in by_stream.get(stream, ())]
        if not ids:
            continue
        texts = read.texts(group[0].principal, "Observations", ids, base, group[0].options)
        payloads = {number: text.encode() for number, text in texts.items()}
        for each in group:
            for number in by_stream.get(each.stream, ()):
                if number in payloads:
                    yield Update(watch=each, payload=payloads[number])


def _concerned(each: Watch, same: Sequence[Change]) -> list[int]:
    """The entities of changes of its kind that may concern a watch."""
    target = each.target
    if target.id is None:
        return list(dict.fromkeys(change.id for change in same))
    mine = [change for change in same if change.id == target.id and change.members is not None]
    if target.rest:
        mine = [change for change in mine if target.rest[0] in (change.members or ())]
    return [target.id] if mine else []


def _read(each: Watch, ids: Sequence[int], base: str) -> Iterator[Update]:
    if each.target.id is not None:
        found = read.read(each.principal, each.path, each.query, base).text
        payload = found.encode() if found is not None else json.dumps({each.target.rest[-1]: None}).encode()
        yield Update(watch=each, payload=payload)
        return
    if each.target.parent is None:
        texts = read.texts(each.principal, each.target.entity.name, ids, base, each.options)
        yield from (Update(watch=each, payload=texts[number].encode()) for number in ids if number in texts)
        return
    for first in range(0, len(ids), AT_ONCE):
        yield from (
            Update(watch=each, payload=payload) for payload in _within(each, ids[first : first + AT_ONCE], base)
        )


def _within(each: Watch, ids: Sequence[int], base: str) -> Iterator[bytes]:
    """Those of entities that are in a set of links."""
    wanted = "$filter=" + "%20or%20".join(f"id%20eq%20{number:d}" for number in ids) + f"&$top={len(ids):d}"
    text = read.read(each.principal, each.path, "&".join(part for part in (each.query, wanted) if part), base).text
    yield from map(bytes, msgspec.json.decode(text or '{"value":[]}', type=_Set).value)


class _Set(msgspec.Struct):
    value: list[msgspec.Raw]
