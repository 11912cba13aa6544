"""The addresses of SensorThings, /sta/v1.1: who calls, and the service behind them."""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja.utils import check_csrf

from chengshu.api.auth import Bearer, Session
from chengshu.api.idempotency import once
from chengshu.core.errors import ChengshuError, NotAllowed, NotFound, NotSignedIn, TooLarge
from chengshu.logs import get_logger
from chengshu.parties.access import root_of
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.cities import cities
from chengshu.sensing.sta import service as sta
from chengshu.sensing.sta.batch import Answer, Request

METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")
log = get_logger(__name__)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Away(ChengshuError):
    """The database does not answer now."""

    status = 503


@csrf_exempt  # a token cannot be forged by another site; of sessions it is checked below
def service(request: HttpRequest, path: str = "") -> HttpResponse:
    """All of /sta/v1.1."""
    try:
        principal = _who(request)
        return _answered(request, principal, path)
    except ChengshuError as error:
        response = _http(sta.refusal(error))
        if error.status == 401:
            response["WWW-Authenticate"] = "Bearer"
        return response
    except RequestDataTooBig:
        return _http(sta.refusal(TooLarge("The body is larger than is taken.", remedy="Send less at once.")))
    except OperationalError as error:
        log.warning("database.away", error=str(error))
        away = _Away("The database cannot answer now.", remedy="Try again in a moment.")
        return _http(sta.refusal(away))


@csrf_exempt
def landing(request: HttpRequest) -> HttpResponse:
    """What the service has."""
    return service(request)


service.methods, landing.methods = METHODS, ("GET",)  # type: ignore[attr-defined]  # for the matrix of permissions


def _answered(request: HttpRequest, principal: Principal, path: str) -> HttpResponse:
    base = request.build_absolute_uri(sta.ROOT)
    method = "GET" if request.method == "HEAD" else str(request.method)
    # Quoted again: the address inside stands as in a batch.
    query = request.META.get("QUERY_STRING", "")
    asked = Request(
        method=method,
        path=path.replace("%", "%25").replace("?", "%3F") + (f"?{query}" if query else ""),
        headers={"Content-Type": request.headers.get("Content-Type", "")},
        body=b"" if method == "GET" else request.body,
    )
    if method == "POST" and path.strip("/") == "$batch":
        return _http(sta.run_batch(principal, asked.headers["Content-Type"], asked.body, base))
    if method == "POST":
        return once(request, principal, lambda: _http(sta.answer(principal, asked, base)))
    return _http(sta.answer(principal, asked, base))


def _http(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    if "Content-Type" not in answer.headers:
        del response.headers["Content-Type"]
    for name, value in answer.headers.items():
        response[name] = value
    return response


def _who(request: HttpRequest) -> Principal:
    """The bearer of a token, who is signed in, or an address that is let in without. Raises `NotSignedIn`."""
    found = Bearer()(request) if "Authorization" in request.headers else None
    if found is None and (found := _of_session(request)) is None and _is_open(request):
        found = _gateway()
    if not isinstance(found, Principal):
        raise NotSignedIn("Nobody is signed in.", remedy="Send `Authorization: Bearer TOKEN`.")
    return found


def _of_session(request: HttpRequest) -> Principal | None:
    if Session.param_name not in request.COOKIES:
        return None
    found = Session(csrf=False).authenticate(request, request.COOKIES[Session.param_name])
    if found is not None and request.method not in ("GET", "HEAD") and check_csrf(request) is not None:
        raise NotAllowed("The CSRF token is missing.", remedy="Send it in the header X-CSRFToken.")
    return found


def _is_open(request: HttpRequest) -> bool:
    """Whether CHENGSHU_STA_OPEN lets a request in.

    Not one that a proxy passed on which is not known as such, for then nobody knows where it came from; and not one that a
    page of another site made somebody's browser send.
    """
    networks = _networks(tuple(settings.STA_OPEN))
    if not networks or not _of_our_own(request):
        return False
    if "X-Forwarded-For" in request.headers and request.META.get("REMOTE_ADDR") not in settings.TRUSTED_PROXIES:
        return False
    client = ipaddress.ip_network(getattr(request, "client", ""), strict=False)
    return any(client.version == each.version and client.subnet_of(each) for each in networks)  # type: ignore[arg-type]


def _of_our_own(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin")
    cross = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    return not cross and (origin is None or urlsplit(origin).netloc == request.get_host())


@cache
def _networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in written)


def _gateway() -> Principal:
    """A gateway of the whole city that CHENGSHU_STA_CITY names, or of the first."""
    found = next((city for city in cities() if settings.STA_CITY in ("", city.name)), None)
    if found is None:
        raise NotFound("There is no such city.", where=settings.STA_CITY, remedy="Load it with `chengshu load-city`.")
    return Principal(
        account=None, username="sensorthings", name="SensorThings", post=None, role=Role.GATEWAY, city=found.pk,
        division=root_of(found).pk, department=None,
    )  # fmt: skip
