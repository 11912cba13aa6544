"""The one search box: words, last digits, places, units, and telephones that leave a trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chengshu.cases import search, telephones
from chengshu.cases.models import Case, Contact
from chengshu.cases.records import NewReport
from chengshu.cases.report import report
from chengshu.core.errors import Invalid, NotAllowed
from chengshu.parties.models import Access
from chengshu.parties.principal import Principal

Who = Callable[[str], Principal]
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def cases(who: Who) -> list[Case]:
    """Two cases in Xihu and one in Gongshu, the second with its unit."""
    made = [
        NewReport(
            origin="test",
            origin_key=str(n),
            title=title,
            kind="urban",
            occurred_at=NOW,
            division=division,
            unit=unit,
            contact={"name": "张三", "phone": phone},
        )
        for n, (title, division, unit, phone) in enumerate(
            [
                ("路灯不亮", "330106", None, "138 0000 0001"),
                ("井盖缺失", "330106", "330106-CGJ", "+86 13800000001"),
                ("路灯损坏 12345", "330105", None, ""),
            ]
        )
    ]
    verdicts = report(made, city=who("shift").city, actor=who("operator"), at=NOW)
    found = Case.objects.in_bulk([verdict.case for verdict in verdicts])
    return [found[verdict.case] for verdict in verdicts]


def _found(who: Who, q: str, name: str = "shift") -> set[str]:
    return {case.title[:2] for case in search.page(who(name), search.Filters(q=q), now=NOW).cases}


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("路灯", {"路灯"}),
        ("西湖区", {"路灯", "井盖"}),
        ("西湖 路灯", {"路灯"}),
        ("330105", {"路灯"}),
        ("西湖区城市管理局（综合行政执法局）", {"井盖"}),
        ("330106-cgj", {"井盖"}),
        ("12345", {"路灯"}),
        ("没有的词", set()),
        ("、。", set()),
    ],
)
def test_words_places_and_units(who: Who, cases: list[Case], q: str, titles: set[str]) -> None:
    assert _found(who, q) == titles


def test_the_last_digits_find_a_number(who: Who, cases: list[Case]) -> None:
    for case in cases:
        serial = case.number.rsplit("-", 1)[1]
        for q in (serial, serial[-3:], case.number, case.number.split("-", 1)[1], case.number.lower()):
            assert case.title[:2] in _found(who, q), q
    assert _found(who, "999999") == set()


@pytest.mark.parametrize("typed", ["13800000001", "138-0000-0001", "+86 138 0000 0001"])
def test_a_telephone_is_found_however_it_is_written_and_leaves_a_trace(who: Who, cases: list[Case], typed: str) -> None:
    assert telephones.looks_like(typed)
    masked, ids = telephones.shown(who("operator"), telephones.search(who("operator"), typed))
    assert masked == "138****0001"
    assert set(ids) == {str(case.pk) for case in cases[:2]}
    looks = Access.objects.filter(purpose="search by telephone", account=who("operator").account)
    assert {look.subject for look in looks} == {f"case:{case.pk}" for case in cases[:2]}


def test_a_search_that_finds_nothing_leaves_a_trace_too(who: Who, cases: list[Case]) -> None:
    telephones.search(who("operator"), "13911112222")
    assert [look.subject for look in Access.objects.all()] == ["telephone:139****2222"]


def test_who_does_not_read_contacts_does_not_search_them(who: Who, cases: list[Case]) -> None:
    for name in ("leader", "analyst", "citizen"):
        with pytest.raises(NotAllowed):
            telephones.search(who(name), "13800000001")
    word = telephones.search(who("operator"), "13800000001")
    with pytest.raises(NotAllowed):
        telephones.shown(who("shift"), word)
    with pytest.raises(Invalid):
        telephones.shown(who("operator"), word + "x")


def test_a_telephone_finds_only_what_the_post_sees(who: Who, cases: list[Case]) -> None:
    assert telephones.shown(who("metro"), telephones.search(who("metro"), "13800000001"))[1] == []


def test_no_number_stands_in_the_index(who: Who, cases: list[Case]) -> None:
    keys = set(Contact.objects.exclude(phone_key="").values_list("phone_key", flat=True))
    assert len(keys) == 1
    assert "1380000" not in "".join(keys)


@pytest.mark.parametrize(
    "text", ["000123", "20260302-000123", "路灯 13800000001", "HZ-20260302-000001", "12345678", ""]
)
def test_what_is_no_telephone(text: str) -> None:
    assert not telephones.looks_like(text)


def test_gravest_first_page_by_page(who: Who, cases: list[Case]) -> None:
    Case.objects.filter(pk=cases[2].pk).update(severity=1)
    seen, cursor = [], None
    while True:
        found = search.page(who("shift"), search.Filters(), now=NOW, order="severity", size=1, cursor=cursor)
        seen += [case.pk for case in found.cases]
        if not (cursor := found.next):
            break
    assert seen == [cases[2].pk, *sorted(case.pk for case in cases[:2])]
