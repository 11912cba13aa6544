"""What readings are compared with: a middle and a spread that are given as parameters, or taught by earlier days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import polars as pl

from chengshu.core.errors import Invalid
from chengshu.detectors.numbers import Numbers
from chengshu.scene import Window

WORK, EVE, REST, ANY = "work", "eve", "rest", "any"
MAD_TO_SIGMA: Final = (
    1.4826  # a normal distribution's standard deviation per median absolute deviation: 1 / Phi^-1(3/4)
)
TAUGHT: Final = pl.Schema(
    {
        "thing": pl.String(),
        "day_type": pl.String(),
        "minute": pl.Int32(),
        "usual": pl.Float64(),
        "spread": pl.Float64(),
        "days": pl.UInt32(),
    }
)
_SLOT: Final = ["thing", "day_type", "minute"]


class Against(Protocol):
    """Something that readings are compared with."""

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """What earlier readings (`thing, at, value`) teach."""
        ...

    def beside(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The readings with `usual` and `spread`; null where there is nothing to compare with."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The same for all things and times: the parameters `{prefix}_mean` and `{prefix}_spread`, in the unit of the readings."""

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """Nothing is taught."""
        return pl.DataFrame(schema=TAUGHT)

    def beside(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The readings with the two parameters. Raises `Invalid` for a spread that is not positive."""
        spread = numbers["spread"]
        if spread <= 0:
            raise Invalid("A spread must be positive.", where=f"{numbers.prefix}_spread", remedy="Mend params.yaml.")
        return rows.with_columns(pl.lit(numbers["mean"]).alias("usual"), pl.lit(spread).alias("spread"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """Each thing's own median and robust spread, of the days of teaching.

    Args:
        season: length of the slots of a day that have each their own usual value, by kind of day: `rest` for days off, `eve` for
            a working day before one, `work` for the others. Left out: one usual value for all times.

    Parameters: `{prefix}_least_days`, kinds of day with fewer taught days are not judged (`eve` then counts as `work`);
    `{prefix}_spread_floor`, the spread is never taken as smaller, in the unit of the readings.
    """

    season: timedelta | None = None

    def teach(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """`TAUGHT`: the median of each slot; spread is 1.4826 times the median absolute deviation from it over the hour."""
        slots = self._slots(window, rows)
        usual = slots.group_by(_SLOT).agg(
            pl.col("value").median().alias("usual"), pl.col("day").n_unique().alias("days")
        )
        usual = usual.filter(pl.col("days") >= numbers["least_days"])
        hour = ["thing", "day_type", pl.col("minute") // 60]
        away = (pl.col("value") - pl.col("usual")).abs()
        return (
            slots.join(usual, on=_SLOT)
            .with_columns((away.median().over(hour) * MAD_TO_SIGMA).alias("spread"))
            .select(TAUGHT.names())
            .unique()
            .sort(_SLOT)
            .cast(TAUGHT)
        )

    def beside(self, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """The readings with what was taught for their slot. Raises `Invalid` for a floor that is not positive."""
        floor = numbers["spread_floor"]
        if floor <= 0:
            where = f"{numbers.prefix}_spread_floor"
            raise Invalid("The floor of a spread must be positive.", where=where, remedy="Mend params.yaml.")
        taught = window.taught if window.taught.height else pl.DataFrame(schema=TAUGHT)
        taught = taught.select(*_SLOT, "usual", pl.max_horizontal("spread", pl.lit(floor)).alias("spread"))
        work = taught.filter(pl.col("day_type") == WORK).with_columns(pl.lit(EVE).alias("day_type"))
        taught = pl.concat([taught, work.join(taught, on=_SLOT, how="anti")])
        placed = self._slots(window, rows).join(taught, on=_SLOT, how="left", maintain_order="left")
        return placed.select(*rows.columns, "usual", "spread")

    def _slots(self, window: Window, rows: pl.DataFrame) -> pl.DataFrame:
        """Adds the local `day`, the `day_type` and the `minute` at which the slot begins."""
        local = pl.col("at").dt.convert_time_zone(window.zone.key)
        timed = rows.with_columns(local.dt.date().alias("day"))
        if self.season is None:
            return timed.with_columns(pl.lit(ANY).alias("day_type"), pl.lit(0, dtype=pl.Int32()).alias("minute"))
        minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
        slot = self.season // timedelta(minutes=1)
        types = _day_types(timed["day"].unique().to_list(), window.working)
        return timed.with_columns((minute // slot * slot).cast(pl.Int32).alias("minute")).join(
            types, on="day", how="left", maintain_order="left"
        )


def _day_types(days: list[date], working: Callable[[date], bool]) -> pl.DataFrame:
    kinds = [_day_type(day, working) for day in days]
    return pl.DataFrame({"day": days, "day_type": kinds}, schema={"day": pl.Date(), "day_type": pl.String()})


def _day_type(day: date, working: Callable[[date], bool]) -> str:
    if not working(day):
        return REST
    return WORK if working(day + timedelta(days=1)) else EVE
