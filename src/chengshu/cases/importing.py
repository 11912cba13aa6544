"""Bulk import of histories that happened elsewhere: validated against the move table, written in columns by `COPY`.

A history is the report of a case and the moves that followed, with their times. Each is checked as a whole: every move
must lead on from the state that the one before it reached, times must not run backwards, and what the move table says
a move needs must be there (evidence excepted: pictures of the past are imported apart). What fails goes into the
quarantine of the result and leaves no trace. Good ones become the same rows as `report()` and `advance()` would have
written (chengshu.cases.life), but for the outbox: nobody is notified of what is long done. Foreign keys and triggers
stay on.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from psycopg import Connection, errors

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.clocks import warn_share
from chengshu.cases.life import Made, live, settle
from chengshu.cases.models import CaseType, Kind
from chengshu.cases.report import opening_facts
from chengshu.cases.rows import COLUMNS, Checked, History, Lines, PastMove, Scribe
from chengshu.cases.writing import SHORTEST
from chengshu.core.errors import ChengshuError, Conflict, Invalid
from chengshu.core.ids import new_id
from chengshu.parties.principal import Principal

CHUNK = 5_000  # cases per transaction
TRIES = 3
_KNOWN = """
    SELECT r.origin, r.origin_key FROM cases_report r
    JOIN unnest(%s::text[], %s::text[]) AS asked (origin, origin_key) USING (origin, origin_key)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A history that cannot be true by the move table: why, and what to do."""

    origin: str
    origin_key: str
    reason: str
    remedy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """How many cases were written, how many had been before, and what was refused."""

    accepted: int
    known: int
    quarantined: tuple[Refused, ...]


def import_history(histories: Iterable[History], *, city: int, actor: Principal) -> ImportResult:
    """Store histories, each (origin, origin_key) once, one transaction for every 5 000 cases.

    What was committed stays when a later chunk fails; running the import again then stores only the rest.

    Args:
        actor: who imports: its account and post stand in the opening step of every case.
    """
    known = catalog(city)
    accepted = seen = 0
    refused: list[Refused] = []
    with _writers() as writers, ThreadPoolExecutor(max_workers=len(writers)) as pool, _no_cycles():
        free: SimpleQueue[Connection[Any]] = SimpleQueue()
        for writer in writers:
            free.put(writer)
        pending: deque[Future[int]] = deque()
        for chunk in _chunks(histories):
            lines = _chunk_lines(known, chunk, actor, refused)
            if len(pending) == len(writers):
                accepted += pending.popleft().result()
            pending.append(pool.submit(_write_by, free, lines))
            seen += len(chunk)
        accepted += sum(chunk.result() for chunk in pending)
    return ImportResult(accepted=accepted, known=seen - len(refused) - accepted, quarantined=tuple(refused))


@contextmanager
def _writers() -> Iterator[list[Connection[Any]]]:
    """The connections that chunks are written on: a second one beside Django's, unless the caller is in a transaction,
    which only its own connection can see.
    """
    connection.ensure_connection()
    own: Connection[Any] = connection.connection
    if connection.in_atomic_block:
        yield [own]
        return
    with connection.get_new_connection(connection.get_connection_params()) as second:
        second.autocommit = True
        yield [own, second]


def _write_by(free: SimpleQueue[Connection[Any]], chunk: dict[tuple[str, str], Lines]) -> int:
    """Write a chunk on whichever connection is free."""
    writer = free.get()
    try:
        return _write(writer, chunk)
    finally:
        free.put(writer)


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Leave the cycle collector out: a chunk makes a million objects without cycles, and searching them took a fifth of
    the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _chunks(histories: Iterable[History]) -> Iterator[list[History]]:
    iterator = iter(histories)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _chunk_lines(
    known: Catalog, chunk: list[History], actor: Principal, refused: list[Refused]
) -> dict[tuple[str, str], Lines]:
    """The rows of a chunk as lines of COPY; a key that stands in the chunk twice is taken the first time."""
    checked: dict[tuple[str, str], Checked] = {}
    for history in chunk:
        try:
            checked.setdefault((history.origin, history.origin_key), check(known, history))
        except ChengshuError as error:
            reason = error.what
            refused.append(
                Refused(origin=history.origin, origin_key=history.origin_key, reason=reason, remedy=error.remedy)
            )
    settle((clock for one in checked.values() for clock in one.life.clocks), known.calendar)
    scribe = Scribe(known=known, actor=actor, share=warn_share(known), now=str(datetime.now(UTC)))
    return {key: scribe.lines(one) for key, one in checked.items()}


def check(known: Catalog, history: History) -> Checked:
    """The life of a history; raises `Invalid` where it cannot have happened by the move table."""
    type = known.type(history.type) if history.type else None
    kind = known.kinds[type.kind_id] if type else known.kind(history.kind or "")
    if not (history.title.strip() and history.origin and history.origin_key):
        raise Invalid("It lacks a title, an origin or the origin's key.", remedy="Fill them.")
    division = (
        known.division(history.division, history.opened_at.astimezone(known.zone).date())
        if history.division
        else known.root
    )
    opening = _opening(known, history, kind, type, division)
    steps = [opening]
    for past in history.moves:
        steps.append(_step(known, kind, steps, past))
    life = live(opening, steps[1:], known.states, kind.opening_clocks, partial(known.limit, kind.pk))
    return Checked(
        history=history, case=new_id(), kind=kind, type=type, division=division, steps=tuple(steps), life=life
    )


def _opening(known: Catalog, history: History, kind: Kind, type: CaseType | None, division: int) -> Made:
    move = known.opening_moves[kind.pk]
    unit = known.department(history.unit).pk if history.unit else None
    severity = history.severity or (type.severity if type else 3)
    facts = opening_facts(
        type.pk if type else None, severity, unit, division, given=history.due_at is not None, due=history.due_at
    )
    return Made(move=move, at=_aware(history.opened_at), unit=unit, facts=facts)


def _step(known: Catalog, kind: Kind, before: list[Made], past: PastMove) -> Made:
    """The next step; raises `Invalid` when it may not follow what stands before."""
    state = before[-1].move.to_state_id
    move = known.moves.get((kind.pk, past.move, state))
    if move is None or "undo" in move.does:  # what was taken back there is no part of the history
        legal = ", ".join(sorted(m.code for m in known.moves_from(kind.pk, state)))
        what = _("The move %(move)s does not lead on from the state %(state)s.")
        raise Invalid(
            what % {"move": repr(past.move), "state": repr(known.states[state].code)},
            remedy=_("Possible there: %(moves)s.") % {"moves": legal or "–"},
        )
    if _aware(past.at) < before[-1].at:
        what = _("The move %(move)s is dated before the one it follows.") % {"move": repr(past.move)}
        raise Invalid(what, remedy="Correct the times.")
    unit = known.department(past.unit).pk if past.unit else None
    made = Made(move=move, at=past.at, unit=unit, account=past.account, facts=past.facts)
    if lacking := _lacking(made, past, before):
        what = _("The move %(move)s lacks what it needs: %(lacking)s.") % {"move": repr(past.move), "lacking": lacking}
        raise Invalid(what, remedy="Complete the history.")
    return made


def _lacking(made: Made, past: PastMove, before: list[Made]) -> str:
    """What the move table asks of a move and this one does not bring; empty when nothing."""
    facts, needs = made.facts, made.move.needs
    present = {
        "unit": made.unit is not None,
        "note": len(past.note.strip()) >= SHORTEST,
        "rating": facts.get("rating") in (1, 2, 3, 4, 5),
        "until": "until" in facts,
        "tracker": "tracker_id" in facts,
        "target": "target" in facts,
    }
    if past.role is not None and past.role not in made.move.roles:
        return _("a role among %(roles)s") % {"roles": ", ".join(made.move.roles)}
    if made.account is not None and any(s.account == made.account and s.move.code in made.move.not_who for s in before):
        return _("another person than whoever made %(moves)s") % {"moves": ", ".join(made.move.not_who)}
    return next((need for need in needs if not present.get(need, True)), "")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise Invalid(_("The time %(time)s has no zone.") % {"time": at}, remedy="Give times with their offset.")
    return at


def _write(raw: Connection[Any], chunk: dict[tuple[str, str], Lines]) -> int:
    """Write a chunk in one transaction, but for what is stored already; how many cases that were."""
    for _try in range(TRIES):
        try:
            return _write_new(raw, chunk)
        except errors.UniqueViolation as error:
            if error.diag.constraint_name != "report_once":
                raise
    raise Conflict("Somebody else imports the same histories.", remedy="Wait for them to finish, then import again.")


def _write_new(raw: Connection[Any], chunk: dict[tuple[str, str], Lines]) -> int:
    with raw.transaction(), raw.cursor() as cursor:
        cursor.execute(_KNOWN, [[origin for origin, _ in chunk], [key for _, key in chunk]])
        stored = set(cursor.fetchall())
        new = [lines for key, lines in chunk.items() if key not in stored]
        cursor.execute("SELECT nextval('cases_number') FROM generate_series(1, %s)", [len(new)])
        numbers = [number for (number,) in cursor]
        for table, columns in COLUMNS.items():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                copy.write("".join(lines.text(table, number) for lines, number in zip(new, numbers, strict=True)))
        return len(new)
