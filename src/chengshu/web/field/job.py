"""One job on a phone: the act that brings it on comes first, then what one needs to know for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from chengshu.cases import choices
from chengshu.cases.catalog import Catalog, Place
from chengshu.cases.detail import Act, CaseDetail, contact, detail, find
from chengshu.cases.models import Case, Contact, Move, Step
from chengshu.parties.roles import READS_CONTACT
from chengshu.web.context import FIELD
from chengshu.web.field import onsite
from chengshu.web.field.kept import kept
from chengshu.web.field.todo import following, onwards
from chengshu.web.field.ways import Ways, ways
from chengshu.web.moves import Failed, made, make
from chengshu.web.pages import Request, known, page, respond, text

SIMPLE = frozenset({"note", "evidence", "until"})  # what the form on a phone asks for
NO_FIELD = frozenset({"tasks_done"})  # needs that nobody fills in


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """A case as a job.

    Attributes:
        main: the act that brings it on; `then` is the move that follows it, offered while the first waits to be sent.
        others: further acts that a phone's form can ask for; `elsewhere` those of the case's full page.
        failed, since: a move refused just now, and what others did since its form was opened.
    """

    story: CaseDetail
    main: Act | None
    then: Move | None
    others: Sequence[Act]
    elsewhere: Sequence[Act]
    places: Sequence[Place]
    ways: Ways
    next: Case | None
    failed: Failed | None
    since: Sequence[Step]
    may_read_contact: bool
    contacts: Sequence[Contact] | None
    purpose: str


@page(roles=FIELD)
def show(request: Request, number: str) -> HttpResponse:
    """The page of a job."""
    return kept(request, _respond(request, number))


def _respond(
    request: Request,
    number: str,
    *,
    failed: Failed | None = None,
    contacts: Sequence[Contact] | None = None,
    purpose: str = "",
) -> HttpResponse:
    catalog, story = known(request), detail(request.principal, number)
    simple = [act for act in story.allowed if set(act.fields) <= SIMPLE]
    main = next(filter(partial(_main, catalog), simple), None)
    found = JobPage(
        story=story,
        main=main,
        then=_then(catalog, main.move, request.principal.role) if main else None,
        others=[act for act in simple if act != main],
        elsewhere=[act for act in story.allowed if act not in simple],
        places=[catalog.divisions[pk] for pk in story.case.places if pk in catalog.divisions],
        ways=ways(story.case),
        next=following(request, story.case),
        failed=failed,
        since=since(request, story) if failed and failed.status == 409 else (),
        may_read_contact=story.has_contact and request.principal.role in READS_CONTACT,
        contacts=contacts,
        purpose=purpose,
    )
    response = respond(request, "field/job.html", found, status=failed.status if failed else 200)
    response["Cache-Control"] = "no-store" if contacts else "private, no-cache"
    return response


def _main(catalog: Catalog, act: Act) -> bool:
    """Whether an act brings the case on, or ends the part of a unit that assists."""
    return choices.brings_forward(catalog, act.move) or "task_done" in act.move.does


def _then(catalog: Catalog, done: Move, role: str) -> Move | None:
    """The move with which this role goes on after another, if a phone's form can ask for what it needs."""
    after = catalog.moves_from(done.kind_id, done.to_state_id)
    fitting = (m for m in after if role in m.roles and set(m.needs) <= SIMPLE | NO_FIELD and done.code not in m.not_who)
    return next((move for move in fitting if choices.brings_forward(catalog, move)), None)


def since(request: Request, story: CaseDetail) -> Sequence[Step]:
    """The steps that were made after the form was opened."""
    seen = text(request, "seq", 10)
    return [step for step in story.steps if step.seq > int(seen)] if seen.isascii() and seen.isdecimal() else ()


@page("POST", roles=FIELD)
def move(request: Request, number: str) -> HttpResponse:
    """Make a move, then show what comes next. A refused one shows the job again, with the reason and all that was filled in."""
    code, case = text(request, "move", 50), find(request.principal, number)
    failed = make(request, request.principal, case, code, onsite=onsite.read(request))
    if failed is not None:
        return _respond(request, number, failed=failed)
    messages.success(request, said(request, case, code))
    return HttpResponseRedirect(onwards(request, case))


def said(request: Request, case: Case, code: str) -> str:
    """What is told after a move of a case, given as it stood before."""
    done = known(request).moves.get((case.kind_id, code, case.state_id))
    return made(done) if done else _("Done.")


@page("POST", roles=FIELD)
def show_contact(request: Request, number: str) -> HttpResponse:
    """The reporters' names and telephones, after saying what for; the reading is logged before anything is shown."""
    purpose = text(request, "purpose", 500)
    return _respond(request, number, contacts=contact(request.principal, number, purpose), purpose=purpose)
