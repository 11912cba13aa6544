"""From what was noticed to findings: texts of the scene, the numbers behind them, and where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Required, TypedDict

import polars as pl

from chengshu.detectors.numbers import Numbers, Told
from chengshu.scene import Finding, Window


class About(TypedDict, total=False):
    """What every detector is told: see `Telling`, and the `column` that it reads."""

    column: Required[str]
    prefix: Required[str]
    type: Required[str]
    scene: str
    period: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """How what was noticed is told.

    Args:
        prefix: of its parameters (`{prefix}_enter` …) and texts (`{prefix}.title`, `{prefix}.description`); a finding's key is
            `thing:prefix`, so that what lasts joins the open case.
        type: the case type of its findings.
        scene: the scene's name; left out, the first part of the type.
        period: length of the source's slots; a finding occurred at the end of its slot.
    """

    prefix: str
    type: str
    scene: str = ""
    period: timedelta = timedelta(0)

    def numbers(self, window: Window) -> Numbers:
        """The detector's parameters in a window."""
        return Numbers(params=window.params, prefix=self.prefix)

    def findings(self, window: Window, noticed: pl.DataFrame) -> tuple[Finding, ...]:
        """A finding of each row of `thing, at` and numbers, in order of time, then thing."""
        if noticed.is_empty():
            return ()
        concerned = (
            window.things.filter(pl.col("thing").is_in(noticed["thing"].implode())) if window.things.height else None
        )
        places = {} if concerned is None else {row["thing"]: row for row in concerned.iter_rows(named=True)}
        severity = int(self.numbers(window).within("severity", 1, 4))
        rows = noticed.sort("at", "thing").iter_rows(named=True)
        return tuple(self._finding(window, row, places.get(row["thing"], {}), severity) for row in rows)

    def _finding(self, window: Window, row: Mapping[str, Any], place: Mapping[str, Any], severity: int) -> Finding:
        name = place.get("name") or row["thing"]
        end: datetime = row["at"] + self.period
        numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
        words = {**_times(window, row["at"], end), **{key: Told(value) for key, value in numbers.items()}}
        facts = {key: value if math.isfinite(value) else None for key, value in numbers.items()}
        return Finding(
            scene=self.scene or self.type.partition(".")[0],
            key=f"{row['thing']}:{self.prefix}",
            type=self.type,
            title=window.say(f"{self.prefix}.title", name=name, thing=row["thing"], **words),
            description=window.say(f"{self.prefix}.description", name=name, thing=row["thing"], **words),
            severity=severity,
            occurred_at=end,
            place=name,
            division=place.get("division"),
            lon=place.get("lon"),
            lat=place.get("lat"),
            facts={"thing": row["thing"], "at": row["at"].isoformat(), **facts},
        )


def _times(window: Window, begin: datetime, end: datetime) -> dict[str, str]:
    """The words `day`, `begin` and `end`, local."""
    local = begin.astimezone(window.zone)
    return {"day": f"{local:%Y-%m-%d}", "begin": f"{local:%H:%M}", "end": f"{end.astimezone(window.zone):%H:%M}"}
