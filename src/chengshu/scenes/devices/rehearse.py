"""The sentences of `cases/*.yaml` as observations, so that whoever mends devices can write down what should happen.

given: {datastream: WL-0042/17, longest_hours: 0.5, moves: 300, change: 0.04, changes: 400}
when:  {day: 2026-11-02, from: "08:00", every: 10, readings: [3.21, 3.24, [3.25, 30]]}     # [3.25, 30]: thirty times
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.scene import Rehearsal
from chengshu.scenes.devices.sources import PERIOD

_MINUTES: Final = PERIOD // timedelta(minutes=1)


def rehearse(given: Mapping[str, Any], when: Mapping[str, Any], zone: ZoneInfo) -> Rehearsal:
    """A datastream with its habits, and its readings one after the other; null leaves one out."""
    thing = str(given["datastream"])
    return Rehearsal(taught=_taught(thing, given), things=_thing(thing, given), frame=_readings(thing, when, zone))


def _taught(thing: str, given: Mapping[str, Any]) -> pl.DataFrame:
    """Both lessons in one, as every detector is given the same."""
    if "moves" not in given:
        return pl.DataFrame()
    row = {
        "thing": thing,
        "longest": given["longest_hours"] * 3600.0,
        "moves": given["moves"],
        "low": given.get("low", 0.0),
        "high": given.get("high", 1.0),
        "spread": given["change"],
        "changes": given["changes"],
    }
    return pl.DataFrame([row])


def _thing(thing: str, given: Mapping[str, Any]) -> pl.DataFrame:
    row = {"thing": thing, "name": given.get("name", thing), "lon": None, "lat": None, "division": None}
    return pl.DataFrame(
        [row],
        schema={"thing": pl.String, "name": pl.String, "lon": pl.Float64, "lat": pl.Float64, "division": pl.String},
    )


def _readings(thing: str, when: Mapping[str, Any], zone: ZoneInfo) -> pl.DataFrame:
    begin = datetime.combine(date.fromisoformat(str(when["day"])), time.fromisoformat(when["from"]), zone)
    step = timedelta(minutes=int(when.get("every", _MINUTES)))
    rows = [(thing, begin + i * step, value) for i, value in enumerate(_values(when["readings"])) if value is not None]
    schema = pl.Schema({"thing": pl.String(), "at": pl.Datetime("us", zone.key), "value": pl.Float64()})
    return pl.DataFrame(rows, schema=schema, orient="row", strict=False).with_columns(
        pl.col("at").dt.convert_time_zone("UTC")
    )


def _values(readings: list[Any]) -> list[float | None]:
    return [value for each in readings for value in ([each[0]] * each[1] if isinstance(each, list) else [each])]
