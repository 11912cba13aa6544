"""When what is due: the clocks that a report or a move starts, resumes and extends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Move
from chengshu.core.limits import Limit, Unit

GIVEN = "given"  # the limit of a clock whose due time came with the report
_PLAIN = Limit(amount=0, unit=Unit.MINUTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A clock to start: stage, limit in words, when it started, is due and warns."""

    stage: str
    limit: str
    started_at: datetime
    due_at: datetime
    warn_at: datetime

    def row(self) -> dict[str, Any]:
        return {
            "op": "start",
            "stage": self.stage,
            "limit": self.limit,
            "started_at": self.started_at,
            "due_at": self.due_at,
            "warn_at": self.warn_at,
        }


def warn_time(start: datetime, due: datetime, share: float) -> datetime:
    """When `share` of the time between start and due has passed by the wall clock; never after due."""
    return start + max(due - start, timedelta()) * min(max(share, 0.0), 1.0)


def warn_share(catalog: Catalog) -> float:
    return float(catalog.parts["escalation"].get("warn_share", 0.8))


def starts(catalog: Catalog, stages: Iterable[str], kind_id: int, type_id: int | None, at: datetime) -> list[Start]:
    """Clocks for the stages that have a limit: that of the type, or without a type that of the kind."""
    share = warn_share(catalog)
    found = []
    for stage in stages:
        if limit := catalog.limit(kind_id, type_id, stage, at):
            due = catalog.calendar.due(at, limit)
            found.append(
                Start(stage=stage, limit=str(limit), started_at=at, due_at=due, warn_at=warn_time(at, due, share))
            )
    return found


def given(catalog: Catalog, due: datetime, at: datetime) -> Start:
    """The clock of a whole case whose due time its origin decided."""
    return Start(stage="total", limit=GIVEN, started_at=at, due_at=due, warn_at=warn_time(at, due, warn_share(catalog)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A running clock as read from the database."""

    stage: str
    limit: str
    started_at: datetime
    due_at: datetime
    paused_at: datetime | None


def resumed(catalog: Catalog, clocks: Sequence[Running], at: datetime) -> list[dict[str, Any]]:
    """New due times of the paused clocks: later by what passed of their own unit during the suspension."""
    rows = []
    for clock in clocks:
        if clock.paused_at is not None:
            limit = _PLAIN if clock.limit == GIVEN else Limit.parse(clock.limit)
            due = catalog.calendar.shift(clock.due_at, clock.paused_at, max(at, clock.paused_at), limit)
            rows.append(_reset(catalog, clock, due))
    return rows


def extended(catalog: Catalog, clocks: Sequence[Running], until: datetime) -> list[dict[str, Any]]:
    """After an extension no running clock falls due before `until`."""
    return [_reset(catalog, clock, until) for clock in clocks if clock.due_at < until]


def _reset(catalog: Catalog, clock: Running, due: datetime) -> dict[str, Any]:
    warn = warn_time(clock.started_at, due, warn_share(catalog))
    return {"op": "reset", "stage": clock.stage, "due_at": due, "warn_at": warn}


def changes(
    catalog: Catalog,
    move: Move,
    type_id: int | None,
    running: Sequence[Running],
    at: datetime,
    until: datetime | None,
) -> list[dict[str, Any]]:
    """Everything that a move does to the clocks, but for stopping and pausing, which the database does by the move."""
    rows: list[dict[str, Any]] = [s.row() for s in starts(catalog, move.clocks_start, move.kind_id, type_id, at)]
    if move.clocks_resume:
        rows += resumed(catalog, running, at)
    elif "extend" in move.does and until is not None:
        rows += extended(catalog, running, until)
    return rows
