"""The public face for builders of scenes: what a scene declares, what its functions are given, what they give back.

A scene is pure: bytes become observations, observations and parameters become findings. It reads no database, no clock and no
network, and imports `chengshu.core`, `chengshu.detectors` and this module only. `docs/how-to/write-a-scene.md` builds one.

Observations are polars frames. Every frame has the columns `thing` (string, the key of what was observed) and `at` (start of the
observed period, UTC, microseconds), and those that its `Source` declares; rows are in order of `at`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeAlias
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.core.errors import Invalid
from chengshu.core.parameters import Parameters

__all__ = [
    "Column",
    "Decoded",
    "Detector",
    "Finding",
    "Indicator",
    "Params",
    "Rehearsal",
    "Rejected",
    "Say",
    "Scene",
    "Seen",
    "Source",
    "State",
    "Window",
    "aware",
]

State: TypeAlias = Mapping[str, Any]
"""What a detector remembers from batch to batch: plain JSON."""


def aware(moment: datetime, what: str) -> datetime:
    """The moment in UTC. Raises `Invalid` when it carries no zone."""
    if moment.tzinfo is None:
        raise Invalid(f"{what} has no time zone.", remedy="Give an aware datetime.")
    return moment.astimezone(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The thresholds of a scene (`params.yaml`): every number dated, with its unit, meaning and source."""

    history: Parameters
    units: Mapping[str, str]

    @classmethod
    def from_dict(cls, content: Mapping[str, Mapping[str, Any]]) -> Self:
        """From `{name: {unit, meaning, source, values: {ISO date: number}}}`."""
        units = {name: str(entry["unit"]) for name, entry in content.items()}
        return cls(history=Parameters.from_dict(content), units=units)

    def at(self, day: date) -> Mapping[str, float]:
        """All values that hold on a day; before the first date of a parameter its first value."""
        return {name: float(self.history.at(name, day)) for name in self.units}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of observations: its type, its unit (UCUM) and what it means."""

    dtype: pl.DataType
    unit: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A row that could not be used: where it stands, why, what was read, what mends it."""

    line: int
    reason: str
    content: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """What a source made of bytes: the observations, and every row it had to leave out."""

    frame: pl.DataFrame
    quarantine: tuple[Rejected, ...] = ()


class Decode(Protocol):
    """Bytes to observations; `options` is the entry of the city's `sources.yaml`. Raises `Invalid` when nothing is readable."""

    def __call__(self, content: bytes, options: Mapping[str, Any]) -> Decoded: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where observations come from.

    `kind` is the word by which a city pack offers such a source, `period` the length of its slots. What is observed (the column
    `thing`) is a Thing, or, by `each="datastream"`, each datastream of a Thing by itself, whatever it observes; then `teach` is
    given some of them at a time, and must not compare them with each other.
    """

    name: str
    kind: str
    decode: Decode
    period: timedelta
    columns: Mapping[str, Column]
    each: Literal["thing", "datastream"] = "thing"


class Say(Protocol):
    """A text of `strings.yaml` in the city's language, with values filled in."""

    def __call__(self, key: str, **values: object) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """All that a detector, a teacher or an indicator may know.

    Args:
        frame: observations of the window, in order of time.
        start, end: the window, `end` excluded.
        things: what is observed: `thing, name, lon, lat, division` (WGS 84; lon and lat may be null); of a city's own
            observations also `id` (of the Thing) and `period` (s).
        taught: what the detector's `teach` made of the days of teaching; an empty frame when it has no teacher.
        params: the values that hold on the window's last day.
        working: whether a local day is a working day of the city.
        state: what the detector returned after the window before this one; empty at first.
    """

    frame: pl.DataFrame
    start: datetime
    end: datetime
    zone: ZoneInfo
    things: pl.DataFrame
    taught: pl.DataFrame
    params: Mapping[str, float]
    working: Callable[[date], bool]
    say: Say
    state: State = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that somebody must act on. It becomes a case of `type`, or joins the open case of the same key.

    Args:
        key: at most one case is open per scene and key; repeat the finding with the same key while the condition holds.
        type: code of a case type; must be one that the detector declares.
        description: why, in words, with numbers and units.
        severity: 1 (urgent) … 4 (minor).
        occurred_at: the end of the observed period that shows it; aware.
        division, lon, lat: where; the smallest known division, or a WGS 84 point, or both.
        unit: code of a department, where the scene knows better than the dispatch rules.
        facts: the numbers behind it, plain JSON; kept with the report.
    """

    scene: str
    key: str
    type: str
    title: str
    description: str
    severity: int
    occurred_at: datetime
    place: str = ""
    division: str | None = None
    lon: float | None = None
    lat: float | None = None
    unit: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        aware(self.occurred_at, f"The finding {self.key}")
        if not 1 <= self.severity <= 4:
            raise Invalid(
                f"Severity {self.severity} is not 1…4.", where=self.key, remedy="Mend the scene's parameters."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a detector gives back: its findings, and its state after this window."""

    findings: tuple[Finding, ...]
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Detector:
    """A window of a source to findings of the declared case types.

    `detect` must be pure and vectorised; the same windows in the same order give the same findings. `teach` makes of earlier
    observations what `detect` compares with.

    What it finds with `faults` is wrong with the Thing itself: the register says that it is faulty and opens its maintenance
    case, of the type and for the unit that mend such Things. Its `types` then only name what it finds.
    """

    name: str
    source: str
    types: tuple[str, ...]
    detect: Callable[[Window], Seen]
    teach: Callable[[Window], pl.DataFrame] | None = None
    faults: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Indicator:
    """A number to act on. Its label, definition (口径), owner and verb (what a person does about it) stand in `strings.yaml`.

    `compute` gives a frame with the column `value` in `unit` (UCUM), and `thing` where it speaks of single things.
    """

    name: str
    source: str
    unit: str
    compute: Callable[[Window], pl.DataFrame]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What a sentence of `cases/*.yaml` stands for: the world it gives, and the observations that then come in."""

    taught: pl.DataFrame
    things: pl.DataFrame
    frame: pl.DataFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The one declaration of a scene. `folder` holds the fixed files beside `scene.py`.

    `rehearse` turns the `given` and `when` of a sentence in `cases/*.yaml` into observations.
    """

    name: str
    folder: Path
    sources: tuple[Source, ...]
    detectors: tuple[Detector, ...]
    indicators: tuple[Indicator, ...]
    rehearse: Callable[[Mapping[str, Any], Mapping[str, Any], ZoneInfo], Rehearsal]

    def source(self, name: str) -> Source:
        """The source of that name. Raises `Invalid` when the scene has none."""
        for source in self.sources:
            if source.name == name:
                return source
        raise Invalid(f"Scene {self.name} has no source {name!r}.", remedy="Declare it in scene.py.")
