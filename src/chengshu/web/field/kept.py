"""Pages that the service worker may keep on a telephone: each says for whom."""

from __future__ import annotations

from django.http import HttpResponse

from chengshu.web.context import owner
from chengshu.web.pages import Request

HEADER = "X-Kept-For"


def kept(request: Request, response: HttpResponse) -> HttpResponse:
    """Let the browser keep a page until the day ends, for this account in this post alone (frontend/src/field/worker.ts)."""
    response[HEADER] = owner(request.principal)
    return response
