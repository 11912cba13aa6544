"""Invented cases: as many as the pack says, marked, true to the city's own moves and limits, and brought in once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from chengshu.cases.check import check_all
from chengshu.cases.models import Case
from chengshu.core.errors import Mistakes, NotFound
from chengshu.places.models import City
from chengshu.replay import sample

NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)  # a Wednesday, 11:00 in Hangzhou
FILE = settings.CITIES_ROOT / "hangzhou" / "data" / "sample.yaml"


def test_weeks_of_marked_cases_come_in_once_and_hold_by_the_moves(hangzhou: City) -> None:
    drawn = sample.load("hangzhou")
    result = sample.play(drawn, NOW)
    assert result is not None
    assert not result.quarantined
    cases = Case.objects.filter(kind__city=hangzhou)
    assert cases.count() == result.accepted > 3_000
    assert not cases.exclude(title__startswith="【样例】").exists()
    assert cases.filter(opened_at__gte=NOW).count() == 0
    still = cases.filter(closed_at=None)
    assert {"accepted", "registered", "handling", "handled"} <= set(still.values_list("state__code", flat=True))
    assert 0 < still.filter(due_at__lt=NOW).count() < still.count() / 4
    assert list(check_all()) == []
    assert sample.play(drawn, NOW) is None


def test_a_day_is_drawn_alike_whenever_it_is_drawn(hangzhou: City) -> None:
    drawn = sample.load("hangzhou")
    earlier = {one.origin_key: one.title for one in sample.histories(drawn, NOW)}
    later = {one.origin_key: one.title for one in sample.histories(drawn, datetime(2026, 3, 6, 3, 0, tzinfo=UTC))}
    both = earlier.keys() & later.keys()
    assert len(both) > 3_000
    assert all(earlier[key] == later[key] for key in both)


def test_a_city_without_words_for_it_says_so(db: None) -> None:
    with pytest.raises(NotFound, match="no invented cases"):
        sample.load("boston")


def test_every_wrong_line_is_told(hangzhou: City, settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "hangzhou" / "data"
    folder.mkdir(parents=True)
    text = FILE.read_text(encoding="utf-8").replace("env.dirty_road", "env.nonsense").replace("{accept: 96", "{fly: 96")
    (folder / "sample.yaml").write_text(text, encoding="utf-8")
    settings.CITIES_ROOT = tmp_path
    with pytest.raises(Mistakes) as wrong:
        sample.load("hangzhou")
    assert [str(mistake.what) for mistake in wrong.value.mistakes] == [
        "no case type env.nonsense.",
        "no move fly leads on from reported.",
    ]
    lines = text.splitlines()
    assert all(
        word in lines[int(m.where.split(":")[1]) - 1]
        for m, word in zip(wrong.value.mistakes, ("nonsense", "fly"), strict=True)
    )
