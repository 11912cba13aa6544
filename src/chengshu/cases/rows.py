"""Histories as the rows they become: lines of PostgreSQL's COPY text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from chengshu.cases.catalog import Catalog
from chengshu.cases.clocks import warn_time
from chengshu.cases.life import Life, Made
from chengshu.cases.models import CaseType, Kind
from chengshu.core.ids import new_id
from chengshu.core.text import index_terms, place_term, serial_term
from chengshu.parties.principal import Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class PastMove:
    """A move that was made.

    `role` is the first that may make it, unless given; `facts` as in a step (until, rating, level …).
    """

    move: str
    at: datetime
    unit: str | None = None
    note: str = ""
    role: str | None = None
    account: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """A case as another register tells it.

    Codes are those of the city; `due_at` is a due time the origin set for the whole case.
    """

    origin: str
    origin_key: str
    title: str
    opened_at: datetime
    moves: tuple[PastMove, ...] = ()
    kind: str | None = None
    type: str | None = None
    description: str = ""
    severity: int | None = None
    source: str = "import"
    place_text: str = ""
    lon: float | None = None
    lat: float | None = None
    cell: int | None = None
    division: str | None = None
    unit: str | None = None
    due_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A history found legal: its codes as ids, and the life that follows from its moves."""

    history: History
    case: UUID
    kind: Kind
    type: CaseType | None
    division: int
    steps: tuple[Made, ...]
    life: Life


COLUMNS: Mapping[str, str] = {
    "cases_case": (
        "id, number, kind_id, type_id, state_id, version, seq, title, description, severity, source, place_text, lon, lat, cell,"
        " division_id, places, unit_id, reporter_id, tracker_id, opened_at, moved_at, closed_at, due_at, suspended, returns,"
        " reworks, urges, reopens, escalation, rating"
    ),
    "cases_casetext": "case_id, terms",
    "cases_report": "id, case_id, origin, origin_key, received_at, occurred_at, verdict, account_id, payload",
    "cases_step": (
        "case_id, seq, prev, move_id, from_state_id, to_state_id, at, recorded_at, account_id, post_id, role,"
        " unit_id, note, facts"
    ),
    "cases_clock": (
        'case_id, stage, "limit", unit_id, started_seq, started_at, due_at, warn_at, paused_at, stopped_seq, stopped_at,'
        " account_id, next_at"
    ),
    "cases_task": "case_id, unit_id, lead, state, note, opened_seq, opened_at, ended_seq, ended_at",
}
NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": None})
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Lines:
    """The rows of one case by table. The case row stands in two parts, around its number."""

    head: str
    tail: str
    rows: Mapping[str, str]

    def text(self, table: str, number: int) -> str:
        """The lines for a table; the running number of the case completes its own."""
        if table == "cases_case":
            return f"{self.head}{number:06d}{self.tail}"
        return f"{self.rows[table]} {serial_term(f'{number:06d}')}\n" if table == "cases_casetext" else self.rows[table]


@dataclass(frozen=True, kw_only=True)
class Scribe:
    """Writes checked histories as lines. What many cases share is written once.

    Args:
        share: the part of a limit after which its clock warns.
        now: when the rows are written.
    """

    known: Catalog
    actor: Principal
    share: float
    now: str
    _moves: dict[int, str] = field(default_factory=dict)
    _paths: dict[int, tuple[str, str]] = field(default_factory=dict)

    def lines(self, one: Checked) -> Lines:
        """All rows of a checked history."""
        case = str(one.case)
        return Lines(
            head=f"{case}\t{self._number_head(one.history.opened_at)}",
            tail=self._case(one),
            rows={
                "cases_casetext": f"{case}\t{_terms(one)}{self._path(one.division)[1]}",
                "cases_report": self._report(one, case),
                "cases_step": "".join(self._steps(one, case)),
                "cases_clock": "".join(self._clocks(one.life, case)),
                "cases_task": "".join(_tasks(one, case)),
            },
        )

    def _path(self, division: int) -> tuple[str, str]:
        """The divisions a place lies in, from the city down: as an array's elements and as search terms."""
        if division not in self._paths:
            path = self.known.divisions[division].path
            self._paths[division] = ",".join(map(str, path)), "".join(f" {place_term(place)}" for place in path[1:])
        return self._paths[division]

    def _number_head(self, opened: datetime) -> str:
        return f"{self.known.city.number_prefix}-{opened.astimezone(self.known.zone):%Y%m%d}-"

    def _case(self, one: Checked) -> str:
        history, life = one.history, one.life
        division = life.division or one.division
        place = {"place_text": history.place_text, "lon": history.lon, "lat": history.lat} | life.moved_place
        return (
            f"\t{one.kind.pk}\t{_or(life.type)}\t{life.state}\t{life.seq}\t{life.seq}\t{_text(history.title)}"
            f"\t{_text(history.description)}\t{life.severity}\t{_text(history.source)}\t{_text(place['place_text'])}"
            f"\t{_or(place['lon'])}\t{_or(place['lat'])}\t{_or(history.cell)}\t{division}\t{{{self._path(division)[0]}}}\t{_or(life.unit)}"
            f"\t{_or(self.actor.account)}\t{_or(life.tracker)}\t{life.opened_at}\t{life.moved_at}\t{_or(life.closed_at)}"
            f"\t{_or(life.due_at)}\t{'t' if life.suspended else 'f'}\t{life.returns}\t{life.reworks}\t{life.urges}"
            f"\t{life.reopens}\t{life.escalation}\t{_or(life.rating)}\n"
        )

    def _report(self, one: Checked, case: str) -> str:
        history = one.history
        return (
            f"{new_id()}\t{case}\t{_text(history.origin)}\t{_text(history.origin_key)}\t{history.opened_at}"
            f"\t{history.opened_at}\topened\t{_or(self.actor.account)}\t{_json(history.payload)}\n"
        )

    def _steps(self, one: Checked, case: str) -> Iterator[str]:
        opening, actor = one.steps[0], self.actor
        who = f"{_or(actor.account)}\t{_or(actor.post)}\t{actor.role.value}"
        yield f"{case}\t1\t{NULL}\t{self._move(opening)}\t{who}\t{_or(opening.unit)}\t\t{_json(opening.facts)}\n"
        for seq, past in enumerate(one.history.moves, 2):
            made = one.steps[seq - 1]
            yield (
                f"{case}\t{seq}\t{seq - 1}\t{self._move(made)}\t{_or(made.account)}\t{NULL}\t"
                f"{past.role or made.move.roles[0]}\t{_or(made.unit)}\t{_text(past.note)}\t{_json(made.facts)}\n"
            )

    def _move(self, made: Made) -> str:
        """The columns of a step from its move to when it was written."""
        key = id(made.move)
        if key not in self._moves:
            move = made.move
            self._moves[key] = f"{move.pk}\t{move.from_state_id}\t{move.to_state_id}\t"
        return f"{self._moves[key]}{made.at}\t{self.now}"

    def _clocks(self, life: Life, case: str) -> Iterator[str]:
        for clock in life.clocks:
            due, stopped = clock.due(), clock.stopped_at
            warn = warn_time(clock.started_at, due, self.share)
            waits = _or(clock.wakes_at) if stopped or clock.paused_at else str(warn)
            yield (
                f"{case}\t{clock.stage}\t{clock.limit}\t{_or(clock.unit)}\t{clock.started_seq}\t{clock.started_at}\t{due}"
                f"\t{warn}\t{_or(clock.paused_at)}\t{_or(clock.stopped_seq)}\t{_or(stopped)}\t{_or(clock.account)}\t{waits}\n"
            )


def _or(value: object) -> str:
    return NULL if value is None else str(value)


def _text(value: str) -> str:
    return value if value.isalnum() else value.translate(_ESCAPES)


def _json(value: Mapping[str, Any]) -> str:
    return _encode(value).decode().translate(_ESCAPES) if value else "{}"


def _terms(one: Checked) -> str:
    """Lexemes are letters, digits and Han characters only, which need no quoting."""
    history = one.history
    return " ".join(
        index_terms(history.title, history.description, history.place_text, one.type.name if one.type else "")
    )


def _tasks(one: Checked, case: str) -> Iterator[str]:
    for task in one.life.tasks:
        note = _text(one.history.moves[task.opened_seq - 2].note)
        yield (
            f"{case}\t{task.unit}\t{'t' if task.lead else 'f'}\t{task.state}\t{note}\t{task.opened_seq}\t{task.opened_at}"
            f"\t{_or(task.ended_seq)}\t{_or(task.ended_at)}\n"
        )
