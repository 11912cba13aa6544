"""Find the city's own clock in a file of Boston's 311 requests: the limit of every type, and when limits changed.

    python -m tools.boston_clock FILE [--calendar cities/boston/calendar.yaml] [--by-type]

prints what was found and how well it predicts `TARGET_DT`, on all rows and on rows that were not used for finding it.
The method is told in docs/how-to/boston-clock.md. `tools/boston_pack.py` writes the limits into the pack.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray
from ruamel.yaml import YAML

from chengshu.core.calendar import Times, WorkingCalendar
from chengshu.core.limits import DatedLimit, Limit, LimitHistory, Unit
from chengshu.core.timeline import Timeline
from chengshu.core.wall_clock import MICROSECOND, Micros, from_micros, wall_clock

ZONE = ZoneInfo("America/New_York")
FORMAT = "%m/%d/%Y %I:%M:%S %p"
TIMES = ("OPEN_DT", "TARGET_DT", "CLOSED_DT")
TOLERANCE = (
    timedelta(minutes=30) // MICROSECOND
)  # some times of report were changed a little after the target had been set
FEWEST = 2  # rows from which a limit is believed
SHARE = 0.5  # of the rows with a target that a limit must explain, and of all rows of a type that must have one
DATED_SHARE = 0.6  # of the rows on either side of a change
LONGEST_WORKING = 45  # of two explanations equally good, working days are believed up to this many days
_ALWAYS = datetime.min.replace(tzinfo=ZONE)

Label = Limit
Labels = tuple[Label, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """The columns of a file which the clock needs; times are UTC microseconds."""

    types: list[str]
    opened: Micros
    target: Micros
    with_target: Mapping[str, float]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """The rows that have a target, in order of report."""
        given = frame.group_by("TYPE").agg(pl.col("TARGET_DT").is_not_null().mean())
        rows = frame.filter(pl.col("TARGET_DT").is_not_null() & pl.col("OPEN_DT").is_not_null()).sort("OPEN_DT")
        return cls(
            types=rows["TYPE"].to_list(),
            opened=to_utc(rows["OPEN_DT"]),
            target=to_utc(rows["TARGET_DT"]),
            with_target=dict(given.iter_rows()),
        )

    def where(self, chosen: NDArray[np.bool_]) -> Requests:
        """Some of the rows."""
        types = [name for name, use in zip(self.types, chosen.tolist(), strict=True) if use]
        return Requests(
            types=types, opened=self.opened[chosen], target=self.target[chosen], with_target=self.with_target
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The limits found; `change` bounds the one moment at which many limits changed, None when there is none."""

    limits: Mapping[str, LimitHistory]
    change: tuple[datetime, datetime] | None = None


@dataclass(slots=True)
class _Tally:
    """The explanations of one type's targets before and after a cut."""

    before: Counter[Label] = field(default_factory=Counter)
    after: Counter[Label] = field(default_factory=Counter)

    @property
    def explained(self) -> int:
        return max(self.before.values(), default=0) + max(self.after.values(), default=0)

    def pass_over(self, labels: Labels) -> int:
        """Move one row from after the cut to before it; by how many the explained rows change."""
        had = self.explained
        self.before.update(labels)
        self.after.subtract(labels)
        return self.explained - had


def read(file: Path) -> pl.DataFrame:
    """A file as the city publishes it, plain or gzipped, with its times parsed (local; null where unreadable)."""
    frame = pl.read_csv(file, infer_schema=False)
    return frame.with_columns(pl.col(name).str.to_datetime(FORMAT, time_unit="us", strict=False) for name in TIMES)


def to_utc(column: pl.Series) -> Micros:
    """UTC microseconds of a column of local times; NaT where empty."""
    walls = column.to_numpy().astype("datetime64[us]")
    known = ~np.isnat(walls)
    result = walls.view(np.int64).copy()
    if known.any():
        years = walls[known].astype("datetime64[Y]").astype(int) + 1970
        result[known] = wall_clock(ZONE, int(years.min()), int(years.max())).utc(result[known])
    return result


def load_calendar(file: Path) -> WorkingCalendar:
    """The calendar of a pack."""
    return WorkingCalendar.from_dict(YAML(typ="safe").load(file), ZONE, where=str(file))


def explanations(requests: Requests, calendar: WorkingCalendar) -> list[Labels]:
    """For each row the limits, in working or calendar days, that give exactly its target."""
    years = (from_micros(int(requests.opened.min())).year - 1, from_micros(int(requests.target.max())).year + 1)
    line = Timeline.build(calendar.schedule, *years)
    working = _working_days(line, requests)
    plain = line.day(requests.target) - line.day(requests.opened)
    plain[~_same_time(line, requests.opened, requests.target)] = -1
    return [
        tuple(
            Limit(amount=amount, unit=unit)
            for amount, unit in ((days, Unit.WORKING_DAYS), (plain_days, Unit.CALENDAR_DAYS))
            if amount > 0
        )
        for days, plain_days in zip(working.tolist(), plain.tolist(), strict=True)
    ]


def _working_days(line: Timeline, requests: Requests) -> Micros:
    received = line.opening(requests.opened)
    target_day = line.day(requests.target)
    days = line.rank(target_day) - line.rank(line.day(received))
    days[~(_same_time(line, received, requests.target) & line.is_working(target_day))] = -1
    return days


def _same_time(line: Timeline, first: Micros, second: Micros) -> NDArray[np.bool_]:
    close: NDArray[np.bool_] = np.abs(line.time_of_day(first) - line.time_of_day(second)) <= TOLERANCE
    return close


def find(requests: Requests, calendar: WorkingCalendar) -> Found:
    """The limit of each type, with one moment of change where that explains one row in a hundred more."""
    labels = explanations(requests, calendar)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(requests.types):
        if requests.with_target.get(name, 0) >= SHARE:
            rows[name].append(row)
    cut, bounds = _common_change(requests, labels)
    limits = {}
    for name, chosen in rows.items():
        parts = [[labels[row] for row in chosen if (row < cut) is early] for early in (True, False)]
        history = _history(parts, bounds)
        if history:
            limits[name] = history
    return Found(limits=limits, change=bounds)


def _common_change(requests: Requests, labels: Sequence[Labels]) -> tuple[int, tuple[datetime, datetime] | None]:
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for name, given in zip(requests.types, labels, strict=True):
        tallies[name].after.update(given)
    gain, best, first, last = 0, len(labels) // 100, 0, 0
    for row, (name, given) in enumerate(zip(requests.types, labels, strict=True)):
        gain += tallies[name].pass_over(given)
        if gain > best:
            best, first = gain, row
        if gain == best and first:
            last = row
    if not first:
        return 0, None
    # Rows that say nothing about the change may lie in between: it came after row `first` and before row `last` + 1.
    after = min(last + 1, len(labels) - 1)
    return first + 1, (from_micros(int(requests.opened[first])), from_micros(int(requests.opened[after])))


def _history(parts: Sequence[Sequence[Labels]], bounds: tuple[datetime, datetime] | None) -> LimitHistory | None:
    (before, old_share), (after, new_share) = (_best(part) for part in parts)
    if bounds and before and after and before != after and min(old_share, new_share) >= DATED_SHARE:
        steps = (
            DatedLimit(valid_from=_ALWAYS, limit=before),
            DatedLimit(valid_from=round_moment(*bounds), limit=after),
        )
        return LimitHistory(steps=steps)
    limit, share = _best([*parts[0], *parts[1]])
    return LimitHistory(steps=(DatedLimit(valid_from=_ALWAYS, limit=limit),)) if limit and share >= SHARE else None


def _best(rows: Sequence[Labels]) -> tuple[Limit | None, float]:
    counted = Counter(label for row in rows for label in row)
    if not counted or max(counted.values()) < FEWEST:
        return None, 0.0
    limit = max(counted, key=lambda label: (counted[label], _believable(label), -label.amount))
    return limit, counted[limit] / len(rows)


def _believable(label: Limit) -> bool:
    return label.unit.working is (label.amount <= LONGEST_WORKING)


def round_moment(after: datetime, before: datetime) -> datetime:
    """The full local hour between two moments; the earlier of them when there is none."""
    hour = before.astimezone(ZONE).replace(minute=0, second=0, microsecond=0)
    return hour if hour > after else after.astimezone(ZONE)


def predict(requests: Requests, found: Found, calendar: WorkingCalendar) -> Times:
    """The targets that the pack's clock would set; NaT for types without limit."""
    limits = [
        found.limits[name].at(from_micros(opened)) if name in found.limits else None
        for name, opened in zip(requests.types, requests.opened.tolist(), strict=True)
    ]
    return calendar.due_many(requests.opened.view("datetime64[us]"), limits)


def measure(requests: Requests, predicted: Times) -> dict[str, Any]:
    """How predicted targets compare with the city's: the shares are of all rows, those without limit too."""
    unknown = np.isnat(predicted)
    same_day, same_minute = agreement(requests, predicted)
    rows = max(len(predicted), 1)
    return {
        "rows": len(predicted),
        "no_limit": int(unknown.sum()),
        "same_day": round(float(same_day.sum()) / rows, 4),
        "same_minute": round(float(same_minute.sum()) / rows, 4),
    }


def agreement(requests: Requests, predicted: Times) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each prediction is on the target's local day, and less than a minute away from it."""
    known = ~np.isnat(predicted)
    micros = np.where(known, predicted.view(np.int64), requests.target)
    clock = wall_clock(ZONE, 1990, 2050)
    day = 86_400_000_000
    same_day = known & (clock.local(micros) // day == clock.local(requests.target) // day)
    return same_day, known & (np.abs(micros - requests.target) < 60_000_000)


def by_type(requests: Requests, predicted: Times) -> list[tuple[str, int, float, float]]:
    """(type, rows, share on the same day, share on the same minute), the largest types first."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(requests.types):
        rows[name].append(row)
    same_day, same_minute = agreement(requests, predicted)
    shares = [(name, len(at), float(same_day[at].mean()), float(same_minute[at].mean())) for name, at in rows.items()]
    return sorted(shares, key=lambda share: -share[1])


def unseen(requests: Requests, calendar: WorkingCalendar) -> dict[str, dict[str, Any]]:
    """The same measure on rows that were not used: every other row, and everything after the first two thirds."""
    rows = len(requests.types)
    parts = {"every_other_row": np.arange(rows) % 2 == 0, "last_third": np.arange(rows) < rows * 2 // 3}
    results = {}
    for name, used in parts.items():
        rest = requests.where(~used)
        results[name] = measure(rest, predict(rest, find(requests.where(used), calendar), calendar))
    return results


def print_types(shares: Iterable[tuple[str, int, float, float]], found: Found) -> None:
    """One line a type: rows, shares, limit."""
    for name, rows, same_day, same_minute in shares:
        steps = found.limits[name].steps if name in found.limits else ()
        print(f"{rows:6d} {same_day:7.1%} {same_minute:7.1%}  {name}: {' → '.join(str(step.limit) for step in steps)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--calendar", type=Path, default=Path("cities/boston/calendar.yaml"))
    parser.add_argument("--by-type", action="store_true")
    options = parser.parse_args()
    requests, calendar = Requests.of(read(options.file)), load_calendar(options.calendar)
    found = find(requests, calendar)
    predicted = predict(requests, found, calendar)
    if options.by_type:
        print_types(by_type(requests, predicted), found)
    change = [moment.astimezone(ZONE).isoformat() for moment in found.change or ()]
    changed = sum(len(history.steps) > 1 for history in found.limits.values())
    summary = {
        "types": len(found.limits),
        "changed": changed,
        "change_between": change,
        "all": measure(requests, predicted),
    }
    print(json.dumps(summary | unseen(requests, calendar), indent=2))


if __name__ == "__main__":
    main()
