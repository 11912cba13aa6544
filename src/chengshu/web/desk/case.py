"""One case: its state and the next acts beside it, its story, its clocks, its papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import choices, dispatch, search, suggest
from chengshu.cases.catalog import Catalog, Place
from chengshu.cases.detail import CaseDetail, contact, detail, find
from chengshu.cases.kindred import Kindred, kindred, same_reporter
from chengshu.cases.models import Case, CaseType, Contact, State, Step
from chengshu.cases.road import road
from chengshu.parties.access import colleagues
from chengshu.parties.models import Account, Department
from chengshu.parties.roles import READS_CONTACT
from chengshu.web.context import DESK, home
from chengshu.web.desk.lines import Tag, case_href, tags
from chengshu.web.moves import Failed, made, make
from chengshu.web.pages import Request, known, page, respond, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """What the forms of the moves offer, with the platform's suggestions and their reasons."""

    units: Sequence[Department]
    unit: Mapping[str, dispatch.Decision]  # by the code of the move that sends the case there
    types: Sequence[CaseType]
    type: Sequence[suggest.TypeSuggestion]
    limits: Sequence[suggest.LimitSuggestion]
    people: Sequence[Account]


@dataclass(frozen=True, kw_only=True, slots=True)
class CasePage:
    """A case with its story; `contacts`, and other cases of the `same` reporter, only after their purpose was said; `failed`
    a move refused just now, and what others did to the case `since` its form was opened."""

    story: CaseDetail
    tags: tuple[Tag, ...]
    road: tuple[State, ...]
    places: Sequence[Place]
    duplicates: Sequence[suggest.Duplicate]
    offers: Offers
    next: Case | None
    failed: Failed | None
    since: Sequence[Step]
    may_read_contact: bool
    contacts: Sequence[Contact] | None
    same: Sequence[Case]
    purpose: str

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the type of the case still asks for before it can go on: `photo`, `place`."""
        case, asked = self.story.case, self.story.case.type.evidence if self.story.case.type else ()
        has = {"photo": bool(self.story.evidence), "place": case.lon is not None or bool(case.place_text)}
        return tuple(need for need in asked if not has.get(need, True))


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
    same: Sequence[Case] = (),
    purpose: str = "",
) -> HttpResponse:
    catalog, story = known(request), detail(request.principal, number)
    page = CasePage(
        story=story,
        tags=tuple(tags(story.case)),
        road=road(catalog, story.case, story.steps),
        places=[catalog.divisions[pk] for pk in story.case.places if pk in catalog.divisions],
        duplicates=_duplicates(catalog, request, story),
        offers=_offers(catalog, request, story),
        next=_next(request, story.case),
        failed=failed,
        since=_since(request, story) if failed and failed.status == 409 else (),
        may_read_contact=story.has_contact and request.principal.role in READS_CONTACT,
        contacts=contacts,
        same=same,
        purpose=purpose,
    )
    response = respond(request, "desk/case.html", page, status=failed.status if failed else 200)
    response["Cache-Control"] = "no-store" if contacts is not None else "private, no-cache"
    return response


def _duplicates(catalog: Catalog, request: Request, story: CaseDetail) -> list[suggest.Duplicate]:
    """Looked for while the post can still merge the case; later they are among what has to do with it."""
    may_merge = any("target" in act.fields for act in story.allowed)
    return suggest.duplicates(catalog, request.principal, story.case) if may_merge else []


def _since(request: Request, story: CaseDetail) -> Sequence[Step]:
    """The steps that were made after the form was opened."""
    seen = text(request, "seq", 10)
    return [step for step in story.steps if step.seq > int(seen)] if seen.isascii() and seen.isdecimal() else ()


def _offers(catalog: Catalog, request: Request, story: CaseDetail) -> Offers:
    """Only what the moves on the page ask for is worked out."""
    case, asked = story.case, {need for act in story.allowed for need in act.fields}
    typed = bool(asked & {"type", "type_evidence"}) or (case.type_id is None and case.closed_at is None)
    words = f"{case.title} {case.description}"
    return Offers(
        units=choices.units(catalog, case) if "unit" in asked else [],
        unit=_advised(catalog, story),
        types=choices.types(catalog, case) if typed else [],
        type=suggest.types(catalog, words, kind=case.kind_id, most=3) if typed else [],
        limits=suggest.limits(catalog, case.type, datetime.now(UTC)) if case.type and typed else [],
        people=colleagues(request.principal) if "tracker" in asked else [],
    )


def _advised(catalog: Catalog, story: CaseDetail) -> dict[str, dispatch.Decision]:
    """The unit for each move that gives the case to one."""
    giving = [act.move for act in story.allowed if "unit" in act.fields and "create_task" in act.move.does]
    advised = ((move.code, suggest.unit(catalog, story.case, move=move)) for move in giving)
    return {code: decision for code, decision in advised if decision}


def _next(request: Request, case: Case) -> Case | None:
    """The next case in the same state, so that it is there when this one is done."""
    if case.closed_at is not None:
        return None
    same = search.Filters(states=(case.state_id,), open=True)
    found = search.page(request.principal, same, now=datetime.now(UTC), size=2).cases
    return next((other for other in found if other.pk != case.pk), None)


@page(roles=DESK)
def show_kindred(request: Request, number: str) -> HttpResponse:
    """What has to do with a case: a part of its page that is asked for afterwards, or a page of its own."""
    case = find(request.principal, number)
    page = KindredPage(case=case, groups=kindred(known(request), request.principal, case, datetime.now(UTC)))
    return respond(request, "desk/kindred_part.html" if request.htmx else "desk/kindred.html", page)


@dataclass(frozen=True, kw_only=True, slots=True)
class KindredPage:
    """Cases that have to do with one."""

    case: Case
    groups: Sequence[Kindred]


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
    """The next case when it was asked for, else the same one; the post's home when the case has left what it sees."""
    wanted = [text(request, "then", 60), number]
    seen = (
        search.matching(request.principal, search.Filters(q=one), datetime.now(UTC)).first() for one in wanted if one
    )
    found = next(filter(None, seen), None)
    return case_href(found.number) if found else reverse(home(request.principal))


@page("POST", roles=DESK)
def show_contact(request: Request, number: str) -> HttpResponse:
    """The reporters' names and telephones, after saying what for; the reading is logged before anything is shown."""
    purpose = text(request, "purpose", 500)
    contacts = contact(request.principal, number, purpose)
    case = find(request.principal, number)
    same = same_reporter(known(request), request.principal, case, purpose, datetime.now(UTC))
    return _respond(request, number, contacts=contacts, same=same, purpose=purpose)
