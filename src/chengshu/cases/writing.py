"""How a batch reaches the two SQL functions: in chunks, the same thing twice in waves, again after a clash of keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from psycopg import errors

from chengshu import database
from chengshu.cases.records import Verdict
from chengshu.core.errors import Invalid

CHUNK = 250  # rows locked and written together; the benchmark `batches` tells what other sizes cost
TRIES = 5
SHORTEST = 2  # characters of a reason, wherever one is asked for; the same in sql/functions.sql (cases_missing)
YEARS = range(1900, 9000)
FARTHEST = timedelta(hours=16)  # PostgreSQL reads offsets below this only
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

Row = TypeVar("Row")
Result = TypeVar("Result")
_CALLS = {
    "cases_open": "SELECT i, verdict, detail, case_id, number, seq, version FROM cases_open(%s)",
    "cases_move": "SELECT i, verdict, detail, case_id, number, seq, version FROM cases_move(%s)",
    "cases_judge": "SELECT i, verdict, detail, case_id, number, seq, version FROM unnest(cases_judge(ARRAY("
    "SELECT r FROM jsonb_populate_recordset(NULL::cases_request, %s) r)))",
}
_encode = msgspec.json.Encoder().encode


def waves(rows: Sequence[Row], keys: Callable[[Row], Sequence[Hashable]]) -> Iterator[list[Row]]:
    """Split rows, keeping their order for every key, so that no key stands in a wave twice and none is too large."""
    wave: list[Row] = []
    seen: set[Hashable] = set()
    for row in rows:
        own = keys(row)
        if len(wave) == CHUNK or not seen.isdisjoint(own):
            yield wave
            wave, seen = [], set()
        wave.append(row)
        seen.update(own)
    if wave:
        yield wave


def moments(at: datetime | Sequence[datetime] | None, count: int) -> Sequence[datetime]:
    """The time of each row of a batch: now, one for all, or one each; all aware."""
    times = [at or datetime.now(UTC)] * count if at is None or isinstance(at, datetime) else at
    if any(time.tzinfo is None for time in times):
        raise Invalid("A time without a zone.", remedy="Give aware times.")
    return times


def call(function: Literal["cases_open", "cases_move", "cases_judge"], rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Run one wave; verdicts come back in the order of the rows, each of which carries its place as `i`."""
    found = {
        i: Verdict(verdict=verdict, detail=detail or "", case=case, number=number, seq=seq, version=version)
        for i, verdict, detail, case, number, seq, version in database.rows(_CALLS[function], [_encode(rows).decode()])
    }
    return [_discreet(found[row["i"]]) for row in rows]


def _discreet(verdict: Verdict) -> Verdict:
    """Who may not see a case does not learn from the refusal that there is one."""
    return replace(verdict, number=None, seq=None, version=None) if verdict.verdict == "missing" else verdict


def check_text(name: str, value: object, where: str) -> None:
    """Refuse what PostgreSQL cannot keep as text: NUL characters and halves of surrogate pairs."""
    try:
        raw = _encode(value)
    except UnicodeEncodeError as error:
        raise Invalid(
            _("%(field)s is not Unicode.") % {"field": name}, where=where, remedy="Send it as UTF-8."
        ) from error
    if b"\\u0000" in raw and _NUL.search(raw):
        raise Invalid(_("%(field)s holds a NUL character.") % {"field": name}, where=where, remedy="Remove it.")


def check_time(name: str, time: datetime, where: str) -> None:
    """Refuse times without a zone, those that no calendar reaches, and offsets that PostgreSQL does not read."""
    if (offset := time.utcoffset()) is None:
        what = _("%(field)s has no zone.") % {"field": name}
        raise Invalid(what, where=where, remedy="Give it with its offset, such as 08:00+08:00.")
    if time.year not in YEARS:
        what = _("%(field)s %(time)s is not of our age.") % {"field": name, "time": time}
        raise Invalid(what, where=where, remedy="Use a year from 1900 to 8999.")
    if abs(offset) >= FARTHEST:
        what = _("%(field)s %(time)s has an offset that no zone has.") % {"field": name, "time": time}
        raise Invalid(what, where=where, remedy="Give it in UTC.")


def again(work: Callable[[], Result], *, single: bool = False) -> Result:
    """Run `work` in a transaction, anew when somebody else took the same key at the same moment or two waited in a ring.

    Within a transaction of the caller only this part of it is done anew. Work that writes by a `single` statement needs
    no BEGIN and COMMIT around it.
    """
    bare = single and not connection.in_atomic_block
    for last in range(TRIES):
        try:
            with nullcontext() if bare else transaction.atomic():
                return work()
        except DatabaseError as error:
            if last == TRIES - 1 or not _passing(error):
                raise
    raise AssertionError("unreachable")


def _passing(error: DatabaseError) -> bool:
    cause = error.__cause__
    if isinstance(error, IntegrityError):
        return isinstance(cause, errors.UniqueViolation)
    return isinstance(cause, errors.DeadlockDetected | errors.SerializationFailure)
