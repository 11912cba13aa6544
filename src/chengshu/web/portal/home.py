"""The first page: to the desk of one's post, or what anybody can do here."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from chengshu.web.context import home
from chengshu.web.pages import Request, page, respond, signed_in


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage:
    """The public home."""


@page()
def show(request: Request) -> HttpResponse:
    """To the desk, or the public home."""
    if signed_in(request):
        return HttpResponseRedirect(reverse(home(request.principal)))
    return respond(request, "portal/home.html", HomePage())
