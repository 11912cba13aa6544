"""What makes the field an app: its manifest, its service worker, and the page for when there is nothing to show."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.web import assets
from chengshu.web.pages import Request, page
from chengshu.web.words import language

SCOPE = "/field"  # of the worker: it sees no other page; the app itself may go everywhere
COLOUR = "#12304f"  # as --bar in frontend/src/styles/tokens.css
ENTRIES = ("main", "field")


@page()
def manifest(request: Request) -> HttpResponse:
    """The web app manifest, in the reader's language."""
    found = {
        "id": reverse("field"),
        "name": _("chengshu Field"),
        "short_name": _("Field"),
        "description": _(
            "The city's tasks on a phone: receive, handle, show it with a picture, with and without a network."
        ),
        "lang": "en" if language().startswith("en") else "zh-Hans",
        "dir": "ltr",
        "start_url": reverse("field"),
        "scope": "/",
        "display": "standalone",
        "theme_color": COLOUR,
        "background_color": COLOUR,
        "icons": [_icon(size, purpose) for purpose in ("any", "maskable") for size in (192, 512)],
        "shortcuts": [
            {"name": _("Report from patrol"), "url": reverse("field_report"), "icons": [_icon(192, "any")]},
            {"name": _("Due today"), "url": f"{reverse('field')}?today=1", "icons": [_icon(192, "any")]},
        ],
    }
    return HttpResponse(msgspec.json.encode(found), content_type="application/manifest+json")


def _icon(size: int, purpose: str) -> dict[str, str]:
    src = assets.asset(f"app/{purpose}-{size}.png")
    return {"src": src, "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}


@page()
def worker(request: Request) -> HttpResponse:
    """The service worker: the built script and the list of files that the pages of the field are made of."""
    if settings.DEBUG:
        _script.cache_clear()
    response = HttpResponse(_script(), content_type="text/javascript; charset=utf-8")
    response["Service-Worker-Allowed"] = SCOPE
    response["Cache-Control"] = "no-cache"
    return response


@lru_cache(maxsize=1)
def _script() -> bytes:
    files = [*assets.files(*ENTRIES), assets.asset("icons"), _icon(192, "any")["src"]]
    return f"self.FILES={msgspec.json.encode(files).decode()};\n{assets.source('field-worker.js')}".encode()


@page()
def offline(request: Request) -> HttpResponse:
    """The page for an address that is not kept while there is no network. It names nobody, for it outlives a sign-out."""
    return render(request, "field/offline.html")
