"""Records of the brain: a scene as loaded, a batch, what is known beforehand, what looking gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from chengshu.cases.records import Verdict
from chengshu.core.errors import Invalid
from chengshu.scene import Finding, Params, Rejected, Scene, aware


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoMove:
    """A move that the platform makes by rule after a finding opened a case.

    `unit` is None for moves that name no unit, `rule` for the city's dispatch rules, else `{function, level}`.
    """

    move: str
    unit: str | Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """A finding that a sentence expects: local time `HH:MM`, type, and what is said of severity and units."""

    at: str
    type: str
    severity: int | None = None
    dispatched_to: str | None = None
    assisted_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One entry of `cases/*.yaml`: given … when … then …"""

    file: str
    name: str
    given: Mapping[str, Any]
    when: Mapping[str, Any]
    then: tuple[Expected, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A scene with its files, found in order. `strings` holds for each key its text by language (`zh`, `en`)."""

    scene: Scene
    params: Params
    strings: Mapping[str, Mapping[str, str]]
    moves: Mapping[str, tuple[AutoMove, ...]]
    sentences: tuple[Sentence, ...]
    quality: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def say(self, language: str, key: str, **values: object) -> str:
        """A text in a city's language: Chinese for any `zh…`, else English. Raises `Invalid` for an unknown key."""
        if key not in self.strings:
            raise Invalid(
                f"No text {key!r}.", where=f"{self.scene.name}/strings.yaml", remedy="Add it in both languages."
            )
        return self.strings[key]["zh" if language.startswith("zh") else "en"].format(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Observations of one source in [start, end), complete up to `end`, in order of time."""

    source: str
    frame: pl.DataFrame
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if aware(self.start, "The batch's start") >= aware(self.end, "The batch's end"):
            raise Invalid("The batch ends before it begins.", where=self.source, remedy="Give start < end.")

    def since(self, moment: datetime | None) -> Batch:
        """What of the batch is not older than `moment`."""
        if moment is None or moment <= self.start:
            return self
        frame = self.frame.filter(pl.col("at") >= moment)
        return Batch(source=self.source, frame=frame, start=moment, end=self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """What looking needs besides observations: where things are (by source), and what each detector was taught."""

    things: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    taught: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayLabel:
    """The words by which people know a replayed finding: a `mark` before its title, a sentence after its description."""

    mark: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Acted:
    """A move that the platform made or tried, and what became of it."""

    case: str
    move: str
    verdict: str
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


@dataclass(frozen=True, kw_only=True, slots=True)
class LookResult:
    """Findings with the verdict of each, the moves that followed, and the detectors that had seen the batch before.

    `faults` are findings of detectors of faults: told to the register of things, not reported.
    """

    findings: tuple[Finding, ...] = ()
    faults: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    acted: tuple[Acted, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def opened(self) -> int:
        return sum(verdict.verdict == "opened" for verdict in self.verdicts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A source as read: observations and the rows left out."""

    source: str
    frame: pl.DataFrame
    quarantine: tuple[Rejected, ...]
    options: Mapping[str, Any]
