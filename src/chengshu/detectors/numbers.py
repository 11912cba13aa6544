"""The parameters of one detector: `level_enter`, `level_exit` … of the scene's params.yaml, by the prefix `level`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chengshu.core.errors import Invalid
from chengshu.detectors.readings import MICROSECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """`numbers["enter"]` is the parameter `{prefix}_enter` that holds in the window."""

    params: Mapping[str, float]
    prefix: str

    def __getitem__(self, name: str) -> float:
        """Raises `Invalid` when the scene has no such parameter."""
        full = f"{self.prefix}_{name}"
        if full not in self.params:
            raise Invalid(
                "A detector lacks a parameter.",
                where=full,
                remedy="Add it to params.yaml with unit, meaning, source and values.",
            )
        return self.params[full]

    def within(self, name: str, low: float, high: float) -> float:
        """The parameter, which must lie in [low, high]. Raises `Invalid`."""
        value = self[name]
        if not low <= value <= high:
            raise Invalid(
                "A detector's parameter is outside of what it can be.",
                where=f"{self.prefix}_{name} = {value:g}",
                remedy=f"Choose a value from {low:g} to {high:g}.",
            )
        return value

    @property
    def gap(self) -> float:
        """`{prefix}_gap` (s) in microseconds: after a longer silence a thing is begun anew."""
        return self["gap"] * MICROSECONDS


class Told(float):
    """A number in a text: `{value}` is short by itself, and any format goes, such as `{value:.1f}`."""

    def __format__(self, spec: str) -> str:
        if spec:
            return super().__format__(spec)
        digits = 2 if abs(self) >= 1 else 4
        short = super().__format__(f".{digits}f")
        return short.rstrip("0").rstrip(".") if "." in short else short
