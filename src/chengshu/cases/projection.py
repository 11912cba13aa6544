"""Stored cases beside the lives that their steps tell: where they differ, and how the stored ones are mended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self
from uuid import UUID

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.clocks import warn_share, warn_time
from chengshu.cases.life import ClockLife, Life, Made, live, settle
from chengshu.cases.models import Case, Clock, Kind, Move, State, Step, Task
from chengshu.core.limits import Limit

SAME = (
    "seq", "moved_at", "closed_at", "suspended", "returns", "reworks", "urges", "reopens", "escalation", "rating", "due_at"
)  # fmt: skip
NAMED = {"state_id": "state", "unit_id": "unit", "type_id": "type", "severity": "severity", "tracker_id": "tracker"}
CLOCK = ("unit_id", "due_at", "paused_at", "stopped_seq", "stopped_at", "account_id")
TASK = ("lead", "state", "opened_at", "ended_seq", "ended_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is stored otherwise than the steps tell."""

    case: UUID
    number: str
    what: str
    stored: object
    told: object

    def __str__(self) -> str:
        return f"{self.number}: {self.what} is {self.stored}, by the steps {self.told}"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The move tables of all cities, with the moves and states that are no longer in use."""

    moves: Mapping[int, Move]
    states: Mapping[int, State]
    kinds: Mapping[int, Kind]

    @classmethod
    def read(cls) -> Self:
        return cls(moves=Move.objects.in_bulk(), states=State.objects.in_bulk(), kinds=Kind.objects.in_bulk())

    def city(self, case: Case) -> Catalog:
        return catalog(self.kinds[case.kind_id].city_id)


@dataclass(kw_only=True, slots=True)
class Stored:
    """A case as it is stored, and the life that its steps tell."""

    case: Case
    clocks: dict[tuple[str, int], Clock]
    tasks: dict[tuple[int, int], Task]
    life: Life


def differences(rules: Rules, cases: Sequence[UUID]) -> list[Difference]:
    """All differences of some cases."""
    return [each for stored in _read(rules, cases) for each in _compare(rules, stored)]


def _read(rules: Rules, cases: Sequence[UUID]) -> list[Stored]:
    """Cases with clocks, tasks and the life told by their steps, due times included."""
    clocks: dict[UUID, dict[tuple[str, int], Clock]] = {case: {} for case in cases}
    tasks: dict[UUID, dict[tuple[int, int], Task]] = {case: {} for case in cases}
    for clock in Clock.objects.filter(case__in=cases):
        clocks[clock.case_id][clock.stage, clock.started_seq] = clock
    for task in Task.objects.filter(case__in=cases):
        tasks[task.case_id][task.unit_id, task.opened_seq] = task
    steps = _steps(rules, cases)
    found = [
        Stored(
            case=case,
            clocks=clocks[case.pk],
            tasks=tasks[case.pk],
            life=_life(rules, case, steps[case.pk], clocks[case.pk]),
        )
        for case in Case.objects.filter(pk__in=cases).order_by("pk")
        if steps[case.pk]
    ]
    _settle(rules, found)
    return found


def _steps(rules: Rules, cases: Sequence[UUID]) -> dict[UUID, list[Made]]:
    found: dict[UUID, list[Made]] = {case: [] for case in cases}
    rows = Step.objects.filter(case__in=cases).order_by("case", "seq")
    for case, move, at, unit, account, department, facts in rows.values_list(
        "case_id", "move_id", "at", "unit_id", "account_id", "post__department_id", "facts"
    ):
        made = Made(move=rules.moves[move], at=at, unit=unit, account=account, department=department, facts=facts)
        found[case].append(made)
    return found


def _life(rules: Rules, case: Case, steps: Sequence[Made], clocks: Mapping[tuple[str, int], Clock]) -> Life:
    """The life of a case.

    A clock keeps the limit that it was started with; one that is not stored gets that of the rules.
    """
    known = rules.city(case)
    limits = {(clock.stage, clock.started_at): clock.limit for clock in clocks.values()}
    stages = rules.kinds[case.kind_id].opening_clocks
    return live(steps[0], steps[1:], rules.states, stages, partial(_limit, known, limits, case.kind_id))


def _limit(
    known: Catalog,
    limits: Mapping[tuple[str, datetime], str],
    kind: int,
    type: int | None,
    stage: str,
    at: datetime,
) -> Limit | str | None:
    return limits.get((stage, at)) or known.limit(kind, type, stage, at)


def _settle(rules: Rules, found: Iterable[Stored]) -> None:
    by_city: dict[int, list[ClockLife]] = {}
    for stored in found:
        by_city.setdefault(rules.kinds[stored.case.kind_id].city_id, []).extend(stored.life.clocks)
    for city, clocks in by_city.items():
        settle(clocks, catalog(city).calendar)


def _compare(rules: Rules, stored: Stored) -> Iterator[Difference]:
    case, told = stored.case, _row(rules, stored)
    for name, value in told.items():
        if getattr(case, name) != value:
            yield _differs(case, name.removesuffix("_id"), getattr(case, name), value)
    if case.version < stored.life.seq:
        yield _differs(case, "version", case.version, f"{stored.life.seq} at least")
    yield from _compare_clocks(rules, stored)
    yield from _compare_tasks(stored)


def _differs(case: Case, what: str, stored: object, told: object) -> Difference:
    return Difference(case=case.pk, number=case.number, what=what, stored=stored, told=told)


def _row(rules: Rules, stored: Stored) -> dict[str, Any]:
    """The columns of the case row that follow from its steps."""
    life, case = stored.life, stored.case
    row: dict[str, Any] = {name: getattr(life, name) for name in SAME}
    row |= {column: getattr(life, name) for column, name in NAMED.items()}
    row["merged_into_id"] = UUID(str(life.merged_into)) if life.merged_into else None
    if life.division is not None:
        row |= {"division_id": life.division, "places": list(rules.city(case).divisions[life.division].path)}
    return row | life.moved_place


def _clock_row(clock: ClockLife) -> dict[str, Any]:
    return {
        "unit_id": clock.unit,
        "due_at": clock.due(),
        "paused_at": clock.paused_at,
        "stopped_seq": clock.stopped_seq,
        "stopped_at": clock.stopped_at,
        "account_id": clock.account,
    }


def _compare_clocks(rules: Rules, stored: Stored) -> Iterator[Difference]:
    case, told = stored.case, {(clock.stage, clock.started_seq): clock for clock in stored.life.clocks}
    for key in stored.clocks.keys() - told.keys():
        yield _differs(case, f"clock {key[0]} of step {key[1]}", "there", "never started")
    for key, clock in told.items():
        own = stored.clocks.get(key)
        name = f"clock {key[0]} of step {key[1]}"
        if own is None:
            if clock.stopped_at is None:
                yield _differs(case, name, "missing", f"due {clock.due()}")
            continue
        for column, value in _clock_row(clock).items():
            if getattr(own, column) != value:
                yield _differs(case, f"{column.removesuffix('_id')} of {name}", getattr(own, column), value)
        if own.next_at not in (None, clock.wakes_at) and (clock.stopped_at or clock.paused_at):
            yield _differs(case, f"next_at of {name}", own.next_at, clock.wakes_at)


def _compare_tasks(stored: Stored) -> Iterator[Difference]:
    case, told = stored.case, {(task.unit, task.opened_seq): task for task in stored.life.tasks}
    for key in stored.tasks.keys() ^ told.keys():
        there = key in stored.tasks
        yield _differs(
            case,
            f"task of unit {key[0]} from step {key[1]}",
            "there" if there else "missing",
            "none" if there else "one",
        )
    for key in stored.tasks.keys() & told.keys():
        for name in TASK:
            own, value = getattr(stored.tasks[key], name), getattr(told[key], name)
            if own != value:
                yield _differs(case, f"{name} of the task of unit {key[0]} from step {key[1]}", own, value)


def mend(rules: Rules, cases: Sequence[UUID]) -> None:
    """Write what the steps tell over what is stored; the caller holds the locks of the cases."""
    for stored in _read(rules, cases):
        _mend_clocks(rules, stored)
        _mend_tasks(stored)
        version = max(stored.case.version + 1, stored.life.seq)
        Case.objects.filter(pk=stored.case.pk).update(**_row(rules, stored), version=version)


def _mend_clocks(rules: Rules, stored: Stored) -> None:
    told = {(clock.stage, clock.started_seq): clock for clock in stored.life.clocks}
    Clock.objects.filter(pk__in=[clock.pk for key, clock in stored.clocks.items() if key not in told]).delete()
    share = warn_share(rules.city(stored.case))
    # Those that run no longer come first: one clock of a stage runs at a time.
    for key, clock in sorted(told.items(), key=lambda each: each[1].stopped_at is None):
        running = clock.stopped_at is None and clock.paused_at is None
        warn = warn_time(clock.started_at, clock.due(), share)
        row = _clock_row(clock)
        own = stored.clocks.get(key)
        if own is not None:
            Clock.objects.filter(pk=own.pk).update(
                **row, **({} if running and own.next_at else {"next_at": warn if running else clock.wakes_at})
            )
        elif clock.stopped_at is None:
            Clock.objects.create(
                case=stored.case, stage=clock.stage, limit=clock.limit, started_seq=clock.started_seq,
                started_at=clock.started_at, warn_at=warn, next_at=warn if running else clock.wakes_at, **row,
            )  # fmt: skip


def _mend_tasks(stored: Stored) -> None:
    told = {(task.unit, task.opened_seq): task for task in stored.life.tasks}
    Task.objects.filter(pk__in=[task.pk for key, task in stored.tasks.items() if key not in told]).delete()
    for key, task in sorted(told.items(), key=lambda each: each[1].state == "open"):
        row = {name: getattr(task, name) for name in TASK}
        own = stored.tasks.get(key)
        if own is not None:
            Task.objects.filter(pk=own.pk).update(**row)
        else:
            Task.objects.create(case=stored.case, unit_id=task.unit, opened_seq=task.opened_seq, **row)
