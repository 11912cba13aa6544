"""What a reporter sees of a case and may do with it: rate, urge, add, reopen, withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import search
from chengshu.cases.catalog import catalog
from chengshu.cases.detail import find
from chengshu.cases.following import PublicCase, public, reporter_of
from chengshu.cases.models import Case, State
from chengshu.cases.road import road
from chengshu.core.errors import NotFound
from chengshu.parties import throttle
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.web.forms import Form
from chengshu.web.moves import Failed, made, make
from chengshu.web.pages import Request, page, respond, text
from chengshu.web.portal import visitor

CITIZEN = frozenset({Role.CITIZEN})


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPage:
    """The form for number and word."""

    form: Form


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowPage:
    """The public story of a case; `road` holds the usual states in order; `failed` a move that was refused just now."""

    story: PublicCase
    road: tuple[State, ...]
    failed: Failed | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MinePage:
    """The cases that a citizen reported."""

    found: search.Page


@page("GET", "POST")
def ask(request: Request) -> HttpResponse:
    """Number and word, for somebody without an account."""
    form = Form(values={name: text(request, name, 100) for name in ("number", "word")})
    if request.method == "POST":
        number = form.require("number", _("Enter the number of the case."))
        word = form.require("word", _("Enter the word that you got with it."))
        if form.ok and _prove(request, form, number, word):
            return HttpResponseRedirect(reverse("followed", args=[number]))
    return respond(request, "portal/follow_ask.html", AskPage(form=form), status=200 if form.ok else 422)


def _prove(request: Request, form: Form, number: str, word: str) -> bool:
    throttle.hit(throttle.FOLLOW_ADDRESS, request.client)
    throttle.hit(throttle.FOLLOW_CASE, request.client, number)
    try:
        principal = reporter_of(number, word, request.principal.language)
    except NotFound as error:
        form.errors["number"] = f"{error.what} {error.remedy}"
        return False
    visitor.remember(request, find(principal, number).pk, principal.city)
    return True


@page("GET", "POST")
def show(request: Request, number: str) -> HttpResponse:
    """The case, to its reporter; a posted form makes a move."""
    if request.principal.role in STAFF:
        return HttpResponseRedirect(reverse("case", args=[number]))
    principal, case = _reporter(request, number)
    if principal is None or case is None:
        return HttpResponseRedirect(f"{reverse('follow')}?number={number}")
    failed = _move(request, principal, case) if request.method == "POST" else None
    if request.method == "POST" and failed is None:
        return HttpResponseRedirect(reverse("followed", args=[number]))
    story = public(principal, number)
    found = FollowPage(story=story, road=road(catalog(case.kind.city_id), story.case, story.steps), failed=failed)
    response = respond(request, "portal/follow.html", found, status=failed.status if failed else 200)
    response["Cache-Control"] = "no-store"
    return response


def _reporter(request: Request, number: str) -> tuple[Principal | None, Case | None]:
    """Who asks, if the case is theirs: by account, or by the word shown before in this session."""
    case = Case.objects.filter(number=number).select_related("kind").first()
    if case is None:
        return None, None
    principal = visitor.reporter(request, case.pk) or request.principal
    try:
        return principal, find(principal, number)
    except NotFound:
        return None, None


def _move(request: Request, principal: Principal, case: Case) -> Failed | None:
    throttle.hit(throttle.FOLLOW_MOVE, request.client if principal.account is None else principal.account)
    code = text(request, "move", 50)
    failed = make(request, principal, case, code)
    move = catalog(case.kind.city_id).moves.get((case.kind_id, code, case.state_id))
    if failed is None and move is not None:
        messages.success(request, made(move))
    return failed


@page(roles=CITIZEN)
def mine(request: Request) -> HttpResponse:
    """My reports, newest first."""
    found = search.page(
        request.principal,
        search.Filters(),
        now=datetime.now(UTC),
        order="new",
        cursor=text(request, "cursor", 200) or None,
    )
    return respond(request, "portal/mine.html", MinePage(found=found))
