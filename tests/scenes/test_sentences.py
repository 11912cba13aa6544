"""Every sentence of every installed scene holds: on the detectors alone, and in a city down to the units."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from chengshu.brain.loader import check_city, load, scenes
from chengshu.brain.records import Sentence
from chengshu.brain.yaml_cases import try_in_city, try_sentence
from chengshu.cases.catalog import catalog
from chengshu.cases.models import Case
from chengshu.places.models import City

SENTENCES = [(listing.name, s) for listing in scenes() if listing.loaded for s in listing.loaded.sentences]
each = pytest.mark.parametrize(("scene", "sentence"), SENTENCES, ids=[f"{name}: {s.name}" for name, s in SENTENCES])


def test_every_installed_scene_is_accepted() -> None:
    assert [listing.mistakes for listing in scenes() if listing.loaded is None] == []
    assert SENTENCES


@each
def test_sentence_holds(scene: str, sentence: Sentence) -> None:
    outcome = try_sentence(load(scene), sentence, zone=ZoneInfo("Asia/Shanghai"), working=lambda day: day.weekday() < 5)
    assert outcome.mismatches == ()


@each
def test_sentence_holds_in_hangzhou(hangzhou: City, scene: str, sentence: Sentence) -> None:
    known = catalog(hangzhou.pk)
    assert check_city(load(scene), known) == []
    before = Case.objects.count()
    assert try_in_city(load(scene), sentence, known).mismatches == ()
    assert Case.objects.count() == before
