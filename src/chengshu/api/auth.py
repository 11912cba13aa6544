"""Who calls: a token in the Authorization header, or the session of a signed-in page."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from chengshu.parties.principal import Principal
from chengshu.parties.tokens import principal_of_token


class Bearer(HttpBearer):
    """`Authorization: Bearer cs_…`"""

    openapi_scheme = "bearer"

    def authenticate(self, request: HttpRequest, token: str) -> Principal | None:
        return principal_of_token(token)


class Session(APIKeyCookie):
    """The page's session cookie; writing needs the CSRF token as well."""

    param_name = "sessionid"

    def _get_key(self, request: HttpRequest) -> str | None:
        # Without a session there is nothing to forge: the caller is nobody (401), not a forger (403).
        return super()._get_key(request) if self.param_name in request.COOKIES else None

    def authenticate(self, request: HttpRequest, key: str | None) -> Principal | None:
        found: Principal | None = getattr(request, "principal", None) if key else None
        return found if found is not None and found.account is not None else None


def principal_of(request: HttpRequest) -> Principal:
    """The principal that one of the two found."""
    return cast(Principal, request.auth)  # type: ignore[attr-defined]
