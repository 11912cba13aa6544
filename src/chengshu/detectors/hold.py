"""Hysteresis: a condition begins when its measure is beyond one level for some readings, and ends when it is within another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

import numpy as np

from chengshu.core.errors import Invalid
from chengshu.detectors.memory import Memory
from chengshu.detectors.numbers import Numbers
from chengshu.detectors.readings import Flags, Floats, Ints

Side: TypeAlias = Literal["above", "below", "both"]
"""What is out of the ordinary: a measure at or above `enter`, one at or below it, or one whose amount is at or above it."""

FIELDS: Final = {"hot": 0, "calm": 0, "held": 0, "said": 0}


def amount(measure: Floats, side: Side) -> Floats:
    """The measure such that more is worse."""
    if side == "both":
        return np.abs(measure)
    return measure if side == "above" else -measure


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Parameters of the hysteresis, as amounts.

    Args:
        enter, exit: from `enter` on a reading is hot; a reading short of `exit` is calm.
        enter_slots, exit_slots: consecutive hot readings that begin the condition, and calm ones that end it.
        repeat_slots: while the condition holds, a hot reading is told again after so many readings.
    """

    enter: float
    exit: float
    enter_slots: float
    exit_slots: float
    repeat_slots: float

    @classmethod
    def of(cls, numbers: Numbers, side: Side) -> Self:
        """From `{prefix}_enter` and so on; the levels are given in the measure's own sign. Raises `Invalid`."""
        sign = -1 if side == "below" else 1
        enter, leave = sign * numbers["enter"], sign * numbers["exit"]
        if leave > enter:
            raise Invalid(
                "The condition would end before it begins.",
                where=f"{numbers.prefix}_exit",
                remedy="Choose an exit level that is less far out than the enter level.",
            )
        slots = {name: numbers.within(name, 1, np.inf) for name in ("enter_slots", "exit_slots", "repeat_slots")}
        return cls(enter=enter, exit=leave, **slots)


def step(memory: Memory, places: Ints, amounts: Floats, levels: Levels) -> Flags:
    """Take in one reading of each of these things; true where it must be told.

    NaN, where there is nothing to compare with, says nothing: it leaves the counters as they are.
    """
    fields = memory.fields
    said = np.isfinite(amounts)
    hot_now = said & (amounts >= levels.enter)
    before = fields["held"][places] == 1
    hot = np.where(said, np.where(hot_now, fields["hot"][places] + 1, 0), fields["hot"][places])
    calm = np.where(said, np.where(amounts < levels.exit, fields["calm"][places] + 1, 0), fields["calm"][places])
    held = (before & (calm < levels.exit_slots)) | (hot >= levels.enter_slots)
    since = fields["said"][places] + said
    due: Flags = said & held & (~before | (hot_now & (since >= levels.repeat_slots)))
    fields["hot"][places] = hot
    fields["calm"][places] = np.where(held, calm, 0)
    fields["held"][places] = held
    fields["said"][places] = np.where(due | ~held, 0, since)
    return due
