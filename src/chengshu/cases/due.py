"""What happens when time passes: clocks warn, fall due and escalate, each once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Clock, ClockEvent, Outbox, Step
from chengshu.cases.outbox import FAILED
from chengshu.cases.records import MoveRequest
from chengshu.cases.spoiled import work_off
from chengshu.core.limits import Limit
from chengshu.parties.principal import system

BATCH = 200
MOST_WOKEN = 1000  # suspended cases without a clock that one sweep looks at


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of a clock: `key` tells it from the same event under another due time."""

    name: str
    at: datetime
    level: Mapping[str, Any] | None = None
    due: datetime

    @property
    def key(self) -> str:
        return f"{self.name}@{self.due.isoformat()}"


def fire(now: datetime) -> int:
    """Fire the events of one batch of clocks whose time has come; how many clocks were looked at.

    Event rows, escalation steps, outbox rows and the next waking time commit together; several workers share the clocks
    by SKIP LOCKED, and the primary key of the events forbids a second firing.
    """
    with transaction.atomic():
        clocks = list(
            # The case too: who moves it locks it before its clocks, so neither ever waits for the other in a ring.
            Clock.objects.select_for_update(skip_locked=True, of=("self", "case"))
            .filter(next_at__lte=now)
            .select_related("case__kind")
            .order_by("next_at")[:BATCH]
        )
        if clocks:
            work_off(clocks, partial(_fire, now), _set_aside)
        return len(clocks)


def _fire(now: datetime, clocks: Sequence[Clock]) -> None:
    for clock in clocks:
        _fire_one(catalog(clock.case.kind.city_id), clock, now)


def _set_aside(clock: Clock, error: str) -> None:
    """The clock is not looked at again; a row of the outbox tells of it."""
    Clock.objects.filter(pk=clock.pk).update(next_at=None)
    facts = {"topic": "clock", "clock": clock.pk, "error": error}
    Outbox.objects.create(topic=FAILED, case=clock.case_id, facts=facts, at=clock.due_at)


def _fire_one(known: Catalog, clock: Clock, now: datetime) -> None:
    if clock.paused_at is not None:
        _resume(known, clock)
        return
    fired = set(clock.events.values_list("event", flat=True))
    coming = [event for event in events(known, clock) if event.key not in fired]
    for event in coming:
        if event.at <= now:
            _record(known, clock, event, now)
    clock.next_at = min((event.at for event in coming if event.at > now), default=None)
    Clock.objects.filter(pk=clock.pk, stopped_at=None, paused_at=None).update(next_at=clock.next_at)


def _resume(known: Catalog, clock: Clock) -> None:
    """The date to which the case was suspended has come (挂账到期): it goes on from that moment, also if found late."""
    assert clock.next_at is not None, "it was read by this time"
    case = Case.objects.get(pk=clock.case_id)
    if case.suspended:
        at = max(clock.next_at, case.moved_at)
        advance([MoveRequest(case=case.pk, move="resume")], actor=system(known.city.pk, known.root), at=at)
    # Where the move did not wake it, it must not be found again and again.
    Clock.objects.filter(pk=clock.pk, paused_at__isnull=False).update(next_at=None)


def wake(now: datetime) -> int:
    """Let go on what was suspended to a date that has come, where no clock tells it; how many cases that were.

    A case without any running limit has no clock that could wake it. They are few, and found by the date in their story.
    """
    ticking = Clock.objects.filter(case=OuterRef("pk"), stopped_at=None, next_at__isnull=False)
    cases = Case.objects.filter(~Exists(ticking), suspended=True).select_related("kind")
    return sum(_wake(case, now) for case in cases.order_by("pk")[:MOST_WOKEN])


def _wake(case: Case, now: datetime) -> bool:
    last = Step.objects.filter(case=case, move__clocks_pause=True).order_by("-seq").first()
    until = datetime.fromisoformat(last.facts["until"]) if last and last.facts.get("until") else None
    if until is None or until > now:
        return False
    known = catalog(case.kind.city_id)
    request = MoveRequest(case=case.pk, move="resume")
    [done] = advance([request], actor=system(known.city.pk, known.root), at=max(until, case.moved_at))
    return done.ok


def events(known: Catalog, clock: Clock) -> Iterator[Event]:
    """All events of a clock under its present due time, in order."""
    if clock.warn_at and clock.warn_at < clock.due_at:
        yield Event(name="warn", at=clock.warn_at, due=clock.due_at)
    yield Event(name="due", at=clock.due_at, due=clock.due_at)
    for level in known.parts["escalation"].get("levels", []):
        at = known.calendar.due(clock.due_at, Limit.parse(level["after"]))
        yield Event(name=f"escalate:{level['level']}", at=at, level=level, due=clock.due_at)


def _record(known: Catalog, clock: Clock, event: Event, now: datetime) -> None:
    ClockEvent.objects.create(clock=clock, event=event.key, at=event.at)
    facts: dict[str, Any] = {
        "clock": clock.pk,
        "event": event.name,
        "stage": clock.stage,
        "due_at": clock.due_at.isoformat(),
    }
    if event.level is not None:
        facts |= {"notify": event.level["notify"], "at": event.level.get("at", "city"), "level": event.level["level"]}
        _escalate(known, clock.case_id, event.level, now)
    Outbox.objects.create(topic="clock", case=clock.case_id, facts=facts, at=event.at)


def _escalate(known: Catalog, case: UUID, level: Mapping[str, Any], now: datetime) -> None:
    """Write the escalation into the case's story, where its kind has such a move."""
    request = MoveRequest(case=case, move="escalate", level=int(level["level"]), note=str(level.get("because", "")))
    advance([request], actor=system(known.city.pk, known.root), at=now)
