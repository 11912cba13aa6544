"""Units of measurement in UCUM (https://ucum.org), and conversion between them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pint.errors import PintError
from ucumvert import PintUcumRegistry

from chengshu.core.errors import Invalid


@lru_cache(maxsize=1)
def _registry() -> Any:
    """Made when first asked for: reading the definitions takes half a second."""
    return PintUcumRegistry(autoconvert_offset_to_baseunit=True)


def _units(code: str) -> Any:
    """Pint's unit of a code. An annotation alone, such as {person}, is the unit 1 (UCUM, section 6)."""
    if re.fullmatch(r"\{[^{}]*\}", code):
        return _registry().dimensionless
    return _registry().from_ucum(code).units


LONGEST: Final = 100  # characters of a code
_HUGE: Final = re.compile(r"[^\d.+/(-][+-]?\d{3}|\d{10}")
"""An exponent of three digits, or a factor of ten: no unit has such, and computing with them would never end."""


@lru_cache(maxsize=4096)
def known(code: str) -> bool:
    """Whether a text is a unit of UCUM."""
    if len(code) > LONGEST or _HUGE.search(code):
        return False
    try:
        _units(code)
    except Exception:  # the parser, its grammar and pint raise each their own
        return False
    return True


@lru_cache(maxsize=4096)
def line(given: str, wanted: str) -> tuple[float, float]:
    """Factor and shift that turn a value in `given` into one in `wanted`. Raises `Invalid` where that cannot be."""
    for code in (given, wanted):
        if not known(code):
            raise Invalid("This is no unit of UCUM.", where=code, remedy="Write such as Cel, km/h, ug/m3 or {person}.")
    quantity = _registry().Quantity
    try:
        zero, one = (quantity(v, _units(given)).to(_units(wanted)).magnitude for v in (0.0, 1.0))
    except (PintError, ArithmeticError) as error:  # beyond what a float64 holds
        where = f"{given} → {wanted}"
        raise Invalid("The units do not convert.", where=where, remedy="Send it in a unit of the same kind.") from error
    return float(one - zero), float(zero)


def convert(values: NDArray[np.float64], given: str, wanted: str) -> NDArray[np.float64]:
    """Values in the unit `given` to the unit `wanted`, both UCUM. Raises `Invalid` where that cannot be."""
    if given == wanted:
        return values
    factor, shift = line(given, wanted)
    return values * factor + shift
