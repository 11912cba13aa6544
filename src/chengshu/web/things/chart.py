"""What a datastream said on a day, drawn on the server: half hours with their mean, and the span between low and high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.sensing.models import Datastream

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 26
STEP: Final = timedelta(minutes=30)
_BINS: Final = """
SELECT date_bin(%s::interval, at, %s), min(result), avg(result), max(result), count(*)
FROM sensing_observation WHERE datastream = %s AND at >= %s AND at <= %s AND result IS NOT NULL GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Half an hour: when it begins, and the lowest, mean and highest result in it."""

    at: datetime
    low: float
    mean: float
    high: float
    n: int


def day(stream: Datastream, unit: str, since: datetime, until: datetime, zone: ZoneInfo) -> Markup | None:
    """A drawing with its table; None where nothing stands in these hours (or they have been moved to the lake)."""
    with connection.cursor() as cursor:
        cursor.execute(_BINS, [str(STEP), since, stream.pk, since, until])
        bins = [Bin(at=at, low=low, mean=mean, high=high, n=n) for at, low, mean, high, n in cursor.fetchall()]
    return drawn(bins, stream.name, unit, since, zone) if bins else None


def drawn(bins: Sequence[Bin], name: str, unit: str, since: datetime, zone: ZoneInfo) -> Markup:
    """The drawing; pure."""
    low, high = min(each.low for each in bins), max(each.high for each in bins)
    scale = _Scale(low=low, high=high, since=since)
    inside = Markup("").join([_grid(scale, zone), _spans(scale, bins), _line(scale, bins)])
    title = _("%(name)s, 24 hours") % {"name": f"{name} {unit}".strip()}
    return Markup(
        '<figure class="chart-box"><svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>{}</figure>'
    ).format(WIDTH, HEIGHT, title, inside, _table(bins, title, unit, zone))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    low: float
    high: float
    since: datetime

    def x(self, at: datetime) -> float:
        share = (at - self.since) / timedelta(days=1)
        return LEFT + max(0.0, min(1.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _grid(scale: _Scale, zone: ZoneInfo) -> Markup:
    """Three values on the left, and every sixth hour below."""
    parts = []
    for value in dict.fromkeys((scale.low, (scale.low + scale.high) / 2, scale.high)):
        y = f"{scale.y(value):.1f}"
        parts.append(
            Markup('<line class="c-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, y, y)
            + Markup('<text class="c-axis" x="{}" y="{}" text-anchor="end" dy="4">{:.4g}</text>').format(
                LEFT - 6, y, value
            )
        )
    for hours in range(0, 25, 6):
        at = scale.since + timedelta(hours=hours)
        anchor = "start" if hours == 0 else "end" if hours == 24 else "middle"
        parts.append(
            Markup('<text class="c-axis" x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
                scale.x(at), HEIGHT - 8, anchor, f"{at.astimezone(zone):%H:%M}"
            )
        )
    return Markup("").join(parts)


def _runs(bins: Sequence[Bin]) -> list[list[Bin]]:
    """Half hours that follow each other: the line breaks where nothing was said."""
    runs: list[list[Bin]] = []
    for each in bins:
        if runs and each.at - runs[-1][-1].at <= 2 * STEP:
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _spans(scale: _Scale, bins: Sequence[Bin]) -> Markup:
    found = []
    for run in _runs(bins):
        upper = [(scale.x(each.at + STEP / 2), scale.y(each.high)) for each in run]
        lower = [(scale.x(each.at + STEP / 2), scale.y(each.low)) for each in run]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        found.append(Markup('<polygon class="c-band" points="{}"/>').format(points))
    return Markup("").join(found)


def _line(scale: _Scale, bins: Sequence[Bin]) -> Markup:
    path = ""
    for run in _runs(bins):
        steps = [f"{scale.x(each.at + STEP / 2):.1f} {scale.y(each.mean):.1f}" for each in run]
        path += "M" + "L".join(steps) + ("h0.1" if len(steps) == 1 else "")
    return Markup('<path class="c-line" d="{}"/>').format(path)


def _table(bins: Sequence[Bin], title: str, unit: str, zone: ZoneInfo) -> Markup:
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{}</th><td class="num">{:.6g}</td><td class="num">{:.6g}</td><td class="num">{:.6g}</td>'
            '<td class="num">{}</td></tr>'
        ).format(f"{each.at.astimezone(zone):%m-%d %H:%M}", each.mean, each.low, each.high, each.n)
        for each in bins
    )
    heads = Markup("").join(
        Markup('<th scope="col" class="num">{}</th>').format(f"{name} {unit}".strip())
        for name in (_("Mean"), _("Lowest"), _("Highest"))
    )
    return Markup(
        '<details class="chart-table"><summary>{}</summary><div class="table-scroll" tabindex="0" role="region"'
        ' aria-label="{}"><table class="cases tally"><thead><tr><th scope="col">{}</th>{}<th scope="col" class="num">{}</th>'
        "</tr></thead><tbody>{}</tbody></table></div></details>"
    ).format(_("As a table"), title, _("From"), heads, _("Readings"), rows)
