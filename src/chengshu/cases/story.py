"""The public story of a case as its reporter, or somebody who joined, may read it: read in two prepared statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec

from chengshu import database
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.detail import Act, acts
from chengshu.cases.models import Case, CaseType, Move, State
from chengshu.cases.road import road_of
from chengshu.core.masking import masked
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

# Notes of officials that are written to the reporter; all others stay inside.
ANSWERS = frozenset({"reject", "handle", "self_handle", "answer", "reply", "suspend", "extend", "close", "invalid"})
RESULTS = frozenset({"handle", "self_handle", "answer", "reply", "close"})
JOINED_MAY = frozenset({"urge"})  # what somebody may do in a case that another person reported
SHOWN = frozenset({"extend", "urge"})  # moves that change no state and are public all the same
PAUSE = timedelta(hours=4)  # between two urgings of a case by one reporter: each is an urgent notice to many

# A file belongs to a step when whoever made the step had sent it by then; what later reports bring is not part of it.
_READ = """
    SELECT c.id, c.number, c.kind_id, k.city_id, c.type_id, c.state_id, c.version, c.title, c.place_text, c.unit_id,
           c.opened_at, c.closed_at, c.due_at, c.suspended, c.urges, c.rating, m.number, m.state_id, m.due_at,
           (SELECT min(o.due_at) FROM cases_clock o
            WHERE o.case_id = c.id AND o.stage = 'total' AND o.stopped_at IS NULL AND o.paused_at IS NULL),
           (SELECT count(*) FROM cases_report r WHERE r.case_id = c.id AND r.verdict = 'joined'),
           (SELECT jsonb_agg(jsonb_build_array(s.seq, s.at, s.move_id, s.from_state_id, s.to_state_id, s.role, s.account_id,
                                               s.unit_id, s.note, s.facts -> 'rating', s.facts ->> 'joined', a.name,
                    (SELECT jsonb_agg(jsonb_build_array(e.id, e.media_type, e.size, e.name) ORDER BY e.at)
                     FROM cases_evidence e WHERE e.case_id = c.id AND e.seq = s.seq AND e.at <= s.recorded_at
                       AND e.account_id IS NOT DISTINCT FROM s.account_id)) ORDER BY s.seq)
            FROM cases_step s LEFT JOIN parties_account a ON a.id = s.account_id AND s.role <> 'citizen'
            WHERE s.case_id = c.id),
           CASE WHEN %s THEN (SELECT array_agg(x.name) FROM cases_contact x JOIN cases_report r ON r.id = x.report_id
                              WHERE r.case_id = c.id AND x.name <> '') END
    FROM cases_case c JOIN cases_kind k ON k.id = c.kind_id LEFT JOIN cases_case m ON m.id = c.merged_into_id
    WHERE c.number = %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follower:
    """Who reads a case: `opener` when they reported it first; else they joined it. Neither sees what the other wrote."""

    principal: Principal
    opener: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of a public line."""

    pk: UUID
    media_type: str
    size: int
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One public line of a case's story. `note` is empty where what was written is not for the reader."""

    seq: int
    at: datetime
    move: Move
    first: bool
    unit: Department | None
    own: bool
    note: str
    rating: int | None
    evidence: tuple[File, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """The case into which one was merged."""

    number: str
    state: State
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """A case as its reporter sees it: no names of officials, no internal notes, nobody's personal data.

    Attributes:
        title: the reporter's own words; to somebody who joined, the name of the type, or nothing.
        due_at: when the whole case is to be done, else the stage it is in.
        late_at: the due time that has passed, if one has.
        others: how many reports joined it.
        road: the usual states in order; `result` the last answer of whoever handled.
        urge_from: when the reader may urge again, who urged just now.
    """

    id: UUID
    number: str
    version: int
    city: int
    title: str
    place: str
    type: CaseType | None
    state: State
    suspended: bool
    unit: Department | None
    opened_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    late_at: datetime | None
    urges: int
    rating: int | None
    others: int
    opener: bool
    merged_into: Joined | None
    road: tuple[State, ...]
    lines: tuple[Line, ...]
    result: Line | None
    acts: tuple[Act, ...]
    urge_from: datetime | None


def story(follower: Follower, number: str) -> Story | None:
    """The story of a case whose reporter `follower` was shown to be; None when there is no such case."""
    found = database.rows(_READ, [not follower.opener, number])
    return _story(follower, found[0]) if found else None


def _story(follower: Follower, row: Sequence[Any]) -> Story:
    (id, number, kind, city, type_id, state_id, version, title, place, unit, opened_at, closed_at, due_at, suspended, urges,
     rating, *merged, due_total, others, told, names) = row  # fmt: skip
    known = catalog(city)
    now = datetime.now(UTC)
    type = known.types.get(type_id or 0)
    steps = msgspec.json.decode(told)
    lines = _lines(known, follower, steps, names or ())
    urge_from = _urge_from(known, follower, steps, now)
    return Story(
        id=id, number=number, version=version, city=city, title=title if follower.opener else "",
        place=place if follower.opener else "", type=type, state=known.states[state_id], suspended=suspended,
        unit=known.departments.get(unit or 0), opened_at=opened_at, closed_at=closed_at, due_at=due_total or due_at,
        late_at=due_at if due_at and due_at < now and closed_at is None else None, urges=urges, rating=rating,
        others=others, opener=follower.opener, merged_into=_merged(known, merged),
        road=road_of(known, kind, state_id, {step[4] for step in steps}), lines=lines,
        result=next((line for line in reversed(lines) if line.move.code in RESULTS and (line.note or line.evidence)), None),
        acts=_acts(known, follower, _case(known, id, kind, state_id), now, urge_from), urge_from=urge_from,
    )  # fmt: skip


def _merged(known: Catalog, merged: Sequence[Any]) -> Joined | None:
    number, state, due_at = merged
    return Joined(number=number, state=known.states[state], due_at=due_at) if number else None


def _case(known: Catalog, id: UUID, kind: int, state: int) -> Case:
    """As much of a case as the judge asks for."""
    return Case(id=id, kind=known.kinds[kind], state_id=state)


def _acts(known: Catalog, follower: Follower, case: Case, now: datetime, urge_from: datetime | None) -> tuple[Act, ...]:
    wanted = (Role.CITIZEN,) if any(_offers(known, case)) else ()
    found = acts(follower.principal, case, now, roles=wanted) if wanted else ()
    return tuple(
        act
        for act in found
        if act.allowed
        and (follower.opener or act.move.code in JOINED_MAY)
        and not (urge_from and act.move.code in known.urges)
    )


def _urge_from(known: Catalog, follower: Follower, steps: Sequence[Sequence[Any]], now: datetime) -> datetime | None:
    """When the reader may urge again; None when they may at once."""
    moves = _moves(known, {step[2] for step in steps})
    own = [step for step in steps if moves[step[2]].code in known.urges and _own(follower, step)]
    again = datetime.fromisoformat(own[-1][1]) + PAUSE if own else now
    return again if again > now else None


def _own(follower: Follower, step: Sequence[Any]) -> bool:
    """Whether the reader made a step. Who joined the case makes steps without an account, as who opened it may."""
    role, account, joined = step[5], step[6], step[10]
    principal = follower.principal
    return bool(role == Role.CITIZEN and account == principal.account and (joined or "") == principal.joined)


def _offers(known: Catalog, case: Case) -> list[Move]:
    return [m for m in known.moves_from(case.kind_id, case.state_id) if Role.CITIZEN.value in m.roles]


def _lines(
    known: Catalog, follower: Follower, steps: Sequence[Sequence[Any]], names: Sequence[str]
) -> tuple[Line, ...]:
    moves = _moves(known, {step[2] for step in steps})
    officials = [step[11] for step in steps if step[11]]
    return tuple(
        _line(known, follower, step, moves[step[2]], [*names, *officials])
        for step in steps
        if _shown(follower, step, moves[step[2]])
    )


def _moves(known: Catalog, wanted: set[int]) -> Mapping[int, Move]:
    """Moves by id: those of today from memory, retired ones from the table."""
    own = known.memo.get("moves") or known.memo.setdefault("moves", {move.pk: move for move in known.moves.values()})
    missing = wanted - own.keys()
    return cast("Mapping[int, Move]", {**own, **Move.objects.in_bulk(missing)} if missing else own)


def _shown(follower: Follower, step: Sequence[Any], move: Move) -> bool:
    """A change of state is public, and so is whatever the reporter did; notes and inspections on the way are not."""
    changed = step[3] != step[4]
    return changed or move.code in SHOWN or (step[5] == Role.CITIZEN and follower.opener)


def _line(known: Catalog, follower: Follower, step: Sequence[Any], move: Move, names: Sequence[str]) -> Line:
    seq, at, _move, _from, _to, role, _account, unit, note, rating, _joined, _name, files = step
    own = follower.opener and _own(follower, step)
    answer = role != Role.CITIZEN and move.code in ANSWERS
    return Line(
        seq=seq, at=datetime.fromisoformat(at), move=move, first=known.states[_from].phase == "new",
        unit=known.departments.get(unit or 0), own=own, note=note if own else masked(note, names) if answer else "",
        rating=rating if follower.opener else None,
        evidence=tuple(map(_file, files or ())) if own or answer else (),
    )  # fmt: skip


def _file(row: Sequence[Any]) -> File:
    id, media_type, size, name = row
    return File(pk=UUID(id), media_type=media_type, size=size, name=name)
