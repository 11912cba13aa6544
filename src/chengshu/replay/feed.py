"""From a register to living cases: requests go through `report()` and `advance()` in the order of time, each step once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import islice
from uuid import UUID

from django.db import connection

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Report
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.report import report
from chengshu.core.slug import slug
from chengshu.parties.principal import system
from chengshu.replay.register import Request

LEARN_AFTER = (1, 4, 16)  # windows, each of them several times as much as was there before
WINDOW = 3_000  # events that are brought in together; the next ones are all later in time
LONGEST_TITLE, LONGEST_PLACE, LONGEST_NOTE = 200, 500, 5_000


class Act(IntEnum):
    """What happens to a request, in the order in which it happens at one moment."""

    REPORT = 0
    ASSIGN = 1
    CLOSE = 2


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Something that happens at a time to the request with this number in the register."""

    at: datetime
    act: Act
    index: int


@dataclass(frozen=True, kw_only=True)
class Words:
    """How the words of a register become codes of the city."""

    known: Catalog
    kind: str
    other: str | None
    aliases: Mapping[str, str]
    types: dict[str, str | None] = field(default_factory=dict)
    units: dict[tuple[str, str], str | None] = field(default_factory=dict)
    divisions: dict[str, str | None] = field(default_factory=dict)

    def type(self, name: str) -> str | None:
        """The code of a type; the pack's catch-all for one that it does not know."""
        if name not in self.types:
            code = slug(name)
            self.types[name] = code if code in self.known.type_codes else self.other
        return self.types[name]

    def unit(self, request: Request) -> str | None:
        """The queue, where it stands under the department that the register names; else that department, if known."""
        key = (request.unit, request.department)
        if key not in self.units:
            self.units[key] = self._unit(slug(request.unit), slug(request.department))
        return self.units[key]

    def _unit(self, queue: str, department: str) -> str | None:
        codes = self.known.department_codes
        if queue in codes and department in (queue, self.top(queue)):
            return queue
        return department if department in codes else None

    def top(self, code: str) -> str:
        """The code of the department at the top above a unit."""
        at = self.known.department_codes[code]
        while at.parent_id is not None:
            at = self.known.departments[at.parent_id]
        return at.code

    def division(self, name: str) -> str | None:
        """The neighbourhood's code; None for one that the pack does not know."""
        if name not in self.divisions:
            code = slug(self.aliases.get(name, name))
            self.divisions[name] = code if any(place.code == code for place in self.known.divisions.values()) else None
        return self.divisions[name]


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Requests on their way into the city.

    Args:
        origin: under which the cases are known; every request enters once per origin.
        given: whether the register's target times are the limits; otherwise the pack's own limits are.
        foretold: due times by key where the pack has no limit (chengshu.replay.learning).
        shift: what is added to every time, for a live replay.
    """

    requests: Sequence[Request]
    words: Words
    origin: str
    given: bool = True
    shift: timedelta = timedelta()
    foretold: Mapping[str, datetime] = field(default_factory=dict)

    def events(self) -> list[Event]:
        """Everything that happens, in the order of time."""
        return sorted(event for i, request in enumerate(self.requests) for event in self._of(i, request))

    def _of(self, i: int, request: Request) -> Iterator[Event]:
        yield Event(request.opened + self.shift, Act.REPORT, i)
        if self.words.unit(request) is not None:
            yield Event(request.opened + self.shift, Act.ASSIGN, i)
        if request.closed is not None:
            yield Event(request.closed + self.shift, Act.CLOSE, i)

    def report(self, request: Request) -> NewReport:
        """A request as a report; its original and true times stay in the payload, its outcome does not."""
        due = request.target if self.given else self.foretold.get(request.key)
        target = due + self.shift if due else None
        division = self.words.division(request.neighborhood) if request.neighborhood else None
        return NewReport(
            origin=self.origin, origin_key=request.key, title=(request.title or request.type)[:LONGEST_TITLE],
            occurred_at=request.opened + self.shift, kind=self.words.kind, type=self.words.type(request.type),
            description=request.type if request.title != request.type else "", source=slug(request.channel) or "import",
            place_text=request.place_text[:LONGEST_PLACE], lon=request.lon, lat=request.lat, division=division,
            unit=self.words.unit(request), due_at=target, due_given=self.given, payload=dict(request.raw),
        )  # fmt: skip

    def move(self, event: Event, case: UUID) -> MoveRequest:
        """The move that an event of a known case is."""
        request = self.requests[event.index]
        unit = self.words.unit(request)
        if event.act is Act.ASSIGN:
            return MoveRequest(case=case, move="assign", unit=unit)
        note = request.closure if len(request.closure.strip()) > 1 else "Closed."
        return MoveRequest(case=case, move="close" if unit else "answer", note=note[:LONGEST_NOTE])


@dataclass(kw_only=True)
class Progress:
    """How far a feed has come: the cases by request, what is done, and which moves the city refused."""

    cases: dict[int, UUID] = field(default_factory=dict)
    done: set[tuple[int, Act]] = field(default_factory=set)
    accepted: int = 0
    known: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, verdict: Verdict) -> None:
        self.refused[verdict.verdict] = self.refused.get(verdict.verdict, 0) + 1


def resume(feed: Feed) -> Progress:
    """What an earlier run under the same origin has done already."""
    index = {request.key: i for i, request in enumerate(feed.requests)}
    progress = Progress()
    rows = Report.objects.filter(origin=feed.origin).values_list(
        "origin_key", "case_id", "case__state__code", "case__closed_at"
    )
    for key, case, state, closed in rows.iterator(chunk_size=5_000):
        if (i := index.get(key)) is not None:
            progress.cases[i] = case
            progress.done.add((i, Act.REPORT))
            if state != "reported" or closed is not None:
                progress.done.add((i, Act.ASSIGN))
            if closed is not None:
                progress.done.add((i, Act.CLOSE))
    progress.known = len(progress.cases)
    return progress


def play(feed: Feed, events: Iterable[Event], progress: Progress, told: Callable[[int], None] = lambda _: None) -> None:
    """Bring events into the city, in windows: nothing of a window happens before something of an earlier one.

    Args:
        told: is told the number of events after each window.
    """
    iterator = iter(events)
    number = 0
    while window := list(islice(iterator, WINDOW)):
        _bring(feed, window, progress)
        told(len(window))
        number += 1
        if number in LEARN_AFTER:
            learn_sizes()


def learn_sizes() -> None:
    """Let the planner see how tables have grown: plans made for empty ones were ten times slower until it looked by
    itself.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cases_case, cases_clock, cases_task, cases_step, cases_report, cases_outbox")


def _bring(feed: Feed, window: Sequence[Event], progress: Progress) -> None:
    """One window.

    Within it an act comes after all earlier acts, so that a case opened in it can be assigned and closed.
    """
    waiting = [event for event in window if (event.index, event.act) not in progress.done]
    _report(feed, [event for event in waiting if event.act is Act.REPORT], progress)
    for act in (Act.ASSIGN, Act.CLOSE):
        _advance(feed, [event for event in waiting if event.act is act], progress)
    progress.done.update((event.index, event.act) for event in waiting)


def _report(feed: Feed, events: Sequence[Event], progress: Progress) -> None:
    known = feed.words.known
    verdicts = report(
        [feed.report(feed.requests[event.index]) for event in events],
        city=known.city.pk,
        actor=system(known.city.pk, known.root),
        at=[event.at for event in events],
    )
    for event, verdict in zip(events, verdicts, strict=True):
        progress.cases[event.index] = verdict.case
        progress.accepted += verdict.verdict == "opened"
        progress.known += verdict.verdict != "opened"


def _advance(feed: Feed, events: Sequence[Event], progress: Progress) -> None:
    known = feed.words.known
    verdicts = advance(
        [feed.move(event, progress.cases[event.index]) for event in events],
        actor=system(known.city.pk, known.root),
        at=[event.at for event in events],
    )
    for verdict in verdicts:
        if not verdict.ok:
            progress.refuse(verdict)
