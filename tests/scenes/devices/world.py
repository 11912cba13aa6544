"""Real readings, and faults put into them by us: `python -m tests.scenes.devices.world` prints the tables of the README.

The speeds of Los Angeles's loop detectors are not carried by the project: they are read from `../shared/data`, where they lie.
The inflow of Hangzhou's metro is that of the city pack. Every fault here is synthetic: readings of the real record are replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from chengshu.detectors import Watch
from chengshu.detectors.readings import Floats
from chengshu.scene import Params, State, Window
from chengshu.scenes.devices.detect import JUMP, STUCK
from chengshu.scenes.devices.scene import SCENE

ROOT: Final = Path(__file__).resolve().parents[3]
SPEEDS: Final = ROOT.parent / "shared" / "data" / "traffic" / "losloop" / "speed_first80.csv.gz"
INFLOW: Final = ROOT / "cities" / "hangzhou" / "data" / "hangzhou_metro_inflow.csv.gz"
SLOT: Final = timedelta(minutes=10)
DAY: Final = timedelta(days=1)
ZONE: Final = ZoneInfo("Asia/Shanghai")
TEACH: Final = 3  # days, as sources.yaml of Hangzhou has it
NOTHING: Final = pl.DataFrame(schema={"thing": pl.String, "name": pl.String, "period": pl.Float64})


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Readings of many sensors at the same times: a row per time, a column per sensor."""

    name: str
    zone: ZoneInfo
    at: tuple[datetime, ...]
    values: Floats

    @property
    def first(self) -> datetime:
        """Local midnight before the first reading."""
        return self.at[0].astimezone(self.zone).replace(hour=0, minute=0).astimezone(UTC)

    @property
    def days(self) -> list[datetime]:
        """The beginnings of the local days that can be judged: those after the first days of teaching."""
        every = range(TEACH, (self.at[-1] - self.first) // DAY + 1)
        return [self.first + day * DAY for day in every]

    @property
    def months(self) -> float:
        """Sensor-months judged, of thirty days."""
        return self.values.shape[1] * sum(at >= self.days[0] for at in self.at) / self._a_day / 30

    @property
    def _a_day(self) -> int:
        return sum(at < self.first + DAY for at in self.at)

    def frame(self, values: Floats | None = None) -> pl.DataFrame:
        """As a scene is given it."""
        taken = self.values if values is None else values
        things = [f"S{column:03}" for column in range(taken.shape[1])]
        wide = pl.DataFrame(taken, schema=things).with_columns(pl.Series("at", self.at, dtype=pl.Datetime("us", "UTC")))
        return (
            wide.unpivot(things, index="at", variable_name="thing").select("thing", "at", "value").sort("at", "thing")
        )


@cache
def speeds() -> Record:
    """Mean speed (mph) of 207 loop detectors every five minutes from 1 March 2012 on."""
    zone = ZoneInfo("America/Los_Angeles")
    values = pl.read_csv(SPEEDS).to_numpy().astype(np.float64)
    begin = datetime(2012, 3, 1, tzinfo=zone)
    at = tuple((begin + i * timedelta(minutes=5)).astimezone(UTC) for i in range(len(values)))
    return Record(name="loop detectors, speed", zone=zone, at=at, values=values)


@cache
def hourly_speeds() -> Record:
    """Of the same, one reading an hour."""
    whole = speeds()
    return Record(name="the same, one reading an hour", zone=whole.zone, at=whole.at[::12], values=whole.values[::12])


@cache
def inflow() -> Record:
    """People entering each of 80 metro stations, every ten minutes from 6 to 24 o'clock, 1 to 18 January 2019."""
    zone = ZONE
    wide = (
        pl.read_csv(INFLOW).sort("day", "slot", "station").pivot(on="station", index=["day", "slot"], values="inflow")
    )
    begin = datetime(2019, 1, 1, 6, tzinfo=zone).astimezone(UTC)
    rows = wide.select("day", "slot").iter_rows()
    at = tuple(begin + (day - 1) * DAY + slot * SLOT for day, slot in rows)
    return Record(
        name="metro gates, inflow", zone=zone, at=at, values=wide.drop("day", "slot").to_numpy().astype(np.float64)
    )


@cache
def written(name: str) -> Any:
    """A YAML file of the scene."""
    return YAML(typ="safe").load((SCENE.folder / f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def params() -> Params:
    """The scene's true parameters, read without Django."""
    dated = {
        n: {**p, "values": {d.isoformat(): v for d, v in p["values"].items()}} for n, p in written("params").items()
    }
    return Params.from_dict(dated)


def window(
    frame: pl.DataFrame,
    start: datetime,
    end: datetime,
    *,
    taught: pl.DataFrame | None = None,
    state: State | None = None,
    things: pl.DataFrame = NOTHING,
    zone: ZoneInfo = ZONE,
    language: str = "zh-hans",
) -> Window:
    """A window as the platform makes it, with the scene's true parameters and texts."""

    def say(key: str, **values: object) -> str:
        return str(written("strings")[key][language[:2]]).format(**values)

    return Window(
        frame=frame.filter(pl.col("at").is_between(start, end, closed="left")), start=start, end=end, zone=zone,
        things=things, taught=pl.DataFrame() if taught is None else taught,
        params=params().at(start.astimezone(zone).date()), working=lambda _day: True, say=say, state=state or {},
    )  # fmt: skip


@cache
def lesson(record: Callable[[], Record], detector: str, day: datetime) -> pl.DataFrame:
    """What a detector was taught for a day by the clean days before it."""
    own = record()
    teach = window(own.frame(), day - TEACH * DAY, day, zone=own.zone)
    return {"stuck": STUCK, "jump": JUMP}[detector].teach(teach)


def noticed(record: Callable[[], Record], watch: Watch, values: Floats | None = None) -> pl.DataFrame:
    """`thing, at` and numbers of all findings over the days that can be judged, each taught by the days before it."""
    own = record()
    frame, state, found = own.frame(values), {}, []
    for day in own.days:
        taught = lesson(record, watch.prefix, day)
        seen, state = watch.notice(window(frame, day, day + DAY, taught=taught, state=state, zone=own.zone))
        found.append(seen)
    return pl.concat(found)


def things(found: pl.DataFrame) -> set[str]:
    return set(found["thing"].to_list())


def begin_at(record: Record, seed: int) -> tuple[np.random.Generator, list[int]]:
    """For each sensor a row of the first judged day, at which its fault begins."""
    random = np.random.default_rng(seed)
    rows = [i for i, at in enumerate(record.at) if record.days[0] <= at < record.days[0] + DAY]
    return random, [int(i) for i in random.choice(rows, record.values.shape[1])]


def flat(record: Record, hours: float) -> Floats:
    """SYNTHETIC: every sensor keeps for so many hours what it said at some moment of the first judged day."""
    _random, begins = begin_at(record, 7)
    values = record.values.copy()
    for column, row in enumerate(begins):
        end = record.at[row] + timedelta(hours=hours)
        rows = [i for i in range(row, len(record.at)) if record.at[i] <= end]
        values[rows, column] = values[row, column]
    return values


def spiked(record: Record, times: float) -> Floats:
    """SYNTHETIC: one reading of every sensor is off by so many times the difference of its 5 % and 95 % readings, up or down."""
    random, begins = begin_at(record, 11)
    values = record.values.copy()
    reach = np.quantile(record.values, 0.95, axis=0) - np.quantile(record.values, 0.05, axis=0)
    for column, row in enumerate(begins):
        values[row, column] += random.choice([-1.0, 1.0]) * times * reach[column]
    return values


def shares(record: Callable[[], Record]) -> Iterator[str]:
    """Share of the sensors whose fault was found, of those of which nothing is found in the clean record."""
    own, sensors = record(), record().values.shape[1]
    clean = {watch.prefix: things(noticed(record, watch)) for watch in (STUCK, JUMP)}
    for hours in (2, 4, 6, 12):
        found = things(noticed(record, STUCK, flat(own, hours))) - clean["stuck"]
        yield f"{len(found) / (sensors - len(clean['stuck'])):.0%}"
    for times in (1, 2, 3, 5):
        found = things(noticed(record, JUMP, spiked(own, times))) - clean["jump"]
        yield f"{len(found) / (sensors - len(clean['jump'])):.0%}"


def alarms(record: Callable[[], Record]) -> str:
    """A row of the first table: what is found in a record as it is."""
    own = record()
    counts = [len(things(noticed(record, watch))) for watch in (STUCK, JUMP)]
    return f"| {own.name} | {own.values.shape[1]} | {own.months:.1f} | {counts[0]} | {counts[1]} |"


def faults(record: Callable[[], Record]) -> str:
    """A row of the second table: what is found of the faults put in."""
    return f"| {record().name} | {' | '.join(shares(record))} |"


def table() -> tuple[str, str]:
    """Both tables of the README, of all records."""
    records = (speeds, hourly_speeds, inflow)
    clean = ["| record | sensors | sensor-months | stuck | jump |", "|---|---|---|---|---|", *map(alarms, records)]
    head = "| record | flat 2 h | 4 h | 6 h | 12 h | spike ×1 | ×2 | ×3 | ×5 |"
    return "\n".join(clean), "\n".join([head, f"|{'---|' * 9}", *map(faults, records)])


if __name__ == "__main__":
    if not SPEEDS.is_file():
        sys.exit(f"The loop detectors' speeds are not here ({SPEEDS}).")
    print("\n\n".join(table()))
