"""advance(): the one way a case moves, alone or ten thousand at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chengshu import database
from chengshu.cases import dispatch
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.clocks import Running, changes
from chengshu.cases.models import Case, Clock, Move
from chengshu.cases.projection import Rules, mend
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.cases.writing import again, call, check_text, check_time, moments, waves
from chengshu.core.errors import Conflict, Invalid, NotAllowed
from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import CORRECTS
from chengshu.places.locate import cell_of, divisions_at

LONGEST_NOTE = 5_000
LONGEST_PLACE = 500
UNDO = timedelta(
    minutes=5
)  # for which the last step can be taken back: long enough to see a slip, too short to rely on
MOST_URGES = 1_000  # of one case
CORRECTIONS = ("type", "severity", "division", "lon", "lat", "place_text")
_STANDING = """
    SELECT id, kind_id, type_id, state_id, version, severity, source, places, opened_at, urges
    FROM cases_case WHERE id = ANY (%s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What of a case decides about units and clocks; its version guards against change in between."""

    kind: int
    type: int | None
    state: int
    version: int
    severity: int
    source: str
    places: tuple[int, ...]
    opened_at: datetime
    urges: int


def advance(
    requests: Sequence[MoveRequest], *, actor: Principal, at: datetime | Sequence[datetime] | None = None
) -> list[Verdict]:
    """Make moves; one verdict for each, in their order. A refused move changes nothing and says why.

    Args:
        at: when the moves happened: now by default; a replay passes a time for each.
    """
    known = catalog(actor.city)
    rows = list(enumerate(zip(requests, moments(at, len(requests)), strict=True)))
    for _i, (request, time) in rows:
        _check(request, actor)
        _check_codes(known, request, time)
    return [
        verdict
        for wave in waves(rows, lambda row: [pk for pk in (row[1][0].case, row[1][0].target) if pk])
        for verdict in again(partial(_advance, known, wave, actor), single=_single(known, wave))
    ]


def _single(known: Catalog, wave: Sequence[tuple[int, tuple[MoveRequest, datetime]]]) -> bool:
    """Whether none of the moves can be followed by another, which would be a second statement."""
    return not any(request.move in known.bounces | known.undoes for _i, (request, _at) in wave)


def foresee(requests: Sequence[MoveRequest], *, actor: Principal, at: datetime) -> list[tuple[Verdict, int | None]]:
    """What `advance()` would answer now, and the unit each case would go to; nothing is written."""
    known, found = catalog(actor.city), []
    for request in requests:
        _check(request, actor)
        _check_codes(known, request, at)
    for wave in waves([(i, (request, at)) for i, request in enumerate(requests)], lambda row: [row[1][0].case]):
        _moves, rows = _rows(known, wave, actor)
        verdicts = call("cases_judge", rows)
        found += [(verdict, row["unit_id"]) for verdict, row in zip(verdicts, rows, strict=True)]
    return found


def _advance(
    known: Catalog, wave: Sequence[tuple[int, tuple[MoveRequest, datetime]]], actor: Principal
) -> list[Verdict]:
    moves, rows = _rows(known, wave, actor)
    verdicts = call("cases_move", rows)
    verdicts = _restored(verdicts, [moves[i] for i, _request in wave])
    bounced = [
        (verdict.case, time)
        for verdict, (i, (_request, time)) in zip(verdicts, wave, strict=True)
        if verdict.ok and (move := moves[i]) and "count_return" in move.does
    ]
    return verdicts if not bounced else _with_last_resort(known, verdicts, bounced)


def _rows(
    known: Catalog, wave: Sequence[tuple[int, tuple[MoveRequest, datetime]]], actor: Principal
) -> tuple[dict[int, Move | None], list[dict[str, Any]]]:
    """The move of each request, as its case stands, and the request as a row for the SQL functions."""
    standing = _read([request.case for _i, (request, _at) in wave])
    moves = {i: _move(known, request, standing) for i, (request, _) in wave}
    _check_urges(known, wave, standing)
    running = _running([request.case for i, (request, _) in wave if _reads_clocks(moves[i])])
    rows = [
        _row(known, i, request, time, actor, standing.get(request.case), moves[i], running.get(request.case, []))
        for i, (request, time) in wave
    ]
    return moves, rows


def _read(cases: Sequence[UUID]) -> dict[UUID, Standing]:
    return {
        pk: Standing(
            kind=kind, type=type, state=state, version=version, severity=severity, source=source, places=tuple(places),
            opened_at=opened_at, urges=urges,
        )
        for pk, kind, type, state, version, severity, source, places, opened_at, urges in database.rows(_STANDING, [list(cases)])
    }  # fmt: skip


def _move(known: Catalog, request: MoveRequest, standing: dict[UUID, Standing]) -> Move | None:
    stands = standing.get(request.case)
    return known.moves.get((stands.kind, request.move, stands.state)) if stands else None


def _reads_clocks(move: Move | None) -> bool:
    return move is not None and (move.clocks_resume or "extend" in move.does)


def _running(cases: Sequence[UUID]) -> dict[UUID, list[Running]]:
    found: dict[UUID, list[Running]] = {}
    if cases:
        clocks = Clock.objects.filter(case__in=cases, stopped_at=None)
        for case, stage, limit, start, due, pause in clocks.values_list(
            "case_id", "stage", "limit", "started_at", "due_at", "paused_at"
        ):
            running = Running(stage=stage, limit=limit, started_at=start, due_at=due, paused_at=pause)
            found.setdefault(case, []).append(running)
    return found


def _row(
    known: Catalog,
    i: int,
    request: MoveRequest,
    at: datetime,
    actor: Principal,
    stands: Standing | None,
    move: Move | None,
    running: Sequence[Running],
) -> dict[str, Any]:
    """One request as a row for the SQL function."""
    type = known.type(request.type).pk if request.type else (stands.type if stands else None)
    place = _place(known, request, at.astimezone(known.zone).date())
    unit, facts = _unit(known, request, stands, move, type, at, place)
    facts |= _facts(request, move, type if request.type else None, place)
    # The opener of the case must not take for their own what somebody did who joined it.
    facts |= {"joined": actor.joined} if actor.joined else {}
    facts |= request.onsite.facts(stands.opened_at, at) if request.onsite and stands else {}
    return {
        "i": i,
        "case_id": request.case,
        "move": request.move,
        # Without a version of the caller's, the one just read: what was worked out from it must still hold.
        "version": request.version if request.version is not None else stands.version if stands else None,
        "at": at,
        "account_id": actor.account,
        "post_id": actor.post,
        "role": actor.role.value,
        "scope": actor.scope.value,
        "division_id": actor.division,
        "department_id": actor.department,
        "note": request.note,
        "facts": facts,
        "unit_id": unit,
        "target_id": request.target,
        "evidence": request.evidence,
        "clocks": changes(known, move, type, running, at, request.until) if move else [],
        "type_id": type if request.type else None,
        "severity": request.severity,
        "place_text": request.place_text,
        "lon": request.lon,
        "lat": request.lat,
        "cell": cell_of(request.lon, request.lat) if request.lon is not None and request.lat is not None else None,
        "place_id": place,
        "places": known.divisions[place].path if place else None,
        "not_before": earliest(known, move, at) if move else None,
        "returns_limit": _returns_limit(known, at) if move and "count_return" in move.does else None,
    }


def earliest(known: Catalog, move: Move, at: datetime) -> datetime | None:
    """The earliest closing that a move can still reopen, or step that it can still take back."""
    if "undo" in move.does:
        return at - UNDO
    return at - known.reopen_window(at) if "window" in move.needs else None


def _facts(request: MoveRequest, move: Move | None, type: int | None, place: int | None) -> dict[str, Any]:
    """What the step remembers of its request, so that the case can be rebuilt from its steps.

    What the move does not ask for is left out: no note brings a rating along.
    """
    asked = (*move.needs, *move.does) if move else ()
    facts = {
        "until": request.until if "until" in asked else None,
        "rating": request.rating if "rating" in asked else None,
        "tracker_id": request.tracker if "track" in asked else None,
        "target": request.target if "merge" in asked else None,
        "level": request.level if "escalate" in asked else None,
        "type_id": type,
        "severity": request.severity,
        "division_id": place,
        "place_text": request.place_text,
        "lon": request.lon,
        "lat": request.lat,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _unit(
    known: Catalog,
    request: MoveRequest,
    stands: Standing | None,
    move: Move | None,
    type: int | None,
    at: datetime,
    place: int | None,
) -> tuple[int | None, dict[str, Any]]:
    """The unit of a move that gives work to one: the one named, or where it needs one that advised, with the reason."""
    if move is None or stands is None or not {"create_task", "split"}.intersection(move.does):
        return None, {}
    if request.unit:
        return known.department(request.unit).pk, {}
    if "create_task" not in move.does or "unit" not in move.needs:
        return None, {}
    places = known.divisions[place].path if place else stands.places
    decision = dispatch.advise(known, move, facts_of(stands, type, places))
    if decision is None:
        return None, {}
    return decision.unit.pk, {"rule": decision.rule, "because": decision.because, "because_en": decision.because_en}


def facts_of(stands: Standing, type: int | None, places: tuple[int, ...]) -> dispatch.Facts:
    """A standing case as the dispatch rules see it."""
    return dispatch.Facts(
        kind=stands.kind, type=type, source=stands.source, severity=stands.severity, at=stands.opened_at, places=places
    )


def _place(known: Catalog, request: MoveRequest, on: date) -> int | None:
    if request.division:
        return known.division(request.division, on)
    if request.lon is not None and request.lat is not None:
        found = divisions_at(known.city.pk, request.lon, request.lat, on)
        return found[-1] if found else None
    return None


def _returns_limit(known: Catalog, at: datetime) -> int:
    return int(known.parameter("returns_before_last_resort", at))


def _with_last_resort(
    known: Catalog, verdicts: list[Verdict], bounced: Sequence[tuple[UUID, datetime]]
) -> list[Verdict]:
    """首接负责: a case returned as often as the city allows goes to the centre of its district, which cannot return it."""
    times = dict(bounced)
    limit = min(_returns_limit(known, time) for time in times.values())
    for pk, places in Case.objects.filter(pk__in=list(times), returns__gte=limit).values_list("pk", "places"):
        if centre := dispatch.last_resort(known, places):
            request = MoveRequest(case=pk, move=dispatch.LAST_RESORT, unit=centre.code)
            [moved] = advance([request], actor=system(known.city.pk, known.root), at=times[pk])
            verdicts = [_after(verdict, moved) if verdict.case == pk and moved.ok else verdict for verdict in verdicts]
    return verdicts


def _restored(verdicts: list[Verdict], moves: Sequence[Move | None]) -> list[Verdict]:
    """After a step was taken back the case is what its other steps tell, clocks and tasks included (cases/life.py)."""
    pairs = list(zip(verdicts, moves, strict=True))
    back = [verdict.case for verdict, move in pairs if verdict.ok and move and "undo" in move.does]
    if back:
        mend(Rules.read(), back)
    return [replace(v, version=(v.version or 0) + 1) if v.case in back and v.ok else v for v in verdicts]


def _after(verdict: Verdict, moved: Verdict) -> Verdict:
    """The verdict of the return, with the version the case has after what followed from it."""
    return Verdict(
        verdict=verdict.verdict, detail=dispatch.LAST_RESORT, case=verdict.case, number=verdict.number, seq=moved.seq,
        version=moved.version,
    )  # fmt: skip


def _check(request: MoveRequest, actor: Principal) -> None:
    """Refuse what cannot be a move, naming the field."""
    where = str(request.case)
    corrected = [name for name in CORRECTIONS if getattr(request, name) is not None]
    if corrected and actor.role not in CORRECTS:
        raise NotAllowed(
            _("This post does not correct %(fields)s.") % {"fields": ", ".join(corrected)},
            where=where,
            remedy="Say in a note what is wrong.",
        )
    if len(request.note) > LONGEST_NOTE:
        raise Invalid(
            _("The note has %(count)d characters, %(most)d at most.")
            % {"count": len(request.note), "most": LONGEST_NOTE},
            where=where,
            remedy="Shorten it.",
        )
    check_text("move", request.move, where)
    check_text("note", request.note, where)
    check_text("place_text", request.place_text, where)
    if len(request.place_text or "") > LONGEST_PLACE:
        raise Invalid(
            _("place_text has more than %(most)d characters.") % {"most": LONGEST_PLACE},
            where=where,
            remedy="Shorten it.",
        )
    if (request.lon is None) != (request.lat is None):
        raise Invalid("lon and lat come together.", where=where, remedy="Give both or neither.")
    if request.until is not None:
        check_time("until", request.until, where)
    if request.severity is not None and request.severity not in (1, 2, 3, 4):
        raise Invalid(
            _("Severity %(severity)s is not 1 to 4.") % {"severity": request.severity},
            where=where,
            remedy="Use 1 (urgent) to 4 (minor).",
        )


def _check_urges(
    known: Catalog, wave: Sequence[tuple[int, tuple[MoveRequest, datetime]]], standing: dict[UUID, Standing]
) -> None:
    """Refuse to urge once more what was urged so often that it says nothing new."""
    for _i, (request, _at) in wave:
        stands = standing.get(request.case) if request.move in known.urges else None
        if stands and stands.urges >= MOST_URGES:
            what = _("This case was urged %(count)d times.") % {"count": stands.urges}
            raise Conflict(what, where=str(request.case), remedy=_("Telephone the unit, or ask a supervisor."))


def _check_codes(known: Catalog, request: MoveRequest, at: datetime) -> None:
    """Refuse unknown codes before anything of the batch is written."""
    if request.unit:
        known.department(request.unit)
    if request.type:
        known.type(request.type)
    if request.division:
        known.division(request.division, at.astimezone(known.zone).date())
