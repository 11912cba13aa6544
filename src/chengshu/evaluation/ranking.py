"""Rankings: like units in order of one score, with every number that led to it.

The score of a unit is the mean of its measures, each weighted by the city's parameter `ranking_weight_<measure>` of the
day on which the period ends:  score = 100 · Σ wᵢ·sᵢ / Σ wᵢ, where sᵢ is the rate (1 − rate where less is better) and the
sums run over the measures of which anything was due. Units with fewer cases due than `ranking_minimum` are shown, not
ranked: a rate over three cases says nothing; neither are units of whose measures those of less than half the weight were
due: who was never given a limit has not kept any. Equal scores (to a hundredth) share a place, and the next one is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import NotFound
from chengshu.evaluation.measures import AREAS, UNITS, Kind, Measure
from chengshu.evaluation.scorecards import Figure, Row, Scorecard
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Scope

RANKED = UNITS | AREAS  # people are not ranked against each other
WEIGHT, MINIMUM = "ranking_weight_", "ranking_minimum"
COVERED = 0.5  # the share of the weights that must have been due
SEES_ALL = frozenset({Scope.ALL, Scope.AREA})  # of those that see parts of others' work only, a ranking would be false
Group = Hashable


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What counts how much: weights by measure (any positive numbers) and the fewest due rows with which a unit is ranked."""

    shares: Mapping[str, float]
    least: int

    @property
    def total(self) -> float:
        return sum(self.shares.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Contribution:
    """What one measure gives to a score: its rate as goodness (0 to 1), its share of the weights used, the points."""

    measure: Measure
    figure: Figure
    goodness: float
    share: float

    @property
    def points(self) -> float:
        return 100 * self.goodness * self.share


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A unit with its score (0 to 100; None when nothing was due), its place (None when not ranked) and what led there."""

    row: Row
    place: int | None
    score: float | None
    due: int
    covered: float  # share of the weights whose measures were due
    parts: tuple[Contribution, ...]

    def fits(self, least: int) -> bool:
        """Whether enough was due to rank the unit."""
        return self.score is not None and self.due >= least and self.covered >= COVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """One group of like units, the best first, the unranked last."""

    group: Group
    units: tuple[Ranked, ...]


def may_rank(principal: Principal, kind: Kind) -> bool:
    """Whether a post may see the units of a kind in order."""
    return kind in RANKED and principal.scope in SEES_ALL


def weights_of(known: Catalog, kind: Kind, measures: Iterable[Measure], day: date) -> Weights:
    """The city's weights for the measures of a kind on a day. Raises NotFound when the city has set none."""
    set_ones = {}
    for measure in measures:
        name = f"{WEIGHT}{measure.name}"
        if name in known.parameters.values and (weight := float(known.parameters.at(name, day))) > 0:
            set_ones[measure.name] = weight
    if not set_ones:
        raise NotFound(
            "The city has set no weights for a ranking.",
            where=f"parameters.yaml, {kind.value}",
            remedy="Add parameters named ranking_weight_… to the city pack.",
        )
    return Weights(shares=set_ones, least=int(known.parameters.at(MINIMUM, day)))


def rank(card: Scorecard, weights: Weights, group: Callable[[Row], Group]) -> tuple[Ranking, ...]:
    """The rows of a scorecard that stand for somebody, in order within their groups."""
    groups: dict[Group, list[Ranked]] = {}
    for row in card.rows:
        if row.subject is not None:
            groups.setdefault(group(row), []).append(_scored(card, row, weights))
    return tuple(Ranking(group=name, units=_placed(units, weights.least)) for name, units in groups.items())


def _scored(card: Scorecard, row: Row, weights: Weights) -> Ranked:
    counted = [
        (measure, row.figures[measure.name], rate)
        for measure in card.measures
        if measure.name in weights.shares and (rate := row.figures[measure.name].rate) is not None
    ]
    total = sum(weights.shares[measure.name] for measure, _figure, _rate in counted)
    parts = tuple(
        Contribution(
            measure=measure,
            figure=figure,
            goodness=1 - rate if measure.low else rate,
            share=weights.shares[measure.name] / total,
        )
        for measure, figure, rate in counted
    )
    score = sum(part.points for part in parts) if parts else None
    due = max((part.figure.due for part in parts), default=0)
    return Ranked(row=row, place=None, score=score, due=due, covered=total / weights.total, parts=parts)


def _placed(units: Iterable[Ranked], least: int) -> tuple[Ranked, ...]:
    """The units with their places: 1, 2, 2, 4."""
    every = sorted(units, key=lambda unit: (-_cents(unit), unit.row.code))
    fit, rest = [u for u in every if u.fits(least)], [u for u in every if not u.fits(least)]
    ahead = [_cents(unit) for unit in fit]
    placed = [replace(unit, place=1 + ahead.index(_cents(unit))) for unit in fit]
    return (*placed, *rest)


def _cents(unit: Ranked) -> int:
    return round(100 * (unit.score or 0))
