"""Detectors that every scene can use: declared in a line, with parameters, texts and case types of the scene.

    LEVEL = threshold(column="level", prefix="level", type="flood.level")
    Detector(name="level", source="gauges", types=("flood.level",), detect=LEVEL)

docs/reference/detectors.md says what each does, and which parameters it asks of `params.yaml`.
"""

from __future__ import annotations

from typing import Unpack

from chengshu.detectors.hold import Side
from chengshu.detectors.measures import Baseline, Cusum, Disagree, Drift, Ewma, Jump, Rate, Stuck
from chengshu.detectors.neighbours import Among, Group, Near
from chengshu.detectors.silence import Silence
from chengshu.detectors.telling import About
from chengshu.detectors.usual import Against, Given, Taught
from chengshu.detectors.watch import Measure, Watch

__all__ = [
    "Given",
    "Group",
    "Near",
    "Silence",
    "Taught",
    "Watch",
    "baseline",
    "cusum",
    "disagree",
    "drift",
    "ewma",
    "jump",
    "rate",
    "silence",
    "stuck",
    "threshold",
]


def threshold(side: Side = "above", **about: Unpack[About]) -> Watch:
    """Readings beyond a level."""
    return Watch(measure=Measure(side=side), **about)


def rate(side: Side = "both", **about: Unpack[About]) -> Watch:
    """Readings that change too fast; levels per hour."""
    return Watch(measure=Rate(side=side), **about)


def baseline(against: Against, side: Side = "both", **about: Unpack[About]) -> Watch:
    """Readings far from what is usual for thing, kind of day and time of day; levels in spreads."""
    return Watch(measure=Baseline(side=side, against=against), **about)


def cusum(against: Against, side: Side = "both", reset: bool = True, **about: Unpack[About]) -> Watch:
    """Readings whose middle has shifted a little, for long (CUSUM); levels in spreads."""
    return Watch(measure=Cusum(side=side, against=against, reset=reset), **about)


def ewma(against: Against, side: Side = "both", **about: Unpack[About]) -> Watch:
    """Readings whose moving average is beyond its control limits (EWMA); levels in its standard deviations."""
    return Watch(measure=Ewma(side=side, against=against), **about)


def jump(against: Against, side: Side = "both", **about: Unpack[About]) -> Watch:
    """One change much larger than the thing's usual changes; levels in spreads of those."""
    return Watch(measure=Jump(side=side, against=against), **about)


def stuck(resting: float | None = None, **about: Unpack[About]) -> Watch:
    """A flat line; levels in seconds."""
    return Watch(measure=Stuck(resting=resting), **about)


def disagree(among: Among, side: Side = "both", **about: Unpack[About]) -> Watch:
    """A reading far from what the neighbours say at the same time; levels in their spread."""
    return Watch(measure=Disagree(side=side, among=among), **about)


def drift(among: Among, against: Against, side: Side = "both", **about: Unpack[About]) -> Watch:
    """A thing that slowly goes away from its neighbours; levels in standard deviations of the averaged distance."""
    return Watch(measure=Drift(side=side, against=against, among=among), **about)


def silence(**about: Unpack[About]) -> Silence:
    """Nothing heard for some of the thing's own periods."""
    return Silence(**about)
