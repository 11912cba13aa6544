"""Things that should say the same: those of a group, or those within a distance; and what they say at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from chengshu.core.errors import Invalid
from chengshu.detectors.numbers import Numbers
from chengshu.detectors.usual import MAD_TO_SIGMA
from chengshu.scene import Window

EARTH: Final = 6_371_008.8  # metres, mean radius of the Earth (IUGG)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Things with the same word in a column of the window's things, such as `division`."""

    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """Things within `{prefix}_distance` (m) of each other; those without a point have no neighbours."""


Among: TypeAlias = Group | Near


def beside_neighbours(among: Among, window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    """`thing, at, value` with what its neighbours said at the same time, itself among them.

    `middle` is their median, `spread` 1.4826 times the median absolute deviation from it, `neighbours` their number; null where
    fewer than `{prefix}_least` spoke. Only readings of the same `at` are compared: the source gives slots.
    """
    least = numbers.within("least", 2, np.inf)
    compared = _in_group(among.by, window, rows) if isinstance(among, Group) else _nearby(window, rows, numbers)
    enough = pl.col("neighbours") >= least
    return compared.with_columns(pl.when(enough).then(name).alias(name) for name in ("middle", "spread")).sort(
        "thing", "at"
    )


def _in_group(by: str, window: Window, rows: pl.DataFrame) -> pl.DataFrame:
    groups = _things(window, by).rename({by: "group"}).drop_nulls()
    same, middle = ["group", "at"], pl.col("value").median()
    grouped = rows.join(groups, on="thing").with_columns(
        middle.over(same).alias("middle"), pl.len().over(same).cast(pl.Float64).alias("neighbours")
    )
    away = (pl.col("value") - pl.col("middle")).abs()
    return grouped.with_columns((away.median().over(same) * MAD_TO_SIGMA).alias("spread")).drop("group")


def _nearby(window: Window, rows: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    pairs = near_pairs(_things(window, "lon", "lat").drop_nulls(), numbers.within("distance", 1e-3, 1e6))
    others = rows.select(pl.col("thing").alias("other"), "at", pl.col("value").alias("said"))
    said = rows.join(pairs, on="thing").join(others, on=["other", "at"])
    away = (pl.col("said") - pl.col("said").median()).abs()
    return said.group_by("thing", "at").agg(
        pl.col("value").first(),
        pl.col("said").median().alias("middle"),
        (away.median() * MAD_TO_SIGMA).alias("spread"),
        pl.len().cast(pl.Float64).alias("neighbours"),
    )


def _things(window: Window, *columns: str) -> pl.DataFrame:
    """The things with these columns; none when the window knows no things. Raises `Invalid` for a column they lack."""
    if not window.things.height:
        texts = {name: pl.Float64() if name in {"lon", "lat"} else pl.String() for name in columns}
        return pl.DataFrame(schema={"thing": pl.String(), **texts})
    if missing := set(columns) - set(window.things.columns):
        where = ", ".join(sorted(missing))
        raise Invalid("The table of things has no such column.", where=where, remedy="Add it to the city's table.")
    return window.things.select("thing", *columns).unique("thing", keep="last", maintain_order=True)


def near_pairs(points: pl.DataFrame, distance: float) -> pl.DataFrame:
    """`thing, other` for all points (`thing, lon, lat`, WGS 84 degrees) within `distance` metres of each other, and itself.

    Points are binned into cells as wide as the distance, and only those of touching cells are measured, along great circles of
    a sphere. Not across the 180th meridian.
    """
    if points.is_empty():
        return pl.DataFrame(schema={"thing": pl.String(), "other": pl.String()})
    high = np.degrees(distance / EARTH)
    farthest = min(float(points["lat"].abs().max()) + high, 89.9)  # type: ignore[arg-type]
    wide = high / np.cos(np.radians(farthest))
    cells = points.with_columns(
        (pl.col("lon") / wide).floor().cast(pl.Int64).alias("x"),
        (pl.col("lat") / high).floor().cast(pl.Int64).alias("y"),
    )
    around = pl.DataFrame({"dx": [-1, -1, -1, 0, 0, 0, 1, 1, 1], "dy": [-1, 0, 1] * 3})
    spread = cells.join(around, how="cross").with_columns(pl.col("x") + pl.col("dx"), pl.col("y") + pl.col("dy"))
    pairs = cells.join(spread.rename({"thing": "other", "lon": "lon2", "lat": "lat2"}), on=["x", "y"])
    return pairs.filter(_metres() <= distance).select("thing", "other")


def _metres() -> pl.Expr:
    """The great circle between two points by the haversine (Sinnott, Sky and Telescope 68, 1984)."""
    lat, lat2 = pl.col("lat").radians(), pl.col("lat2").radians()
    half_lon = (pl.col("lon2") - pl.col("lon")).radians() / 2
    square = ((lat2 - lat) / 2).sin().pow(2) + lat.cos() * lat2.cos() * half_lon.sin().pow(2)
    return 2 * EARTH * square.clip(0, 1).sqrt().arcsin()
