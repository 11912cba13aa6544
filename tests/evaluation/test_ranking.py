"""Rankings: places follow from scores, scores from the weighted shares."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chengshu.evaluation.measures import Kind, Period, measure
from chengshu.evaluation.ranking import Weights, rank
from chengshu.evaluation.scorecards import Figure, Row, Scorecard

MARCH = Period(start=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 4, 1, tzinfo=UTC))
MEASURES = tuple(measure(name) for name in ("handle", "return", "satisfaction"))


def card(*units: tuple[Figure, Figure, Figure]) -> Scorecard:
    """A scorecard of units 1, 2, … with figures for handled in time, given back, satisfied."""
    rows = tuple(
        Row(subject=i, code=f"U{i}", label=f"单位{i}", label_en=f"Unit {i}",
            figures=dict(zip(("handle", "return", "satisfaction"), figures, strict=True)))
        for i, figures in enumerate(units, 1)
    )  # fmt: skip
    return Scorecard(kind=Kind.DEPARTMENT, period=MARCH, measures=MEASURES, rows=rows, total={})


def figure(good: int, due: int) -> Figure:
    return Figure(due=due, good=good)


WEIGHTS = Weights(shares={"handle": 60, "return": 20, "satisfaction": 20}, least=10)


def test_a_score_is_the_weighted_mean_and_less_returned_is_better() -> None:
    [ranking] = rank(card((figure(90, 100), figure(10, 100), figure(40, 50))), WEIGHTS, lambda row: "")
    [unit] = ranking.units
    assert unit.score is not None
    assert round(unit.score, 6) == 60 * 0.9 + 20 * 0.9 + 20 * 0.8
    assert unit.place == 1


def test_what_was_not_due_leaves_its_weight_to_the_others() -> None:
    [ranking] = rank(card((figure(90, 100), figure(0, 100), figure(0, 0))), WEIGHTS, lambda row: "")
    [unit] = ranking.units
    assert unit.score is not None
    assert round(unit.score, 6) == 100 * (60 * 0.9 + 20 * 1.0) / 80


def test_equals_share_a_place_and_the_small_are_not_ranked() -> None:
    best, even, small = (figure(100, 100),) * 3, (figure(50, 100), figure(50, 100), figure(1, 2)), (figure(3, 3),) * 3
    [ranking] = rank(card(even, best, small, even, (figure(0, 0),) * 3), WEIGHTS, lambda row: "")
    assert [(unit.row.code, unit.place) for unit in ranking.units] == [
        ("U2", 1), ("U1", 2), ("U4", 2), ("U3", None), ("U5", None),
    ]  # fmt: skip


def test_who_was_never_given_a_limit_is_not_ranked() -> None:
    [ranking] = rank(card((figure(0, 0), figure(0, 100), figure(0, 0))), WEIGHTS, lambda row: "")
    [unit] = ranking.units
    assert (unit.score, unit.place) == (100, None)


def test_groups_are_ranked_apart() -> None:
    units = card((figure(50, 100),) * 3, (figure(90, 100),) * 3)
    rankings = rank(units, WEIGHTS, lambda row: row.code)
    assert [[unit.place for unit in ranking.units] for ranking in rankings] == [[1], [1]]


FIGURES = st.tuples(st.integers(0, 200), st.floats(0, 1)).map(lambda pair: figure(int(pair[0] * pair[1]), pair[0]))


@given(st.lists(st.tuples(FIGURES, FIGURES, FIGURES), max_size=12))
def test_places_fall_with_scores(units: list[tuple[Figure, Figure, Figure]]) -> None:
    for ranking in rank(card(*units), WEIGHTS, lambda row: ""):
        placed = [unit for unit in ranking.units if unit.place is not None]
        scores = [unit.score for unit in placed if unit.score is not None]
        cents = [round(100 * score) for score in scores]
        assert cents == sorted(cents, reverse=True)
        assert all(0 <= score <= 100.000001 for score in scores)
        better = [sum(other > own for other in cents) for own in cents]
        assert [unit.place for unit in placed] == [1 + ahead for ahead in better]
        for unit in placed:
            assert abs(sum(part.share for part in unit.parts) - 1) < 1e-9
