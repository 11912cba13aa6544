"""What the scenes compute of what the city senses: each number with its line, what to do about it, and what it came of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.brain.records import Loaded
from chengshu.brain.series import Value, latest, series
from chengshu.brain.watch import Watched, seen_until, watched
from chengshu.core.errors import NotFound
from chengshu.scene import Indicator
from chengshu.web import charts
from chengshu.web.cockpit.place import Here, here
from chengshu.web.context import WATCHING
from chengshu.web.pages import Request, page, respond
from chengshu.web.words import language, moment

HOURS = (6, 24, 168)  # that a line may show
MOST = 300  # points of a line, and rows of the table behind it


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """An indicator's latest value; of the thing that stands first where it speaks of things."""

    name: str
    href: str
    text: str
    unit: str
    thing: str
    at: datetime | None
    spark: Markup
    verb: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A scene: until when it has looked, its numbers, and the list of its open cases."""

    name: str
    until: datetime | None
    behind: timedelta | None
    numbers: tuple[Number, ...]
    cases: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenesPage:
    """All scenes that a city feeds."""

    here: Here
    scenes: tuple[Told, ...]


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The scenes and their numbers."""
    place = here(request)
    scenes = {each.loaded.scene.name: each.loaded for each in watched(place.known)}
    return respond(
        request,
        "cockpit/scenes.html",
        ScenesPage(here=place, scenes=tuple(_told(place, loaded) for loaded in scenes.values())),
    )


def _told(place: Here, loaded: Loaded) -> Told:
    mine = [each for each in watched(place.known) if each.loaded is loaded]
    until = min((moment for each in mine if (moment := seen_until(each))), default=None)
    return Told(
        name=loaded.say(language(), "scene"),
        until=until,
        behind=_behind(mine, until, place.now),
        numbers=tuple(_number(place, loaded, each) for each in _fed(loaded, mine)),
        cases=place.cases("open", scene=loaded.scene.name),
    )


def _behind(mine: Iterable[Watched], until: datetime | None, now: datetime) -> timedelta | None:
    """How far looking is behind what should have been looked at, where it is more than a minute."""
    late = max((each.settled(now) - until for each in mine), default=timedelta(0)) if until else timedelta(0)
    return late if late > timedelta(minutes=1) else None


def _fed(loaded: Loaded, mine: Iterable[Watched]) -> list[Indicator]:
    sources = {each.bound.source.name for each in mine}
    return [indicator for indicator in loaded.scene.indicators if indicator.source in sources]


def _number(place: Here, loaded: Loaded, each: Indicator) -> Number:
    scene, name = loaded.scene.name, _words(loaded, each, "label")
    values = latest(place.known.city.pk, scene, each.name)
    first = values[0] if values else None
    found = series(
        place.known.city.pk, scene, each.name, since=place.now - timedelta(days=1), until=place.now, limit=MOST
    )
    line = [value.value for value in found if not value.thing]
    return Number(
        name=name,
        href=place.at("cockpit_scene", scene, each.name),
        text=say(first.value) if first else "–",
        unit=_words(loaded, each, "unit"),
        thing=first.thing if first else "",
        at=first.at if first else None,
        spark=charts.spark(line, _("%(name)s, last 24 hours") % {"name": name}) if len(line) > 1 else Markup(""),
        verb=_words(loaded, each, "verb"),
    )


def _words(loaded: Loaded, each: Indicator, word: str) -> str:
    return loaded.say(language(), f"indicator.{each.name}.{word}")


def say(value: float | None) -> str:
    """A number as people read it: three digits behind the point at most, no zeros at its end."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A span that the line may show."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A value with what it came of, and the open cases of the thing that it speaks of."""

    value: Value
    text: str
    cases: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenePage:
    """One indicator: its line, its meaning, and the windows that its values came of."""

    here: Here
    scene: str
    name: str
    unit: str
    definition: str
    owner: str
    verb: str
    chart: Markup | None
    rows: tuple[Row, ...]
    more: bool
    spans: tuple[Span, ...]
    cases: str


@page(roles=WATCHING)
def line(request: Request, scene: str, indicator: str) -> HttpResponse:
    """One indicator of a scene."""
    place = here(request)
    loaded, each = _found(place, scene, indicator)
    hours = next((span for span in HOURS if request.GET.get("hours") == str(span)), HOURS[1])
    values = series(
        place.known.city.pk, scene, indicator, since=place.now - timedelta(hours=hours), until=place.now, limit=MOST
    )
    whole = [value for value in values if not value.thing]
    title = _words(loaded, each, "label")
    return respond(
        request,
        "cockpit/scene.html",
        ScenePage(
            here=place,
            scene=loaded.say(language(), "scene"),
            name=title,
            unit=_words(loaded, each, "unit"),
            definition=_words(loaded, each, "definition"),
            owner=_words(loaded, each, "owner"),
            verb=_words(loaded, each, "verb"),
            chart=_chart(place, title, whole) if len(whole) > 1 else None,
            rows=tuple(_row(place, scene, value) for value in reversed(values)),
            more=len(values) == MOST,
            spans=tuple(_span(place, scene, indicator, span, hours) for span in HOURS),
            cases=place.cases("open", scene=scene),
        ),
    )


def _found(place: Here, scene: str, name: str) -> tuple[Loaded, Indicator]:
    for each in watched(place.known):
        for indicator in each.loaded.scene.indicators:
            if (each.loaded.scene.name, indicator.name) == (scene, name):
                return each.loaded, indicator
    raise NotFound("There is no such indicator here.", where=f"{scene}/{name}"[:100])


def _span(place: Here, scene: str, name: str, hours: int, current: int) -> Span:
    said = _("%(n)d hours") % {"n": hours} if hours <= 24 else _("%(n)d days") % {"n": hours // 24}
    return Span(name=said, href=place.at("cockpit_scene", scene, name, hours=hours), current=hours == current)


def _row(place: Here, scene: str, value: Value) -> Row:
    cases = place.cases("open", scene=scene, thing=value.thing) if value.thing else ""
    return Row(value=value, text=say(value.value), cases=cases)


def _chart(place: Here, name: str, values: list[Value]) -> Markup:
    """Each point leads to its row, which tells the window behind it."""
    zone = place.known.zone
    points = [
        charts.Point(
            label=f"{value.at.astimezone(zone):%H:%M}",
            value=value.value,
            title=f"{moment(value.at, zone)}: {say(value.value)}",
            href=f"#at-{value.at:%Y%m%dT%H%M%S}",
        )
        for value in values
    ]
    words = charts.Words(title=name, now=name, before="", band="", table=_("As a table"), date=_("Time"))
    return charts.line(points, words)
