"""A move as a form: its fields become a request, its verdict becomes words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.detail import acts, explain, find
from chengshu.cases.models import Case, Move
from chengshu.cases.onsite import Onsite
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.parties.principal import Principal
from chengshu.web.pages import Request, text
from chengshu.web.uploads import uploaded
from chengshu.web.words import local

EVIDENCE = {"photo": gettext_noop("a photo"), "place": gettext_noop("the place")}
FIELDS = ("note", "unit", "type", "until", "target", "rating", "tracker", "severity")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """A move that was refused: which, why, and what had been filled in, so that nothing need be typed again."""

    move: str
    why: str
    status: int
    values: Mapping[str, str]


def make(
    request: Request, principal: Principal, case: Case, code: str, *, onsite: Onsite | None = None
) -> Failed | None:
    """Make a move as the form says, `onsite` what a telephone adds to it. None when it was made."""
    values = {name: text(request, name) for name in FIELDS}
    try:
        wanted = replace(_request(request, principal, case, code, values), onsite=onsite)
        [verdict] = advance([wanted], actor=principal)
    except ChengshuError as error:
        why = " ".join(filter(None, (_(error.what), _(error.remedy) if error.remedy else "")))
        return Failed(move=code, why=why, status=error.status, values=values)
    if verdict.ok:
        return None
    known = catalog(case.kind.city_id)
    move = known.moves.get((case.kind_id, code, case.state_id))
    why = explain(verdict.verdict, verdict.detail, move)
    if verdict.detail == "type_evidence":
        why = _lacking(known, case, values["type"]) or why
    return Failed(move=code, why=why, status=status_of(verdict), values=values)


def _lacking(known: Catalog, case: Case, type: str) -> str:
    """Which evidence the type chosen, or else that of the case, asks for and nobody has given."""
    chosen = known.type_codes.get(type) or case.type
    has = {"photo": case.evidence.exists(), "place": case.lon is not None or bool(case.place_text)}
    lacks = [_(EVIDENCE[need]) for need in (chosen.evidence if chosen else ()) if not has.get(need, True)]
    words = {"type": local(chosen, "name") if chosen else "", "lacks": _(" and ").join(lacks)}
    return _("Cases of the type %(type)s need %(lacks)s before this move.") % words if lacks else ""


def status_of(verdict: Verdict) -> int:
    try:
        verdict.raise_for_verdict()
    except ChengshuError as error:
        return error.status
    return 200


def _request(request: Request, principal: Principal, case: Case, code: str, values: Mapping[str, str]) -> MoveRequest:
    known = catalog(case.kind.city_id)
    return MoveRequest(
        case=case.pk,
        move=code,
        version=_integer(text(request, "version", 10), "version"),
        note=values["note"],
        unit=values["unit"] or None,
        type=values["type"] or None,
        until=_until(values["until"], known),
        target=find(principal, values["target"]).pk if values["target"] else None,
        rating=_integer(values["rating"], "rating"),
        tracker=_integer(values["tracker"], "tracker"),
        severity=_integer(values["severity"], "severity"),
        evidence=_evidence(request, known, principal, case, code),
    )


def _evidence(request: Request, known: Catalog, principal: Principal, case: Case, code: str) -> tuple[UUID, ...]:
    """The files of the form; of a move that this person cannot make, nothing is kept."""
    if not request.FILES:
        return ()
    possible = {act.move.code for act in acts(principal, case, datetime.now(UTC)) if act.allowed}
    return uploaded(request, known, account=principal.account) if code in possible else ()


def _integer(value: str, name: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise Invalid(_("This is not a number."), where=name, remedy=_("Choose one of those offered."))
    return int(value)


def _until(value: str, catalog: Catalog) -> datetime | None:
    """The time of a `datetime-local` field, which is meant in the city's zone."""
    if not value:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=catalog.zone)
    except ValueError as error:
        raise Invalid(_("This is not a time."), where="until", remedy=_("Write it as 2026-01-31T17:30.")) from error


def made(move: Move) -> str:
    """What is told after a move."""
    return _("Done: %(move)s.") % {"move": local(move, "label")}
