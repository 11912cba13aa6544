"""What allauth asks of us: where to go, what to keep secret, who a person from the city's single sign-on is."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, NotAllowed
from chengshu.parties import audit, notices, signing_in
from chengshu.parties.access import new_citizen, posts_of, principal_of
from chengshu.parties.models import Account
from chengshu.parties.roles import STAFF
from chengshu.places.models import City
from chengshu.web import words
from chengshu.web.middleware import chosen_city
from chengshu.web.pages import refused, without_post

OPENED = "sso-"  # begins the user names of accounts that single sign-on opened, which nobody else may choose
CHANGES = {  # allauth's name of a mail that it would send: what happened, as the notice of it has it
    "mfa/email/totp_activated": "totp_on",
    "mfa/email/totp_deactivated": "totp_off",
    "mfa/email/webauthn_added": "passkey_on",
    "mfa/email/webauthn_removed": "passkey_off",
    "mfa/email/recovery_codes_generated": "recovery",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Ends every way of signing in alike: a trace, a session that is listed, and a device cookie."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address as our limits count it; of an IPv6 network, its first."""
        client = getattr(request, "client", "") or str(request.META.get("REMOTE_ADDR", ""))
        return client.partition("/")[0] or "0.0.0.0"  # noqa: S104 - an address that nobody has

    def is_safe_url(self, url: str) -> bool:
        """Only pages of ours."""
        return bool(url) and url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def post_login(self, request: HttpRequest, user: Account, **more: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **more)
        methods = sorted(
            {str(each.get("type") or each["method"]) for each in get_authentication_records(request, user)}
        )
        actor = principal_of(user) if posts_of(user) else None
        if actor is None:
            nothing = without_post()
            messages.warning(request, f"{nothing.what} {nothing.remedy}")
        audit.record("login.done", actor, client=self.get_client_ip(request), by=methods, username=user.username)
        remember(request, response, user)
        return response

    def send_notification_mail(self, template_prefix: str, user: Account, *_more: Any, **_fields: Any) -> None:
        """Tell the person what was changed about signing in: by a notice, and so by their channels."""
        if change := CHANGES.get(template_prefix):
            tell_change(user, change)

    def respond_user_inactive(self, request: HttpRequest, user: Account) -> HttpResponse:
        return _refuse(request, NotAllowed(_("This account is closed."), remedy=_("Ask the administrator.")))


def remember(request: HttpRequest, response: HttpResponse, user: Account) -> None:
    """Let this browser be known as one in which this account signed in."""
    device = signing_in.Device.read(request.COOKIES.get(signing_in.COOKIE))
    response.set_cookie(
        signing_in.COOKIE, device.with_account(user.pk), max_age=signing_in.COOKIE_AGE, httponly=True, samesite="Lax",
        secure=settings.TLS,
    )  # fmt: skip


def tell_change(user: Account, change: str) -> None:
    """Note a change of the ways of signing in, and tell the person whose account it is."""
    audit.record(f"factor.{change}", principal_of(user) if posts_of(user) else None, username=user.username)
    notices.tell_security(user, change)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Keeps the secrets of second factors encrypted with the city's key."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _fernet().decrypt(encrypted_text.encode()).decode()
        except InvalidToken as error:
            what = _("The secret of this account cannot be read with the key of this city.")
            raise ChengshuError(what, remedy=_("Restore CHENGSHU_SECRET_KEY, or remove the second factor.")) from error

    def get_totp_issuer(self) -> str:
        return "城枢 chengshu"

    def generate_authenticator_name(self, user: Account, type: str) -> str:
        return _("Passkey")


def _fernet() -> Fernet:
    key = hashlib.sha256(b"chengshu.second-factor" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Knows a person from the city's single sign-on by a claim; opens no account unless the settings allow citizens'."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.is_existing:
            return
        account = _matched(sociallogin) or _opened(request, sociallogin)
        if account is None:
            audit.record("login.unknown", claim=_claim(sociallogin), client=getattr(request, "client", ""))
            what = _("Single sign-on knows you, but no account here is yours.")
            raise ImmediateHttpResponse(
                _refuse(request, NotAllowed(what, remedy=_("Ask the administrator for a post.")))
            )
        sociallogin.connect(request, account)

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        audit.record("login.sso_failed", error=str(error)[:100], client=getattr(request, "client", ""))
        what = _("Single sign-on did not work.")
        remedy = _("Try again, or sign in with your password.")
        raise ImmediateHttpResponse(_refuse(request, NotAllowed(what, remedy=remedy)))

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("security")


def _claim(sociallogin: SocialLogin) -> str:
    """What the provider says of the person in the claim that the settings name."""
    told = sociallogin.account.extra_data
    for source in (told.get("userinfo"), told.get("id_token"), told):
        if isinstance(source, dict) and source.get(settings.OIDC_CLAIM):
            return str(source[settings.OIDC_CLAIM])[:150]
    return ""


def _matched(sociallogin: SocialLogin) -> Account | None:
    """The account of that name, if it holds a post in the administration: citizens choose their names themselves."""
    account = Account.objects.filter(username=_claim(sociallogin), is_active=True).first()
    return account if account and any(post.role in STAFF for post in posts_of(account)) else None


def _opened(request: HttpRequest, sociallogin: SocialLogin) -> Account | None:
    """A new citizen's account for somebody new, where the settings allow it; one that is there already is never theirs."""
    if not settings.OIDC_OPEN:
        return None
    username = f"{OPENED}{secrets.token_hex(8)}"
    city = City.objects.get(pk=chosen_city(request))
    name = _claim(sociallogin) or username
    account = new_citizen(city=city, username=username, name=name, password="", language=words.language())
    account.set_unusable_password()
    account.save(update_fields=["password"])
    audit.record("account.opened", principal_of(account), by="single sign-on")
    return account


def _refuse(request: HttpRequest, error: NotAllowed) -> HttpResponse:
    return refused(request, error)


def safe_target(target: str) -> str:
    """Where to go after signing in: a page of ours."""
    return target if AccountAdapter().is_safe_url(target) else "/"
