"""Charts as SVG drawn on the server: every point is a link to the list behind it, with its number in words.

Pure functions from records to markup. Colours come from classes, since the content security policy forbids styles; the
links of a drawing are left out of the tab order, because the table below it holds the same ones for keyboard and reader.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 28
SPARK = (120, 32)
SHADES = 5  # of a heat table
LABELS = 7  # dates written below a line, about


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One value: the date as written below, the number in words, and the list behind it. None leaves a gap."""

    label: str
    value: float | None
    title: str
    href: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A point to come: its middle and the edges between which it is expected."""

    label: str
    middle: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """How a line chart is labelled: what it shows, what the lines are, and the heads of its table."""

    title: str
    now: str
    before: str
    band: str
    table: str
    date: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A cell of a heat table: a count, the list behind it, and where it stands in words."""

    count: int
    href: str
    title: str


def line(
    points: Sequence[Point],
    words: Words,
    *,
    before: Sequence[Point] = (),
    ahead: Sequence[Band] = (),
    percent: bool = False,
) -> Markup:
    """A line with, if given, the line it is compared with (one point for each) and the band of what is expected."""
    scale = _Scale.of(points, before, ahead, percent=percent)
    inside = Markup("").join(
        [
            _grid(scale, percent),
            _dates(scale, [p.label for p in points] + [b.label for b in ahead]),
            _band(scale, len(points), ahead),
            _path(scale, [p.value for p in before], "c-before"),
            _path(scale, [p.value for p in points], "c-line"),
            *(_spot(scale, at, point) for at, point in enumerate(points)),
            *(_expected(scale, len(points) + at, band) for at, band in enumerate(ahead)),
        ]
    )
    drawing = Markup('<svg class="chart" viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, words.title, inside
    )
    return Markup('<figure class="chart-box">{}{}{}</figure>').format(
        drawing, _legend(words, bool(before), bool(ahead)), _table(points, before, ahead, words)
    )


def spark(values: Sequence[float | None], title: str) -> Markup:
    """A line as small as a word; what it means stands beside it, `title` tells it to who cannot see."""
    width, height = SPARK
    scale = _Scale(count=max(len(values), 2), top=_highest(values), width=width, height=height, margins=(2, 2, 3, 3))
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, title, _path(scale, values, "c-line"))


def heat(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], caption: str) -> Markup:
    """A table whose cells are the darker the larger their number; each number opens its list."""
    largest = max((cell.count for _name, cells in rows for cell in cells), default=0)
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in columns)
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name, Markup("").join(_shaded(cell, largest) for cell in cells)
        )
        for name, cells in rows
    )
    return Markup(
        '<div class="table-scroll" tabindex="0" role="region" aria-label="{}"><table class="heat">'
        '<caption class="visually-hidden">{}</caption><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(caption, caption, head, body)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """From places in a row and values to coordinates; `margins` are left, right, top and bottom."""

    count: int
    top: float
    width: float = WIDTH
    height: float = HEIGHT
    margins: tuple[float, float, float, float] = (LEFT, RIGHT, TOP, BOTTOM)

    @classmethod
    def of(cls, points: Sequence[Point], before: Sequence[Point], ahead: Sequence[Band], *, percent: bool) -> _Scale:
        highest = _highest([*(p.value for p in points), *(p.value for p in before), *(b.high for b in ahead)])
        top = 1.0 if percent else _ticks(highest)[-1]
        return cls(count=max(len(points) + len(ahead), 2), top=top)

    @property
    def step(self) -> float:
        return (self.width - self.margins[0] - self.margins[1]) / (self.count - 1)

    def x(self, at: int) -> float:
        return self.margins[0] + at * self.step

    def y(self, value: float) -> float:
        inner = self.height - self.margins[2] - self.margins[3]
        share = max(0.0, min(1.0, value / self.top))
        return self.height - self.margins[3] - share * inner


def _highest(values: Iterable[float | None]) -> float:
    return max((v for v in values if v is not None), default=0.0) or 1.0


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least the highest: steps of 1, 2 or 5 times a power of ten, never below 1."""
    rough = max(highest, 4.0) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    return [step * n for n in range(math.ceil(highest / step) + 1)] if highest > 0 else [0.0, step]


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _grid(scale: _Scale, percent: bool) -> Markup:
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if percent else _ticks(scale.top)
    rows = []
    for tick in ticks:
        y, label = _number(scale.y(tick)), f"{100 * tick:.0f}%" if percent else f"{tick:,.0f}"
        rows.append(
            Markup('<line class="c-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, y, y)
            + Markup('<text class="c-axis" x="{}" y="{}" text-anchor="end" dy="4">{}</text>').format(LEFT - 6, y, label)
        )
    return Markup("").join(rows)


def _dates(scale: _Scale, labels: Sequence[str]) -> Markup:
    every = max(1, math.ceil(len(labels) / LABELS))
    return Markup("").join(
        Markup('<text class="c-axis{}" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            " c-wide" if at // every % 2 else "", _number(scale.x(at)), HEIGHT - 8, label
        )
        for at, label in enumerate(labels)
        if at % every == 0
    )


def _path(scale: _Scale, values: Sequence[float | None], name: str) -> Markup:
    """A line that breaks where nothing is known; a point between two gaps is drawn as a short stroke."""
    parts, broken = [], True
    for at, value in enumerate(values[: scale.count]):
        if value is not None:
            x, y = _number(scale.x(at)), _number(scale.y(value))
            parts.append(f"M{x} {y}h0.1" if broken else f"L{x} {y}")
        broken = value is None
    return Markup('<path class="{}" d="{}"/>').format(name, "".join(parts)) if parts else Markup("")


def _band(scale: _Scale, start: int, ahead: Sequence[Band]) -> Markup:
    if not ahead:
        return Markup("")
    upper = [(scale.x(start + at), scale.y(band.high)) for at, band in enumerate(ahead)]
    lower = [(scale.x(start + at), scale.y(band.low)) for at, band in enumerate(ahead)]
    outline = " ".join(f"{_number(x)},{_number(y)}" for x, y in [*upper, *reversed(lower)])
    middle = " ".join(f"{_number(scale.x(start + at))},{_number(scale.y(b.middle))}" for at, b in enumerate(ahead))
    return Markup('<polygon class="c-band" points="{}"/><polyline class="c-middle" points="{}"/>').format(
        outline, middle
    )


def _spot(scale: _Scale, at: int, point: Point) -> Markup:
    """The point, and the strip around it that is easy to hit."""
    if point.value is None:
        return Markup("")
    x, half = scale.x(at), scale.step / 2
    inside = Markup(
        '<title>{}</title><rect class="c-hit" x="{}" y="{}" width="{}" height="{}"/>'
        '<circle class="c-point" cx="{}" cy="{}" r="3"/>'
    ).format(
        point.title, _number(max(0.0, x - half)), TOP, _number(min(WIDTH, x + half) - max(0.0, x - half)),
        HEIGHT - TOP - BOTTOM, _number(x), _number(scale.y(point.value)),
    )  # fmt: skip
    if not point.href:
        return Markup("<g>{}</g>").format(inside)
    return Markup('<a href="{}" tabindex="-1">{}</a>').format(point.href, inside)


def _expected(scale: _Scale, at: int, band: Band) -> Markup:
    x, half = scale.x(at), scale.step / 2
    return Markup('<g><title>{}</title><rect class="c-hit" x="{}" y="{}" width="{}" height="{}"/></g>').format(
        band.title, _number(x - half), TOP, _number(min(WIDTH, x + half) - (x - half)), HEIGHT - TOP - BOTTOM
    )


def _legend(words: Words, before: bool, ahead: bool) -> Markup:
    wanted = [("c-line", words.now)] + ([("c-before", words.before)] if before else [])
    wanted += [("c-band", words.band)] if ahead else []
    return Markup('<figcaption class="legend">{}</figcaption>').format(
        Markup(" ").join(
            Markup('<span><svg class="key" viewBox="0 0 20 10" aria-hidden="true">{}</svg>{}</span>').format(
                Markup('<rect class="{}" width="20" height="10"/>').format(name)
                if name == "c-band"
                else Markup('<path class="{}" d="M0 5H20"/>').format(name),
                text,
            )
            for name, text in wanted
        )
    )


def _table(points: Sequence[Point], before: Sequence[Point], ahead: Sequence[Band], words: Words) -> Markup:
    rows = [_row(at, point, before) for at, point in enumerate(points)]
    rows += [
        Markup('<tr><th scope="row">{}</th><td colspan="{}">{}</td></tr>').format(b.label, 2 if before else 1, b.title)
        for b in ahead
    ]
    return Markup(
        '<details class="chart-table"><summary>{}</summary><div class="table-scroll" tabindex="0" role="region" aria-label="{}">'
        '<table class="cases tally"><thead><tr><th scope="col">{}</th><th scope="col">{}</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>"
    ).format(
        words.table, words.title, words.date, words.now,
        Markup('<th scope="col">{}</th>').format(words.before) if before else "", Markup("").join(rows),
    )  # fmt: skip


def _row(at: int, point: Point, before: Sequence[Point]) -> Markup:
    title: str | Markup = point.title
    if point.href and point.value is not None:
        title = Markup('<a href="{}">{}</a>').format(point.href, point.title)
    earlier = Markup("<td>{}</td>").format(before[at].title if at < len(before) else "") if before else ""
    return Markup('<tr><th scope="row">{}</th><td>{}</td>{}</tr>').format(point.label, title, earlier)


def _shaded(cell: Cell, largest: int) -> Markup:
    shade = math.ceil((SHADES - 1) * cell.count / largest) if largest else 0
    if not cell.count:
        return Markup('<td class="q0"></td>')
    return Markup('<td class="q{}"><a href="{}" title="{}" aria-label="{}">{}</a></td>').format(
        shade, cell.href, cell.title, cell.title, cell.count
    )
