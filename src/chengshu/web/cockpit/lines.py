"""The line of one indicator: by day, with what it is compared with and what is expected, and when cases come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpResponse
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.cases.overview import by_hour
from chengshu.evaluation.counts import period_of
from chengshu.evaluation.forecast import Forecast
from chengshu.evaluation.indicators import INDICATORS, Indicator, indicator
from chengshu.evaluation.series import History, history
from chengshu.web import charts
from chengshu.web.cockpit.place import SPANS, Here, here, short_day, weekday
from chengshu.web.cockpit.tiles import AHEAD, Change, changes, expected, say, spans
from chengshu.web.context import WATCHING
from chengshu.web.pages import Request, page, respond
from chengshu.web.words import language

DAY = timedelta(days=1)
MONDAY = date(2024, 1, 1)  # any


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """Another indicator, or another span, to look at."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LinePage:
    """An indicator over a span."""

    here: Here
    name: str
    text: str
    href: str
    changes: tuple[Change, ...]
    chart: Markup
    forecast: Forecast | None
    coverage: str
    heat: Markup | None
    definition: str
    verb: str
    others: tuple[Other, ...]
    spans: tuple[Other, ...]


@page(roles=WATCHING)
def show(request: Request, name: str) -> HttpResponse:
    """The line of an indicator."""
    place, each = here(request), indicator(name)
    told = history(place.known, place.division, spans(place))
    totals = told.totals(each, place.first, place.last)
    ahead = expected(told, each, place.last)
    page = LinePage(
        here=place,
        name=each.label.to(language()),
        text=say(each, each.value(totals.due, totals.good)),
        href=place.between(each.name, place.first, place.last),
        changes=changes(each, totals),
        chart=_chart(place, told, each, ahead),
        forecast=ahead,
        coverage=_coverage(ahead),
        heat=_heat(place) if each.name == "reported" else None,
        definition=each.definition.to(language()),
        verb=each.verb.to(language()),
        others=_others(place, each),
        spans=_spans(place, each),
    )
    return respond(request, "cockpit/line.html", page)


def _others(place: Here, each: Indicator) -> tuple[Other, ...]:
    return tuple(
        Other(name=o.label.to(language()), href=place.at("cockpit_line", o.name), current=o is each) for o in INDICATORS
    )


def _spans(place: Here, each: Indicator) -> tuple[Other, ...]:
    return tuple(
        Other(
            name=_("%(n)d days") % {"n": days},
            href=place.at("cockpit_line", each.name, days=days),
            current=days == place.days,
        )
        for days in SPANS
    )


def _chart(place: Here, told: History, each: Indicator, ahead: Forecast | None) -> Markup:
    length = timedelta(days=place.days)
    now = _points(place, told, each, place.first, place.last)
    before = _points(place, told, each, place.first - length, place.last - length)
    shown = before if any(point.value is not None for point in before) else []
    words = charts.Words(
        title=_("%(name)s by day") % {"name": each.label.to(language())},
        now=_("this period"),
        before=_("period before"),
        band=_("expected, 8 days of 10"),
        table=_("As a table"),
        date=_("Day"),
    )
    return charts.line(now, words, before=shown, ahead=_bands(place, each, ahead), percent=each.rate)


def _points(place: Here, told: History, each: Indicator, first: date, last: date) -> list[charts.Point]:
    found = []
    for of_day, value in zip(told.days(each, first, last), told.values(each, first, last), strict=True):
        on = of_day.day
        title = f"{on} {weekday(on)}: {say(each, value)}"
        if each.rate:
            title += f" ({of_day.good or 0}/{of_day.due})"
        href = place.between(each.name, on, on)
        found.append(charts.Point(label=short_day(on), value=value, title=title, href=href))
    return found


def _bands(place: Here, each: Indicator, ahead: Forecast | None) -> list[charts.Band]:
    if ahead is None:
        return []
    found = []
    for n in range(AHEAD):
        on = place.today + n * DAY
        low, middle, high = ahead.low[n], ahead.middle[n], ahead.high[n]
        values = {
            "day": f"{on} {weekday(on)}",
            "middle": say(each, middle),
            "low": say(each, low),
            "high": say(each, high),
        }
        title = _("%(day)s: about %(middle)s expected, between %(low)s and %(high)s") % values
        found.append(charts.Band(label=short_day(on), middle=middle, low=low, high=high, title=title))
    return found


def _coverage(ahead: Forecast | None) -> str:
    if ahead is None:
        return _("Too little history for a forecast: it needs about three months of days.")
    how = _(
        "Forecast: the median of the same weekday in the last eight weeks; the band holds 80 %% of what such forecasts"
        " missed by in the last eight weeks. Of the last %(judged)d days, %(covered)d lay within the band told the day before."
    )
    return how % {"judged": ahead.judged, "covered": ahead.covered}


def _heat(place: Here) -> Markup:
    """When cases come in: hours by weekdays over the span."""
    period = period_of(place.first, place.last, place.known.zone)
    counts = by_hour(place.known, place.division, period.start, period.end)
    rows = [(weekday(MONDAY + n * DAY), _cells(place, counts, n + 1)) for n in range(7)]
    return charts.heat([str(hour) for hour in range(24)], rows, _("Reported by weekday and hour"))


def _cells(place: Here, counts: dict[tuple[int, int], int], on: int) -> Sequence[charts.Cell]:
    name = weekday(MONDAY + (on - 1) * DAY)
    return [
        charts.Cell(
            count=counts.get((on, hour), 0),
            href=place.between("reported", place.first, place.last, weekday=on, hour=hour),
            title=_("%(day)s %(hour)02d:00: %(n)d cases") % {"day": name, "hour": hour, "n": counts.get((on, hour), 0)},
        )
        for hour in range(24)
    ]
