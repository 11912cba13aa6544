"""Types of things as the city's part `thing_types` has them: when one of a type is late and silent, and who mends it.

The rule of a Thing's type wins; one without a type is judged by the period of its own datastreams, and one that has neither by
two fixed spans. What a city does not say is as in `DEFAULT`, which is our own choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chengshu.places.models import Part

PART: Final = "thing_types"
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, kw_only=True, slots=True)
class ThingType:
    """A type: `late` and `silent` are seconds since it was heard of; `function` of the department that mends it."""

    code: str
    name: str
    name_en: str
    late: float
    silent: float
    function: str = ""
    case_type: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Default:
    """For Things without a type: so many periods of their own, or seconds where no datastream says its period."""

    late_periods: float = 3.0
    silent_periods: float = 12.0
    late: float = 3_600.0
    silent: float = 86_400.0
    case_type: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """How many Things of one owner and type that fall silent within how many seconds are one outage."""

    things: int = 10
    within: float = 900.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """What a city says of its things."""

    types: Mapping[str, ThingType] = field(default_factory=dict)
    default: Default = field(default_factory=Default)
    outage: Outage = field(default_factory=Outage)

    def case_type(self, type: str) -> str:
        """The code of the case type by which a Thing of a type is mended; empty where the city names none."""
        own = self.types.get(type)
        return (own.case_type if own else "") or self.default.case_type


def seconds(span: str) -> float:
    """`90s`, `15m`, `4h` or `2d` in seconds. Raises ValueError."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(span)
    return float(int(found[1]) * _SECONDS[found[2]])


_READ: Final[Mapping[str, Callable[[Any], float]]] = {
    "late": seconds,
    "silent": seconds,
    "within": seconds,
    "late_periods": float,
    "silent_periods": float,
}


def parse(value: Mapping[str, Any]) -> Kinds:
    """The content of thing_types.yaml, which fits its schema."""
    return Kinds(
        types={code: _type(code, given) for code, given in value.get("types", {}).items()},
        default=Default(**_plain(value.get("default", {}))),
        outage=Outage(**_plain(value.get("outage", {}))),
    )


def _type(code: str, given: Mapping[str, Any]) -> ThingType:
    return ThingType(code=code, **_plain({"name_en": "", **given}))


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Spans in seconds, periods as fractions, all else as it is."""
    return {name: _READ[name](value) if name in _READ else value for name, value in given.items()}


def kinds(city: int) -> Kinds:
    """What a city says now; `Kinds()` where it says nothing."""
    return of_cities([city])[city]


def of_cities(cities: list[int]) -> dict[int, Kinds]:
    """The same for many cities at once."""
    parts = Part.objects.filter(city__in=cities, name=PART, active=True).values_list("city_id", "value")
    said = {city: parse(value) for city, value in parts}
    return {city: said.get(city) or Kinds() for city in cities}
