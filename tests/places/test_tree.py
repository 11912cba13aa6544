"""The tree of divisions and its dates."""

from __future__ import annotations

from datetime import date

import pytest

from chengshu.core.errors import NotFound
from chengshu.places.models import City
from chengshu.places.tree import ancestors, children, descendants, division_by_code, root_division
from tests.places.conftest import Town

BEFORE, AFTER = date(2010, 1, 1), date(2026, 1, 1)


def test_root_and_ancestors(town: Town) -> None:
    root = root_division(town.id)
    assert root == town.ids["T@2000-01-01"]
    assert ancestors(town.ids["T1-1@2000-01-01"]) == (root, town.ids["T1@2000-01-01"], town.ids["T1-1@2000-01-01"])


def test_children_are_those_of_the_day(town: Town) -> None:
    root = root_division(town.id)
    assert [d.name for d in children(root, BEFORE)] == ["West", "Middle", "East", "Far East"]
    assert [d.name for d in children(root, AFTER)] == ["West", "New Middle", "New East"]


def test_descendants(town: Town) -> None:
    assert {d.name for d in descendants(town.ids["T1@2000-01-01"])} == {"West", "West Street"}
    assert descendants(root_division(town.id)).count() == 8
    assert descendants(root_division(town.id), AFTER).count() == 5


def test_a_code_means_what_it_meant_on_the_day(town: Town) -> None:
    assert division_by_code(town.id, "T2", BEFORE).name == "Middle"
    assert division_by_code(town.id, "T2", AFTER).name == "New Middle"
    assert division_by_code(town.id, "T2@2000-01-01", AFTER).name == "Middle"
    for day in ("y", "2000-13-01", "2000-01-01@", "\x00"):
        with pytest.raises(NotFound):
            division_by_code(town.id, f"T2@{day}", AFTER)
    with pytest.raises(NotFound, match="No division T3 stood on 2026-01-01"):
        division_by_code(town.id, "T3", AFTER)


def test_what_is_not_there_is_told(db: None) -> None:
    with pytest.raises(NotFound):
        root_division(-1)
    with pytest.raises(NotFound):
        ancestors(-1)


def test_hangzhou_has_the_divisions_of_today(hangzhou: City) -> None:
    today = descendants(root_division(hangzhou.pk), AFTER)
    counts = {level: today.filter(level=level).count() for level in range(1, 6)}
    assert counts == {1: 1, 2: 13, 3: 196, 4: 3320, 5: 3320}
