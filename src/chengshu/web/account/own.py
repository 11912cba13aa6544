"""Signing in and out, posts, language, password, tokens, and a citizen's own account."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, logout, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import NotAllowed
from chengshu.parties import audit, sessions, signing_in, throttle, tokens
from chengshu.parties.access import new_citizen, posts_of, principal_of
from chengshu.parties.models import Account, Post, Token
from chengshu.places.models import City
from chengshu.web import words
from chengshu.web.account.adapters import OPENED, safe_target
from chengshu.web.account.factors import sensitive
from chengshu.web.forms import Form
from chengshu.web.middleware import chosen_city
from chengshu.web.pages import Request, back, page, respond, signed_in, text


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginPage:
    """The login form and where to go afterwards; `demo` accounts are named where a pack made some, and single sign-on."""

    form: Form
    next: str
    demo: tuple[Account, ...]
    sso: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterPage:
    """The form for a citizen's account."""

    form: Form


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountPage:
    """A person's posts, tokens and password form; `fresh` is a token just made, shown this once."""

    posts: tuple[Post, ...]
    tokens: tuple[Token, ...]
    form: Form
    fresh: str


@page("GET", "POST")
def sign_in(request: Request) -> HttpResponse:
    """The login page. What was wrong, name or password, is not told."""
    if request.method == "GET" and signed_in(request):
        return HttpResponseRedirect("/")
    form = Form(values={"username": _username(text(request, "username", 150))} if request.method == "POST" else {})
    if request.method == "POST" and (account := _authenticated(request, form)):
        return _enter(request, account, safe_target(text(request, "next", 500)))
    demo = tuple(Account.objects.filter(demo=True, is_active=True).order_by("pk"))
    sso = settings.OIDC_NAME if settings.OIDC_URL else ""
    found = LoginPage(form=form, next=text(request, "next", 500), demo=demo, sso=sso)
    return respond(request, "account/login.html", found, status=200 if form.ok else 422)


def _authenticated(request: Request, form: Form) -> Account | None:
    name = form.require("username", _("Enter your user name."))
    password = str(request.POST.get("password", ""))
    if not password:
        form.errors["password"] = _("Enter your password.")
    if not form.ok:
        return None
    key = name.casefold()
    device = signing_in.Device.read(request.COOKIES.get(signing_in.COOKIE))
    known = Account.objects.filter(username=name).values_list("pk", flat=True).first()
    signing_in.count_password(request.client, key, known, device)
    account = authenticate(request, username=name, password=password[:1000])
    if not isinstance(account, Account):
        form.errors["username"] = _("User name or password is wrong.")
        audit.record("login.refused", username=name, client=request.client)
        return None
    signing_in.forget_password(request.client, key, account.pk, device)
    return account


def _enter(request: Request, account: Account, target: str) -> HttpResponse:
    """Sign somebody in whose password was right, who just now showed who they are; a second factor may come first."""
    record_authentication(request, account, method="password", reauthenticated=True)
    response: HttpResponse = perform_login(request, account, email_verification="none", redirect_url=target)
    return response


@page("POST")
def sign_out(request: Request) -> HttpResponse:
    """End the session."""
    if signed_in(request):
        audit.record("logout.done", request.principal)
    logout(request)
    return HttpResponseRedirect("/")


@page("GET", "POST")
def register(request: Request) -> HttpResponse:
    """Open a citizen's account."""
    form = Form()
    if request.method == "POST":
        form = Form(values={name: text(request, name, 150) for name in ("username", "name")})
        form.values["username"] = _username(form.get("username"))
        if account := _registered(request, form):
            audit.record("account.opened", principal_of(account), client=request.client)
            return _enter(request, account, reverse("mine"))
    return respond(request, "account/register.html", RegisterPage(form=form), status=200 if form.ok else 422)


def _registered(request: Request, form: Form) -> Account | None:
    name = form.require("username", _("Choose a user name."))
    if name and not (3 <= len(name) <= 40 and all(c.isalnum() or c in "._-@+" for c in name)):
        form.errors["username"] = _("Use 3 to 40 letters, digits or . _ - @ +")
    if name.casefold().startswith(OPENED):
        form.errors["username"] = _("Names that begin with %(begin)s are given by single sign-on. Choose another.") % {
            "begin": OPENED
        }
    password = _new_password(request, form, Account(username=name, name=form.get("name")))
    if not form.ok:
        return None
    throttle.hit(throttle.REGISTER, request.client)
    city = City.objects.get(pk=chosen_city(request))
    try:
        with transaction.atomic():
            return new_citizen(
                city=city, username=name, name=form.get("name") or name, password=password, language=words.language()
            )
    except IntegrityError:
        form.errors["username"] = _("This user name is taken. Choose another.")
        return None


def _username(given: str) -> str:
    return unicodedata.normalize("NFKC", given)


def _new_password(request: Request, form: Form, account: Account) -> str:
    """A password that was typed twice alike and is good enough; otherwise an error of the form."""
    password = str(request.POST.get("password", ""))[:1000]
    if password != str(request.POST.get("again", ""))[:1000]:
        form.errors["again"] = _("The two passwords differ.")
    try:
        validate_password(password, account)
    except ValidationError as error:
        form.errors["password"] = " ".join(_said(each) for each in error.error_list)
    return password


def _said(error: ValidationError) -> str:
    """What is wrong with a password; Django names the field that it resembles by the name of its column."""
    if error.code == "password_too_similar":
        return _("The password resembles the user name. Choose another.")
    return " ".join(error.messages)


@page(account=True)
def account(request: Request) -> HttpResponse:
    """Posts, language, password and tokens of the person signed in."""
    return _account_page(request, Form())


def _account_page(request: Request, form: Form, fresh: str = "") -> HttpResponse:
    me = _me(request)
    posts = posts_of(me)
    living = (
        Token.objects.filter(tokens.living(datetime.now(UTC)), post__account=me).select_related("post").order_by("-pk")
    )
    found = AccountPage(posts=tuple(posts), tokens=tuple(living), form=form, fresh=fresh)
    response = respond(request, "account/own.html", found, status=200 if form.ok else 422)
    if fresh:
        response["Cache-Control"] = "no-store"
    return response


def _me(request: Request) -> Account:
    assert isinstance(request.user, Account)
    return request.user


@page("POST", account=True)
def choose_post(request: Request) -> HttpResponse:
    """Act in another of one's posts from now on."""
    chosen = next((p for p in posts_of(_me(request)) if str(p.pk) == text(request, "post", 20)), None)
    if chosen is None:
        raise NotAllowed(_("You do not hold this post today."), remedy=_("Choose one of your posts."))
    request.session["post"] = chosen.pk
    audit.record("post.chosen", request.principal, post=chosen.pk)
    return back(request, "/")


@page("POST")
def choose_language(request: Request) -> HttpResponse:
    """Speak another language: remembered by the account, or by the browser."""
    chosen = text(request, "language", 20)
    if chosen not in dict(settings.LANGUAGES):
        chosen = settings.LANGUAGE_CODE
    response = back(request, "/")
    if signed_in(request):
        Account.objects.filter(pk=_me(request).pk).update(language=chosen)
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, chosen, max_age=365 * 86400, samesite="Lax", secure=settings.TLS)
    return response


@page("POST")
def choose_city(request: Request) -> HttpResponse:
    """Look at another city of this installation, while not signed in."""
    response = back(request, "/")
    name = text(request, "city", 100)
    if City.objects.filter(name=name).exists():
        response.set_cookie("city", name, max_age=365 * 86400, samesite="Lax", secure=settings.TLS, httponly=True)
    return response


@page("POST", account=True)
def change_password(request: Request) -> HttpResponse:
    """Choose another password; other sessions of this account end with it."""
    me, form = _me(request), Form()
    throttle.hit(throttle.PASSWORD, me.pk)
    if not me.check_password(str(request.POST.get("old", ""))[:1000]):
        form.errors["old"] = _("This is not your present password.")
    password = _new_password(request, form, me)
    if not form.ok:
        return _account_page(request, form)
    me.set_password(password)
    me.save(update_fields=["password"])
    update_session_auth_hash(request, me)
    UserSession.objects.create_from_request(request)  # this session goes on under another key
    sessions.end(me, but=request.session.session_key)
    ended = tokens.revoke_all(me)  # whoever learnt the old password may have made some
    audit.record("password.changed", request.principal, tokens=ended)
    messages.success(request, _("Your password was changed."))
    return HttpResponseRedirect(reverse("account"))


@page("POST", account=True)
@sensitive
def make_token(request: Request) -> HttpResponse:
    """Make an API token of the post in use and show it once."""
    name = text(request, "name", 100)
    if not name:
        return _account_page(request, Form(errors={"name": _("Say what the token is for.")}))
    post = next(p for p in posts_of(_me(request)) if p.pk == request.principal.post)
    word = tokens.issue(post, name, datetime.now(UTC) + tokens.LIFE)
    audit.record("token.made", request.principal, name=name)
    return _account_page(request, Form(), fresh=word)


@page("POST", account=True)
def revoke_token(request: Request) -> HttpResponse:
    """End one of one's tokens."""
    posts = list(Post.objects.filter(account=_me(request)).values_list("pk", flat=True))
    number = text(request, "token", 20)
    if number.isdecimal() and tokens.revoke(posts, int(number)):
        audit.record("token.revoked", request.principal, token=int(number))
        messages.success(request, _("The token was revoked."))
    return HttpResponseRedirect(reverse("account"))
