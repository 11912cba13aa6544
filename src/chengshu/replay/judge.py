"""Our judgement against the register's: in time or late, by our clocks, for every request that has a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from chengshu.cases.models import Clock
from chengshu.core.asof import AsOf
from chengshu.replay.register import Request

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruled:
    """What our clock of a whole case says: when it was due and when it stopped (None: it runs)."""

    due: datetime
    stopped: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standard:
    """The register's words for its own judgement, and the moment by which it judged what was still open."""

    on_time: str
    overdue: str
    as_of: datetime


def as_of(requests: Sequence[Request], on_time: str, overdue: str) -> datetime:
    """The moment at which the register was copied (chengshu.core.asof)."""
    recorded = np.array([request.recorded for request in requests], dtype=object)
    return _aware(
        AsOf.infer(
            opened=_column([request.opened for request in requests]),
            closed=_column([request.closed for request in requests]),
            target=_column([request.target for request in requests]),
            overdue=recorded == overdue,
            on_time=recorded == on_time,
        ).moment
    )


def _column(times: Sequence[datetime | None]) -> Any:
    naive = [None if time is None else time.astimezone(UTC).replace(tzinfo=None) for time in times]
    return np.array(naive, dtype="datetime64[us]")


def _aware(moment: np.datetime64) -> datetime:
    found: datetime = moment.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)


def clocks(origin: str) -> dict[str, Ruled]:
    """Our clocks of whole cases by the key of the request; the latest, should a case have been reopened."""
    rows = Clock.objects.filter(stage="total", case__reports__origin=origin).order_by("started_seq")
    found = rows.values_list("case__reports__origin_key", "due_at", "stopped_at")
    return {key: Ruled(due=due, stopped=stopped) for key, due, stopped in found.iterator(chunk_size=5_000)}


def late(ruled: Ruled, as_of: datetime) -> bool:
    """Whether a case is late: stopped after its due time, or still running past it."""
    return (ruled.stopped if ruled.stopped is not None else as_of) > ruled.due


def disagreement(request: Request, ruled: Ruled | None, standard: Standard) -> str:
    """Why our judgement and the recorded one differ; empty when they agree."""
    if ruled is None:
        return "no clock: the pack knows no limit for the type"
    if request.recorded not in (standard.on_time, standard.overdue):
        return "the register holds no judgement"
    ours = late(ruled, standard.as_of)
    if ours == (request.recorded == standard.overdue):
        return ""
    if ruled.stopped is None:
        return "open: " + ("late by us, in time by the register" if ours else "in time by us, late by the register")
    if abs(ruled.stopped - ruled.due) < MINUTE:
        return "closed within a minute of the target"
    return "closed: " + ("late by us, in time by the register" if ours else "in time by us, late by the register")


def compare(requests: Sequence[Request], ruled: dict[str, Ruled], standard: Standard) -> tuple[int, dict[str, int]]:
    """How many requests with a target are judged alike, and the others by cause."""
    causes = Counter(disagreement(r, ruled.get(r.key), standard) for r in requests if r.target is not None)
    agree = causes.pop("", 0)
    return agree, dict(causes.most_common())


def predicted(
    requests: Sequence[Request], ruled: dict[str, Ruled], zone: ZoneInfo, unknown: Container[str]
) -> dict[str, Any]:
    """How our own due times compare with the register's targets: same minute, same local day, and by type what is
    neither; and whence the limits came: from the pack, learnt from earlier targets of a type the pack does not know, or
    there was none.
    """
    same_minute = same_day = 0
    off: Counter[str] = Counter()
    limits: Counter[str] = Counter(pack=0, learnt=0, none=0)
    for request in requests:
        if request.target is None:
            continue
        own = ruled.get(request.key)
        limits["none" if own is None else "learnt" if request.type in unknown else "pack"] += 1
        same_minute += own is not None and abs(own.due - request.target) < MINUTE
        if own is not None and own.due.astimezone(zone).date() == request.target.astimezone(zone).date():
            same_day += 1
        else:
            off[request.type] += 1
    return {"same_minute": same_minute, "same_day": same_day, "off": dict(off.most_common()), "limits": dict(limits)}
