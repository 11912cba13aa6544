"""Suggestions for whoever classifies a report: duplicates, type, unit and limit, each with its reason in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import h3
from django.utils.translation import gettext as _

from chengshu.cases import dispatch
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, CaseType, Move
from chengshu.cases.visibility import visible
from chengshu.core.text import index_terms, query_terms
from chengshu.parties.principal import Principal

EARTH_RADIUS = 6_371_008.8  # metres, IUGG mean
COMPARED = 500  # characters of a case's words


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """An open case that may be the same thing: how far (metres), how long before, how alike in words (0–1), and why."""

    case: Case
    distance: float
    hours: float
    likeness: float
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeSuggestion:
    """A case type whose name the text uses; `score` is the share of the name's terms found in the text."""

    type: CaseType
    score: float
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitSuggestion:
    """The limit of a stage and when it would fall due."""

    stage: str
    limit: str
    due_at: datetime
    because: str


def types(catalog: Catalog, text: str, *, kind: int | None = None, most: int = 5) -> list[TypeSuggestion]:
    """Case types whose name stands in the text, wholly or in most of its terms; best first, none when nothing fits."""
    have = set(index_terms(text))
    found = []
    for type in catalog.types.values():
        if type.active and (kind is None or type.kind_id == kind):
            name, score = _best_name(type, have)
            if score >= 0.5:
                because = _("The text has “%(words)s”, as in the type's name.") % {"words": "、".join(name)}
                found.append(TypeSuggestion(type=type, score=score, because=because))
    return sorted(found, key=lambda s: (-s.score, s.type.code))[:most]


def _best_name(type: CaseType, have: set[str]) -> tuple[list[str], float]:
    """The terms of a type's name that a text has, and their share of the name."""
    scored = []
    for name in filter(None, (type.name, type.name_en)):
        terms = query_terms(name)
        hits = [term for term in terms if term in have]
        scored.append((hits, len(hits) / len(terms) if terms else 0.0))
    return max(scored, key=lambda pair: pair[1])


def limits(catalog: Catalog, type: CaseType, at: datetime) -> list[LimitSuggestion]:
    """Every limit that a case of this type would get if it entered the stage now."""
    stages = ("accept", "register", "dispatch", "handle", "verify", "close", "total")
    found = ((stage, catalog.limit(type.kind_id, type.pk, stage, at)) for stage in stages)
    return [
        LimitSuggestion(
            stage=stage, limit=str(limit), due_at=catalog.calendar.due(at, limit), because=type.source or type.register_standard
        )
        for stage, limit in found
        if limit
    ]  # fmt: skip


def unit(
    catalog: Catalog, case: Case, type: CaseType | None = None, move: Move | None = None
) -> dispatch.Decision | None:
    """The unit to which a case goes by the dispatch rules, or by a move with a rule of its own; perhaps under another type."""
    facts = dispatch.Facts(
        kind=case.kind_id, type=type.pk if type else case.type_id, source=case.source, severity=case.severity,
        at=case.opened_at, places=tuple(case.places),
    )  # fmt: skip
    return dispatch.advise(catalog, move, facts) if move else dispatch.decide(catalog, facts)


def duplicates(catalog: Catalog, principal: Principal, case: Case, *, most: int = 5) -> list[Duplicate]:
    """Open cases near in place and time that share type or words; nearest in meaning first.

    Without a point nothing is near: the reports of one address text meet by their words in the same division.
    """
    at = case.opened_at
    radius = float(catalog.parameter("duplicate_radius_m", at))
    window = timedelta(hours=float(catalog.parameter("duplicate_window_h", at)))
    near = visible(principal).filter(
        closed_at=None, kind=case.kind_id, opened_at__gte=at - window, opened_at__lte=at + window
    )
    if case.lon is not None and case.lat is not None:
        near = near.filter(cell__in=cells_around(case.lon, case.lat, radius))
    else:
        near = near.filter(division=case.division_id)
    candidates = near.exclude(pk=case.pk).select_related("type", "state", "unit").order_by("-opened_at", "-pk")[:200]
    words = _words(case)
    found = filter(None, (_compare(case, words, other, radius) for other in candidates))
    return sorted(found, key=lambda d: (-d.likeness, d.distance))[:most]


def cells_around(lon: float, lat: float, radius: float) -> list[int]:
    """H3 cells of resolution 9 (mean edge about 200 m) that cover a circle of `radius` metres."""
    rings = math.ceil(radius / h3.average_hexagon_edge_length(9, unit="m"))
    return [h3.str_to_int(cell) for cell in h3.grid_disk(h3.latlng_to_cell(lat, lon, 9), min(rings, 20))]


def distance(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance in metres (haversine)."""
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(h)))


def _words(case: Case) -> list[str]:
    """The terms by which cases are compared: of the beginning of a text, for cutting long ones takes long."""
    return query_terms(f"{case.title} {case.description}"[:COMPARED])


def _compare(case: Case, words: Sequence[str], other: Case, radius: float) -> Duplicate | None:
    metres = _metres(case, other)
    if metres > radius:
        return None
    likeness = jaccard(words, _words(other))
    same_type = case.type_id is not None and case.type_id == other.type_id
    if not (same_type or likeness >= 0.2):
        return None
    hours = abs((case.opened_at - other.opened_at).total_seconds()) / 3600
    because = _("%(metres).0f m away, %(hours).1f h apart, %(likeness).0f %% of the words shared") % {
        "metres": metres,
        "hours": hours,
        "likeness": 100 * likeness,
    }
    if same_type:
        because += _(", same type")
    return Duplicate(case=other, distance=metres, hours=hours, likeness=likeness + 0.5 * same_type, because=because)


def _metres(case: Case, other: Case) -> float:
    if case.lon is None or case.lat is None or other.lon is None or other.lat is None:
        return 0.0
    return distance(case.lon, case.lat, other.lon, other.lat)


def jaccard(a: Sequence[str], b: Sequence[str]) -> float:
    """Shared terms over all terms, 0 to 1; 0 when there are none."""
    union = set(a) | set(b)
    return len(set(a) & set(b)) / len(union) if union else 0.0
