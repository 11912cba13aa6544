"""The small city of the pack tests, loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from chengshu.packs.apply import load_city
from chengshu.places.models import City, Division
from tests.packs.small import write_pack


class Town:
    """The small city, with its divisions by key."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.ids = {f"{d.code}@{d.valid_from}": d.pk for d in Division.objects.filter(city=city)}
        self.names = {pk: key for key, pk in self.ids.items()}

    @property
    def id(self) -> int:
        return self.city.pk

    def keys(self, ids: tuple[int, ...]) -> list[str]:
        return [self.names[pk] for pk in ids]


@pytest.fixture
def town(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    load_city(str(write_pack(tmp_path)), echo=lambda _line: None)
    return Town(City.objects.get(name="toytown"))


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Messages are compared as they are written in the sources."""
    with translation.override("en"):
        yield
