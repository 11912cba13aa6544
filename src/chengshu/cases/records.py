"""What goes into and comes out of the two verbs `report()` and `advance()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.onsite import Onsite
from chengshu.core.errors import ChengshuError, Conflict, Invalid, NotAllowed, NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReport:
    """Something that came in, from whatever origin.

    Args:
        origin, origin_key: who speaks and its own key; the pair is accepted once.
        kind: code of the case kind, needed when there is no type.
        type: code of the case type, where the origin knows it.
        division: code of the smallest known division; without it the point decides, and without a point the city.
        scene, key: at most one open case per pair; a further report joins it.
        unit: code of the department responsible, where the origin decides it.
        due_at: a due time given by the origin for the whole case, instead of the type's limit.
        contact: `name`, `phone`, `secret` (digest) of the reporter, kept apart as personal data.
        payload: the original, kept forever.
        joins: the open case that whoever reports says it belongs to; when that has ended meanwhile, a new case is opened.
    """

    origin: str
    origin_key: str
    title: str
    occurred_at: datetime
    kind: str | None = None
    type: str | None = None
    description: str = ""
    severity: int | None = None
    source: str = "import"
    scene: str | None = None
    key: str | None = None
    place_text: str = ""
    lon: float | None = None
    lat: float | None = None
    division: str | None = None
    unit: str | None = None
    due_at: datetime | None = None
    due_given: bool = False  # the origin decides the due time, also when it says there is none
    contact: dict[str, str] | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[UUID, ...] = ()
    joins: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveRequest:
    """Somebody wants to make a move on a case.

    Args:
        version: the version the person saw; None when any will do.
        unit: code of the department (dispatch, split).
        until, rating, target, tracker, level: what the move may need.
        type, severity, division, lon, lat, place_text: corrections that come with the move.
        onsite: when and where a telephone says that it was done.
    """

    case: UUID
    move: str
    version: int | None = None
    note: str = ""
    unit: str | None = None
    target: UUID | None = None
    until: datetime | None = None
    rating: int | None = None
    tracker: int | None = None
    level: int | None = None
    type: str | None = None
    severity: int | None = None
    division: str | None = None
    lon: float | None = None
    lat: float | None = None
    place_text: str | None = None
    evidence: tuple[UUID, ...] = ()
    onsite: Onsite | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of one row of a batch.

    `verdict` is, from report(): opened, known, joined, stale, reopened; from advance(): ok, missing, conflict, illegal,
    forbidden, lead, separation, returns, needs (with `detail`), clash.
    """

    verdict: str
    detail: str
    case: UUID
    number: str | None
    seq: int | None
    version: int | None

    @property
    def ok(self) -> bool:
        return self.verdict in {"ok", "opened", "known", "joined", "stale", "reopened"}

    def raise_for_verdict(self, explain: str = "") -> None:
        """Raise the error that this verdict means; nothing for a good one."""
        if not self.ok:
            error = _ERRORS.get(self.verdict, Invalid)
            where = self.number or str(self.case)
            raise error(
                explain or self.verdict, where=where, remedy=_(_REMEDIES.get(self.verdict, _REMEDIES["illegal"]))
            )


_REMEDIES = {
    "missing": gettext_noop("Check the number, or switch to another of your posts."),
    "conflict": gettext_noop("Read the case again, then decide."),
    "illegal": gettext_noop("Look at the moves that the case's story offers."),
    "clash": gettext_noop("Go on in the other case."),
    "forbidden": gettext_noop("Leave it to one of them, or switch to another of your posts."),
    "lead": gettext_noop("Ask the lead unit."),
    "separation": gettext_noop("Ask a colleague."),
    "returns": gettext_noop("Handle it, or ask the dispatcher for an assisting unit."),
    "undo": gettext_noop("Look at its last step, then make another move."),
    "needs": gettext_noop("Add what is missing and send it again."),
}
_ERRORS: dict[str, type[ChengshuError]] = {
    "missing": NotFound,
    "conflict": Conflict,
    "illegal": Conflict,
    "clash": Conflict,
    "forbidden": NotAllowed,
    "lead": NotAllowed,
    "separation": NotAllowed,
    "returns": NotAllowed,
    "undo": Conflict,
    "needs": Invalid,
}
