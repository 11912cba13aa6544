"""Outlines for the maps of the pages."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpResponse, JsonResponse

from chengshu.places.outlines import outlines
from chengshu.web import tiles
from chengshu.web.pages import Request, known, page


@page()
def boundaries(request: Request) -> HttpResponse:
    """GeoJSON of the city's districts as far as their outlines are known; with `tiles`, shifted as the tiles are."""
    city = known(request)
    shifted = "tiles" in request.GET and tiles.shifted()
    answer = JsonResponse(outlines(city.city.pk, datetime.now(UTC).astimezone(city.zone).date(), gcj02=shifted))
    answer["Cache-Control"] = "private, max-age=3600"
    return answer
