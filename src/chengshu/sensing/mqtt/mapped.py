"""Sources that are topics: messages of devices that do not speak SensorThings, read by a declared mapping.

A message is one record or, where the mapping says so, several: its members, and `topic`, `topic1`, `topic2` … for its levels.
What is no JSON object stands as `value`; a line of CSV as `column1`, `column2` …
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, Invalid
from chengshu.sensing.models import Feed, FeedKind, FeedState
from chengshu.sensing.records import Reason, Refused
from chengshu.sensing.scope import Scope
from chengshu.sensing.sources import feeds, formats, guess, shape
from chengshu.sensing.sources import mapping as language
from chengshu.sensing.sources.mapping import Source
from chengshu.sensing.sources.receive import Received, actor_of, take_in
from chengshu.sensing.sources.table import Table
from chengshu.sensing.sources.topics import matches

MOST_LEVELS: Final = 50  # of a topic that are named
SHOWN: Final = 10_000  # characters of a message that a refused row keeps
Came = tuple[str, bytes]
"""A topic, and what was published to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """A source that is switched on, ready to read: of the topics that match `topics`."""

    feed: Feed
    source: Source
    topics: str

    def takes_from(self, scope: Scope) -> bool:
        """Whether who writes in this scope may send to it: whoever writes all that it writes itself."""
        if scope.city != self.feed.city_id:
            return False
        return scope.whole or (scope.division is None and scope.department == self.feed.owner_id)


@dataclass(kw_only=True, slots=True)
class Sources:
    """The sources that take messages, as they were read last."""

    found: tuple[Mapped, ...] = ()
    read: tuple[object, ...] = ()

    def refresh(self) -> None:
        """Read them again, if anybody changed one."""
        now = tuple(_on().values_list("pk", "version", "owner"))
        if now != self.read:
            self.found, self.read = tuple(switched_on()), now

    def matching(self, topic: str) -> tuple[Mapped, ...]:
        """Those of a topic."""
        return tuple(each for each in self.found if matches(topic, each.topics))


def _on() -> QuerySet[Feed]:
    return Feed.objects.filter(kind=FeedKind.MQTT).exclude(state=FeedState.OFF).order_by("pk")


def switched_on() -> list[Mapped]:
    """The sources that take messages now. One whose mapping means nothing any more is told so, and left out."""
    found = []
    for feed in _on().select_related("city", "owner"):
        try:
            found.append(Mapped(feed=feed, source=language.parse(feed.mapping), topics=feed.address))
        except ChengshuError as error:
            failed(feed, str(error), datetime.now(UTC))
    return found


def take(mapped: Mapped, came: Sequence[Came], at: datetime) -> Received:
    """Take messages of one source in. Raises `Invalid` when the mapping cannot read any of them; nothing of them was taken."""
    feed, city = mapped.feed, mapped.feed.city
    content = msgspec.json.encode(
        [at.isoformat(), *((topic, payload.decode("utf-8", "replace")) for topic, payload in came)]
    )
    taken = shape.shaped(
        table(came, mapped.source), mapped.source, zone=city.timezone, door=feeds.door_of(feed), received=at,
        content=content,
    )  # fmt: skip
    got = take_in(taken, mapped.source, actor=actor_of(feed), at=at)
    Feed.objects.filter(pk=feed.pk).exclude(state=FeedState.OFF).update(
        state=FeedState.ON, tried_at=at, succeeded_at=at, failures=0, error=""
    )
    return got


def failed(feed: Feed, error: str, at: datetime) -> None:
    """Note beside a source that messages could not be read."""
    mine = Feed.objects.filter(pk=feed.pk).exclude(state=FeedState.OFF)
    mine.update(state=FeedState.FAILING, tried_at=at, failures=feed.failures + 1, error=error[:1_000])


def table(came: Iterable[Came], source: Source) -> Table:
    """Messages as a table; the line of a row is the number of its message."""
    rows = (
        (line, each) for line, (topic, payload) in enumerate(came, 1) for each in _read(topic, payload, source, line)
    )
    return formats.of_records(rows, {*source.columns(), "topic"})


def _read(topic: str, payload: bytes, source: Source, line: int) -> Iterator[Any]:
    try:
        yield from records(topic, payload, source)
    except Invalid as error:
        content = {"topic": topic, "line": text_of(payload)}
        yield Refused(line=line, reason=Reason.FORM, detail=f"{topic}: {error}"[:500], content=content)


def records(topic: str, payload: bytes, source: Source | None = None) -> Iterator[dict[str, Any]]:
    """What a message says. Raises `Invalid` when it cannot be read."""
    levels = {f"topic{number}": level for number, level in enumerate(topic.split("/")[:MOST_LEVELS], 1)}
    named = {"topic": topic, **levels}
    if source is not None and source.format == "csv":
        yield from ({**row, **named} for row in _fields(payload, source))
        return
    found = formats.at_path(_json(payload), source.rows if source else "")
    for each in found if isinstance(found, list) else [found]:
        yield {**(each if isinstance(each, dict) else {"value": each}), **named}


def _json(payload: bytes) -> Any:
    """The JSON of a message; text that is none, and begins as none, is a plain value."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if payload.lstrip()[:1] in {b"{", b"["}:
            raise Invalid(_("It is no JSON."), where=str(error)[:200], remedy=_("Look at the content.")) from error
    return text_of(payload).strip()


def text_of(payload: bytes) -> str:
    """A message's beginning as text that can be kept and shown."""
    text = payload[: 4 * SHOWN].decode(formats.encoding_of(payload[: 4 * SHOWN]), "replace")
    return text[:SHOWN].replace("\0", "\ufffd")


def _fields(payload: bytes, source: Source) -> Iterator[dict[str, str]]:
    text = payload.decode(formats.encoding_of(payload, source.encoding), "replace")
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=source.delimiter or ","):
            if row:
                yield {f"column{number}": value for number, value in enumerate(row, 1)}
    except csv.Error as error:
        raise Invalid(_("It is no CSV."), where=str(error)[:200], remedy=_("Look at the content.")) from error


def sample(content: bytes) -> bytes:
    """Lines of `topic payload`, as `mosquitto_sub -v` prints them, as the NDJSON of the records that they make."""
    rows: list[dict[str, Any]] = []
    for line in content.splitlines():
        topic, space, payload = line.strip().partition(b" ")
        if space:
            rows += records(topic.decode("utf-8", "replace"), payload.strip())
    if not rows:
        raise Invalid(
            _("There is no message in it."), where="sample",
            remedy=_("Paste lines of a topic, a space and what is published there, as mosquitto_sub -v prints them."),
        )  # fmt: skip
    return _lines(rows)


def proposed(content: bytes) -> dict[str, Any]:
    """A first mapping for such a sample: of what the messages say, and keyed by the level of the topic that differs."""
    rows = [msgspec.json.decode(line) for line in content.splitlines()]
    said = [{name: value for name, value in row.items() if not _LEVEL.fullmatch(name)} for row in rows]
    found = guess.guess(_lines(said))
    whose = f"{{{_key_level(rows)}}}"
    for each in found["results"]:
        each["key"] = each["key"].replace(guess.NOBODY, whose)
    found["ensure"]["thing"] = found["ensure"]["thing"].replace(guess.NOBODY, whose)
    return {**found, "format": "ndjson"}


_LEVEL: Final = re.compile(r"topic\d*")


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _key_level(rows: Sequence[Mapping[str, Any]]) -> str:
    """The level of topics that tells things apart: the first with different values, else with a digit, else the last."""
    levels = [name for number in range(1, MOST_LEVELS + 1) if (name := f"topic{number}") in rows[0]]
    different = [name for name in levels if len({row.get(name) for row in rows}) > 1]
    numbered = [name for name in levels if any(each.isdigit() for each in str(rows[0][name]))]
    return [*different, *numbered, levels[-1]][0]
