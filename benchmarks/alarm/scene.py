"""The scene `alarm`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from benchmarks.alarm.detect import HIGH, TYPE
from benchmarks.alarm.sources import LEVELS
from chengshu.scene import Detector, Rehearsal, Scene


def rehearse(given: Mapping[str, Any], when: Mapping[str, Any], zone: ZoneInfo) -> Rehearsal:
    """One sensor that tells of one level, at eight."""
    at = datetime.combine(when["day"], time(8), zone)
    frame = pl.DataFrame({"thing": ["a"], "at": [at], "level": [float(when["level"])]})
    frame = frame.with_columns(pl.col("at").dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    return Rehearsal(taught=pl.DataFrame(), things=pl.DataFrame(), frame=frame)


SCENE = Scene(
    name="alarm",
    folder=Path(__file__).parent,
    sources=(LEVELS,),
    detectors=(Detector(name="high", source=LEVELS.name, types=(TYPE,), detect=HIGH),),
    indicators=(),
    rehearse=rehearse,
)
