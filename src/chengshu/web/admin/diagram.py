"""The life of a case drawn from its table: states as boxes in the order of the pack, moves as arrows. Pure: records in, SVG out.

The states in which a case lives stand below each other; what leads to the next box goes straight, what leads further down runs
in lanes on the right, what leads back up in lanes on the left, and the ends without a result stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

BOX_W, BOX_H, GAP, LANE, MARGIN = 144, 46, 54, 68, 16
LINE = 15  # pixels between the words of two moves that share an arrow


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A state; `stays` counts the moves that change nothing but are noted in it."""

    code: str
    label: str
    phase: str
    stays: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrow:
    """The moves that lead from one state to another: (address, words, what a pointer is told)."""

    start: str
    end: str
    moves: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lane:
    """An arrow in a lane beside the boxes; `place` counts from the boxes outwards."""

    arrow: Arrow
    top: int
    bottom: int
    place: int


def draw(boxes: Sequence[Box], arrows: Sequence[Arrow], *, title: str) -> Markup:
    """The diagram as SVG with links and titles; without styles of its own, for the page forbids them."""
    alive = [box for box in boxes if box.phase != "dead"]
    dead = [box for box in boxes if box.phase == "dead"]
    rows = {box.code: i for i, box in enumerate(alive)}
    moving = [arrow for arrow in arrows if arrow.start != arrow.end and arrow.start in rows]
    ends = _beside([box.code for box in dead], moving, rows)
    straight = [a for a in moving if rows.get(a.end) == rows[a.start] + 1]
    down = _lanes([a for a in moving if a.end in rows and rows[a.end] > rows[a.start] + 1], rows)
    back = _lanes([a for a in moving if a.end in rows and rows[a.end] < rows[a.start]], rows)
    layout = _Layout(rows=rows, ends=ends, left=_outermost(back), right=_outermost(down), tall=len(alive))
    parts = [
        *(layout.straight(a) for a in straight),
        *(layout.lane(lane, side=1) for lane in down),
        *(layout.lane(lane, side=-1) for lane in back),
        *layout.to_ends([a for a in moving if a.end in ends]),
        *(layout.box(box) for box in boxes),
    ]
    return layout.svg(Markup("").join(parts), title)


def _lanes(arrows: Iterable[Arrow], rows: Mapping[str, int]) -> list[_Lane]:
    """Each arrow gets the innermost lane that is free over its length; the short ones choose first."""
    spans = sorted(((min(rows[a.start], rows[a.end]), max(rows[a.start], rows[a.end]), a) for a in arrows), key=_length)
    taken: list[list[tuple[int, int]]] = []
    lanes = []
    for top, bottom, arrow in spans:
        free = (i for i, own in enumerate(taken) if all(bottom <= t or b <= top for t, b in own))
        place = next(free, len(taken))
        if place == len(taken):
            taken.append([])
        taken[place].append((top, bottom))
        lanes.append(_Lane(arrow=arrow, top=top, bottom=bottom, place=place))
    return lanes


def _beside(codes: Sequence[str], arrows: Iterable[Arrow], rows: Mapping[str, int]) -> dict[str, int]:
    """The heights of the ends without a result: each at the middle of what leads to it, none over another."""
    sources = {code: [rows[a.start] for a in arrows if a.end == code] or [0] for code in codes}
    heights: dict[str, int] = {}
    lowest = MARGIN
    for code in sorted(codes, key=lambda code: sum(sources[code]) / len(sources[code])):
        middle = MARGIN + round(sum(sources[code]) / len(sources[code]) * (BOX_H + GAP))
        heights[code] = max(middle, lowest)
        lowest = heights[code] + BOX_H + GAP // 2
    return heights


def _length(span: tuple[int, int, Arrow]) -> tuple[int, int]:
    return span[1] - span[0], span[0]


def _outermost(lanes: Sequence[_Lane]) -> int:
    return max((lane.place + 1 for lane in lanes), default=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """Where everything stands; `left` and `right` are the lanes on both sides."""

    rows: Mapping[str, int]
    ends: Mapping[str, int]
    left: int
    right: int
    tall: int

    @property
    def x(self) -> int:
        """Of the left edge of the boxes."""
        return MARGIN + self.left * LANE + (LANE // 2 if self.left else 0)  # the outermost words need room

    @property
    def x_end(self) -> int:
        """Of the left edge of the ends without a result."""
        return self.x + BOX_W + (self.right + 2) * LANE

    @property
    def height(self) -> int:
        return max(2 * MARGIN + self.tall * (BOX_H + GAP) - GAP, max(self.ends.values(), default=0) + BOX_H + MARGIN)

    @property
    def width(self) -> int:
        return (self.x_end + BOX_W if self.ends else self.x + BOX_W + self.right * LANE + LANE) + MARGIN

    def y(self, code: str) -> int:
        """Of the upper edge of a box."""
        if code in self.rows:
            return MARGIN + self.rows[code] * (BOX_H + GAP)
        return self.ends[code]

    def box(self, box: Box) -> Markup:
        x, y = self.x_end if box.code in self.ends else self.x, self.y(box.code)
        words = Markup('<text class="state-name" x="{}" y="{}">{}</text>').format(
            x + BOX_W // 2, y + (20 if box.stays else 28), box.label
        )
        stays = Markup('<text class="state-stays" x="{}" y="{}">↻ {}</text>').format(
            x + BOX_W // 2, y + 37, box.stays
        ) if box.stays else ""  # fmt: skip
        return Markup(
            '<a href="#state-{}" class="state is-{}"><rect x="{}" y="{}" width="{}" height="{}" rx="8"/>{}{}</a>'
        ).format(box.code, box.phase, x, y, BOX_W, BOX_H, words, stays)

    def straight(self, arrow: Arrow) -> Markup:
        x, top = self.x + BOX_W // 2, self.y(arrow.start) + BOX_H
        path = f"M{x} {top}V{self.y(arrow.end) - 2}"
        return _arrow(arrow, path, x + 7, top + 12 + (GAP - 12 - LINE * len(arrow.moves)) // 2)

    def lane(self, lane: _Lane, *, side: int) -> Markup:
        """To the right (1) downwards, to the left (-1) upwards; inner lanes leave their box nearer to its middle."""
        edge = self.x + (BOX_W if side > 0 else 0)
        out = edge + side * (lane.place + 1) * LANE - side * 40
        shift = min(lane.place, 3) * 5
        start = self.y(lane.arrow.start) + BOX_H // 2 + (6 + shift if side > 0 else -6 - shift)
        end = self.y(lane.arrow.end) + BOX_H // 2 + (-6 - shift if side > 0 else 6 + shift)
        turn = 8 if end > start else -8
        path = (
            f"M{edge} {start}H{out - side * 8}Q{out} {start} {out} {start + turn}"
            f"V{end - turn}Q{out} {end} {out - side * 8} {end}H{edge + side * 2}"
        )
        middle = (start + end) // 2 - LINE * len(lane.arrow.moves) // 2
        return _arrow(lane.arrow, path, out + side * 5, middle, "" if side > 0 else " is-left")

    def to_ends(self, arrows: Sequence[Arrow]) -> list[Markup]:
        """To an end without a result, each arrow by its own height where it arrives."""
        arriving: dict[str, int] = {}
        leaving: dict[str, int] = {}
        drawn = []
        for arrow in sorted(arrows, key=lambda arrow: (self.y(arrow.start), self.y(arrow.end))):
            n = arriving[arrow.end] = arriving.get(arrow.end, 0) + 1
            k = leaving[arrow.start] = leaving.get(arrow.start, 0) + 1
            start = self.y(arrow.start) + min(BOX_H - 4, 5 + (k - 1) * 16)
            end = self.y(arrow.end) + min(BOX_H - 4, 7 + 8 * (n - 1))
            edge, middle = self.x + BOX_W, self.x_end - LANE
            path = f"M{edge} {start}H{middle - 30}C{middle + 10} {start} {middle} {end} {self.x_end - 2} {end}"
            drawn.append(_arrow(arrow, path, middle - 34 - max(_wide(m[1]) for m in arrow.moves), start - 15))
        return drawn

    def svg(self, inside: Markup, title: str) -> Markup:
        return Markup(
            '<svg class="life" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" aria-label="{title}">'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0L8 4L0 8z"/></marker></defs>{inside}</svg>'
        ).format(w=self.width, h=self.height, title=title, inside=inside)


def _arrow(arrow: Arrow, path: str, x: float, y: float, more: str = "") -> Markup:
    """A line with its words; each move is a link of its own."""
    words = Markup("").join(
        Markup('<a href="{}" class="move"><title>{}</title><text x="{}" y="{}">{}</text></a>').format(
            href, told, x, y + LINE * (i + 1) - 3, label
        )
        for i, (href, label, told) in enumerate(arrow.moves)
    )
    return Markup('<g class="arrow{}"><path d="{}" marker-end="url(#tip)"/>{}</g>').format(more, path, words)


def _wide(words: str) -> int:
    """About how many pixels words take: a Han character is twice as wide as a Latin letter."""
    return sum(14 if ord(letter) > 0x2E80 else 7 for letter in words)
