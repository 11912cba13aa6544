"""Shifts and their handover 交接班: what happened, what is open and hot, who signed off and who took over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Move, Step
from chengshu.cases.overview import area, must_act
from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.evaluation.models import Handover, ShiftNote, Takeover
from chengshu.evaluation.series import within
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

SIGNS = frozenset({Role.SHIFT_LEADER, Role.OPERATOR, Role.DISPATCHER})
PARAMETER = "shift_starts"  # of the city: ["08:00", "20:00"]
HOT = 20
LONGEST = 2_000  # characters of a note
KEPT = 14  # earlier shifts offered


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """A shift of the city, from `start` until before `end`. Aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """How often a move was made in a shift."""

    move: Move
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftReport:
    """What happened in a shift and what it leaves behind; `told` is the span of time that it tells of."""

    shift: Shift
    told: Shift
    made: Sequence[Made]
    hot: Sequence[Case]
    notes: Sequence[ShiftNote]
    handover: Handover | None


def starts(known: Catalog, on: datetime) -> list[time]:
    """When shifts begin, by the city's parameter of that day. Raises Invalid for a parameter that is no list of times."""
    value = known.parameter(PARAMETER, on)
    try:
        found = sorted({time.fromisoformat(str(each)) for each in value})
    except (TypeError, ValueError) as error:
        raise Invalid(
            _("The times of the shifts cannot be read."), where=PARAMETER, remedy=_("Write them as 08:00, 20:00.")
        ) from error
    if not found:
        raise Invalid(_("The city has no shifts."), where=PARAMETER, remedy=_("Write them as 08:00, 20:00."))
    return found


def shift_at(known: Catalog, at: datetime) -> Shift:
    """The shift in which a moment lies."""
    day = at.astimezone(known.zone).date()
    times = starts(known, at)
    begins = [datetime.combine(day + timedelta(days=n), each, known.zone) for n in (-1, 0, 1) for each in times]
    start = max(begin for begin in begins if begin <= at)
    return Shift(start=start, end=min(begin for begin in begins if begin > at))


def earlier(known: Catalog, shift: Shift, count: int = KEPT) -> list[Shift]:
    """The shifts before one, latest first."""
    found: list[Shift] = []
    while len(found) < count:
        shift = shift_at(known, shift.start - timedelta(seconds=1))
        found.append(shift)
    return found


def running(known: Catalog, division: int, now: datetime) -> Shift:
    """The shift to which belongs what happens now: the present one or, once that is signed off, the next."""
    present = shift_at(known, now)
    return shift_at(known, present.end) if _of(Handover, division, present).exists() else present


def span(known: Catalog, division: int, shift: Shift) -> Shift:
    """The time that the report of a shift tells of, so that no move falls between two of them.

    One that is signed off before it ends tells of the time until then, and the next one begins there.
    """
    [before] = earlier(known, shift, 1)
    signed = dict(
        Handover.objects.filter(division=division, start__in=[before.start, shift.start]).values_list("start", "at")
    )
    return Shift(
        start=min(shift.start, signed.get(before.start, shift.start)),
        end=min(shift.end, signed.get(shift.start, shift.end)),
    )


def report(principal: Principal, division: int, shift: Shift, now: datetime) -> ShiftReport:
    """The shift as it stands now; once signed, the record says how it stood then."""
    known = catalog(principal.city)
    place = within(principal, known, division)
    told = span(known, place, shift)
    return ShiftReport(
        shift=shift,
        told=told,
        made=_made(known, place, told),
        hot=must_act(known, place, now, HOT),
        notes=list(_of(ShiftNote, place, shift).select_related("case", "account").order_by("at")),
        handover=_of(Handover, place, shift).select_related("account", "takeover__account", "division").first(),
    )


def _of(model: Any, division: int, shift: Shift) -> QuerySet[Any]:
    return model.objects.filter(division=division, start=shift.start)  # type: ignore[no-any-return]


def _steps(known: Catalog, division: int, told: Shift) -> QuerySet[Step]:
    return Step.objects.filter(area(known, division, "case__"), at__gte=told.start, at__lt=told.end)


def _made(known: Catalog, division: int, told: Shift) -> list[Made]:
    """The moves that people and the system made, in the order of the road, joined by code over kinds of cases."""
    rows = _steps(known, division, told).values_list("move__code").annotate(n=Count("case_id")).order_by()
    counts = dict(rows)
    first: dict[str, Move] = {}
    for move in sorted(known.moves.values(), key=lambda m: (m.rank, m.pk)):
        first.setdefault(move.code, move)
    return [Made(move=move, count=counts[code]) for code, move in first.items() if code in counts]


def made_in(principal: Principal, division: int, told: Shift, code: str) -> QuerySet[Any, UUID]:
    """The ids of the cases on which a move was made in the span of a shift, one for every time."""
    known = catalog(principal.city)
    steps = _steps(known, within(principal, known, division), told)
    return steps.filter(move__code=code).order_by("-at", "case_id").values_list("case_id", flat=True)


def note(principal: Principal, division: int, shift: Shift, text: str, case: Case | None, now: datetime) -> ShiftNote:
    """Leave a remark for the next shift; on one that is signed off already, with the shift that runs.

    Raises:
        NotAllowed: the post leads no shift.
        Invalid: the remark is empty.
    """
    place = _signer(principal, division)
    words = text.strip()
    if not words:
        raise Invalid(_("The note is empty."), where="text", remedy=_("Write what the next shift must know."))
    if _of(Handover, place, shift).exists():
        shift = running(catalog(principal.city), place, now)
    return ShiftNote.objects.create(
        division_id=place, start=shift.start, case=case, text=words[:LONGEST], at=now, **_by(principal)
    )


def sign(principal: Principal, division: int, shift: Shift, text: str, now: datetime) -> Handover:
    """Sign a shift off with what it leaves behind.

    Raises:
        NotAllowed: the post leads no shift.
        Conflict: somebody signed before, or the shift has not begun.
    """
    place = _signer(principal, division)
    if now < shift.start:
        raise Conflict(_("This shift has not begun yet."), remedy=_("Sign it off when it ends."))
    told = report(principal, place, shift, now)
    try:
        with transaction.atomic():
            return Handover.objects.create(
                division_id=place, start=shift.start, end=shift.end, facts=_facts(told), note=text.strip()[:LONGEST],
                at=now, **_by(principal),
            )  # fmt: skip
    except IntegrityError as error:
        raise _signed() from error


def take_over(principal: Principal, handover: int, text: str, now: datetime) -> Takeover:
    """Take a signed shift over.

    Raises:
        NotFound: there is no such handover in the jurisdiction.
        NotAllowed: the post leads no shift, or the account signed it off itself.
        Conflict: somebody took it over before.
    """
    found = find(principal, handover)
    _signer(principal, found.division_id)
    if found.account_id == principal.account:
        raise NotAllowed(
            _("Whoever signs a shift off does not take it over."),
            remedy=_("Let the colleague of the next shift do it."),
        )
    try:
        with transaction.atomic():
            return Takeover.objects.create(
                handover=found, signed_by_id=found.account_id, note=text.strip()[:LONGEST], at=now, **_by(principal)
            )
    except IntegrityError as error:
        raise Conflict(_("This shift was taken over already."), remedy=_("Look at the record.")) from error


def find(principal: Principal, handover: int) -> Handover:
    """A signed shift of the jurisdiction. Raises NotFound."""
    known = catalog(principal.city)
    found = (
        Handover.objects.filter(pk=handover, division__city=principal.city)
        .select_related("account", "division", "takeover__account")
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such handover."), where=str(handover), remedy=_("Choose one of those listed."))
    within(principal, known, found.division_id)
    return found


def latest(principal: Principal, division: int, count: int = KEPT) -> list[Handover]:
    """The last signed shifts of a division."""
    place = within(principal, catalog(principal.city), division)
    rows = Handover.objects.filter(division=place).select_related("account", "takeover__account").order_by("-start")
    return list(rows[:count])


def notes_of(handover: Handover) -> list[ShiftNote]:
    """What was noted in a signed shift."""
    rows = ShiftNote.objects.filter(division=handover.division_id, start=handover.start)
    return list(rows.select_related("case", "account").order_by("at"))


def _signer(principal: Principal, division: int) -> int:
    if principal.role not in SIGNS or principal.account is None:
        raise NotAllowed(
            _("This post leads no shift."), remedy=_("Operators, dispatchers and shift leaders hand shifts over.")
        )
    return within(principal, catalog(principal.city), division)


def _signed() -> Conflict:
    return Conflict(_("This shift is signed off already."), remedy=_("Leave a note: it goes into the shift that runs."))


def _by(principal: Principal) -> dict[str, int | None]:
    return {"account_id": principal.account, "post_id": principal.post}


def _facts(told: ShiftReport) -> dict[str, Any]:
    """The report as it is kept: plain words and numbers, readable when the configuration has changed."""
    return {
        "made": [{"move": m.move.code, "label": m.move.label, "label_en": m.move.label_en, "count": m.count} for m in told.made],
        "hot": [_kept(case) for case in told.hot],
    }  # fmt: skip


def _kept(case: Case) -> dict[str, Any]:
    return {
        "number": case.number, "title": case.title, "state": case.state.label, "state_en": case.state.label_en,
        "unit": case.unit.name if case.unit else "", "unit_en": (case.unit.name_en or case.unit.name) if case.unit else "",
        "due": case.due_at.isoformat() if case.due_at else None,
    }  # fmt: skip
