"""What the cockpit's map draws: open cases, watched things, units' load, and how late each division is."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chengshu.cases.mapping import loads, spots, things
from chengshu.cases.overview import Overview, overview
from chengshu.places.outlines import outlines
from chengshu.web import tiles
from chengshu.web.cockpit.place import Here, here
from chengshu.web.context import WATCHING
from chengshu.web.pages import Request, page
from chengshu.web.words import local

SHOWN = 5  # units named at one place
Feature = dict[str, Any]


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """GeoJSON by layer; every feature carries the address of its list."""
    place = here(request)
    found = spots(place.known, place.division, place.now)
    stations = _things(place)
    at_stations = sum(feature["properties"]["open"] for feature in stations["features"])
    now = overview(place.known, place.division, place.now)
    answer = {
        "cases": _collection([_case(spot) for spot in found], [(s.lon, s.lat) for s in found]),
        "things": stations,
        "units": _units(place),
        "divisions": _divisions(place, now),
        "says": _(
            "%(drawn)d of %(open)d open cases drawn, %(stations)d more at stations; the others have no point or are due later."
        )
        % {"drawn": len(found), "open": now.counts["open"], "stations": at_stations},
    }
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


def _collection(properties: list[Feature], points: list[tuple[float, float]]) -> Feature:
    features = [
        {"type": "Feature", "properties": own, "geometry": {"type": "Point", "coordinates": point}}
        for own, point in zip(properties, tiles.shown(points), strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _case(spot: Any) -> Feature:
    return {
        "name": spot.title, "number": spot.number, "late": int(spot.late), "severity": spot.severity,
        "href": reverse("case", args=[spot.number]),
    }  # fmt: skip


def _things(place: Here) -> Feature:
    found = things(place.known, place.division, place.now)
    properties = [
        {
            "name": thing.label, "open": thing.open, "schematic": thing.schematic,
            "text": ngettext("%(n)d open case", "%(n)d open cases", thing.open) % {"n": thing.open},
            "href": place.cases("open", scene=thing.scene, thing=thing.name),
        }
        for thing in found
    ]  # fmt: skip
    return _collection(properties, [(thing.lon, thing.lat) for thing in found])


def _units(place: Here) -> Feature:
    """One point for each division with an outline: the units whose jurisdiction it is, and what lies on them."""
    centres = {
        feature["properties"]["code"]: feature["properties"]["centre"]
        for feature in outlines(place.known.city.pk, place.today)["features"]
        if feature["properties"]["current"]
    }
    at: dict[str, list[tuple[Any, int, int]]] = {}
    for unit, open, late in loads(place.known, place.division, place.now):
        department = place.known.departments[unit]
        if (code := place.known.divisions[department.division_id].code) in centres:
            at.setdefault(code, []).append((department, open, late))
    properties = [
        {
            "name": _("Units"), "open": sum(open for _unit, open, _late in rows),
            "units": [
                {"name": local(unit, "name"), "open": open, "late": late, "href": place.cases("open", unit=unit.code)}
                for unit, open, late in rows[:SHOWN]
            ],
        }
        for rows in at.values()
    ]  # fmt: skip
    return _collection(properties, [tuple(centres[code]) for code in at])


def _divisions(place: Here, now: Overview) -> dict[str, Feature]:
    """By code: open and overdue cases, the share overdue, the list, and the cockpit one level down."""
    rows = [row for row in now.divisions if row.thing is not None]
    return {
        row.thing.code: {
            "name": local(row.thing, "name"), "open": row.open, "late": row.overdue, "share": row.overdue / row.open,
            "href": place.cases("open", division=row.thing.pk), "late_href": place.cases("overdue", division=row.thing.pk),
            "down": place.at("cockpit", division=row.thing.pk),
        }
        for row in rows
    }  # fmt: skip
