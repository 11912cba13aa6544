"""What is usual: the profile that the days of teaching give, and how observations compare with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.scene import Window

WORK, EVE, REST = "work", "eve", "rest"
MAD_TO_SIGMA: Final = 1.4826  # a normal distribution's standard deviation per median absolute deviation
SLOT: Final = 10  # minutes, the period of the source
PROFILE: Final = pl.Schema(
    {
        "thing": pl.String(),
        "day_type": pl.String(),
        "minute": pl.Int32(),
        "usual": pl.Float64(),
        "spread": pl.Float64(),
        "days": pl.UInt32(),
        "busy": pl.Float64(),
        "heavy": pl.Float64(),
        "extreme": pl.Float64(),
    }
)


def day_type(day: date, working: Callable[[date], bool]) -> str:
    """`rest` for days off, `eve` for a working day before a day off, `work` for all others."""
    if not working(day):
        return REST
    return WORK if working(day + timedelta(days=1)) else EVE


def localized(frame: pl.DataFrame, zone: ZoneInfo, working: Callable[[date], bool]) -> pl.DataFrame:
    """Adds the local `day`, the `minute` of that day and its `day_type`."""
    local = pl.col("at").dt.convert_time_zone(zone.key)
    minute = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()).cast(pl.Int32)
    timed = frame.with_columns(local.dt.date().alias("day"), minute.alias("minute"))
    days: list[date] = timed["day"].unique().to_list()
    types = pl.DataFrame(
        {"day": days, "day_type": [day_type(day, working) for day in days]},
        schema={"day": pl.Date(), "day_type": pl.String()},
    )
    return timed.join(types, on="day", how="left", maintain_order="left")


def teach(window: Window) -> pl.DataFrame:
    """The profile (`PROFILE`) of the taught days: for each station, kind of day and slot the usual inflow and its spread in
    passengers per slot; for each station its tiers.

    A kind of day that was taught on too few days is left out; `compared` then falls back from `eve` to `work`.
    """
    if window.frame.is_empty():
        return pl.DataFrame(schema=PROFILE)
    timed = localized(window.frame, window.zone, window.working)
    usual = _usual(timed, int(window.params["least_days"]))
    spread = _spread(timed, usual, int(window.params["spread_neighbours"]))
    floor = pl.max_horizontal(
        pl.lit(window.params["spread_floor"]), window.params["spread_root_factor"] * pl.col("usual").sqrt()
    )
    return (
        usual.with_columns((pl.col("day_type") == REST).alias("rest"))
        .join(spread, on=["thing", "rest", "minute"], how="left")
        .with_columns(pl.max_horizontal("spread", floor).alias("spread"))
        .join(_tiers(window), on="thing", how="left")
        .select(PROFILE.names())
        .sort("thing", "day_type", "minute")
        .cast(PROFILE)
    )


def _usual(timed: pl.DataFrame, least_days: int) -> pl.DataFrame:
    grouped = timed.group_by("thing", "day_type", "minute").agg(
        pl.col("inflow").median().alias("usual"), pl.col("day").n_unique().alias("days")
    )
    return grouped.filter(pl.col("days") >= least_days)


def _spread(timed: pl.DataFrame, usual: pl.DataFrame, neighbours: int) -> pl.DataFrame:
    """Robust standard deviation about the usual inflow, from the slot and its neighbours, over all working or all free days."""
    residual = timed.join(usual, on=["thing", "day_type", "minute"]).select(
        "thing",
        (pl.col("day_type") == REST).alias("rest"),
        "minute",
        (pl.col("inflow") - pl.col("usual")).abs().alias("residual"),
    )
    near = [
        residual.with_columns((pl.col("minute") + offset * SLOT).cast(pl.Int32).alias("minute"))
        for offset in range(-neighbours, neighbours + 1)
    ]
    spread = (pl.col("residual").median() * MAD_TO_SIGMA).alias("spread")
    return pl.concat(near).group_by("thing", "rest", "minute").agg(spread)


def _tiers(window: Window) -> pl.DataFrame:
    """A station's capacity is not in the data: its tiers are quantiles of what it was seen to carry in the taught days."""
    inflow, params = pl.col("inflow"), window.params
    return window.frame.group_by("thing").agg(
        inflow.quantile(params["busy_quantile"], "linear").alias("busy"),
        inflow.quantile(params["heavy_quantile"], "linear").alias("heavy"),
        (inflow.max() * params["extreme_factor"]).alias("extreme"),
    )


def compared(window: Window) -> pl.DataFrame:
    """The window's observations beside the profile: adds `usual`, `spread`, tiers, `excess` (passengers) and `score` (spreads).

    Stations or slots that were never taught have nulls.
    """
    timed = localized(window.frame, window.zone, window.working)
    known = window.taught["day_type"].unique().implode()
    fallback = pl.when(pl.col("day_type").is_in(known)).then("day_type").otherwise(pl.lit(WORK))
    beside = timed.with_columns(fallback.alias("day_type")).join(
        window.taught, on=["thing", "day_type", "minute"], how="left", maintain_order="left"
    )
    excess = pl.col("inflow") - pl.col("usual")
    return beside.with_columns(excess.alias("excess"), (excess / pl.col("spread")).alias("score"))
