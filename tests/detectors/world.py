"""Windows for the tests of detectors: small series become frames, parameters have a prefix `p`, texts are their own keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.scene import Finding, Seen, State, Window

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday, 8 o'clock in Shanghai
STEP = timedelta(minutes=5)
SLOTS = {"enter_slots": 1, "exit_slots": 1, "repeat_slots": 1000, "gap": 1e9, "severity": 2}
NOTHING = pl.DataFrame()


def params(**numbers: float) -> dict[str, float]:
    """Parameters with the prefix `p`; what is not named is harmless."""
    return {f"p_{name}": float(value) for name, value in {**SLOTS, **numbers}.items()}


def frame(series: Mapping[str, Sequence[float | None]], start: datetime = START) -> pl.DataFrame:
    """One value a slot; None says nothing, by a row that is null."""
    rows = [
        {"thing": thing, "at": start + slot * STEP, "value": value}
        for thing, values in series.items()
        for slot, value in enumerate(values)
    ]
    schema = {"thing": pl.String(), "at": pl.Datetime("us", "UTC"), "value": pl.Float64()}
    return pl.DataFrame(rows, schema=schema).sort("at", maintain_order=True)


def say(key: str, **values: object) -> str:
    return f"{key}: {values['name']} {values['begin']}"


def working(day: date) -> bool:
    return day.weekday() < 5


def window(
    rows: pl.DataFrame,
    numbers: Mapping[str, float],
    *,
    start: datetime = START,
    end: datetime | None = None,
    state: State | None = None,
    things: pl.DataFrame = NOTHING,
    taught: pl.DataFrame = NOTHING,
) -> Window:
    return Window(
        frame=rows,
        start=start,
        end=end or (rows["at"].max() + STEP if rows.height else start + STEP),  # type: ignore[operator,arg-type]
        zone=ZoneInfo("Asia/Shanghai"),
        things=things,
        taught=taught,
        params=numbers,
        working=working,
        say=say,
        state=state or {},
    )


def in_parts(
    detect: Callable[[Window], Seen], whole: Window, cuts: Sequence[datetime]
) -> tuple[list[Finding], dict[str, Any]]:
    """Findings and final state when the window comes in parts that end at `cuts`; the state goes through JSON between them."""
    edges = [whole.start, *sorted({cut for cut in cuts if whole.start < cut < whole.end}), whole.end]
    state: dict[str, Any] = {}
    found: list[Finding] = []
    for start, end in pairwise(edges):
        rows = whole.frame.filter((pl.col("at") >= start) & (pl.col("at") < end))
        seen = detect(
            window(rows, whole.params, start=start, end=end, state=state, things=whole.things, taught=whole.taught)
        )
        found += seen.findings
        state = json.loads(json.dumps(seen.state, allow_nan=False))
    return found, state


def told(findings: Sequence[Finding]) -> list[tuple[str, float]]:
    """Thing and slot of each finding."""
    return [(f.facts["thing"], (datetime.fromisoformat(f.facts["at"]) - START) / STEP) for f in findings]
