"""What every page is made with: who may open it, one typed context, and errors as sentences with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from chengshu.cases.catalog import Catalog, catalog
from chengshu.core.errors import ChengshuError, NotAllowed
from chengshu.core.text import plain
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.parties.throttle import TooMany
from chengshu.web import words

P = ParamSpec("P")


class Request(HttpRequest):
    """A request as the middleware hands it to a page."""

    principal: Principal
    htmx: HtmxDetails
    client: str


View = Callable[Concatenate[Request, P], HttpResponse]


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorPage:
    """A refusal: what happened, where, and what to do about it."""

    status: int
    what: str
    where: str
    remedy: str


def signed_in(request: HttpRequest) -> bool:
    return cast(Request, request).principal.account is not None


def page(
    *methods: str, roles: frozenset[Role] | None = None, account: bool = False
) -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponse]]:
    """Make a view a page: `methods` it answers (GET), `roles` that may open it (anybody), or any signed-in `account`.

    The decorated view carries `access` (the roles, or None) and `account`, from which the matrix of permissions is tested.
    """
    allowed = tuple(methods) or ("GET",)

    def decorate(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "HEAD":  # whose form nobody checks (CSRF): it gets what GET gets, and does no more
                request.method = "GET"
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            return _guarded(view, cast(Request, request), roles, account, *args, **kwargs)

        answer.access = roles  # type: ignore[attr-defined]
        answer.account = account or roles is not None  # type: ignore[attr-defined]
        answer.methods = allowed  # type: ignore[attr-defined]
        return answer

    return decorate


def _guarded(
    view: View[P], request: Request, roles: frozenset[Role] | None, account: bool, /, *args: P.args, **kwargs: P.kwargs
) -> HttpResponse:
    try:
        if (roles is not None or account) and not signed_in(request):
            if request.user.is_authenticated:  # and holds no post
                raise without_post()
            return to_login(request)
        if roles is not None and request.principal.role not in roles:
            raise NotAllowed(_no_post(roles), remedy=_switch())
        return view(request, *args, **kwargs)
    except ChengshuError as error:
        return refused(request, error)


def without_post() -> NotAllowed:
    """The refusal for whoever signed in and holds no post today: they can do what anybody can, and no more."""
    return NotAllowed(_("This account holds no post today."), remedy=_("Ask the administrator for one."))


def _no_post(roles: frozenset[Role]) -> str:
    names = _(", ").join(sorted(words.role(role) for role in roles))
    return _("This page is for these posts: %(roles)s.") % {"roles": names}


def _switch() -> str:
    return _("Switch to another of your posts, or go back to your desk.")


def to_login(request: HttpRequest) -> HttpResponse:
    """To the login page and back; a part of a page loaded by script makes the whole page go there."""
    target = f"{reverse('login')}?{urlencode({'next': request.get_full_path() if request.method == 'GET' else '/'})}"
    if cast(Request, request).htmx:
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)


def refused(request: HttpRequest, error: ChengshuError) -> HttpResponse:
    """The page of an error, with its status."""
    found = ErrorPage(
        status=error.status, what=_(error.what), where=error.where, remedy=_(error.remedy) if error.remedy else ""
    )
    try:
        response = respond(request, "error.html", found, status=error.status)
    except ChengshuError as deeper:  # not even the head of the page can be made: no city is loaded
        response = render(request, "empty.html", {"what": _(deeper.what), "remedy": _(deeper.remedy)}, status=503)
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.seconds)
    return response


def form_out_of_date(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form whose secret word is not, or no longer, that of this browser: settings.CSRF_FAILURE_VIEW."""
    if reason == REASON_NO_CSRF_COOKIE:
        what = _("Your browser did not send the cookie that shows where the form came from.")
        return refused(
            request, NotAllowed(what, remedy=_("Allow cookies for this site, go back and send the form again."))
        )
    what = _("This form is out of date: somebody signed in or out after it was opened.")
    remedy = _(
        "Go back with your browser: what you typed is still there. Send it again, without scripts after reloading."
    )
    return refused(request, NotAllowed(what, remedy=remedy))


def respond(request: HttpRequest, template: str, page: object, *, status: int = 200) -> HttpResponse:
    """Render a template whose one argument, beside what every page has, is the record `page`."""
    return render(request, template, {"page": page, "now": datetime.now(UTC)}, status=status)


def back(request: HttpRequest, default: str) -> HttpResponse:
    """See the page that the form named in `next`, if it is one of ours."""
    target = str(request.POST.get("next", ""))
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts=None) and target.startswith("/")
    return HttpResponseRedirect(target if safe else default)


def text(request: HttpRequest, name: str, longest: int = 5_000) -> str:
    """A text field of a form or query: `plain`, without the spaces around it, cut at the longest length."""
    data: Any = request.POST if request.method == "POST" else request.GET
    return plain(str(data.get(name, ""))).strip()[:longest]


def number(request: HttpRequest, name: str) -> float | None:
    """A finite number of a form, or None."""
    try:
        value = float(text(request, name, 40))
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None


def known(request: HttpRequest) -> Catalog:
    """The configuration of the city that this person is in."""
    return catalog(cast(Request, request).principal.city)
