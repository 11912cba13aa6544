"""Where a page finds the live process, and the ticket with which it may listen there."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from chengshu.live.tickets import Ticket, issue, session_digest
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF


def stream(request: HttpRequest, principal: Principal, root: int) -> str:
    """The address of the events for this post, whose city's root division is given; empty where nothing is sent live."""
    base = _base(request)
    if not base or principal.account is None or principal.post is None or principal.role not in STAFF:
        return ""
    ticket = Ticket(
        principal.account, principal.post, principal.name, principal.role.value, principal.scope.value, root,
        principal.division, principal.department, session_digest(request.session.session_key or ""),
    )  # fmt: skip
    return f"{base}/stream?{urlencode({'ticket': issue(ticket)})}"


def origin(request: HttpRequest) -> str:
    """The origin that scripts must be allowed to speak with beside the page's own; empty when it is the same."""
    parts = urlsplit(_base(request))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _base(request: HttpRequest) -> str:
    """CHENGSHU_LIVE_URL, else the live port of the same host; from a page served by HTTPS that could not be reached."""
    if settings.LIVE_URL:
        return str(settings.LIVE_URL).rstrip("/")
    if not settings.LIVE_PORT or request.is_secure():
        return ""
    try:
        host = urlsplit(f"//{request.get_host()}").hostname or ""
    except DisallowedHost:
        return ""
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.LIVE_PORT}"
