"""Which cases somebody without an account may follow in this browser, having shown number and word once.

A signed cookie holds them, so that following needs no session: the busiest public page reads no table but those of its case.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpResponse

from chengshu.cases.following import proven
from chengshu.cases.story import Follower
from chengshu.web.pages import Request
from chengshu.web.words import language

FOLLOWED = "followed"  # name of the cookie
ANSWER = "answer"
MOST = 30  # cases remembered in one browser
LASTS = 12 * 3600  # seconds
ANSWER_LASTS = 3600


def remember(request: Request, response: HttpResponse, number: str, city: int, *, opener: bool) -> None:
    """Let this browser follow a case; who reported it does not become one of those who joined by joining it too."""
    known = _read(request, FOLLOWED, LASTS)
    known[number] = [city, opener or bool(known.pop(number, [city, False])[1])]
    _write(response, FOLLOWED, dict(list(known.items())[-MOST:]), LASTS, path="/")


def follower(request: Request, number: str) -> Follower | None:
    """Who follows a case, if this browser showed its word."""
    if FOLLOWED not in request.COOKIES:
        return None
    shown = _read(request, FOLLOWED, LASTS).get(number)
    return proven(shown[0], language(), opener=bool(shown[1])) if shown else None


def followed(request: Request) -> tuple[str, ...]:
    """The numbers of the cases that this browser follows, the last shown first."""
    return tuple(reversed(_read(request, FOLLOWED, LASTS)))


def forget(response: HttpResponse) -> HttpResponse:
    """Let this browser follow nothing any more: for somebody at another's device."""
    response.delete_cookie(FOLLOWED, path="/", samesite="Lax")
    response.delete_cookie(ANSWER, path="/report", samesite="Lax")
    return response


def keep_answer(response: HttpResponse, answer: dict[str, Any]) -> None:
    """Keep the answer to a report for the page that shows it, and for a while for whoever reloads that."""
    _write(response, ANSWER, answer, ANSWER_LASTS, path="/report")


def answer(request: Request) -> dict[str, Any]:
    """The answer to the last report of this browser, or nothing."""
    return _read(request, ANSWER, ANSWER_LASTS)


def _read(request: Request, name: str, lasts: int) -> dict[str, Any]:
    try:
        found = signing.loads(request.COOKIES.get(name, ""), salt=f"{__name__}.{name}", max_age=lasts)
    except signing.BadSignature:
        return {}
    return found if isinstance(found, dict) else {}


def signed(value: dict[str, Any], name: str = FOLLOWED) -> str:
    """A cookie's value as it is sent."""
    return signing.dumps(value, salt=f"{__name__}.{name}", compress=True)


def _write(response: HttpResponse, name: str, value: dict[str, Any], lasts: int, *, path: str) -> None:
    response.set_cookie(
        name, signed(value, name), max_age=lasts, path=path, httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
