"""Hangzhou with people in it, for tests of cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import translation

from chengshu.places.models import City
from tests.cases.people import Cast


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """What is said to people is compared in English."""
    with translation.override("en"):
        yield


@pytest.fixture
def cast(hangzhou: City) -> Cast:
    return Cast(city=hangzhou)
