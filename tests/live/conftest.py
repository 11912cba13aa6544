"""Hangzhou with people in it."""

from __future__ import annotations

import pytest

from chengshu.places.models import City
from tests.cases.people import Cast


@pytest.fixture
def cast(hangzhou: City) -> Cast:
    return Cast(city=hangzhou)
