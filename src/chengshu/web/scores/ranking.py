"""The ranking: like units in order, and for each number of points the cases that cost them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid, NotAllowed
from chengshu.evaluation.measures import UNITS, Kind, Measure
from chengshu.evaluation.ranking import RANKED, Group, Ranked, Weights, may_rank, rank, weights_of
from chengshu.evaluation.scorecards import Row, scorecard
from chengshu.places.models import Level
from chengshu.web.context import SCORES
from chengshu.web.pages import Request, known, page, respond
from chengshu.web.scores.asked import KINDS, Asked, Preset, asked_or_month, presets, today
from chengshu.web.scores.scorecards import SIZE, behind, start_of
from chengshu.web.words import language


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingPage:
    """Rankings by group, the weights they were made by, and the day whose weights these are.

    `wrong` says in words why this is not the period that was asked for.
    """

    asked: Asked
    wrong: str
    kinds: Mapping[Kind, str]
    presets: tuple[Preset, ...]
    rankings: tuple[tuple[str, tuple[Ranked, ...]], ...]
    next: str
    measures: tuple[Measure, ...]
    weights: Weights
    day: date
    language: str

    def behind(self, row: Row, measure: Measure) -> str:
        """The cases that cost points."""
        return behind(self.asked, row, measure, "numerator" if measure.low else "missed")


@page(roles=SCORES)
def show(request: Request) -> HttpResponse:
    """The units of a kind in order of their scores."""
    (wanted, wrong), catalog = asked_or_month(request), known(request)
    if wanted.kind not in RANKED:
        raise Invalid(_("People are not ranked."), where="kind", remedy=_("Choose departments or areas."))
    if not may_rank(request.principal, wanted.kind):
        raise NotAllowed(
            _("Your post sees the cases of its own unit only: a ranking of others would be false."),
            remedy=_("Look at the scorecard of your unit."),
        )
    card = scorecard(request.principal, wanted.kind, wanted.period(catalog))
    weights = weights_of(catalog, wanted.kind, card.measures, wanted.last)
    found = rank(card, weights, _group(catalog, wanted.kind))
    start = start_of(request)
    names = {ranking.group: _name(wanted.kind, ranking.group) for ranking in found}
    page = RankingPage(
        asked=wanted,
        wrong=wrong,
        kinds={kind: _(name) for kind, name in KINDS.items() if kind in RANKED},
        presets=presets(today(catalog)),
        rankings=tuple(
            (names[each.group], each.units[start : start + SIZE]) for each in sorted(found, key=lambda r: str(r.group))
        ),
        next=f"?{wanted.query(start=start + SIZE)}" if any(len(each.units) > start + SIZE for each in found) else "",
        measures=tuple(measure for measure in card.measures if measure.name in weights.shares),
        weights=weights,
        day=wanted.last,
        language=language(),
    )
    return respond(request, "scores/ranking.html", page, status=422 if wrong else 200)


def _group(known: Catalog, kind: Kind) -> Callable[[Row], Group]:
    """Departments are compared with those of their level and nature only, areas with all of their kind."""
    if kind not in UNITS:
        return lambda row: ""
    return lambda row: (found.level, found.kind) if (found := known.departments.get(row.subject or 0)) else ("", "")


def _name(kind: Kind, group: Group) -> str:
    if kind not in UNITS or not isinstance(group, tuple):
        return _(KINDS[kind])
    level, nature = group
    levels = {Level.CITY: _("City level"), Level.DISTRICT: _("District level"), Level.STREET: _("Street level")}
    natures = {"office": _("coordinating offices"), "unit": _("handling units"), "company": _("companies")}
    return _("%(level)s: %(nature)s") % {
        "level": levels.get(level, _("Other levels")),
        "nature": natures.get(nature, ""),
    }
