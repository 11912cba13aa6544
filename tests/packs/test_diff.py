"""Differences are named so that a person finds the place."""

from __future__ import annotations

from chengshu.packs.diff import differences


def test_objects_in_lists_go_by_their_ids() -> None:
    old = {"rules": [{"id": "a", "unit": "X"}, {"id": "b", "unit": "Y"}]}
    new = {"rules": [{"id": "a", "unit": "Z"}, {"id": "b", "unit": "Y"}]}
    assert [str(d) for d in differences(old, new)] == ["rules.a.unit: X → Z"]


def test_another_order_is_a_difference() -> None:
    one, two = {"id": "a"}, {"id": "b"}
    assert [str(d) for d in differences([one, two], [two, one])] == ["order: a, b → b, a"]


def test_what_is_new_and_what_is_gone() -> None:
    assert [str(d) for d in differences({"a": 1, "b": []}, {"b": [], "c": {"d": 2}})] == ["c.d: – → 2", "a: 1 → –"]


def test_lists_without_names_go_by_number() -> None:
    assert [str(d) for d in differences([[1, 2], [3, 4]], [[1, 2], [3, 5]])] == ["2: 3, 4 → 3, 5"]
