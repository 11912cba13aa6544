"""Divisions over HTTP: which stood on a day, and which lie around a point."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from chengshu.api.auth import principal_of
from chengshu.api.cases import REFUSALS
from chengshu.cases.catalog import Catalog, catalog
from chengshu.places.locate import explain, locate
from chengshu.places.models import Boundary, Division, Level
from chengshu.places.tree import division_by_code, valid_on

router = Router(tags=["places"])
MOST = 500


class DivisionOut(Schema):
    """An administrative division as it stood between two dates; `outline` tells whether its boundary is known."""

    code: str
    name: str
    name_en: str
    level: str
    parent: str | None
    valid_from: date
    valid_to: date | None
    source: str
    outline: bool


class AroundOut(Schema):
    """The divisions around a point, from the city down, and in words what is not known."""

    divisions: list[DivisionOut]
    inferred: bool = Field(description="the smallest follows from an earlier division's outline")
    unknown: str


class AtIn(Schema):
    """A point and a day."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    on: date | None = Field(None, description="today by default")


class ListIn(Schema):
    """Which divisions to list."""

    parent: str = Field(
        "", max_length=60, pattern=r"^[^\x00]*$", description="code of the division above; the city by default"
    )
    on: date | None = Field(None, description="today by default")


def _today(known: Catalog) -> date:
    return datetime.now(UTC).astimezone(known.zone).date()


@router.get("/divisions/at", response={200: AroundOut, **REFUSALS}, summary="Divisions around a point")
def around(request: HttpRequest, asked: Query[AtIn]) -> dict[str, Any]:
    """Which divisions held a point (WGS 84) on a day; nothing is invented where no outline is known."""
    known = catalog(principal_of(request).city)
    found = locate(known.city.pk, asked.lon, asked.lat, asked.on or _today(known))
    rows = {row.pk: row for row in Division.objects.filter(pk__in=found.divisions)}
    return {
        "divisions": _out(known, [rows[pk] for pk in found.divisions]),
        "inferred": found.inferred,
        "unknown": explain(known.city.pk, found),
    }


@router.get("/divisions", response={200: list[DivisionOut], **REFUSALS}, summary="Divisions below another")
def below(request: HttpRequest, asked: Query[ListIn]) -> list[dict[str, Any]]:
    """The divisions directly below one (the city by default) that stood on a day, by code."""
    known = catalog(principal_of(request).city)
    on = asked.on or _today(known)
    parent = division_by_code(known.city.pk, asked.parent, on).pk if asked.parent else known.root
    return _out(known, list(Division.objects.filter(valid_on(on), parent=parent).order_by("code")[:MOST]))


def _out(known: Catalog, rows: list[Division]) -> list[dict[str, Any]]:
    outlined = set(Boundary.objects.filter(division__in=rows).values_list("division_id", flat=True))
    return [
        {
            **{name: getattr(row, name) for name in ("code", "name", "name_en", "valid_from", "valid_to", "source")},
            "level": Level(row.level).label,
            "parent": known.divisions[row.parent_id].code if row.parent_id else None,
            "outline": row.pk in outlined,
        }
        for row in rows
    ]
