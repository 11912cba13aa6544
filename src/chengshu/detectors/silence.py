"""Silence: a thing of which nothing was heard for some of its own periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from chengshu.detectors.numbers import Numbers
from chengshu.detectors.readings import INSTANT, MICROSECONDS, readings
from chengshu.detectors.telling import Telling
from chengshu.scene import Seen, State, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence(Telling):
    """Finds things that say nothing for `{prefix}_periods` of their own period; the first word ends it.

    Watched are the window's things, each from the first window that knows it; where the window knows no things, whoever was
    heard. A thing's own period (s) is the column `period` of the window's things, or what was taught (the median time between
    its readings), or the parameter `{prefix}_period`. While the silence lasts it is told again every `{prefix}_repeat_periods`.
    It runs by the window's end: a window without rows must come, too.

    A finding is told of the instant at which the silence became too long, whenever the window ends; a silence that begins and
    ends within one window is found as well.
    """

    column: str

    def __call__(self, window: Window) -> Seen:
        """Findings of a window, and the state after it."""
        noticed, state = self.notice(window)
        return Seen(findings=self.findings(window, noticed), state=state)

    def teach(self, window: Window) -> pl.DataFrame:
        """`thing, period`: the median time between readings, in seconds."""
        apart = pl.col("at").diff().over("thing").dt.total_microseconds() / MICROSECONDS
        taught = readings(window.frame, self.column).with_columns(apart.alias("period")).drop_nulls("period")
        return taught.group_by("thing").agg(pl.col("period").median()).sort("thing")

    def notice(self, window: Window) -> tuple[pl.DataFrame, State]:
        """`thing, at` of every silence that is due, `silent` (s), `period` (s), `missed` periods, `last` (s since 1970)."""
        numbers = self.numbers(window)
        heard = readings(window.frame, self.column).select("thing", "at")
        before = _watched(window, heard)
        words = pl.concat([before, heard.join(before, on="thing", how="semi")]).sort("thing", "at")
        ends = pl.col("at").shift(-1).over("thing").fill_null(pl.lit(window.end).cast(INSTANT))
        quiet = words.with_columns(ends.alias("next")).join(_periods(window, before, numbers), on="thing", how="left")
        until = window.state.get("until")
        return _due(quiet, until, numbers), _state(words, window)


def _micros(moment: Any) -> int:
    return int(moment.timestamp() * MICROSECONDS)


def _watched(window: Window, heard: pl.DataFrame) -> pl.DataFrame:
    """`thing, at`: the last word of every watched thing before this window, or when it was first watched."""
    state = window.state
    kept = pl.DataFrame(
        {"thing": state.get("thing", []), "at": state.get("at", [])}, schema={"thing": pl.String(), "at": pl.Int64()}
    ).with_columns(pl.col("at").cast(INSTANT))
    if window.things.height:
        names = window.things.select(pl.col("thing").cast(pl.String())).unique()
        new = names.join(kept, on="thing", how="anti").with_columns(pl.lit(window.start).cast(INSTANT).alias("at"))
        kept = kept.join(names, on="thing", how="semi")
    else:
        new = heard.join(kept, on="thing", how="anti").group_by("thing").agg(pl.col("at").min())
    return pl.concat([kept, new.select("thing", "at")])


def _periods(window: Window, watched: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    """`thing, period` in seconds: the thing's own, else the taught one, else the parameter."""
    found = watched.select("thing")
    sources = []
    for number, table in enumerate((window.things, window.taught)):
        if table.height and "period" in table.columns:
            own = table.select("thing", pl.col("period").cast(pl.Float64).alias(f"own{number}"))
            found = found.join(own.unique("thing", keep="last", maintain_order=True), on="thing", how="left")
            known = pl.col(f"own{number}")
            sources.append(pl.when(known.is_finite() & (known > 0)).then(known))
    default = pl.lit(numbers.within("period", 1e-3, np.inf))
    return found.select("thing", pl.coalesce(*sources, default).alias("period"))


def _due(quiet: pl.DataFrame, until: int | None, numbers: Numbers) -> pl.DataFrame:
    """Every instant of these silences (`at` to `next`) at which one must be told, and which was not yet in the window before.

    Counted in whole microseconds, so that an instant falls into exactly one window.
    """
    periods, again = numbers.within("periods", 1, np.inf), numbers.within("repeat_periods", 1, np.inf)
    first, step = _whole(pl.col("period") * periods), _whole(pl.col("period") * again)
    quiet = quiet.with_columns(first.alias("first"), step.alias("step"), pl.col("at").dt.epoch("us").alias("last"))
    beyond = pl.col("next").dt.epoch("us") - pl.col("last") - pl.col("first")
    long = quiet.filter(beyond >= 0).with_columns(pl.int_ranges(0, beyond // pl.col("step") + 1).alias("turn"))
    silent = (pl.col("first") + pl.col("turn") * pl.col("step")).alias("silent")
    due = long.explode("turn").with_columns(silent).filter(pl.col("last") + pl.col("silent") > (until or -(2**62)))
    seconds = [(pl.col(name) / MICROSECONDS).alias(name) for name in ("silent", "last")]
    missed = (periods + pl.col("turn") * again).alias("missed")
    return due.select(
        "thing", (pl.col("last") + pl.col("silent")).cast(INSTANT).alias("at"), "period", missed, *seconds
    )


def _whole(seconds: pl.Expr) -> pl.Expr:
    """Seconds in whole microseconds."""
    return (seconds * MICROSECONDS).round().cast(pl.Int64)


def _state(words: pl.DataFrame, window: Window) -> dict[str, Any]:
    last = words.group_by("thing").agg(pl.col("at").max().dt.epoch("us")).sort("thing")
    return {"until": _micros(window.end), "thing": last["thing"].to_list(), "at": last["at"].to_list()}
