"""Rows that could not be taken: who sees them, how they are mended and sent again, or given up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chengshu.core.errors import ChengshuError, Conflict, Invalid, NotFound
from chengshu.parties.principal import Principal
from chengshu.sensing import decode
from chengshu.sensing.accept import accept
from chengshu.sensing.models import Datastream, Quarantined
from chengshu.sensing.records import Reason, Receipt
from chengshu.sensing.scope import write_scope

REASONS: dict[Reason, tuple[Promise, Promise]] = {
    Reason.FORM: (_("It cannot be read."), _("Give datastream, phenomenonTime and result.")),
    Reason.UNKNOWN: (_("There is no such datastream."), _("Register it, or mend its name.")),
    Reason.TYPE: (_("The result is not of the datastream's type."), _("Send what its observation type says.")),
    Reason.UNIT: (_("The unit does not convert into the datastream's."), _("Write a UCUM unit of the same kind.")),
    Reason.RANGE: (
        _("The result is beyond what can be true."),
        _("Look at the sensor, or at the range of the datastream."),
    ),
    Reason.TIME: (_("The time cannot be right."), _("Set the clock, and write times with their zone.")),
    Reason.PLACE: (_("The coordinates are nowhere."), _("Give longitude and latitude, and say in which system.")),
    Reason.CONTRADICTS: (_("The datastream has another result at that time."), _("Find out which one is true.")),
}
"""Why a row was refused, and what mends it, in words."""


def seen(principal: Principal) -> QuerySet[Quarantined]:
    """The rows that a principal may mend: of its Things, and of its own deliveries where no Thing was found."""
    scope = write_scope(principal)
    rows = Quarantined.objects.filter(city=scope.city)
    if scope.whole:
        return rows
    streams = Datastream.objects.filter(scope.q("thing__"))
    return rows.filter(Q(datastream__in=streams) | Q(datastream=None, delivery__account=principal.account))


def repair(principal: Principal, pk: int, text: str, *, at: datetime) -> Receipt:
    """Send a row again as it was mended: one line of NDJSON. It is repaired when it is taken, and stays as it was when it is not.

    Raises:
        NotFound: for a row that is not there for this principal.
        Conflict: when it is not open any more.
        Invalid: when the mended row is refused; it says why.
    """
    with transaction.atomic():
        row = _open(principal, pk)
        incoming = replace(decode.ndjson(text.strip().encode(), door="repair"), content=None)
        got = accept(incoming, actor=principal, at=at)
        if got.refused or got.rows + got.known != 1:
            raise _refused(got)
        _settle(row, Quarantined.State.REPAIRED, principal, at)
    return got


def drop(principal: Principal, pk: int, *, at: datetime) -> None:
    """Give a row up. It stays in sight as such. Raises as `repair` does."""
    with transaction.atomic():
        _settle(_open(principal, pk), Quarantined.State.DROPPED, principal, at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """What became of rows that were sent again as they stand."""

    taken: int
    still: int


def again(principal: Principal, rows: Sequence[Quarantined], *, at: datetime) -> Again:
    """Send rows again as they stand, each by itself: since they were refused, a datastream or its range may have changed."""
    taken = 0
    for row in rows:
        try:
            repair(principal, row.pk, line_of(row), at=at)
            taken += 1
        except ChengshuError:
            continue
    return Again(taken=taken, still=len(rows) - taken)


def line_of(row: Quarantined) -> str:
    """A row as the line of NDJSON that is mended."""
    line = row.content.get("line")
    return str(line) if isinstance(line, str) else json.dumps(row.content, ensure_ascii=False)


def _open(principal: Principal, pk: int) -> Quarantined:
    row = seen(principal).select_for_update(of=("self",)).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such row.", where=str(pk), remedy="Look at the list.")
    if row.state != Quarantined.State.OPEN:
        raise Conflict("Somebody else was first: the row is settled.", where=str(pk), remedy="Look at the list.")
    return row


def _settle(row: Quarantined, state: Quarantined.State, principal: Principal, at: datetime) -> None:
    row.state, row.at, row.by_id = state, at, principal.account
    row.save(update_fields=["state", "at", "by"])


def _refused(got: Receipt) -> Invalid:
    if not got.problems:
        return Invalid("It is not one row.", remedy="Give one line of JSON.")
    what, remedy = REASONS[got.problems[0].reason]
    return Invalid(str(what), where=got.problems[0].detail, remedy=str(remedy))
