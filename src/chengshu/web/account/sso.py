"""Single sign-on by OpenID Connect: to the city's provider and back. Which one, the settings say."""

from __future__ import annotations

import requests
from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError
from chengshu.logs import get_logger
from chengshu.parties import signing_in
from chengshu.web.pages import Request, page

log = get_logger(__name__)


class Unreachable(ChengshuError):
    """The provider of single sign-on does not answer."""

    status = 502


@page()
def begin(request: Request, provider_id: str) -> HttpResponse:
    """Off to the provider."""
    return _answered(views.login, request, provider_id)


@page()
def end(request: Request, provider_id: str) -> HttpResponse:
    """Back from the provider, signed in or not."""
    return _answered(views.callback, request, provider_id)


def _answered(view: object, request: Request, provider_id: str) -> HttpResponse:
    if settings.OIDC_URL:
        signing_in.count_single_sign_on(request.client)
    try:
        response: HttpResponse = view(request, provider_id)  # type: ignore[operator]
    except requests.RequestException as error:
        log.warning("sso.unreachable", error=type(error).__name__)
        what, remedy = _("Single sign-on does not answer."), _("Try again later, or sign in with your password.")
        raise Unreachable(what, remedy=remedy) from error
    return response
