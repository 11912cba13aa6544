"""The real data of the scene, read without a database: `python -m tests.scenes.crowd.world` prints the table of the README."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from ruamel.yaml import YAML

from chengshu.brain.loader import load
from chengshu.core.calendar import WorkingCalendar
from chengshu.scene import Seen, State, Window
from chengshu.scenes.crowd.detect import detect
from chengshu.scenes.crowd.profile import teach
from chengshu.scenes.crowd.sources import decode

ZONE = ZoneInfo("Asia/Shanghai")
PACK = Path(__file__).resolve().parents[3] / "cities" / "hangzhou"
FIRST = date(2019, 1, 1)
TEACH, PLAY = range(1, 15), range(15, 19)
OPTIONS = {
    "first_day": "2019-01-01",
    "first_slot": "06:00",
    "slot_minutes": 10,
    "slots_per_day": 108,
    "timezone": ZONE.key,
}
PLACES = pl.DataFrame(schema={"thing": pl.String, "name": pl.String})


@cache
def calendar() -> WorkingCalendar:
    content = YAML(typ="safe").load((PACK / "calendar.yaml").read_text(encoding="utf-8"))
    return WorkingCalendar.from_dict(content, ZONE)


@cache
def inflow() -> pl.DataFrame:
    """The real inflow with the number of its `day`."""
    decoded = decode((PACK / "data" / "hangzhou_metro_inflow.csv.gz").read_bytes(), OPTIONS)
    assert not decoded.quarantine
    day = pl.col("at").dt.convert_time_zone(ZONE.key).dt.date()
    return decoded.frame.with_columns(((day - pl.lit(FIRST)).dt.total_days() + 1).alias("day_number"))


def days(*numbers: int) -> pl.DataFrame:
    return inflow().filter(pl.col("day_number").is_in(numbers)).drop("day_number")


def window(
    frame: pl.DataFrame, taught: pl.DataFrame | None = None, state: State | None = None, language: str = "zh-hans"
) -> Window:
    """A window over a frame, with the city's true calendar and the scene's true parameters."""
    loaded = load("crowd")
    times: list[datetime] = frame["at"].to_list() if frame.height else [datetime(2019, 1, 15, tzinfo=UTC)]
    start, end = min(times), max(times) + timedelta(minutes=10)
    return Window(
        frame=frame,
        start=start,
        end=end,
        zone=ZONE,
        things=PLACES,
        taught=PLACES if taught is None else taught,
        params=loaded.params.at(start.astimezone(ZONE).date()),
        working=calendar().is_working,
        say=partial(loaded.say, language),
        state=state or {},
    )


def played(day: int) -> Seen:
    """A day judged by the days of teaching, without itself when it is one of them."""
    taught = teach(window(days(*(number for number in TEACH if number != day))))
    return detect(window(days(day), taught))


def row(day: int) -> str:
    seen = played(day)
    cases = Counter(finding.type for finding in {finding.key: finding for finding in seen.findings}.values())
    stations = len({finding.facts["thing"] for finding in seen.findings})
    when = FIRST + timedelta(days=day - 1)
    warnings, alarms = (cases[f"crowd.station.{level}"] for level in ("warning", "alarm"))
    return f"| {day} | {when:%a} | {warnings} | {alarms} | {stations} | {len(seen.findings)} |"


def table() -> str:
    """Cases and findings per day in the whole network, for the days played and, held out one by one, the days of teaching."""
    head = ["| day | weekday | warnings | alarms | stations | findings |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(row(day) for day in (*TEACH, *PLAY))])


if __name__ == "__main__":
    print(table())
