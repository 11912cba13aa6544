"""What a grid worker finds: it falls into their own ground, they follow it wherever it lies, and may act on it."""

from __future__ import annotations

import pytest

from chengshu.cases import detail, search
from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.principal import Principal
from tests.cases.people import EAST, POINT, START, STREET, WEST, Cast, Story

PARIS = (2.35, 48.85)


@pytest.fixture
def grid(cast: Cast) -> Principal:
    return cast("grid_worker", division=STREET)


def where(cast: Cast, who: Principal, **place: object) -> str:
    verdict = cast.report(who, division=None, **place)
    return Case.objects.select_related("division").get(pk=verdict.case).division.code


def test_a_patrol_report_lies_on_the_patrols_own_ground(cast: Cast, grid: Principal) -> None:
    assert where(cast, grid, lon=POINT[0], lat=POINT[1]) == STREET  # outlines are known of districts only
    assert where(cast, grid, place_text="断桥边") == STREET
    assert where(cast, grid, lon=119.28, lat=29.47) != STREET  # another district's outline says otherwise
    assert where(cast, cast("operator"), lon=POINT[0], lat=POINT[1]) == WEST
    assert where(cast, cast("citizen"), place_text="断桥边") == "3301"


def test_who_reported_sees_the_case_whatever_their_scope(cast: Cast, grid: Principal) -> None:
    handler = cast("handler")
    elsewhere = cast("grid_worker", division=EAST)
    for who in (grid, handler):
        number = cast.report(who, division=EAST).number
        assert number is not None
        assert detail.find(who, number).number == number
        assert visible(who).get().number == number
        with pytest.raises(NotFound):
            detail.find(grid if who is handler else handler, number)
        assert detail.find(elsewhere, number).number == number


def test_a_report_in_another_city_is_not_seen_from_this_one(cast: Cast, grid: Principal) -> None:
    number = cast.report(grid, division=EAST).number
    Case.objects.filter(number=number).update(places=[0])  # as those of a city with another root
    assert not visible(grid).exists()
    assert [a.allowed for a in detail.acts(grid, Case.objects.select_related("kind").get(number=number), START)] == [
        False
    ] * len(detail.acts(grid, Case.objects.select_related("kind").get(number=number), START))


def test_the_patrol_acts_on_what_it_reported(cast: Cast, grid: Principal) -> None:
    own = Story(cast=cast, id=cast.report(grid, division=EAST).case)
    assert own.said(grid, "inspect", note="已到现场", proof=True) == "ok"
    own.move("operator", "accept")
    assert own.said(grid, "self_handle", note="随手清理", proof=True) == "ok"
    assert own.state == "self_handled"


@pytest.mark.parametrize("role", ["operator", "citizen", "grid_worker"])
def test_a_point_outside_the_city_is_refused(cast: Cast, role: str) -> None:
    who = cast(role, **({"division": STREET} if role == "grid_worker" else {}))
    with pytest.raises(Invalid, match="outside the city"):
        cast.report(who, division=None, lon=PARIS[0], lat=PARIS[1])
    assert not Case.objects.exists()


def test_what_was_recorded_outside_is_kept_under_the_city(cast: Cast) -> None:
    assert where(cast, cast.system, lon=PARIS[0], lat=PARIS[1]) == "3301"


def test_the_list_of_a_street_holds_what_its_patrol_reported_elsewhere(cast: Cast, grid: Principal) -> None:
    here, there = cast.report(grid).number, cast.report(grid, division=EAST).number
    found = search.page(grid, search.Filters(open=True), now=START).cases
    assert {case.number for case in found} == {here, there}
