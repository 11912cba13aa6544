"""The register of things and the city's vital signs for machines; what a thing says is read by SensorThings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from chengshu.api.auth import principal_of
from chengshu.api.cases import REFUSALS
from chengshu.brain import upkeep
from chengshu.cases.catalog import Catalog, catalog
from chengshu.places.tree import division_by_code
from chengshu.sensing import things, vitals
from chengshu.sensing.models import Thing
from chengshu.sensing.things import Asked

router = Router(tags=["things"])
STATE = Literal["", "new", "live", "late", "silent", "faulty", "retired"]
Code = Field("", max_length=100, pattern=r"^[^\x00]*$")


class ThingOut(Schema):
    """A thing in the register. `division` is the smallest known; `cases` are the numbers of its open maintenance cases."""

    id: int
    key: str | None
    name: str
    type: str
    state: STATE
    state_at: datetime | None
    last_seen: datetime | None
    owner: str | None
    duty: str | None
    division: str | None
    lon: float | None
    lat: float | None
    cases: list[str]
    sensorthings: str


class ThingsOut(Schema):
    """Things by number; `next` is what to send as `after` for those that follow."""

    things: list[ThingOut]
    next: int | None


class ThingsIn(Schema):
    """What is asked for; nothing asks for all that one sees."""

    type: str = Code
    state: STATE = ""
    division: str = Field("", max_length=100, pattern=r"^[^\x00]*$", description="code")
    owner: str = Field("", max_length=100, pattern=r"^[^\x00]*$", description="code of a department")
    duty: str = Field("", max_length=100, pattern=r"^[^\x00]*$", description="code of a department")
    q: str = Field("", max_length=100, pattern=r"^[^\x00]*$", description="a number, or the beginning of a name")
    after: int = Field(0, ge=0, le=2**62)
    limit: int = Field(100, ge=1, le=1000)


class CountOut(Schema):
    """So many things of a type, in a division below the city (null: not known which), in a state."""

    type: str
    division: str | None
    state: STATE
    count: int


class VitalsOut(Schema):
    """Counts. `whole` is false where one's own things were too many to be counted one by one."""

    counts: list[CountOut]
    whole: bool
    judged_at: datetime | None = Field(description="no count is older")


@router.get("/things", response={200: ThingsOut, **REFUSALS}, summary="The register of things")
def listed(request: HttpRequest, asked: Query[ThingsIn]) -> dict[str, Any]:
    """Things that one sees, in the order of their numbers, so many at a time."""
    principal = principal_of(request)
    known = catalog(principal.city)
    today = datetime.now(known.zone).date()
    said = Asked(
        type=asked.type, state=asked.state, owner=asked.owner, duty=asked.duty, text=asked.q,
        division=division_by_code(principal.city, asked.division, today).pk if asked.division else None,
    )  # fmt: skip
    rows = list(things.found(principal, said).filter(pk__gt=asked.after)[: asked.limit + 1])
    shown = rows[: asked.limit]
    cases = upkeep.running(principal, (thing.pk for thing in shown))
    return {
        "things": [_out(known, thing, cases.get(thing.pk, [])) for thing in shown],
        "next": shown[-1].pk if len(rows) > asked.limit else None,
    }


def _out(known: Catalog, thing: Thing, cases: list[str]) -> dict[str, Any]:
    same = ("key", "name", "type", "state", "state_at", "last_seen", "lon", "lat")
    return {name: getattr(thing, name) for name in same} | {
        "id": thing.pk,
        "owner": thing.owner.code if thing.owner else None,
        "duty": thing.duty.code if thing.duty else None,
        "division": _code(known, thing.places[-1] if thing.places else 0),
        "cases": cases,
        "sensorthings": f"/sta/v1.1/Things({thing.pk})",
    }


def _code(known: Catalog, division: int) -> str | None:
    return known.divisions[division].code if division in known.divisions else None


@router.get("/vitals", response={200: VitalsOut, **REFUSALS}, summary="City vital signs")
def vital_signs(request: HttpRequest) -> dict[str, Any]:
    """How many things of each type are in which state, by the divisions below the city."""
    principal = principal_of(request)
    known, found = catalog(principal.city), vitals.counts(principal)
    return {
        "counts": [
            {"type": row.type, "division": _code(known, row.division), "state": row.state, "count": row.n}
            for row in found.rows
        ],
        "whole": found.whole,
        "judged_at": found.judged_at,
    }
