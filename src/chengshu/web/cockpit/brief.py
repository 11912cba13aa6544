"""The daily brief 每日要情 as a page to read in a minute and to print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.cases.models import Case
from chengshu.cases.overview import must_act
from chengshu.evaluation.brief import Brief, Figure, brief
from chengshu.web.cockpit.place import Here, here, weekday
from chengshu.web.cockpit.tiles import say
from chengshu.web.context import WATCHING
from chengshu.web.days import a_day
from chengshu.web.pages import Request, page, respond, text
from chengshu.web.words import language

MUST = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An indicator of the day in words, what it is compared with, and the list behind it."""

    name: str
    text: str
    before: str
    week_before: str
    href: str
    before_href: str
    week_before_href: str
    definition: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BriefPage:
    """The brief of a day; `must` are the cases to act on as they are now."""

    here: Here
    day: date
    weekday: str
    brief: Brief
    lines: tuple[Line, ...]
    must: list[Case]
    sentence: str
    earlier: str
    later: str


@page(roles=WATCHING)
def show(request: Request) -> HttpResponse:
    """The brief of a day, yesterday when none is given."""
    place = here(request)
    on = min(a_day(text(request, "day", 10), place.last), place.today)
    found = brief(request.principal, place.division, on, place.now)
    page = BriefPage(
        here=place,
        day=on,
        weekday=weekday(on),
        brief=found,
        lines=tuple(_line(place, each, on) for each in found.figures),
        must=must_act(place.known, place.division, place.now, MUST),
        sentence=_sentence(found),
        earlier=place.at("brief", day=on - timedelta(days=1)),
        later=place.at("brief", day=on + timedelta(days=1)) if on < place.today else "",
    )
    return respond(request, "cockpit/brief.html", page)


def _line(place: Here, figure: Figure, on: date) -> Line:
    each = figure.indicator
    return Line(
        name=each.label.to(language()),
        text=say(each, figure.value),
        before=say(each, figure.before),
        week_before=say(each, figure.week_before),
        href=place.between(each.name, on, on),
        before_href=_behind(place, each.name, figure.before, on - timedelta(days=1)),
        week_before_href=_behind(place, each.name, figure.week_before, on - timedelta(days=7)),
        definition=each.definition.to(language()),
    )


def _behind(place: Here, indicator: str, value: float | None, on: date) -> str:
    """The list behind a number of an earlier day; none where nothing is known of the day."""
    return "" if value is None else place.between(indicator, on, on)


def _sentence(found: Brief) -> str:
    """The day in one sentence."""
    of = {figure.indicator.name: figure for figure in found.figures}
    return _(
        "%(reported)d reported, %(closed)d closed, %(rate)s of those due closed on time, %(overdue)d fell overdue."
    ) % {
        "reported": of["reported"].due,
        "closed": of["closed"].due,
        "rate": say(of["on_time"].indicator, of["on_time"].value),
        "overdue": of["overdue"].count,
    }
