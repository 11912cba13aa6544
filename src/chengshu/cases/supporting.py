"""“Is it one of these?”: open cases near a new report that may be the same matter, shown without a word that anybody wrote.

What is compared and shown are the city's own words for types: so nobody can find out by asking what another person wrote.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from chengshu.cases import suggest
from chengshu.cases.catalog import Catalog
from chengshu.cases.following import account_digest, proven
from chengshu.cases.models import Case, CaseType, Contact, Evidence, State
from chengshu.cases.records import NewReport, Verdict
from chengshu.cases.report import report
from chengshu.cases.story import Story, story
from chengshu.core.text import index_terms, query_terms
from chengshu.parties.access import anybody
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

RADIUS = 300.0  # metres within which somebody means the same thing on a map
WINDOW = timedelta(days=30)
MOST = 3
READ = 200  # open cases near a point that are compared
MANY = 50  # joined cases shown to an account
GENERAL = 40  # a word of more types than this says nothing about what is meant


@dataclass(frozen=True, kw_only=True, slots=True)
class Alike:
    """An open case that may be the same: `likely` a type whose words it has, until it gets one; `metres` to the nearest ten."""

    id: UUID
    type: CaseType | None
    likely: CaseType | None
    state: State
    unit: Department | None
    opened_at: datetime
    due_at: datetime | None
    metres: int


def alike(known: Catalog, text: str, type: str, lon: float, lat: float, now: datetime) -> tuple[Alike, ...]:
    """Open cases within 300 m that share the type or words of types with what is being reported, nearest in meaning first."""
    said = _type_words(known, index_terms(text))
    chosen = known.type_codes.get(type)
    meant = {chosen.pk} if chosen else {found.type.pk for found in suggest.types(known, text)}
    rows = Case.objects.filter(
        Q(type=None) | Q(type__in=_open_types(known)), kind__in=_kinds(known), closed_at=None, merged_into=None,
        cell__in=suggest.cells_around(lon, lat, RADIUS), opened_at__gte=now - WINDOW,
    ).order_by("-opened_at")[:READ]  # fmt: skip
    compared = [_compare(known, case, said, meant, (lon, lat)) for case in rows]
    best = sorted((found for found in compared if found), key=lambda found: (-found[0], found[1].metres))
    return tuple(replace(one, likely=_likely(known, case)) for _score, one, case in best[:MOST])


def _kinds(known: Catalog) -> set[int]:
    """Kinds in which citizens have a say: others are none of theirs."""
    return {kind for (kind, _code, _state), move in known.moves.items() if Role.CITIZEN.value in move.roles}


def _open_types(known: Catalog) -> list[int]:
    kinds = _kinds(known)
    return [pk for pk, type in known.types.items() if type.kind_id in kinds]


def _vocabulary(known: Catalog) -> frozenset[str]:
    """The terms of the names of types, less those of so many types that they mean nothing."""
    kept = known.memo.get("type_words")
    if kept is None:
        counted: dict[str, int] = {}
        for type in known.types.values():
            for term in {*query_terms(type.name), *query_terms(type.name_en)}:
                counted[term] = counted.get(term, 0) + 1
        kept = known.memo["type_words"] = frozenset(t for t, n in counted.items() if n <= GENERAL and len(t) > 1)
    return frozenset(kept)


def _type_words(known: Catalog, terms: Collection[str]) -> frozenset[str]:
    return _vocabulary(known).intersection(terms)


def _compare(
    known: Catalog, case: Case, said: frozenset[str], meant: set[int], point: tuple[float, float]
) -> tuple[float, Alike, Case] | None:
    """How alike, and what may be told of the case; nothing when it is farther than the radius or another matter."""
    metres = suggest.distance(*point, case.lon, case.lat) if case.lon is not None and case.lat is not None else RADIUS
    shared = said & _type_words(known, index_terms(case.title, case.description))
    score = 2.0 * (case.type_id in meant) + len(shared)
    if metres > RADIUS or not score:
        return None
    told = Alike(
        id=case.pk, type=known.types.get(case.type_id or 0), likely=None, state=known.states[case.state_id],
        unit=known.departments.get(case.unit_id or 0), opened_at=case.opened_at, due_at=case.due_at,
        metres=max(10, int(round(metres, -1))),
    )  # fmt: skip
    return score, told, case


def _likely(known: Catalog, case: Case) -> CaseType | None:
    found = suggest.types(known, f"{case.title} {case.description}", most=1) if case.type_id is None else []
    return found[0].type if found else None


def join(principal: Principal, new: NewReport, case: UUID) -> Verdict:
    """Let a report join an open case; where that has ended meanwhile, it becomes a case of its own.

    The report names no account, so that nobody sees a case with another's words as their own: a digest stands in its place.
    """
    contact = dict(new.contact or {})
    if principal.account is not None:
        contact["secret"] = account_digest(principal.account)
        own = Evidence.objects.filter(pk__in=new.evidence, account=principal.account, case=None)
        own.update(account=None)
    nobody = anybody(city=principal.city, root=principal.division, language=principal.language)
    [verdict] = report([replace(new, joins=case, contact=contact)], city=principal.city, actor=nobody)
    return verdict


def joined_by(principal: Principal) -> tuple[Story, ...]:
    """The cases that an account joined, newest first, as much as it may see of each."""
    if principal.account is None:
        return ()
    rows = Contact.objects.filter(secret=account_digest(principal.account)).order_by("-report__received_at")
    numbers = rows.values_list("report__case__number", flat=True)[:MANY]
    follower = proven(principal.city, principal.language, opener=False)
    return tuple(found for number in dict.fromkeys(numbers) if (found := story(follower, number)))
