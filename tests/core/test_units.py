"""Units convert, and a unit that would never be computed is none."""

from __future__ import annotations

import numpy as np
import pytest

from chengshu.core import units
from chengshu.core.errors import Invalid


def test_units_convert() -> None:
    assert units.convert(np.array([68.0]), "[degF]", "Cel")[0] == pytest.approx(20.0)
    assert units.convert(np.array([3.6]), "km/h", "m/s")[0] == pytest.approx(1.0)
    with pytest.raises(Invalid):
        units.convert(np.array([1.0]), "m", "K")


@pytest.mark.parametrize(
    "code", ["10*99999999", "10^999999999", "m99999999", "Ym-9999", "9" * 50, "m." * 60 + "m", "(" * 40]
)
def test_numbers_that_would_take_forever_are_no_units(code: str) -> None:
    assert not units.known(code)
    with pytest.raises(Invalid):
        units.convert(np.array([1.0]), code, "1")


@pytest.mark.parametrize("code", ["Cel", "10*12/L", "mm[Hg]", "ug/m3", "{person}", "m-1", "L/(24.h.m2)", "1000.m", "%"])
def test_units_in_use_are_known(code: str) -> None:
    assert units.known(code)
