"""What scenes compute, over HTTP: the indicators of a city and their series, each value with what it came of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from chengshu.api.auth import principal_of
from chengshu.api.cases import REFUSALS
from chengshu.brain import series
from chengshu.brain.watch import Watched, seen_until, watched
from chengshu.cases.catalog import catalog
from chengshu.core.errors import Invalid, NotAllowed, NotFound
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF

router = Router(tags=["scenes"])
MOST: Final = 10_000


class IndicatorOut(Schema):
    """A number of a scene: its unit (UCUM), its words by language, and its latest value."""

    name: str
    unit: str
    label: dict[str, str]
    definition: dict[str, str]
    owner: dict[str, str]
    verb: dict[str, str] = Field(description="what a person does about it")
    at: datetime | None
    value: float | None
    thing: str | None = Field(description="of which the value is, where the indicator speaks of things")


class SceneOut(Schema):
    """A scene that the city feeds, and until when it has looked."""

    name: str
    label: dict[str, str]
    seen_until: datetime | None
    indicators: list[IndicatorOut]


class ValueOut(Schema):
    """A value, and its lineage: the window of observations, the day of the lesson, the program."""

    at: datetime
    thing: str
    value: float | None
    since: datetime
    until: datetime
    rows: int = Field(description="observations in the window")
    lesson: date | None = Field(description="the day for which was taught what it is compared with")
    version: str
    computed: datetime


class SeriesOut(Schema):
    """The newest values of a span, in order of time."""

    scene: str
    indicator: str
    unit: str
    values: list[ValueOut]


class SpanIn(Schema):
    """A span: the last day by default."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    thing: str | None = Field(None, max_length=200)
    limit: int = Field(1_000, ge=1, le=MOST)


@router.get("/scenes", response={200: list[SceneOut], **REFUSALS}, summary="What the scenes compute now")
def scenes(request: HttpRequest) -> list[dict[str, Any]]:
    """The scenes that the city feeds, with the latest value of each indicator."""
    principal = _who(request)
    found = watched(catalog(principal.city))
    names = dict.fromkeys(each.loaded.scene.name for each in found)
    return [_scene(principal.city, [each for each in found if each.loaded.scene.name == name]) for name in names]


def _who(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    if principal.role not in STAFF:
        raise NotAllowed("This post sees no numbers of scenes.", remedy="Use a post of the city's staff.")
    return principal


def _scene(city: int, mine: list[Watched]) -> dict[str, Any]:
    loaded = mine[0].loaded
    sources = {each.bound.source.name for each in mine}
    until = [seen_until(each) for each in mine]
    return {
        "name": loaded.scene.name,
        "label": dict(loaded.strings["scene"]),
        "seen_until": min((moment for moment in until if moment), default=None),
        "indicators": [
            _indicator(city, mine[0], each.name, each.unit)
            for each in loaded.scene.indicators
            if each.source in sources
        ],
    }


def _indicator(city: int, each: Watched, name: str, unit: str) -> dict[str, Any]:
    values = series.latest(city, each.loaded.scene.name, name)
    words = {word: dict(each.loaded.strings[f"indicator.{name}.{word}"]) for word in _WORDS}
    newest = {"at": values[0].at, "value": values[0].value, "thing": values[0].thing or None} if values else _NONE
    return {"name": name, "unit": unit, **words, **newest}


_WORDS: Final = ("label", "definition", "owner", "verb")
_NONE: Final = {"at": None, "value": None, "thing": None}


@router.get(
    "/scenes/{slug:scene}/indicators/{slug:indicator}",
    response={200: SeriesOut, **REFUSALS},
    summary="The series of an indicator",
)
def values(request: HttpRequest, scene: str, indicator: str, span: Query[SpanIn]) -> dict[str, Any]:
    """Values with since < at <= until, the newest of them, with what each came of."""
    principal = _who(request)
    until = span.until or datetime.now(UTC)
    since = span.since or until - timedelta(days=1)
    if since >= until:
        raise Invalid("The span ends before it begins.", where="since, until", remedy="Give since before until.")
    unit = _unit(principal.city, scene, indicator)
    found = series.series(
        principal.city, scene, indicator, since=since, until=until, thing=span.thing, limit=span.limit
    )
    return {"scene": scene, "indicator": indicator, "unit": unit, "values": found}


def _unit(city: int, scene: str, name: str) -> str:
    for each in watched(catalog(city)):
        for one in each.loaded.scene.indicators:
            if (each.loaded.scene.name, one.name) == (scene, name):
                return one.unit
    raise NotFound("There is no such indicator here.", where=f"{scene}/{name}"[:100])
