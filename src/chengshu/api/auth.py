"""Who calls: a token in the Authorization header, or the session of a signed-in page."""

from __future__ import annotations

import time
from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from chengshu.parties.principal import Principal
from chengshu.parties.tokens import digest, principal_of_token

FRESH = 1.0  # seconds for which a process trusts what it has read of a token, so that a busy client costs one look
MOST = 10_000  # tokens kept

_kept: dict[str, tuple[float, Principal]] = {}


def forget() -> None:
    """Drop what is kept, so that a revoked token ends at once in this process."""
    _kept.clear()


def _recent(token: str) -> Principal:
    """The principal of a token, at most `FRESH` seconds behind its revocation elsewhere."""
    now, key = time.monotonic(), digest(token)
    kept = _kept.get(key)
    if kept is not None and now - kept[0] < FRESH:
        return kept[1]
    principal = principal_of_token(token)
    if len(_kept) >= MOST:
        _kept.clear()
    _kept[key] = (now, principal)
    return principal


class Bearer(HttpBearer):
    """`Authorization: Bearer cs_…`"""

    openapi_scheme = "bearer"

    def authenticate(self, request: HttpRequest, token: str) -> Principal | None:
        return _recent(token)


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
