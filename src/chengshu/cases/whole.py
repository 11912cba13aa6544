"""A case with all that belongs to it, read by statements that PostgreSQL has planned before.

What the catalog knows (moves, states, units, types) is taken from there: joining it would cost more than the reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db.models import JSONField, Model

from chengshu import database
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Clock, ClockEvent, Evidence, Report, Step, Task
from chengshu.cases.search import related
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal

M = TypeVar("M", bound=Model)
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What belongs to a case, each in the order of time."""

    steps: tuple[Step, ...]
    reports: tuple[Report, ...]
    clocks: tuple[Clock, ...]
    events: tuple[ClockEvent, ...]
    tasks: tuple[Task, ...]
    evidence: tuple[Evidence, ...]
    merged: tuple[Case, ...]
    has_contact: bool


def _columns(model: type[Model], alias: str = "t") -> tuple[list[str], str, list[int]]:
    """Names of a model's columns, the same for a statement, and the places of those that hold JSON."""
    fields = [field for field in model._meta.concrete_fields if field.column]
    names = [field.attname for field in fields]
    return (
        names,
        ", ".join(f'{alias}."{field.column}"' for field in fields),
        [i for i, field in enumerate(fields) if isinstance(field, JSONField)],
    )


_CASE, _STEP, _REPORT, _CLOCK = _columns(Case), _columns(Step), _columns(Report), _columns(Clock)
_EVENT, _TASK, _EVIDENCE = _columns(ClockEvent), _columns(Task), _columns(Evidence)
# Names of our own columns only, and the rule that writing asks as well.
_SEEN = f"""SELECT {_CASE[1]} FROM cases_case t
    WHERE {{by}} = %s AND t.kind_id = ANY (%s) AND cases_visible(%s, %s, %s, %s, t)"""  # noqa: S608
_BY_NUMBER, _BY_ID = _SEEN.format(by="t.number"), _SEEN.format(by="t.id")
_STEPS = f"""SELECT {_STEP[1]}, a.name FROM cases_step t LEFT JOIN parties_account a ON a.id = t.account_id
    WHERE t.case_id = %s ORDER BY t.seq"""  # noqa: S608
_REPORTS = f"""SELECT {_REPORT[1]}, coalesce(x.name <> '' OR x.phone <> '', false)
    FROM cases_report t LEFT JOIN cases_contact x ON x.report_id = t.id
    WHERE t.case_id = %s ORDER BY t.received_at"""  # noqa: S608
_CLOCKS = f"SELECT {_CLOCK[1]} FROM cases_clock t WHERE t.case_id = %s ORDER BY t.started_at, t.id"  # noqa: S608
_EVENTS = f"""SELECT {_EVENT[1]} FROM cases_clockevent t JOIN cases_clock k ON k.id = t.clock_id
    WHERE k.case_id = %s ORDER BY t.at"""  # noqa: S608
_TASKS = f"SELECT {_TASK[1]} FROM cases_task t WHERE t.case_id = %s ORDER BY t.id"  # noqa: S608
_EVIDENCES = f"SELECT {_EVIDENCE[1]} FROM cases_evidence t WHERE t.case_id = %s ORDER BY t.at"  # noqa: S608
_MERGED = f"SELECT {_CASE[1]} FROM cases_case t WHERE t.merged_into_id = %s ORDER BY t.id"  # noqa: S608


def seen(known: Catalog, principal: Principal, key: str | UUID) -> Case | None:
    """A case by number or id, if the post may see it."""
    values = [
        key, list(known.kinds), principal.scope.value, principal.division, principal.department, principal.account,
    ]  # fmt: skip
    found = database.rows(_BY_ID if isinstance(key, UUID) else _BY_NUMBER, values)
    return related(known, [_make(Case, _CASE, found[0])])[0] if found else None


def parts(known: Catalog, case: Case) -> Parts:
    """What belongs to a case."""
    key = [case.pk]
    clocks = [_make(Clock, _CLOCK, row) for row in database.rows(_CLOCKS, key)]
    reports = database.rows(_REPORTS, key)
    return Parts(
        steps=tuple(_step(known, row) for row in database.rows(_STEPS, key)),
        reports=tuple(_make(Report, _REPORT, row[:-1]) for row in reports),
        clocks=tuple(clocks),
        events=_events(clocks, database.rows(_EVENTS, key) if clocks else []),
        tasks=tuple(_task(known, row) for row in database.rows(_TASKS, key)),
        evidence=tuple(_make(Evidence, _EVIDENCE, row) for row in database.rows(_EVIDENCES, key)),
        merged=tuple(related(known, [_make(Case, _CASE, row) for row in database.rows(_MERGED, key)])),
        has_contact=any(row[-1] for row in reports),
    )


def _make(model: type[M], columns: tuple[list[str], str, list[int]], row: Sequence[Any]) -> M:
    values = list(row)
    for place in columns[2]:
        values[place] = _decode(values[place]) if isinstance(values[place], str | bytes) else values[place]
    made: M = model.from_db("default", columns[0], values)
    return made


def _step(known: Catalog, row: Sequence[Any]) -> Step:
    """A step with its move, states, unit and the name of whoever made it; what the catalog lacks is read when asked for."""
    step = _make(Step, _STEP, row[:-1])
    if step.account_id is not None:
        step.account = Account(pk=step.account_id, name=row[-1] or "")
    if (move := known.every_move.get(step.move_id)) is not None:
        step.move = move
    for name in ("from_state", "to_state"):
        if (state := known.states.get(getattr(step, f"{name}_id"))) is not None:
            setattr(step, name, state)
    if (unit := known.departments.get(step.unit_id or 0)) is not None:
        step.unit = unit
    return step


def _task(known: Catalog, row: Sequence[Any]) -> Task:
    task = _make(Task, _TASK, row)
    if task.unit_id in known.departments:
        task.unit = known.departments[task.unit_id]
    return task


def _events(clocks: Sequence[Clock], rows: Sequence[Sequence[Any]]) -> tuple[ClockEvent, ...]:
    by_id = {clock.pk: clock for clock in clocks}
    events = [_make(ClockEvent, _EVENT, row) for row in rows]
    for event in events:
        event.clock = by_id[event.clock_id]
    return tuple(events)
