"""One case: its state and the next acts beside it, its story, its clocks, its papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import choices, dispatch, search, suggest
from chengshu.cases.catalog import Catalog
from chengshu.cases.detail import CaseDetail, contact, detail, find
from chengshu.cases.models import Case, CaseType, Contact, State
from chengshu.cases.road import road
from chengshu.parties.access import colleagues
from chengshu.parties.models import Account, Department
from chengshu.parties.roles import READS_CONTACT
from chengshu.places.models import Division
from chengshu.web.context import DESK
from chengshu.web.moves import Failed, made, make
from chengshu.web.pages import Request, known, page, respond, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """What the forms of the moves offer, with the platform's suggestions and their reasons."""

    units: Sequence[Department]
    unit: dispatch.Decision | None
    types: Sequence[CaseType]
    type: Sequence[suggest.TypeSuggestion]
    limits: Sequence[suggest.LimitSuggestion]
    people: Sequence[Account]


@dataclass(frozen=True, kw_only=True, slots=True)
class CasePage:
    """A case with its story; `contacts` only after their purpose was said; `failed` a move refused just now."""

    story: CaseDetail
    road: tuple[State, ...]
    places: Sequence[Division]
    duplicates: Sequence[suggest.Duplicate]
    offers: Offers
    next: Case | None
    failed: Failed | None
    may_read_contact: bool
    contacts: Sequence[Contact] | None
    purpose: str


@page(roles=DESK)
def show(request: Request, number: str) -> HttpResponse:
    """The page of a case."""
    return _respond(request, number)


def _respond(
    request: Request,
    number: str,
    *,
    failed: Failed | None = None,
    contacts: Sequence[Contact] | None = None,
    purpose: str = "",
) -> HttpResponse:
    catalog, story = known(request), detail(request.principal, number)
    page = CasePage(
        story=story,
        road=road(catalog, story.case, story.steps),
        places=_places(story.case),
        duplicates=suggest.duplicates(catalog, request.principal, story.case) if story.case.closed_at is None else [],
        offers=_offers(catalog, request, story),
        next=_next(request, story.case),
        failed=failed,
        may_read_contact=story.has_contact and request.principal.role in READS_CONTACT,
        contacts=contacts,
        purpose=purpose,
    )
    response = respond(request, "desk/case.html", page, status=failed.status if failed else 200)
    response["Cache-Control"] = "no-store" if contacts else "private, no-cache"
    return response


def _places(case: Case) -> list[Division]:
    found = Division.objects.in_bulk(case.places)
    return [found[pk] for pk in case.places if pk in found]


def _offers(catalog: Catalog, request: Request, story: CaseDetail) -> Offers:
    """Only what the moves on the page ask for is worked out."""
    case, asked = story.case, {need for act in story.allowed for need in act.fields}
    typed = bool(asked & {"type", "type_evidence"}) or case.type_id is None
    words = f"{case.title} {case.description}"
    return Offers(
        units=choices.units(catalog, case) if "unit" in asked else [],
        unit=suggest.unit(catalog, case) if "unit" in asked else None,
        types=choices.types(catalog, case) if typed else [],
        type=suggest.types(catalog, words, kind=case.kind_id, most=3) if typed else [],
        limits=suggest.limits(catalog, case.type, datetime.now(UTC)) if case.type and typed else [],
        people=colleagues(request.principal) if "tracker" in asked else [],
    )


def _next(request: Request, case: Case) -> Case | None:
    """The next case in the same state, so that it is there when this one is done."""
    same = search.Filters(state=(case.state.code,), open=True)
    found = search.page(request.principal, same, now=datetime.now(UTC), size=2).cases
    return next((other for other in found if other.pk != case.pk), None)


@page("POST", roles=DESK)
def move(request: Request, number: str) -> HttpResponse:
    """Make a move. A refused one shows the page again, with the reason and everything that was filled in."""
    code, case = text(request, "move", 50), find(request.principal, number)
    failed = make(request, request.principal, case, code)
    if failed is not None:
        return _respond(request, number, failed=failed)
    made_move = known(request).moves.get((case.kind_id, code, case.state_id))
    messages.success(request, made(made_move) if made_move else _("Done."))
    return HttpResponseRedirect(_after(request, number))


def _after(request: Request, number: str) -> str:
    """The same case, or the desk when the case has left what this post sees (such as after a return)."""
    seen = search.matching(request.principal, search.Filters(q=number), datetime.now(UTC)).exists()
    return reverse("case", args=[number]) if seen else reverse("desk")


@page("POST", roles=DESK)
def show_contact(request: Request, number: str) -> HttpResponse:
    """The reporters' names and telephones, after saying what for; the reading is logged before anything is shown."""
    purpose = text(request, "purpose", 500)
    return _respond(request, number, contacts=contact(request.principal, number, purpose), purpose=purpose)
