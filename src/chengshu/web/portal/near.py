"""What the city settled near a point, or in a district or street, for everybody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases import near
from chengshu.cases.catalog import Catalog, Place
from chengshu.places.models import Level
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, number, page, respond, text

FIELDS = ("lon", "lat", "division")


@dataclass(frozen=True, kw_only=True, slots=True)
class NearPage:
    """`found` is None before anything was asked; `groups` are districts with their streets; `names` divisions by id."""

    form: Form
    found: near.Near | None
    groups: tuple[tuple[Place, tuple[Place, ...]], ...]
    names: dict[int, Place]
    points: str
    days: int
    radius: int


@page()
def show(request: Request) -> HttpResponse:
    """The list and the map around a point, or of a division."""
    city, form = known(request), Form(values={name: text(request, name, 40) for name in FIELDS})
    found = _found(request, city, form)
    spots = found.spots if found else ()
    shown = NearPage(
        form=form, found=found, groups=_groups(city), names=dict(city.divisions),
        points=json.dumps([[spot.lon, spot.lat, spot.count] for spot in spots]), days=near.WINDOW.days,
        radius=round(near.RADIUS),
    )  # fmt: skip
    return respond(request, "portal/near.html", shown, status=200 if form.ok else 422)


def _found(request: Request, city: Catalog, form: Form) -> near.Near | None:
    now = datetime.now(UTC)
    if code := form.get("division"):
        today = now.astimezone(city.zone).date()
        chosen = next((pk for pk, place in city.divisions.items() if place.code == code and place.valid(today)), None)
        if chosen is None:
            form.errors["division"] = _("There is no such district or street. Choose one of the list.")
        return None if chosen is None else near.within(city, chosen, now)
    if not (form.get("lon") or form.get("lat")):
        return None
    lon, lat = number(request, "lon"), number(request, "lat")
    if lon is None or lat is None or abs(lon) > 180 or abs(lat) > 90:
        form.errors["lon"] = _("This is no point on earth. Point on the map, or choose a district.")
        return None
    return near.around(city, lon, lat, now)


def _groups(city: Catalog) -> tuple[tuple[Place, tuple[Place, ...]], ...]:
    """Today's districts with their streets, by code."""
    if (kept := city.memo.get("near_groups")) is not None:
        return tuple(kept)
    today = datetime.now(city.zone).date()
    places = sorted((p for p in city.divisions.values() if p.valid(today)), key=lambda place: place.code)
    streets = [place for place in places if place.level == Level.STREET]
    groups = tuple(
        (place, tuple(street for street in streets if street.path[:2] == place.path))
        for place in places
        if place.level == Level.DISTRICT
    )
    city.memo["near_groups"] = groups
    return groups
