"""Terms for searching: Chinese by characters and pairs, other scripts by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core.text import MOST_TERMS, index_terms, plain, query_terms


@pytest.mark.parametrize(
    ("text", "index", "query"),
    [
        ("文三路", ["文", "三", "路", "文三", "三路"], ["文三", "三路"]),
        ("灯", ["灯"], ["灯"]),
        ("Lamp OUT", ["lamp", "out"], ["lamp", "out"]),
        ("文三路100号", ["文", "三", "路", "文三", "三路", "100", "号"], ["文三", "三路", "100", "号"]),
        ("路灯、井盖", ["路", "灯", "路灯", "井", "盖", "井盖"], ["路灯", "井盖"]),
        ("ＡＢＣ１２", ["abc12"], ["abc12"]),
        ("straße", ["strasse"], ["strasse"]),
        ("snake_case", ["snake", "case"], ["snake", "case"]),
        ("𠮷野家", ["𠮷", "野", "家", "𠮷野", "野家"], ["𠮷野", "野家"]),
        ("", [], []),
        ("!？，。", [], []),
    ],
)
def test_terms(text: str, index: list[str], query: list[str]) -> None:
    assert index_terms(text) == index
    assert query_terms(text) == query


def test_terms_are_bounded() -> None:
    long = " ".join(map(str, range(5000)))
    assert len(index_terms(long)) == MOST_TERMS
    assert len(query_terms(long)) == 40
    assert index_terms("x" * 500) == query_terms("x" * 500) == ["x" * 40]


@given(st.lists(st.text(max_size=30), max_size=3))
def test_a_text_holds_all_terms_of_its_own_question(texts: list[str]) -> None:
    held = index_terms(*texts)
    assert len(held) == len(set(held))
    for text in texts:
        assert set(query_terms(text)) <= set(held)


@given(st.text(max_size=60), st.text(max_size=60))
def test_terms_hold_no_mark_that_a_query_would_read(before: str, after: str) -> None:
    for term in query_terms(before + "'&|!():*\\" + after):
        assert not set(term) & set("'&|!():*\\ ")


def test_a_text_cannot_mirror_or_hide_what_stands_beside_it() -> None:
    assert plain("路灯\u202e坏了\u2066\x01\x00\r\n第二行\t完") == "路灯坏了\n第二行\t完"
