"""Second factors: codes of a telephone, passkeys, recovery codes; and showing again who one is before what matters.

allauth does the work; these pages put its views into our look, with our limits and our traces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.stagekit import get_pending_stage
from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.base.views import ReauthenticateView as FactorReauthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.core import problems
from chengshu.core.errors import NotFound
from chengshu.parties import audit, signing_in, throttle
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal
from chengshu.web.pages import P, Request, View, page, respond, signed_in, text

Answer = Callable[[HttpRequest], HttpResponse]
Types = Authenticator.Type
PARAMETER = "second_factor_roles"
BROWSERS = {  # in this order: later words stand in the names of earlier ones
    "MicroMessenger": "微信 WeChat", "DingTalk": "钉钉 DingTalk", "Edg": "Edge", "Firefox": "Firefox", "Chrome": "Chrome",
    "Safari": "Safari",
}  # fmt: skip
SYSTEMS = {
    "HarmonyOS": "HarmonyOS", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows",
    "Mac OS": "macOS", "Linux": "Linux",
}  # fmt: skip
# What somebody may still open who must set up a second factor first.
OPEN = re.compile(r"/(account(?!/tokens)(/.*)?|logout|language|post|static/.*|oidc/.*|healthz|readyz|help.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SecurityPage:
    """One's ways of signing in and living sessions; `required` when the post in use must have a second factor."""

    totp: Authenticator | None
    passkeys: tuple[Authenticator, ...]
    codes_left: int
    sessions: tuple[tuple[UserSession, str], ...]
    current: str
    required: bool
    protected: bool


def _shown(view: Any, template: str, **more: Any) -> Any:
    """An allauth view that shows our template."""
    return view.as_view(template_name=f"account/{template}.html", **more)


def _counted(request: Request, account: Account, view: Answer) -> HttpResponse:
    """Answer with a view that tries a code; one that was right, which allauth notes, makes the tries before it forgotten."""
    if request.method != "POST":
        return view(request)
    signing_in.count_factor(account.pk)
    before = len(get_authentication_records(request, account))
    response = view(request)
    if len(get_authentication_records(request, account)) > before:
        signing_in.forget_factor(account.pk)
    return response


@page("GET", "POST")
def second(request: Request) -> HttpResponse:
    """The second factor, after the password was right."""
    stage = get_pending_stage(request)
    if signed_in(request) or stage is None:
        return HttpResponseRedirect(reverse("login"))
    return _counted(request, stage.login.user, _shown(AuthenticateView, "second"))


@page("GET", "POST")
def passkey_login(request: Request) -> HttpResponse:
    """Signing in with a passkey: the script asks for options, and posts what the passkey signed."""
    if request.method == "POST":
        signing_in.count_passkey(request.client)
    response: HttpResponse = LoginWebAuthnView.as_view()(request)
    return response


@page(account=True)
def security(request: Request) -> HttpResponse:
    """One's ways of signing in, and where one is signed in now."""
    me = _me(request)
    own = list(Authenticator.objects.filter(user=me).order_by("pk"))
    codes = next((each for each in own if each.type == Types.RECOVERY_CODES), None)
    sessions = sorted(UserSession.objects.purge_and_list(me), key=lambda each: each.created_at, reverse=True)
    found = SecurityPage(
        totp=next((each for each in own if each.type == Types.TOTP), None),
        passkeys=tuple(each for each in own if each.type == Types.WEBAUTHN),
        codes_left=len(codes.wrap().get_unused_codes()) if codes else 0,
        sessions=tuple((each, _browser(each.user_agent)) for each in sessions),
        current=request.session.session_key or "",
        required=is_required(request.principal),
        protected=has_factor(me),
    )
    return respond(request, "account/security.html", found)


def _browser(agent: str) -> str:
    """A browser and its system by what it says of itself; the first names that fit."""
    program = next((name for word, name in BROWSERS.items() if word in agent), _("Another program"))
    system = next((name for word, name in SYSTEMS.items() if word in agent), "")
    return f"{program} · {system}" if system else program


def _me(request: HttpRequest) -> Account:
    assert isinstance(request.user, Account)
    return request.user


@page("POST", account=True)
def end_session(request: Request) -> HttpResponse:
    """Sign out there: one session, or all but this."""
    mine = UserSession.objects.filter(user=_me(request)).exclude(session_key=request.session.session_key)
    number = text(request, "session", 18)
    chosen = list(mine if number == "others" else mine.filter(pk=int(number)) if number.isdecimal() else [])
    if not chosen and number != "others":
        raise NotFound(_("There is no such session."), remedy=_("It may have ended by itself."))
    for session in chosen:
        session.end()
    audit.record("session.ended", request.principal, count=len(chosen))
    messages.success(request, _("Signed out there."))
    return HttpResponseRedirect(reverse("security"))


@page("GET", "POST", account=True)
def totp_on(request: Request) -> HttpResponse:
    """Set up the codes of a telephone. The page shows their secret: there is nothing to guess, and no try is counted."""
    response: HttpResponse = _shown(ActivateTOTPView, "totp_on")(request)
    return response


@page("GET", "POST", account=True)
def totp_off(request: Request) -> HttpResponse:
    """Do without the codes of a telephone."""
    if not is_mfa_enabled(_me(request), [Types.TOTP]):
        return HttpResponseRedirect(reverse("security"))
    response: HttpResponse = _shown(DeactivateTOTPView, "totp_off")(request)
    return response


class _AddPasskey(AddWebAuthnView):  # type: ignore[misc]
    """A passkey is kept by its device and asks for finger, face or PIN, so that it serves without a password."""

    template_name = "account/passkey_on.html"

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**more)
        found["js_data"] = {"creation_options": webauthn.begin_registration(self.request.user, True)}
        return found


@page("GET", "POST", account=True)
def passkey_on(request: Request) -> HttpResponse:
    """Add a passkey."""
    response: HttpResponse = _AddPasskey.as_view()(request)
    return response


@page("POST", account=True)
def passkey_off(request: Request) -> HttpResponse:
    """Remove a passkey."""
    number = text(request, "passkey", 18)
    mine = Authenticator.objects.filter(user=_me(request), type=Types.WEBAUTHN)
    if not number.isdecimal() or not mine.filter(pk=int(number)).exists():
        raise NotFound(_("There is no such passkey."), remedy=_("Look at your passkeys."))
    response: HttpResponse = RemoveWebAuthnView.as_view(success_url=reverse("security"))(request, pk=int(number))
    return response


@page(account=True)
def recovery(request: Request) -> HttpResponse:
    """The recovery codes: each works once, when telephone and passkey are lost."""
    if not is_mfa_enabled(_me(request), [Types.RECOVERY_CODES]):
        return HttpResponseRedirect(reverse("security"))
    response: HttpResponse = _shown(ViewRecoveryCodesView, "recovery")(request)
    response["Cache-Control"] = "no-store"
    return response


@page("POST", account=True)
def recovery_anew(request: Request) -> HttpResponse:
    """New recovery codes; the old ones no longer work."""
    if not has_factor(_me(request)):
        return HttpResponseRedirect(reverse("security"))
    response: HttpResponse = _shown(GenerateRecoveryCodesView, "recovery")(request)
    return response


@page("GET", "POST", account=True)
def again(request: Request) -> HttpResponse:
    """Show again who one is: by password."""
    if request.method == "POST":
        throttle.hit(throttle.PASSWORD, _me(request).pk)
    response: HttpResponse = _shown(ReauthenticateView, "again")(request)
    return response


@page("GET", "POST", account=True)
def again_code(request: Request) -> HttpResponse:
    """Show again who one is: by a code."""
    return _counted(request, _me(request), _shown(FactorReauthenticateView, "again_code"))


@page("GET", "POST", account=True)
def again_passkey(request: Request) -> HttpResponse:
    """Show again who one is: by a passkey."""
    if request.method == "POST":
        signing_in.count_passkey(request.client)
    response: HttpResponse = _shown(ReauthenticateWebAuthnView, "again_passkey")(request)
    return response


def has_factor(account: Account) -> bool:
    """Whether somebody has a second factor that is not only a recovery code."""
    return bool(is_mfa_enabled(account, [Types.TOTP, Types.WEBAUTHN]))


def is_required(principal: Principal) -> bool:
    """Whether the city asks this post for a second factor: its parameter `second_factor_roles` names roles."""
    known = catalog(principal.city)
    if PARAMETER not in known.parameters.values:
        return False
    roles = known.parameter(PARAMETER, datetime.now(UTC))
    return isinstance(roles, list) and principal.role in roles


def required(get_response: Answer) -> Answer:
    """Lead whoever must have a second factor and has none to where it is set up, before anything else."""

    def answer(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or OPEN.fullmatch(request.path):
            return get_response(request)
        if not request.user.is_authenticated:
            return get_response(request)
        principal: Principal = request.principal  # type: ignore[attr-defined]
        if principal.account is None or not is_required(principal) or has_factor(_me(request)):
            return get_response(request)
        what = _("Your post asks for a second factor. Set one up first.")
        if request.path.startswith("/api/"):
            remedy = _("Set one up at %(address)s.") % {"address": reverse("security")}
            body = problems.problem(403, what, where=request.path, remedy=remedy)
            return HttpResponse(body, status=403, content_type=problems.KIND)
        messages.warning(request, what)
        return HttpResponseRedirect(reverse("security"))

    return answer


def sensitive(view: View[P]) -> View[P]:
    """Make a view ask first that its caller shows again who they are, unless they just did."""
    return cast(View[P], reauthentication_required(app="allauth.mfa")(view))
