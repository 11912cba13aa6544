"""From points to divisions: exact, dated, and honest where an outline is not known."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
import shapely

from chengshu.core.errors import Invalid, NotFound
from chengshu.places.locate import Located, divisions_at, explain, forget, locate, locate_many
from chengshu.places.models import Boundary, City, Division
from tests.places.conftest import Town

BEFORE, AFTER = date(2010, 1, 1), date(2026, 1, 1)
WEST, MIDDLE, EAST, FAR_EAST, OUTSIDE = ((x, 50.05) for x in (10.05, 10.15, 10.25, 10.35, 10.5))


def _keys(town: Town, point: tuple[float, float], on: date) -> list[str]:
    return town.keys(divisions_at(town.id, *point, on))


def test_a_point_lies_in_its_district(town: Town) -> None:
    assert _keys(town, WEST, AFTER) == ["T@2000-01-01", "T1@2000-01-01"]


def test_the_day_decides(town: Town) -> None:
    assert _keys(town, MIDDLE, BEFORE) == ["T@2000-01-01", "T2@2000-01-01"]
    assert _keys(town, MIDDLE, date(2019, 12, 31)) == ["T@2000-01-01", "T2@2000-01-01"]
    assert _keys(town, MIDDLE, date(2020, 1, 1)) == ["T@2000-01-01", "T2@2020-01-01"]


def test_nothing_is_known_before_the_first_day(town: Town) -> None:
    located = locate(town.id, *WEST, date(1999, 12, 31))
    assert (located.divisions, located.inside) == ((), None)


def test_the_only_heir_is_certain(town: Town) -> None:
    located = locate(town.id, *FAR_EAST, AFTER)
    assert town.keys(located.divisions) == ["T@2000-01-01", "T5@2020-01-01"]
    assert located.inferred
    assert town.keys(located.earlier[0].heirs) == ["T5@2020-01-01"]


def test_of_several_heirs_none_is_invented(town: Town) -> None:
    located = locate(town.id, *EAST, AFTER)
    assert town.keys(located.divisions) == ["T@2000-01-01"]
    assert not located.inferred
    assert [town.names[e.division] for e in located.earlier] == ["T3@2000-01-01"]
    assert set(town.keys(located.earlier[0].heirs)) == {"T2@2020-01-01", "T5@2020-01-01"}
    assert explain(town.id, located) == (
        "Only the outline of East, which stood until 2020-01-01, is known here; its land is now of New Middle or New East."
    )


def test_outside_is_empty_and_said(town: Town) -> None:
    located = locate(town.id, *OUTSIDE, AFTER)
    assert located == Located(divisions=(), inside=False)
    assert explain(town.id, located) == "The place lies outside the city."


def test_without_the_city_outline_outside_is_not_known(town: Town) -> None:
    Boundary.objects.filter(division=town.ids["T@2000-01-01"]).delete()
    forget()
    assert locate(town.id, *OUTSIDE, AFTER) == Located(divisions=(), inside=None)
    assert _keys(town, WEST, AFTER) == ["T@2000-01-01", "T1@2000-01-01"]
    assert _keys(town, FAR_EAST, AFTER) == ["T@2000-01-01", "T5@2020-01-01"]


def test_a_city_without_outlines_knows_nothing(town: Town) -> None:
    Boundary.objects.all().delete()
    forget()
    located = locate(town.id, *WEST, AFTER)
    assert (located.divisions, located.inside) == ((), None)
    assert explain(town.id, located) == "No outline of the city is known here."


def test_an_edge_belongs_to_one_side_always(town: Town) -> None:
    assert _keys(town, (10.1, 50.05), BEFORE) == ["T@2000-01-01", "T1@2000-01-01"]


def test_many_points_at_once_are_the_same_as_one_by_one(town: Town) -> None:
    points = np.random.default_rng(7).uniform((9.95, 49.95), (10.45, 50.15), (200, 2))
    many = locate_many(town.id, points[:, 0], points[:, 1], AFTER)
    assert many == [locate(town.id, x, y, AFTER) for x, y in points.tolist()]
    assert locate_many(town.id, [], [], AFTER) == []


@pytest.mark.parametrize("point", [(math.nan, 30.0), (181.0, 0.0), (0.0, 91.0), (math.inf, 0.0)])
def test_what_is_no_point_is_refused(town: Town, point: tuple[float, float]) -> None:
    with pytest.raises(Invalid, match="no point on earth"):
        locate_many(town.id, [10.0, point[0]], [50.0, point[1]], AFTER)


def test_an_unknown_city_is_told(db: None) -> None:
    with pytest.raises(NotFound, match="no such city"):
        divisions_at(-1, 10.0, 50.0, AFTER)


def test_hangzhou_agrees_with_shapely_alone(hangzhou: City) -> None:
    """2 000 random points around the city, before and after the reform of 2021, against all outlines one by one."""
    boundaries = list(Boundary.objects.filter(division__city=hangzhou).select_related("division"))
    shapes = np.array([shapely.from_wkb(bytes(b.wkb)) for b in boundaries], dtype=object)
    shapely.prepare(shapes)
    points = np.random.default_rng(1).uniform((118.2, 29.1), (120.9, 30.7), (2000, 2))
    holds = shapely.intersects_xy(shapes[:, None], points[:, 0], points[:, 1])
    for on in (date(2020, 6, 1), AFTER):
        for i, located in enumerate(locate_many(hangzhou.pk, points[:, 0], points[:, 1], on)):
            here = [b.division for b, held in zip(boundaries, holds[:, i], strict=True) if held]
            standing = [d for d in here if d.valid_from <= on and (d.valid_to is None or on < d.valid_to)]
            if not here:
                assert located == Located(divisions=(), inside=False)
            elif located.inferred:
                assert max(len(d.path) for d in standing) < len(located.divisions)
            else:
                assert list(located.divisions) == max((d.path for d in standing), key=len, default=[])


def test_hangzhou_before_and_after_the_reform(hangzhou: City) -> None:
    names = dict(Division.objects.filter(city=hangzhou, level__lte=2).values_list("pk", "name"))

    def at(lon: float, lat: float, on: date) -> list[str]:
        return [names[pk] for pk in divisions_at(hangzhou.pk, lon, lat, on)]

    wulin = (120.158, 30.272)  # Wulin Square, in the old 下城, which went wholly to 拱墅
    assert at(*wulin, date(2020, 1, 1)) == ["杭州市", "下城区"]
    assert at(*wulin, AFTER) == ["杭州市", "拱墅区"]
    linping = (120.30, 30.42)  # in the old 余杭, whose land now belongs to two districts
    assert at(*linping, date(2020, 1, 1)) == ["杭州市", "余杭区"]
    assert at(*linping, AFTER) == ["杭州市"]
    assert at(120.12, 30.25, AFTER) == ["杭州市", "西湖区"]
    assert at(121.47, 31.23, AFTER) == []  # Shanghai
