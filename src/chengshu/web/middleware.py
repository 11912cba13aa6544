"""What happens around every request: a number and a log line, security headers, and who is acting."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.core.errors import ChengshuError, NotAllowed, NotFound
from chengshu.logs import get_logger
from chengshu.parties.access import anybody, posts_of, principal_of
from chengshu.parties.models import Account, Post
from chengshu.parties.principal import Principal
from chengshu.places.cities import cities
from chengshu.web import assets, live, metrics, tiles, words

Answer = Callable[[HttpRequest], HttpResponse]
log = get_logger(__name__)

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # data: the arrows of Tabler's form fields; blob: pictures chosen but not yet sent
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SLOW = 0.5  # seconds
LARGEST_BODY = 65 * 2**20  # bytes: as many pictures as a form may bring, and its fields
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{8,80}")


def telemetry(get_response: Answer) -> Answer:
    """Number, count and log every request; a number given by a proxy in front is kept."""

    def answer(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        number = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        request.client = address(request)  # type: ignore[attr-defined]
        begin = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request=number):
            response = get_response(request)
            _measure(request, response, time.perf_counter() - begin)
        response["X-Request-ID"] = number
        return response

    return answer


def address(request: HttpRequest) -> str:
    """The address a request came from: behind proxies named in CHENGSHU_PROXIES, the one that they were asked by."""
    nearest = str(request.META.get("REMOTE_ADDR", ""))
    trusted = settings.TRUSTED_PROXIES
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    while nearest in trusted and hops:
        nearest = hops.pop()
    return _network(nearest)


def _network(text: str) -> str:
    """An address as limits count it: of IPv6 the /64, of which one subscriber has all."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    return (
        str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 and not found.is_loopback else text
    )


def _measure(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    route = f"/{match.route}" if match else "unmatched"
    method = (
        request.method if request.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
    )
    metrics.count(str(method), route, response.status_code, seconds)
    # Every request is counted; only what went wrong or took long is worth a line of its own.
    worth = response.status_code >= 500 or seconds > SLOW
    say = log.warning if worth else log.debug
    say("http", method=method, route=route, status=response.status_code, ms=round(1000 * seconds, 1))


def small_bodies(get_response: Answer) -> Answer:
    """Refuse a body that is too large, or does not say how large it is, before anything reads it."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "Transfer-Encoding" in request.headers:
            return _unread(411, _("The length of what was sent is missing."))
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        if length.isdecimal() and int(length) <= LARGEST_BODY:
            return get_response(request)
        return _unread(413, _("What was sent is too large. Send fewer or smaller files."))

    return answer


def _unread(status: int, why: str) -> HttpResponse:
    return HttpResponse(why, status=status, content_type="text/plain; charset=utf-8", headers={"Connection": "close"})


def content_security(get_response: Answer) -> Answer:
    """Forbid browsers everything that the pages do not need: no outside host, no inline script or style."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy(live.origin(request)))
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answer


@lru_cache(maxsize=32)
def _policy(live_origin: str) -> str:
    policy = POLICY.replace(
        "connect-src 'self'", " ".join(filter(None, ["connect-src 'self'", live_origin, tiles.host()]))
    )
    return policy.replace("img-src 'self'", f"img-src 'self' {tiles.host()}".rstrip())


def principal(get_response: Answer) -> Answer:
    """Give every request its `principal`, found when first asked for, and speak the account's language."""

    def answer(request: HttpRequest) -> HttpResponse:
        request.principal = SimpleLazyObject(lambda: who(request))  # type: ignore[attr-defined]
        if not _has_session(request) or not request.user.is_authenticated:
            return get_response(request)
        language = request.user.language
        with translation.override(language):
            response = get_response(request)
        response.headers["Content-Language"] = language
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return answer


def _has_session(request: HttpRequest) -> bool:
    return settings.SESSION_COOKIE_NAME in request.COOKIES


def who(request: HttpRequest) -> Principal:
    """The account in its chosen post; somebody without an account is a citizen of the city that the page is about.

    An account that holds no post any more can do what anybody can.
    """
    if isinstance(request.user, Account):
        try:
            return principal_of(request.user, request.session.get("post"), posts=held(request))
        except NotAllowed:
            log.warning("principal.without_post", account=request.user.username)
    city = chosen_city(request)
    return anybody(city=city, root=catalog(city).root, language=words.language())


def held(request: HttpRequest) -> list[Post]:
    """The posts of whoever is signed in, read once for a request."""
    if not hasattr(request, "posts"):
        request.posts = posts_of(request.user) if isinstance(request.user, Account) else []  # type: ignore[attr-defined]
    posts: list[Post] = request.posts  # type: ignore[attr-defined]
    return posts


def chosen_city(request: HttpRequest) -> int:
    """The city of a visitor: the one chosen before, else the first that was loaded."""
    chosen = request.COOKIES.get("city")
    known = cities()
    found = next((city.pk for city in known if city.name == chosen), None) or next((city.pk for city in known), None)
    if found is None:
        raise NotFound("No city has been loaded yet.", remedy="Load one with `chengshu load-city hangzhou`.")
    return found


def broken(request: HttpRequest) -> HttpResponse:
    """The page for an error of our own: it needs neither database nor session, nor the front end to be built."""
    try:
        style = assets.asset("main.style")
    except ChengshuError:
        style = ""
    number = structlog.contextvars.get_contextvars().get("request", "")
    return render(request, "broken.html", {"number": number, "style": style}, status=500)
