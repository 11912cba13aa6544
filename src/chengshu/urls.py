"""All addresses: the pages, and the API under /api/."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.translation import gettext as _

from chengshu.api import sta
from chengshu.api.urls import api
from chengshu.core.errors import NotAllowed, NotFound
from chengshu.web.middleware import broken
from chengshu.web.pages import refused

urlpatterns = [
    path("api/", api.urls),
    path("sta/v1.1", sta.landing),
    path("sta/v1.1/", sta.landing),
    path("sta/v1.1/<path:path>", sta.service),
    path("", include("chengshu.web.urls")),
]


def _not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refused(request, NotFound("There is no such page.", where=request.path[:200], remedy="Check the address."))


def _forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    remedy = _("Open the page again and send the form once more.")
    return refused(request, NotAllowed("The form was not accepted.", where=request.path[:200], remedy=remedy))


handler404 = _not_found
handler403 = _forbidden
handler500 = broken
