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
from chengshu.cases.following import by_account, by_word, check_urge
from chengshu.cases.models import Case
from chengshu.cases.search import Filters
from chengshu.cases.story import JOINED_MAY, Follower, Story, story
from chengshu.cases.supporting import joined_by
from chengshu.core.errors import NotFound
from chengshu.parties import throttle
from chengshu.parties.models import Notice
from chengshu.parties.roles import STAFF, Role
from chengshu.parties.throttle import TooMany
from chengshu.web.forms import Form
from chengshu.web.moves import Failed, made, make
from chengshu.web.pages import Request, page, respond, signed_in, text
from chengshu.web.portal import visitor

CITIZEN = frozenset({Role.CITIZEN})
NEWS = 5  # unread notices shown above one's reports


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPage:
    """The form for number and word; `here` are the numbers that this browser follows."""

    form: Form
    here: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowPage:
    """The public story of a case; `failed` a move that was refused just now, `by_word` whether no account was needed."""

    story: Story
    failed: Failed | None
    by_word: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MinePage:
    """The cases that a citizen reported, those joined, and unread news about them."""

    found: search.Page
    joined: tuple[Story, ...]
    news: tuple[Notice, ...]


@page("GET", "POST")
def ask(request: Request) -> HttpResponse:
    """Number and word, for somebody without an account."""
    form = Form(values={name: text(request, name, 100) for name in ("number", "word")})
    if request.method == "POST" and text(request, "forget"):
        return visitor.forget(HttpResponseRedirect(reverse("follow")))
    if request.method == "POST":
        number = form.require("number", _("Enter the number of the case.")).upper()
        word = form.require("word", _("Enter the word that you got with it."))
        if form.ok and (found := _prove(request, form, number, word)):
            response = HttpResponseRedirect(reverse("followed", args=[number]))
            visitor.remember(request, response, number, found.principal.city, opener=found.opener)
            return response
    shown = AskPage(form=form, here=visitor.followed(request))
    return respond(request, "portal/follow_ask.html", shown, status=200 if form.ok else 422)


def _prove(request: Request, form: Form, number: str, word: str) -> Follower | None:
    throttle.hit(throttle.FOLLOW_ADDRESS, request.client)
    throttle.hit(throttle.FOLLOW_CASE, request.client, number)
    try:
        return by_word(number, word, request.principal.language)
    except NotFound as error:
        form.errors["number"] = f"{error.what} {error.remedy}"
        return None


@page("GET", "POST")
def show(request: Request, number: str) -> HttpResponse:
    """The case, to its reporter; a posted form makes a move."""
    follower = visitor.follower(request, number)
    if signed_in(request):
        if request.principal.role in STAFF:
            return HttpResponseRedirect(reverse("case", args=[number]))
        follower = by_account(request.principal, number) or follower
    failed = _move(request, follower, number) if request.method == "POST" and follower else None
    if request.method == "POST" and follower and failed is None:
        return HttpResponseRedirect(reverse("followed", args=[number]))
    found = story(follower, number) if follower else None
    if found is None or follower is None:
        return HttpResponseRedirect(f"{reverse('follow')}?number={number}")
    shown = FollowPage(story=found, failed=failed, by_word=follower.principal.account is None)
    response = respond(request, "portal/follow.html", shown, status=failed.status if failed else 200)
    response["Cache-Control"] = "no-store"
    return response


def _move(request: Request, follower: Follower, number: str) -> Failed | None:
    """Make the move of the form; of somebody who joined, only those that are theirs."""
    throttle.count(request.principal, request.client, own=throttle.FOLLOW_MOVE, here=throttle.FOLLOW_MOVE)
    code = text(request, "move", 50)
    case = Case.objects.filter(number=number).select_related("kind").first()
    if case is None:
        return None
    if not follower.opener and code not in JOINED_MAY:
        why = _("Only whoever reported this case first can do that. You can urge, or report anew.")
        return Failed(move=code, why=why, status=403, values={})
    try:
        check_urge(follower.principal, [(case.pk, code)])
    except TooMany as error:
        return Failed(move=code, why=f"{_(error.what)} {error.remedy}", status=error.status, values={})
    failed = make(request, follower.principal, case, code)
    move = catalog(case.kind.city_id).moves.get((case.kind_id, code, case.state_id))
    if failed is None and move is not None:
        messages.success(request, made(move))
    return failed


@page(roles=CITIZEN)
def mine(request: Request) -> HttpResponse:
    """My reports, newest first, those of others that I joined, and what is new about them."""
    cursor = text(request, "cursor", 200) or None
    found = search.page(request.principal, Filters(), now=datetime.now(UTC), order="new", cursor=cursor)
    joined = () if cursor else joined_by(request.principal)
    news = Notice.objects.filter(account=request.principal.account, read_at=None).order_by("-pk")[:NEWS]
    return respond(request, "portal/mine.html", MinePage(found=found, joined=joined, news=tuple(news)))
