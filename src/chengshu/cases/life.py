"""The life of a case told by its steps: a second, pure telling of what `cases_open` and `cases_move` write
(sql/functions.sql).

`live()` goes through the steps of one case and returns the case row, clocks and tasks that follow from them. Bulk
import builds its rows by it, and `chengshu check` compares it with what is stored. Due times need the calendar of the
city: clocks come out with their starts, pauses and extensions, and `settle()` works the due times out for a whole
batch in columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from chengshu.cases.clocks import GIVEN
from chengshu.cases.models import Move, State
from chengshu.core.calendar import WorkingCalendar
from chengshu.core.limits import Limit, Unit
from chengshu.core.wall_clock import from_micros

ENDED = frozenset({"done", "dead"})
_PLAIN = Limit(amount=0, unit=Unit.MINUTES)


@dataclass(frozen=True, slots=True)
class Made:
    """A step that was made: its move, when, by whom (account and the department of the post), for which unit, with
    which facts.
    """

    move: Move
    at: datetime
    unit: int | None = None
    account: int | None = None
    department: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ClockLife:
    """A clock as its steps make it. `changes` are what moved its due time: ('until', t) or ('pause', from, to)."""

    stage: str
    limit: str
    unit: int | None
    started_seq: int
    started_at: datetime
    given: datetime | None = None
    due_at: datetime | None = None
    paused_at: datetime | None = None
    wakes_at: datetime | None = None  # when a suspension ends by itself
    stopped_seq: int | None = None
    stopped_at: datetime | None = None
    account: int | None = None
    changes: list[tuple[Any, ...]] = field(default_factory=list)

    def due(self) -> datetime:
        """The due time, once settled."""
        assert self.due_at is not None, "settle() comes first"
        return self.due_at


@dataclass(slots=True)
class TaskLife:
    """A unit's part as its steps make it."""

    unit: int
    lead: bool
    opened_seq: int
    opened_at: datetime
    state: str = "open"
    ended_seq: int | None = None
    ended_at: datetime | None = None

    def end(self, state: str, seq: int, at: datetime) -> None:
        self.state, self.ended_seq, self.ended_at = state, seq, at


@dataclass(slots=True)
class Life:
    """Where a case stands after its steps."""

    state: int
    opened_at: datetime
    moved_at: datetime
    unit: int | None
    type: int | None
    severity: int | None
    division: int | None
    seq: int = 1
    closed_at: datetime | None = None
    suspended: bool = False
    returns: int = 0
    reworks: int = 0
    urges: int = 0
    reopens: int = 0
    escalation: int = 0
    tracker: int | None = None
    merged_into: str | None = None
    rating: int | None = None
    moved_place: dict[str, Any] = field(default_factory=dict)
    clocks: list[ClockLife] = field(default_factory=list)
    tasks: list[TaskLife] = field(default_factory=list)

    @property
    def due_at(self) -> datetime | None:
        """The nearest due time among the running clocks, once they are settled."""
        running = (clock.due() for clock in self.clocks if clock.stopped_at is None and clock.paused_at is None)
        return min(running, default=None)


LimitOf = Callable[[int | None, str, datetime], Limit | str | None]


def live(
    opening: Made, later: Iterable[Made], states: Mapping[int, State], stages: Sequence[str], limit: LimitOf
) -> Life:
    """The life of a case from its first step and the later ones.

    Args:
        stages: those whose clocks start with the case.
        limit: the limit of a stage for a type at a time; None when no clock runs there.
    """
    facts = opening.facts
    life = Life(
        state=opening.move.to_state_id, opened_at=opening.at, moved_at=opening.at, unit=opening.unit,
        type=facts.get("type_id"), severity=facts.get("severity"), division=facts.get("division_id"),
    )  # fmt: skip
    if facts.get("due_at"):
        life.clocks.append(_given(life, moment(facts["due_at"])))
    _start(life, [s for s in stages if not (s == "total" and facts.get("due_given"))], opening, limit, opening.unit)
    steps = list(later)
    for made, following in zip_longest(steps, steps[1:]):
        if _withdraws(made) or _withdraws(following):
            life.seq, life.moved_at = life.seq + 1, max(life.moved_at, made.at)
        else:
            _step(life, made, states[made.move.to_state_id].phase, limit)
    return life


def _withdraws(made: Made | None) -> bool:
    """Whether a step takes back the one before it. Of both, nothing but their count and time remains."""
    return made is not None and "undo" in made.move.does


def _given(life: Life, due: datetime) -> ClockLife:
    """The clock of a whole case whose due time its origin decided."""
    return ClockLife(stage="total", limit=GIVEN, unit=life.unit, started_seq=1, started_at=life.opened_at, given=due)


def _step(life: Life, made: Made, phase: str, limit: LimitOf) -> None:
    life.seq += 1
    before = life.unit
    given = made.unit if made.unit is not None else before
    life.type = made.facts.get("type_id") or life.type
    _run_clocks(life, made, phase)
    if phase == "open":
        _start(life, made.move.clocks_start, made, limit, given)
    _work_tasks(life, made, phase, given)
    _turn(life, made, phase, given)


def _run_clocks(life: Life, made: Made, phase: str) -> None:
    move = made.move
    for clock in life.clocks:
        if clock.stopped_at is not None:
            continue
        if phase in ENDED or clock.stage in move.clocks_stop or "all" in move.clocks_stop:
            clock.stopped_seq, clock.stopped_at, clock.account = life.seq, made.at, made.account
            clock.wakes_at = None
            continue
        if move.clocks_pause:
            clock.paused_at = clock.paused_at or made.at
            clock.wakes_at = moment(made.facts["until"]) if made.facts.get("until") else None
        elif move.clocks_resume:
            if clock.paused_at is not None:
                clock.changes.append(("pause", clock.paused_at, max(made.at, clock.paused_at)))
            clock.paused_at = clock.wakes_at = None
        elif "extend" in move.does and made.facts.get("until"):
            clock.changes.append(("until", moment(made.facts["until"])))
        if made.unit is not None and "create_task" in move.does:
            clock.unit = made.unit


def moment(value: datetime | str) -> datetime:
    """A time of a step's facts, which JSON keeps as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _start(life: Life, stages: Sequence[str], made: Made, limit: LimitOf, unit: int | None) -> None:
    for stage in stages:
        if any(clock.stage == stage and clock.stopped_at is None for clock in life.clocks):
            continue
        if found := limit(life.type, stage, made.at):
            life.clocks.append(
                ClockLife(stage=stage, limit=str(found), unit=unit, started_seq=life.seq, started_at=made.at)
            )


def _work_tasks(life: Life, made: Made, phase: str, given: int | None) -> None:
    does = made.move.does
    for task in life.tasks:
        if task.state == "open" and (end := _task_end(task, does, phase, made.department)):
            task.end(end, life.seq, made.at)
    opens, lead = "create_task" in does or "split" in does, "split" not in does
    taken = (task for task in life.tasks if task.state == "open")
    if opens and given is not None and not any((task.lead and lead) or task.unit == given for task in taken):
        life.tasks.append(TaskLife(unit=given, lead=lead, opened_seq=life.seq, opened_at=made.at))


def _task_end(task: TaskLife, does: Sequence[str], phase: str, department: int | None) -> str:
    """The state in which a move leaves an open task; empty when it goes on."""
    own = "task_done" in does and not task.lead and task.unit == department
    lead = task.lead and ("finish_tasks" in does or "create_task" in does)
    if not (own or lead or phase in ENDED or not {"cancel_tasks", "count_return", "merge"}.isdisjoint(does)):
        return ""
    if "task_done" in does or ("finish_tasks" in does and task.lead):
        return "done"
    return "returned" if "count_return" in does and task.lead else "cancelled"


def _turn(life: Life, made: Made, phase: str, given: int | None) -> None:
    """What the case row itself takes from a step."""
    move, facts, does = made.move, made.facts, made.move.does
    life.reopens += life.closed_at is not None and phase == "open"
    life.closed_at = (life.closed_at or made.at) if phase in ENDED else None
    life.state, life.moved_at = move.to_state_id, max(life.moved_at, made.at)
    if "create_task" in does:
        life.unit = given
    elif "count_return" in does:
        life.unit = None
    life.suspended = move.clocks_pause or (life.suspended and not move.clocks_resume and phase == "open")
    life.returns += "count_return" in does
    life.reworks += "count_rework" in does
    life.urges += "urge" in does
    life.escalation = max(life.escalation, int(facts.get("level") or 1)) if "escalate" in does else life.escalation
    life.tracker = facts.get("tracker_id") if "track" in does else life.tracker
    life.merged_into = facts.get("target") if "merge" in does else life.merged_into
    life.rating = facts.get("rating") or life.rating
    life.severity = facts.get("severity") or life.severity
    life.division = facts.get("division_id") or life.division
    life.moved_place |= {name: facts[name] for name in ("place_text", "lon", "lat") if name in facts}


@lru_cache(maxsize=1024)
def _limit(text: str) -> Limit:
    return Limit.parse(text)


def settle(clocks: Iterable[ClockLife], calendar: WorkingCalendar) -> None:
    """Work out the due times of many clocks at once."""
    every = list(clocks)
    ruled = [clock for clock in every if clock.given is None]
    limits = [_limit(clock.limit) for clock in ruled]
    dues = calendar.due_many([clock.started_at for clock in ruled], limits)
    for clock, due in zip(ruled, dues.astype("int64").tolist(), strict=True):
        clock.due_at = from_micros(due)
    for clock in every:
        clock.due_at = clock.due_at or clock.given
        if clock.changes:
            _change(clock, calendar)


def _change(clock: ClockLife, calendar: WorkingCalendar) -> None:
    limit = _PLAIN if clock.limit == GIVEN else _limit(clock.limit)
    for change in clock.changes:
        if change[0] == "until":
            clock.due_at = max(clock.due(), change[1])
        else:
            clock.due_at = calendar.shift(clock.due(), change[1], change[2], limit)
