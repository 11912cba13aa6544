"""The numbers of the cockpit as records: a name, a number in words, what it is compared with, and the list behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.evaluation.forecast import NEEDED, Forecast, forecast
from chengshu.evaluation.indicators import INDICATORS, Indicator
from chengshu.evaluation.series import History, Totals, history, year_before
from chengshu.web import charts
from chengshu.web.cockpit.place import Here
from chengshu.web.words import language, percent

DAY = timedelta(days=1)
AHEAD = 7  # days told in advance


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a number is compared with: the period before (环比) or the same days a year before (同比).

    `tone` is good, bad or nothing; `text` says by how much in words.
    """

    name: str
    text: str
    tone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """An indicator over the span shown, and today so far."""

    indicator: Indicator
    name: str
    text: str
    href: str
    line: str
    today: str
    today_href: str
    changes: tuple[Change, ...]
    spark: Markup
    definition: str
    verb: str


def say(indicator: Indicator, value: float | None) -> str:
    """A value in words: a share as percent, a count with separators, a dash for nothing."""
    if indicator.rate or value is None:
        return percent(value)
    return f"{value:,.0f}"


def spans(here: Here) -> list[tuple[date, date]]:
    """The days that a cockpit page needs: those of the forecast and the comparison, and those of a year before."""
    back = max(NEEDED, 2 * here.days)
    return [(here.today - back * DAY, here.today), (year_before(here.first), year_before(here.last))]


def tiles(here: Here) -> tuple[Tile, ...]:
    """All indicators of a division."""
    told = history(here.known, here.division, spans(here))
    return tuple(_tile(here, told, each) for each in INDICATORS)


def _tile(here: Here, told: History, each: Indicator) -> Tile:
    totals = told.totals(each, here.first, here.last)
    [today] = told.days(each, here.today, here.today)
    values = told.values(each, here.first, here.last)
    name = each.label.to(language())
    return Tile(
        indicator=each,
        name=name,
        text=say(each, each.value(totals.due, totals.good)),
        href=here.between(each.name, here.first, here.last),
        line=here.at("cockpit_line", each.name),
        today=say(each, each.value(today.due, today.good)),
        today_href=here.between(each.name, here.today, here.today),
        changes=changes(each, totals),
        spark=charts.spark(values, _("%(name)s, last %(days)d days") % {"name": name, "days": here.days}),
        definition=each.definition.to(language()),
        verb=each.verb.to(language()),
    )


def changes(each: Indicator, totals: Totals) -> tuple[Change, ...]:
    """The comparisons that are known."""
    now = each.value(totals.due, totals.good)
    known = [(_("vs period before"), totals.before), (_("vs year before"), totals.year_before)]
    values = [(name, each.value(*then)) for name, then in known if then is not None]
    return tuple(_change(each, name, now, then) for name, then in values if now is not None and then is not None)


def _change(each: Indicator, name: str, now: float, then: float) -> Change:
    if each.rate:
        text = _("%(points)+.1f points") % {"points": 100 * (now - then)}
    elif then:
        text = f"{100 * (now - then) / then:+.1f} %"
    else:
        text = _("from 0") if now else "±0"
    better = (now < then) if each.low else (now > then)
    neutral = now == then or each.name == "reported"  # more reports are neither good nor bad
    return Change(name=name, text=text, tone="" if neutral else "good" if better else "bad")


def expected(told: History, each: Indicator, last: date) -> Forecast | None:
    """The days after `last`, which is the last complete one."""
    values = told.values(each, last - (NEEDED - 1) * DAY, last)
    return forecast(values, AHEAD, highest=1.0 if each.rate else None)
