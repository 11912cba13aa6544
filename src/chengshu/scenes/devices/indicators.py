"""Numbers of the latest slot to act on. What they mean and who acts on them stands in `strings.yaml`."""

from __future__ import annotations

from typing import Final

import polars as pl

from chengshu.scene import Indicator, Window
from chengshu.scenes.devices.detect import HABITS, known
from chengshu.scenes.devices.sources import PERIOD, READINGS


def spoken_share(window: Window) -> pl.DataFrame:
    """Of the datastreams that say they speak at least once a slot, the share that did; no row when there are none."""
    if window.frame.is_empty() or "period" not in window.things.columns:
        return pl.DataFrame(schema={"value": pl.Float64})
    due = window.things.filter(pl.col("period").is_between(0, PERIOD.total_seconds(), closed="right"))
    spoke = pl.col("thing").is_in(window.frame["thing"].unique().implode())
    share = due.select(spoke.mean().cast(pl.Float64).alias("value"))
    return share.drop_nulls()


def strange(window: Window) -> pl.DataFrame:
    """How many datastreams said something farther from all that they said on the taught days than those days reach."""
    habits = known(window, HABITS)
    if window.frame.is_empty() or habits.is_empty():
        return pl.DataFrame(schema={"value": pl.Float64})
    beside = window.frame.join(habits.filter(pl.col("high") > pl.col("low")), on="thing")
    beyond = pl.max_horizontal(pl.col("low") - pl.col("value"), pl.col("value") - pl.col("high"))
    far = beside.filter(beyond > pl.col("high") - pl.col("low"))
    return far.select(pl.col("thing").n_unique().cast(pl.Float64).alias("value"))


INDICATORS: Final = (
    Indicator(name="spoken_share", source=READINGS.name, unit="1", compute=spoken_share),
    Indicator(name="strange", source=READINGS.name, unit="{datastream}", compute=strange),
)
