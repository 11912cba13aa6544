"""Lists: words in two scripts, numbers, filters, cursors that hold while cases move, and who sees what."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chengshu.cases import detail
from chengshu.cases.models import Case
from chengshu.cases.search import Filters, Order, page
from chengshu.cases.visibility import visible
from chengshu.core.errors import Invalid, NotFound
from chengshu.core.text import query_terms
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from tests.cases.people import APPEAL_TYPE, EAST, HELPER, START, UNIT, WEST, Cast

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def ids(cast: Cast, *, who: Principal | None = None, order: Order = "new", **filters: Any) -> set[UUID]:
    return {case.pk for case in page(who or cast("operator"), Filters(**filters), now=NOW, order=order, size=200).cases}


def test_words_of_two_scripts(cast: Cast) -> None:
    lamp = cast.report(title="文三路路灯不亮", description="Lamp No. 42 is OUT", place_text="文三路与学院路口").case
    cast.report(title="学院路垃圾", place_text="学院路5号")
    for q in ("路灯", "路灯 文三路", "文三路路灯不亮", "灯", "lamp", "LAMP out", "42", "ｌａｍｐ", "路灯 lamp"):
        assert ids(cast, q=q) == {lamp}, q
    for q in ("路灯 井盖", "三文", "lam", "!!!", "，", "'; DROP", "43"):
        assert ids(cast, q=q) == set(), q
    assert len(ids(cast, q="学院路")) == 2


def test_a_case_is_found_by_its_number_however_it_is_typed(cast: Cast) -> None:
    verdict = cast.report()
    number = str(verdict.number)
    for q in (number, number.lower(), f"  {number} "):
        assert ids(cast, q=q) == {verdict.case}
    assert ids(cast, q=number + "9") == set()


def test_an_address_with_hyphens_is_no_number(cast: Cast) -> None:
    case = cast.report(place_text="文三路100-2-301室").case
    assert ids(cast, q="100-2-301") == {case}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40))
def test_whatever_a_title_says_finds_it(cast: Cast, title: str) -> None:
    if not title.strip() or not query_terms(title):
        return
    case = cast.report(title=title).case
    assert case in ids(cast, q=title)


@pytest.mark.parametrize(
    "word", ["1e5", "3.14", "a@b.cn", "http://x.cn/y", "-5", "0x1f", "G20", "5号楼3单元", "ß", "İ", "ſ", "Ǆ", "ﬁ"]
)
def test_odd_words_are_found(cast: Cast, word: str) -> None:
    case = cast.report(title=f"见{word}处").case
    assert ids(cast, q=word) == {case}


def test_filters(cast: Cast) -> None:
    one, two = cast.case("dispatched"), cast.case(type=APPEAL_TYPE, division=EAST, source="hotline", severity=1)
    done = cast.case("closed")
    assert ids(cast, kind="appeal") == ids(cast, type=APPEAL_TYPE) == ids(cast, source="hotline") == {two.id}
    assert ids(cast, unit=UNIT) == {one.id, done.id}
    assert ids(cast, open=True) == {one.id, two.id}
    assert ids(cast, open=False) == {done.id}
    assert ids(cast, state=("dispatched", "closed")) == {one.id, done.id}
    assert ids(cast, severity_max=1) == {two.id}
    assert ids(cast, division=two.row.division_id) == {two.id}
    assert ids(cast, major="市容环境") == {one.id, done.id}
    assert ids(cast, ids=(one.id,)) == {one.id}
    assert ids(cast, ids=()) == set()
    assert ids(cast, opened_from=START + timedelta(seconds=1)) == set()
    assert ids(cast, opened_to=START + timedelta(seconds=1)) == {one.id, two.id, done.id}


def test_overdue_is_by_the_nearest_running_clock(cast: Cast) -> None:
    story = cast.case("dispatched")
    due = story.row.due_at
    assert due is not None
    found = [
        bool(page(cast("operator"), Filters(overdue=True), now=due + t).cases)
        for t in (-timedelta(1), timedelta(seconds=1))
    ]
    assert found == [False, True]
    story.move("handler", "receive")
    story.move("dispatcher", "suspend", note="等配件", until=START + timedelta(days=9))
    assert not page(cast("operator"), Filters(overdue=True), now=due + timedelta(days=1)).cases
    assert ids(cast, suspended=True) == {story.id}


@pytest.mark.parametrize("order", ["due", "new", "old"])
def test_every_case_comes_once_in_every_order(cast: Cast, order: Order) -> None:
    cases = [cast.report(at=START + timedelta(minutes=i // 2)).case for i in range(7)]
    for _ in range(4):  # ended, so without a due time
        story = cast.case()
        story.move("operator", "reject", note="不属实")
        cases.append(story.id)
    seen, cursor = [], None
    while True:
        found = page(cast("operator"), Filters(), now=NOW, order=order, cursor=cursor, size=3)
        seen += [case.pk for case in found.cases]
        if (cursor := found.next) is None:
            break
    assert sorted(seen) == sorted(cases)
    if order == "due":
        dues = [Case.objects.get(pk=pk).due_at for pk in seen]
        assert dues[:7] == sorted(d for d in dues if d) and dues[7:] == [None] * 4
    else:
        assert seen == sorted(cases, reverse=order == "new")


def test_a_cursor_holds_while_cases_move(cast: Cast) -> None:
    stories = [cast.case(at=START + timedelta(minutes=i)) for i in range(6)]
    first = page(cast("operator"), Filters(), now=NOW, size=2)
    for story in stories[:2]:
        story.move("operator", "reject", note="不属实")
    rest = page(cast("operator"), Filters(open=True), now=NOW, cursor=first.next, size=10)
    assert [case.pk for case in rest.cases] == [story.id for story in stories[2:]]


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "bnVsbA", "WyJhIiwgImIiXQ", "é", "W251bGwsIDFd" * 50, "\x00"])
def test_a_foreign_cursor_is_refused(cast: Cast, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        page(cast("operator"), Filters(), now=NOW, cursor=cursor)


@pytest.mark.parametrize("size", [0, -1, 201])
def test_a_page_has_a_size(cast: Cast, size: int) -> None:
    with pytest.raises(Invalid):
        page(cast("operator"), Filters(), now=NOW, size=size)


def test_each_role_sees_its_own(cast: Cast) -> None:
    west, east = cast.case("dispatched"), cast.case(division=EAST)
    west.move("dispatcher", "split", unit=HELPER)
    expected: list[tuple[Principal, set[UUID]]] = [
        *((cast(role), {west.id, east.id}) for role in _area()),
        *((cast(role, division=WEST), {west.id}) for role in _area()),
        *((cast(role, division=EAST), {east.id}) for role in _area()),
        (cast("handler"), {west.id}),
        (cast("handler", division=WEST, unit=HELPER), {west.id}),
        (cast("handler", division=EAST, unit="330109-CGJ"), set()),
        (cast("citizen"), {west.id, east.id}),
        (cast("citizen", name="other"), set()),
        (cast("steward"), set()),
        (cast("administrator"), set()),
        (cast.system, {west.id, east.id}),
    ]
    for who, seen in expected:
        assert set(visible(who).values_list("pk", flat=True)) == seen, who
        for story in (west, east):
            if story.id in seen:
                assert detail.find(who, story.id).pk == story.id
            else:
                with pytest.raises(NotFound):
                    detail.find(who, str(story.row.number))


def _area() -> list[Role]:
    roles = (
        Role.OPERATOR,
        Role.SHIFT_LEADER,
        Role.DISPATCHER,
        Role.GRID_WORKER,
        Role.VERIFIER,
        Role.SUPERVISOR,
        Role.LEADER,
    )
    return [*roles, Role.ANALYST]


def test_reading_and_writing_agree_on_who_sees_what(cast: Cast) -> None:
    """The rule stands twice, in Python and in SQL: one question of both."""
    stories = [cast.case(), cast.case("dispatched"), cast.case("closed"), cast.case(who=cast.system, division=EAST)]
    stories[1].move("handler", "return", note="不归我们")
    people = [cast(role, division=d) for role in _area() for d in ("3301", WEST, EAST)]
    people += [
        cast("handler"),
        cast("citizen"),
        cast("citizen", name="other"),
        cast("steward"),
        cast("administrator"),
        cast.system,
    ]
    for who in people:
        seen = set(visible(who).values_list("pk", flat=True))
        for story in stories:
            assert (story.said(who, "nonsense") == "missing") == (story.id not in seen), (who, story.state)


def test_a_unit_keeps_sight_of_what_it_finished_and_not_of_what_it_returned(cast: Cast) -> None:
    story = cast.case("dispatched")
    story.move("dispatcher", "split", unit=HELPER)
    helper = cast("handler", division=WEST, unit=HELPER)
    story.move(helper, "task_done", note="好了")
    story.move("handler", "return", note="不归我们")
    assert visible(helper).filter(pk=story.id).exists()
    assert not visible(cast("handler")).filter(pk=story.id).exists()


@pytest.mark.parametrize(
    ("due", "good"),
    [
        ("2026-03-02T08:00:00+20:00", True),
        ("2026-03-02T08:00:00-23:59", True),
        ("2026-03-02T08:00:00", False),
        ("0001-01-01T00:00:00+20:00", False),
        ("9999-12-31T23:59:59-20:00", False),
    ],
)
def test_a_forged_time_in_a_cursor_is_read_or_refused(cast: Cast, due: str, good: bool) -> None:
    raw = json.dumps([due, str(UUID(int=1)), 3]).encode()
    cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with nullcontext() if good else pytest.raises(Invalid, match="cursor"):
        page(cast("operator"), Filters(), now=NOW, cursor=cursor)
