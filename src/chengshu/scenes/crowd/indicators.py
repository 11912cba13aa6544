"""Numbers of the latest slot to act on. What they mean and who acts on them stands in `strings.yaml`.

They are pure functions on frames in memory; they become expressions on the lake when observations are kept there.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from chengshu.scene import Indicator, Window
from chengshu.scenes.crowd.profile import compared

SOURCE: Final = "metro_inflow"
PER_SLOT: Final = "{person}/(10.min)"
TOP: Final = 10


def latest(window: Window) -> pl.DataFrame:
    """The latest slot of the window beside the profile; no rows when the window has none."""
    return compared(window).filter(pl.col("at") == pl.col("at").max())


def network_inflow(window: Window) -> pl.DataFrame:
    """People who entered all stations in the latest slot."""
    return latest(window).select(pl.col("inflow").sum().cast(pl.Float64).alias("value"))


def network_ratio(window: Window) -> pl.DataFrame:
    """Network inflow over what is usual, of the stations that have a profile; null when none has or nothing is usual."""
    taught = latest(window).filter(pl.col("usual").is_not_null())
    usual = pl.col("usual").sum()
    return taught.select(pl.when(usual > 0).then(pl.col("inflow").sum() / usual).alias("value"))


def stations_busy(window: Window) -> pl.DataFrame:
    """How many stations reached their tier `busy` in the latest slot."""
    return latest(window).select((pl.col("inflow") >= pl.col("busy")).sum().cast(pl.Float64).alias("value"))


def top_stations(window: Window) -> pl.DataFrame:
    """The stations furthest above usual in the latest slot, with the excess; only those above."""
    above = latest(window).filter(pl.col("excess") > 0)
    return above.select("thing", pl.col("excess").alias("value")).top_k(TOP, by="value")


INDICATORS: Final = (
    Indicator(name="network_inflow", source=SOURCE, unit=PER_SLOT, compute=network_inflow),
    Indicator(name="network_ratio", source=SOURCE, unit="1", compute=network_ratio),
    Indicator(name="stations_busy", source=SOURCE, unit="{station}", compute=stations_busy),
    Indicator(name="top_stations", source=SOURCE, unit=PER_SLOT, compute=top_stations),
)
