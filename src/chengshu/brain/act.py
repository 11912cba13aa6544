"""What the platform does by rule with a case that a finding opened: the moves of the scene's `moves.yaml`, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from chengshu.brain.records import Acted, AutoMove, Loaded
from chengshu.cases import dispatch
from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.core.errors import ChengshuError
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal
from chengshu.scene import Finding

log = get_logger(__name__)
_FRESH = frozenset({"opened", "reopened"})


def act(
    loaded: Loaded,
    findings: Sequence[Finding],
    verdicts: Sequence[Verdict],
    *,
    known: Catalog,
    actor: Principal,
    at: datetime,
) -> tuple[Acted, ...]:
    """Make the moves of every case that was opened or reopened. A refused move is recorded, and its case waits for a person.

    Moves that do not fit the state, as after a reopening, are passed over. To be called within the transaction of the report.
    """
    chains = {
        verdict.case: loaded.moves.get(finding.type, ())
        for finding, verdict in zip(findings, verdicts, strict=True)
        if verdict.verdict in _FRESH
    }
    done: list[Acted] = []
    places = dict(Case.objects.filter(pk__in=chains).values_list("pk", "places")) if chains else {}
    for step in range(max(map(len, chains.values()), default=0)):
        due = {case: chain[step] for case, chain in chains.items() if step < len(chain)}
        acted = _step(loaded, due, places, known, actor, at)
        done += acted
        stopped = {each.case for each in acted if not each.ok and each.verdict != "illegal"}
        chains = {case: chain for case, chain in chains.items() if str(case) not in stopped}
    for each in done:
        if not each.ok:
            log.warning(
                "scene.move_refused",
                case=each.case,
                move=each.move,
                verdict=each.verdict,
                detail=each.detail,
            )
    return tuple(done)


def _step(
    loaded: Loaded,
    due: Mapping[UUID, AutoMove],
    places: Mapping[UUID, Sequence[int]],
    known: Catalog,
    actor: Principal,
    at: datetime,
) -> list[Acted]:
    """One move of each case."""
    done, requests = [], []
    for case, auto in due.items():
        unit = _unit(auto, places[case], known)
        if isinstance(auto.unit, Mapping) and unit is None:
            done.append(Acted(case=str(case), move=auto.move, verdict="needs", detail=f"unit {auto.unit['function']}"))
        else:
            note = f"move.{auto.move}"
            said = loaded.say(known.city.language, note) if note in loaded.strings else ""
            requests.append(MoveRequest(case=case, move=auto.move, unit=unit, note=said))
    return done + _made(requests, actor, at)


def _made(requests: Sequence[MoveRequest], actor: Principal, at: datetime) -> list[Acted]:
    """Verdicts of the moves; an error of one undoes only this step of its cases, not the report."""
    try:
        with transaction.atomic():
            verdicts = advance(requests, actor=actor, at=at) if requests else []
    except ChengshuError as error:
        return [Acted(case=str(r.case), move=r.move, verdict="refused", detail=str(error)) for r in requests]
    return [
        Acted(case=str(request.case), move=request.move, verdict=verdict.verdict, detail=verdict.detail)
        for request, verdict in zip(requests, verdicts, strict=True)
    ]


def _unit(auto: AutoMove, places: Sequence[int], known: Catalog) -> str | None:
    """The code of the unit; None leaves the choice to the dispatch rules.

    A case of earlier years may lie in a division that was replaced since: then the department of the division that bears the same
    code today is meant.
    """
    if not isinstance(auto.unit, Mapping):
        return None
    found = dispatch.find_unit(known, auto.unit, places) or dispatch.find_unit(known, auto.unit, today(known, places))
    return found.code if found else None


def today(known: Catalog, places: Sequence[int]) -> tuple[int, ...]:
    """The divisions now valid that bear the codes of `places`, in their order."""
    now = {place.code: pk for pk, place in known.divisions.items() if place.valid_to is None}
    return tuple(now[code] for code in (known.divisions[p].code for p in places) if code in now)
