"""Observations to findings: a station that takes far more people than is usual for it at that hour.

Two levels. *Warning*: the inflow stands out from the profile in consecutive slots, or very far in one. *Alarm*: it does so while
also beyond the station's heavy tier. A level holds until the inflow has been near the profile for some slots (hysteresis); while
it holds the finding is repeated at intervals and joins the open case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chengshu.scene import Finding, Seen, State, Window
from chengshu.scenes.crowd.profile import SLOT, compared

SCENE: Final = "crowd"
PERIOD: Final = timedelta(minutes=SLOT)
CALM, WARNING, ALARM = 0, 1, 2
LEVELS: Final = {WARNING: "warning", ALARM: "alarm"}
TYPES: Final = {level: f"crowd.station.{name}" for level, name in LEVELS.items()}

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_COUNTERS: Final = ("level", "hot", "heavy", "calm", "said")


@dataclass(kw_only=True, slots=True)
class Watch:
    """What is remembered of every station: its level, and for how many slots it has been hot, heavy, calm, or unsaid."""

    things: list[str]
    last: datetime | None
    level: Counts
    hot: Counts
    heavy: Counts
    calm: Counts
    said: Counts

    @classmethod
    def resume(cls, state: State, things: list[str]) -> Self:
        """From what `state()` gave; stations it does not name are calm."""
        kept: Mapping[str, Mapping[str, int]] = state.get("things", {})
        counters = {
            name: np.array([kept.get(thing, {}).get(name, 0) for thing in things], dtype=np.int64) for name in _COUNTERS
        }
        last = state.get("last")
        return cls(things=things, last=datetime.fromisoformat(last) if last else None, **counters)

    def state(self) -> dict[str, Any]:
        """Plain JSON, with the stations that are not wholly calm."""
        rows = np.stack([getattr(self, name) for name in _COUNTERS], axis=1)
        busy = np.flatnonzero(rows[:, :3].any(axis=1))
        things = {self.things[i]: dict(zip(_COUNTERS, rows[i].tolist(), strict=True)) for i in busy}
        return {"last": self.last.isoformat() if self.last else None, "things": things}

    def begin(self, at: datetime) -> None:
        """Forget everything when slots are missing before `at`: consecutive means consecutive."""
        if self.last is not None and at - self.last != PERIOD:
            for name in _COUNTERS:
                getattr(self, name)[:] = 0
        self.last = at

    def step(self, excess: Floats, score: Floats, beyond: Floats, params: Mapping[str, float]) -> Flags:
        """Take in one slot of all stations; true where a finding is due.

        `beyond` is the inflow over the heavy tier. NaN, where there is nothing to compare, counts as calm.
        """
        hot = (score >= params["enter_score"]) & (excess >= params["enter_excess"])
        far = (score >= params["far_score"]) & (excess >= params["far_excess"])
        self.hot = np.where(hot, self.hot + 1, 0)
        self.heavy = np.where(hot & (beyond >= 0), self.heavy + 1, 0)
        self.calm = np.where(score >= params["exit_score"], 0, self.calm + 1)
        before = np.where(self.calm >= params["exit_slots"], CALM, self.level)
        slots = params["enter_slots"]
        reached = np.select(
            [(self.heavy >= slots) | (far & (beyond >= 0)), (self.hot >= slots) | far], [ALARM, WARNING], CALM
        )
        self.level = np.maximum(before, reached)
        self.said = self.said + 1
        due = (self.level > before) | ((self.level > CALM) & hot & (self.said >= params["repeat_slots"]))
        self.said[due] = 0
        return due


def detect(window: Window) -> Seen:
    """Findings of a window of station inflow, and the state after it."""
    beside = compared(window)
    things = sorted({*beside["thing"].unique().to_list(), *window.state.get("things", {})})
    watch = Watch.resume(window.state, things)
    places = {row["thing"]: row for row in window.things.iter_rows(named=True)}
    findings = [
        _finding(window, row, level, places.get(row["thing"], {}))
        for row, level in _notable(beside, watch, window.params)
    ]
    return Seen(findings=tuple(findings), state=watch.state())


def _notable(beside: pl.DataFrame, watch: Watch, params: Mapping[str, float]) -> Iterator[tuple[dict[str, Any], int]]:
    """Rows for which a finding is due with the level reached, slot by slot; a slot is one step for all stations at once."""
    for slot in beside.partition_by("at", maintain_order=True):
        places = np.searchsorted(watch.things, slot["thing"].to_list())
        columns = np.full((3, len(watch.things)), np.nan)
        columns[:, places] = slot.select("excess", "score", pl.col("inflow") - pl.col("heavy")).to_numpy().T
        watch.begin(slot["at"][0])
        due = watch.step(columns[0], columns[1], columns[2], params)
        for row, place in zip(slot.iter_rows(named=True), places, strict=True):
            if due[place]:
                yield row, int(watch.level[place])


def _finding(window: Window, row: Mapping[str, Any], level: int, place: Mapping[str, Any]) -> Finding:
    name = place.get("name") or window.say("station", thing=row["thing"])
    words = _words(window, row, name)
    return Finding(
        scene=SCENE,
        key=f"{row['thing']}:{row['day']}:{LEVELS[level]}",
        type=TYPES[level],
        title=window.say(f"{LEVELS[level]}.title", **words),
        description=window.say(f"{LEVELS[level]}.description", **words),
        severity=int(window.params[f"severity_{LEVELS[level]}"]),
        occurred_at=row["at"] + PERIOD,
        place=name,
        division=place.get("division"),
        lon=place.get("lon"),
        lat=place.get("lat"),
        facts=_facts(row, place),
    )


def _words(window: Window, row: Mapping[str, Any], name: str) -> dict[str, str]:
    begin = row["at"].astimezone(window.zone)
    return {
        "name": name,
        "day": f"{begin:%Y-%m-%d}",
        "begin": f"{begin:%H:%M}",
        "end": f"{begin + PERIOD:%H:%M}",
        "day_type": window.say(f"day_type.{row['day_type']}"),
        "inflow": f"{row['inflow']:.0f}",
        "usual": f"{row['usual']:.0f}",
        "excess": f"{row['excess']:.0f}",
        "score": f"{row['score']:.1f}",
        "spread": f"{row['spread']:.0f}",
        "heavy": f"{row['heavy']:.0f}",
    }


def _facts(row: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {
        name: round(float(row[name]), 1) for name in ("usual", "spread", "excess", "score", "busy", "heavy", "extreme")
    }
    return {
        "thing": row["thing"],
        "slot_start": row["at"].isoformat(),
        "slot_minutes": SLOT,
        "day_type": row["day_type"],
        "inflow": int(row["inflow"]),
        **numbers,
        "tier": tier(row),
        "schematic": place.get("schematic") == "yes",
    }


def tier(row: Mapping[str, Any]) -> str:
    """The highest tier of the station that an inflow reaches: `extreme`, `heavy`, `busy`, or `normal`."""
    return next((name for name in ("extreme", "heavy", "busy") if row["inflow"] >= row[name]), "normal")
