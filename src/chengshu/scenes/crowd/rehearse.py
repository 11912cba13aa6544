"""The sentences of `cases/*.yaml` as observations, so that a duty officer can write down what should happen.

given: {station: 78, kind_of_day: work, usual: 30, spread: 8, busy: 150, heavy: 240, extreme: 400}
when:  {day: 2019-01-16, from: "20:30", inflow: [31, 330, 333]}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.scene import Rehearsal
from chengshu.scenes.crowd.profile import PROFILE, SLOT
from chengshu.scenes.crowd.sources import PERIOD

THINGS = {"thing": pl.String, "name": pl.String, "lon": pl.Float64, "lat": pl.Float64, "division": pl.String}
_DAY_MINUTES = 24 * 60


def rehearse(given: Mapping[str, Any], when: Mapping[str, Any], zone: ZoneInfo) -> Rehearsal:
    """A station whose profile is the same all day, and the inflow of consecutive slots; null leaves a slot out."""
    return Rehearsal(taught=_profile(given), things=_station(given), frame=_inflow(str(given["station"]), when, zone))


def _profile(given: Mapping[str, Any]) -> pl.DataFrame:
    row = {
        "thing": str(given["station"]),
        "day_type": given.get("kind_of_day", "work"),
        "usual": given["usual"],
        "spread": given["spread"],
        "days": given.get("days", 9),
        **{name: given[name] for name in ("busy", "heavy", "extreme")},
    }
    minutes = pl.int_range(0, _DAY_MINUTES, SLOT, eager=True).alias("minute")
    constants = [pl.lit(value).alias(name) for name, value in row.items()]
    return pl.DataFrame(minutes).select(*constants, "minute").select(PROFILE.names()).cast(PROFILE)


def _station(given: Mapping[str, Any]) -> pl.DataFrame:
    station = str(given["station"])
    known = {
        "thing": station,
        "name": given.get("name", station),
        "lon": None,
        "lat": None,
        "division": given.get("division"),
    }
    return pl.DataFrame([known], schema=THINGS)


def _inflow(station: str, when: Mapping[str, Any], zone: ZoneInfo) -> pl.DataFrame:
    day = date.fromisoformat(str(when["day"]))
    begin = datetime.combine(day, time.fromisoformat(when["from"]), zone)
    rows = [(station, begin + i * PERIOD, inflow) for i, inflow in enumerate(when["inflow"]) if inflow is not None]
    frame = pl.DataFrame(
        rows, schema={"thing": pl.String, "at": pl.Datetime("us", zone.key), "inflow": pl.Int64}, orient="row"
    )
    return frame.with_columns(pl.col("at").dt.convert_time_zone("UTC"))
