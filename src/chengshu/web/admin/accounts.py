"""People and posts: accounts made and closed, passwords reset by a word, posts given and ended, and a second pair of eyes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, Invalid
from chengshu.packs import editing, people
from chengshu.packs.models import Proposal
from chengshu.packs.people import Asked, NewPost
from chengshu.parties import staff, throttle
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.roles import STAFF, Role
from chengshu.web.account.factors import has_factor
from chengshu.web.admin import frame
from chengshu.web.admin.frame import ADMIN, Wrong, why
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, page, respond, text

LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,39}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """An account with its posts in this city, and whether it can be used today."""

    account: Account
    posts: Sequence[Post]
    held: Sequence[Post]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountsPage:
    """The accounts of a city that fit the filters."""

    people: Sequence[Person]
    most: int
    q: str
    show: str
    role: str
    roles: Sequence[str]
    waiting: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPage:
    """The form for a new account."""

    form: Form
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountPage:
    """One account; `factors`: it has a second factor; `link`: the address with the word just made, shown this once."""

    person: Person
    own: bool
    roles: Sequence[str]
    today: date
    departments: Sequence[Department]
    form: Form
    factors: bool
    link: str = ""
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalsPage:
    """Posts that wait for a second administrator, of each whether the reader can be this one; and whose page it is."""

    waiting: Sequence[tuple[Asked, bool]]
    me: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WelcomePage:
    """Where somebody chooses the first password of an account; without a `word` that fits, only the reason is told."""

    account: Account | None
    word: str
    form: Form


@page(roles=ADMIN)
@frame.whole_city
def show(request: Request) -> HttpResponse:
    """The accounts of the city's staff."""
    city = editing.editor(request.principal)
    q, wanted, role = text(request, "q", 60), text(request, "show", 12), text(request, "role", 20)
    found = staff.search(city, q, wanted, role if role in STAFF else "")
    return respond(
        request,
        "admin/accounts.html",
        AccountsPage(
            people=[_person(request, account) for account in found],
            most=staff.MOST,
            q=q,
            show=wanted,
            role=role,
            roles=_roles(),
            waiting=len(people.waiting(city)),
        ),
    )


def _roles() -> list[str]:
    return [role.value for role in Role if role in STAFF]


def _person(request: Request, account: Account) -> Person:
    city = known(request).city
    today = staff.today(city)
    posts = [p for p in account.posts.all() if p.division.city_id == city.pk]
    held = [p for p in posts if (not p.valid_from or p.valid_from <= today) and (not p.valid_to or today < p.valid_to)]
    return Person(account=account, posts=posts, held=held)


@page("GET", "POST", roles=ADMIN)
@frame.whole_city
def new(request: Request) -> HttpResponse:
    """Make an account."""
    editing.editor(request.principal)
    form = Form(values={name: text(request, name, 80) for name in ("username", "name", "language")})
    if request.method == "GET":
        return respond(request, "admin/account_new.html", NewPage(form=form))
    form.require("name", _("Enter the name."))
    if not LOGIN.fullmatch(form.require("username", _("Enter a login."))):
        form.errors.setdefault("username", _("Use 3 to 40 small letters, digits or . _ -; begin with a letter."))
    if not form.ok:
        return respond(request, "admin/account_new.html", NewPage(form=form, why=why(request)), status=422)
    language = form.get("language") if form.get("language") in {"zh-hans", "en"} else "zh-hans"
    try:
        account, word = people.make_account(
            request.principal, username=form.get("username"), name=form.get("name"), language=language, why=why(request)
        )
    except ChengshuError as error:
        page = NewPage(form=form, why=why(request), wrong=Wrong.of(error))
        return respond(request, "admin/account_new.html", page, status=error.status)
    messages.success(request, _("The account is made. Give it a post, and hand over the link below."))
    return _answer(request, _account(request, account.username), _link(request, account, word))


@page("GET", roles=ADMIN)
@frame.whole_city
def show_one(request: Request) -> HttpResponse:
    """One account with its posts."""
    return _answer(request, _account(request, text(request, "login", 150)))


def _account(request: Request, username: str) -> AccountPage:
    account = people.find(request.principal, username)
    city = known(request).city
    return AccountPage(
        person=_person(request, account),
        own=account.pk == request.principal.account,
        roles=_roles(),
        today=staff.today(city),
        departments=[d for d in known(request).departments.values() if d.active and d.level <= 2],
        form=Form(),
        factors=has_factor(account),
    )


def _answer(request: Request, page: AccountPage, link: str = "") -> HttpResponse:
    response = respond(
        request, "admin/account.html", replace(page, link=link), status=page.wrong.status if page.wrong else 200
    )
    if link:
        response["Cache-Control"] = "no-store"
    return response


def _link(request: Request, account: Account, word: str) -> str:
    return request.build_absolute_uri(f"{reverse('welcome')}?who={account.pk}&word={word}")


@page("POST", roles=ADMIN)
def act(request: Request) -> HttpResponse:
    """Close, open, reset, remove second factors, give a post or end one; all with a reason."""
    page = _account(request, text(request, "login", 150))
    try:
        word = _done(request, page.person.account)
    except ChengshuError as error:
        values = {n: text(request, n, 80) for n in ("role", "department", "division", "valid_from", "valid_to")}
        return _answer(request, replace(page, wrong=Wrong.of(error), why=why(request), form=Form(values=values)))
    page = _account(request, page.person.account.username)
    if word:
        return _answer(request, page, _link(request, page.person.account, word))
    return HttpResponseRedirect(f"{reverse('admin_account')}?login={page.person.account.username}")


def _done(request: Request, account: Account) -> str:
    """Make the act that the form names; the first word where one was made."""
    principal, reason = request.principal, why(request)
    match text(request, "do", 10):
        case "close":
            people.close_account(principal, account, why=reason)
            messages.success(request, _("The account is closed."))
        case "open":
            return people.open_account(principal, account, why=reason)
        case "reset":
            return people.reset_password(principal, account, why=reason)
        case "factors":
            people.remove_factors(principal, account, why=reason)
            messages.success(request, _("The second factors are removed."))
        case "give":
            given = people.give_post(principal, account, _new_post(request), why=reason)
            asked = isinstance(given, Proposal)
            messages.success(
                request, _("Another administrator has to agree now.") if asked else _("The post is given.")
            )
        case "end":
            people.end_post(principal, _post(request, account), last=frame.day(request, "valid_to"), why=reason)
            messages.success(request, _("The post is ended."))
        case _:
            raise Invalid(_("The form does not say what to do."), where="do", remedy=_("Open it again."))
    return ""


def _new_post(request: Request) -> NewPost:
    return NewPost(
        role=text(request, "role", 20),
        department=text(request, "department", 80),
        division=text(request, "division", 80),
        valid_from=frame.day(request, "valid_from"),
        valid_to=frame.day(request, "valid_to"),
    )


def _post(request: Request, account: Account) -> Post:
    number = text(request, "post", 18)
    found = Post.objects.filter(account=account, pk=int(number) if number.isdecimal() else 0)
    post = found.select_related("division", "department", "account").first()
    if post is None:
        raise Invalid(_("This post is not the account's."), where=number, remedy=_("Open the page again."))
    return post


@page(roles=ADMIN)
@frame.whole_city
def approvals(request: Request) -> HttpResponse:
    """Posts that wait for a second administrator."""
    city = editing.editor(request.principal)
    me = request.principal.account or 0
    waiting = [(asked, people.may_agree(asked, me)) for asked in people.waiting(city)]
    return respond(request, "admin/approvals.html", ApprovalsPage(waiting=waiting, me=me))


@page("POST", roles=ADMIN)
def decide(request: Request) -> HttpResponse:
    """Agree, or refuse."""
    number, agree = text(request, "number", 18), text(request, "do", 10) == "agree"
    people.decide(request.principal, int(number) if number.isdecimal() else 0, agree=agree)
    messages.success(request, _("The post is given.") if agree else _("The post is refused."))
    return HttpResponseRedirect(reverse("admin_approvals"))


@page("GET", "POST")
def welcome(request: Request) -> HttpResponse:
    """Choose the first password of an account, with the word that its administrator handed over."""
    number, word = text(request, "who", 18), text(request, "word", 100)
    throttle.hit(throttle.LOGIN_ADDRESS, request.client)
    account = Account.objects.filter(pk=int(number) if number.isdecimal() else 0).first()
    form = Form()
    if account is None or not staff.word_fits(account, word):
        return respond(request, "admin/welcome.html", WelcomePage(account=None, word="", form=form), status=404)
    if request.method == "POST" and _chosen(request, account, word, form):
        messages.success(request, _("Your password is set. Sign in with it."))
        return HttpResponseRedirect(reverse("login"))
    response = respond(
        request,
        "admin/welcome.html",
        WelcomePage(account=account, word=word, form=form),
        status=200 if form.ok else 422,
    )
    response["Cache-Control"] = "no-store"
    return response


def _chosen(request: Request, account: Account, word: str, form: Form) -> bool:
    password, again = (str(request.POST.get(name, ""))[:1000] for name in ("password", "again"))
    if password != again:
        form.errors["again"] = _("The two passwords differ.")
        return False
    try:
        staff.choose_password(account, word, password)
    except ValidationError as error:
        form.invalid("password", error)
        return False
    return True
