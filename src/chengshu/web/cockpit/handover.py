"""The handover of a shift 交接班: what happened, what is open and hot, notes, signed by one and taken over by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from chengshu.cases.detail import find as find_case
from chengshu.evaluation import shifts
from chengshu.evaluation.models import Handover, ShiftNote
from chengshu.evaluation.shifts import Shift, ShiftReport
from chengshu.parties.principal import Principal
from chengshu.web.cockpit.place import Here, here
from chengshu.web.context import WATCHING
from chengshu.web.days import a_time
from chengshu.web.pages import Request, page, respond, text


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoverPage:
    """A shift as it is now, and whether this person leaves notes for the next one and signs it off."""

    here: Here
    report: ShiftReport
    running: bool
    may_note: bool
    may_sign: bool
    shifts: Sequence[tuple[Shift, str, bool]]
    waiting: Sequence[Handover]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordPage:
    """A signed shift as it was told then."""

    here: Here
    handover: Handover
    hot: Sequence[Mapping[str, Any]]
    notes: Sequence[ShiftNote]
    may_take: bool


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The shift that runs, or one that began at `start`."""
    place = here(request)
    shift, now = _shift(request, place), shifts.running(place.known, place.division, place.now)
    found = shifts.report(request.principal, place.division, shift, place.now)
    if found.handover:
        return HttpResponseRedirect(place.at("handover_record", found.handover.pk))
    choices = [now, *shifts.earlier(place.known, now, 6)]
    page = HandoverPage(
        here=place,
        report=found,
        running=shift == now,
        may_note=request.principal.role in shifts.SIGNS,
        may_sign=request.principal.role in shifts.SIGNS and shift.start <= place.now,
        shifts=[(each, place.at("handover", start=each.start.isoformat()), each == shift) for each in choices],
        waiting=[each for each in shifts.latest(request.principal, place.division) if not hasattr(each, "takeover")],
    )
    return respond(request, "cockpit/handover.html", page)


def _shift(request: Request, place: Here) -> Shift:
    """The shift asked for, of those that have begun, or the one that runs."""
    running = shifts.running(place.known, place.division, place.now)
    value = text(request, "start", 40)
    if not value:
        return running
    start = a_time(value, place.known.zone, _("Choose one of the shifts."))
    return shifts.shift_at(place.known, start) if start < running.start else running


@page("POST", roles=WATCHING)
def note(request: Request) -> HttpResponse:
    """Leave a remark on a case, or on the shift as a whole."""
    place = here(request)
    shift, number = _shift(request, place), text(request, "case", 60)
    case = find_case(request.principal, number) if number else None
    words = text(request, "text", shifts.LONGEST)
    made = shifts.note(request.principal, place.division, shift, words, case, place.now)
    messages.success(request, _("Noted for the next shift."))
    return HttpResponseRedirect(place.at("handover", start=made.start.isoformat()) + "#notes")


@page("POST", roles=WATCHING)
def sign(request: Request) -> HttpResponse:
    """Sign the shift off."""
    place = here(request)
    made = shifts.sign(
        request.principal, place.division, _shift(request, place), text(request, "note", shifts.LONGEST), place.now
    )
    messages.success(request, _("Signed off. Now the next shift takes over, with its own account."))
    return HttpResponseRedirect(place.at("handover_record", made.pk))


@page(roles=WATCHING)
def record(request: Request, id: int) -> HttpResponse:
    """A signed shift."""
    place = here(request)
    found = shifts.find(request.principal, id)
    page = RecordPage(
        here=place,
        handover=found,
        hot=[{**case, "due": case["due"] and datetime.fromisoformat(case["due"])} for case in found.facts["hot"]],
        notes=shifts.notes_of(found),
        may_take=_may_take(request.principal, found),
    )
    return respond(request, "cockpit/handover_record.html", page)


def _may_take(principal: Principal, found: Handover) -> bool:
    return not hasattr(found, "takeover") and principal.role in shifts.SIGNS and found.account_id != principal.account


@page("POST", roles=WATCHING)
def take(request: Request, id: int) -> HttpResponse:
    """Take a signed shift over."""
    place = here(request)
    shifts.take_over(request.principal, id, text(request, "note", shifts.LONGEST), place.now)
    messages.success(request, _("The shift is yours."))
    return HttpResponseRedirect(place.at("handover_record", id))
