"""What is suggested to whoever classifies a report, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chengshu.cases import suggest
from chengshu.cases.catalog import catalog
from chengshu.cases.models import Case
from chengshu.places.locate import cell_of
from chengshu.places.models import City
from tests.cases.people import APPEAL_TYPE, EAST, PHOTO_TYPE, POINT, START, Cast

METRE = 1 / 111_195  # degrees of latitude


def near(metres: float) -> dict[str, float]:
    return {"lon": POINT[0], "lat": POINT[1] + metres * METRE}


def found(cast: Cast, case: Case, role: str = "operator") -> list[Case]:
    return [d.case for d in suggest.duplicates(catalog(cast.city.pk), cast(role), case)]


def reported(cast: Cast, **more: object) -> Case:
    return Case.objects.get(pk=cast.report(**({"division": None} | near(0) | more)).case)


def test_distance_is_in_metres() -> None:
    assert suggest.distance(0, 0, 0, 1) == pytest.approx(111_195, rel=1e-3)
    assert suggest.distance(120, 30, 120, 30) == 0
    assert suggest.distance(179.999, 0, -179.999, 0) == pytest.approx(222.4, rel=1e-2)


def test_near_in_place_time_and_type(cast: Cast) -> None:
    case = reported(cast)
    close = reported(cast, title="别的话", **near(95))
    reported(cast, title="别的话", **near(105))
    reported(cast, title="别的话", at=START - timedelta(hours=72, seconds=1))
    same_kind_other_type = reported(cast, title="井盖丢失", type="pub.cover_sewer")
    alike = reported(cast, title="文三路路面有暴露垃圾", type="env.dirty_road")
    reported(cast, type=APPEAL_TYPE)
    over = cast.report(division=None, **near(0)).case
    Case.objects.filter(pk=over).update(closed_at=START, due_at=None)
    result = suggest.duplicates(catalog(cast.city.pk), cast("operator"), case)
    assert [d.case for d in result] == [alike, close]
    assert same_kind_other_type not in [d.case for d in result]
    assert (
        result[1].distance == pytest.approx(95, abs=1)
        and "95 m" in result[1].because
        and "same type" in result[1].because
    )
    assert result[0].likeness == 1.0


def test_of_long_texts_the_beginning_is_compared(cast: Cast) -> None:
    case = reported(cast, description="路面有大量垃圾" + "甲乙" * 1_000)
    twin = reported(cast, type="env.dirty_road", description="路面有大量垃圾" + "甲乙" * 300 + "另有他事" * 500)
    [found] = suggest.duplicates(catalog(cast.city.pk), cast("operator"), case)
    assert (found.case, found.likeness) == (twin, 1.0)


def test_without_a_point_the_words_decide_within_the_division(cast: Cast) -> None:
    case = Case.objects.get(pk=cast.report(type=None, kind="urban").case)
    twin = Case.objects.get(pk=cast.report(type=None, kind="urban").case)
    cast.report(type=None, kind="urban", title="井盖丢失")
    cast.report(type=None, kind="urban", division=EAST)
    assert found(cast, case) == [twin]


def test_what_a_post_may_not_see_is_not_suggested(cast: Cast) -> None:
    case, _ = reported(cast), reported(cast)
    assert len(found(cast, case)) == 1
    assert suggest.duplicates(catalog(cast.city.pk), cast("operator", division=EAST), case) == []


def test_the_newest_come_first_where_there_are_very_many(cast: Cast) -> None:
    case = reported(cast)
    for _ in range(6):
        reported(cast)
    assert len(found(cast, case)) == 5


def test_types_by_the_words_of_their_names(hangzhou: City) -> None:
    known = catalog(hangzhou.pk)
    [best, *_] = suggest.types(known, "门口有暴露垃圾，好几天没人清")
    assert (best.type.code, best.score) == (PHOTO_TYPE, 1.0) and "垃圾" in best.because
    assert suggest.types(known, "There is exposed rubbish here", kind=best.type.kind_id)[0].type.code == PHOTO_TYPE
    assert suggest.types(known, "") == suggest.types(known, "你好") == []


def test_limits_with_their_due_times(hangzhou: City) -> None:
    known = catalog(hangzhou.pk)
    limits = {s.stage: s for s in suggest.limits(known, known.type(PHOTO_TYPE), START)}
    assert limits["handle"].limit == "4wh" and limits["handle"].due_at == START + timedelta(hours=5, minutes=30)
    assert all(s.because for s in limits.values())


def test_the_unit_follows_the_type_that_is_considered(cast: Cast) -> None:
    known, case = catalog(cast.city.pk), Case.objects.get(pk=cast.report().case)
    now, then = suggest.unit(known, case), suggest.unit(known, case, known.type("street.smoking"))
    assert now is not None and then is not None
    assert (now.rule, then.rule) == ("cleanliness", "smoking")
    move = next(move for move in known.moves.values() if move.code == "last_resort" and move.kind_id == case.kind_id)
    last = suggest.unit(known, case, move=move)
    assert last is not None
    assert (last.rule, last.unit.last_resort) == ("last_resort", True)


def test_cells_cover_the_circle() -> None:
    for metres in (50, 100, 300, 900):
        cells = set(suggest.cells_around(*POINT, metres))
        assert {cell_of(POINT[0], POINT[1] + metres * METRE * s) for s in (-1, 1)} <= cells
