"""Which counts of a table may not be published, so that no small one can be worked out from the others.

A table has rows, columns and their sums; each row and each column is an equation. Think of rows and columns as points and of
every hidden cell as a line between two points: by adding and subtracting equations a hidden cell can be worked out exactly when
its line is a bridge, that is when it lies on no circle of hidden cells. So to small cells others are added until each small one
lies on a circle. Where what is hidden of a row or column adds up to too little, more of it is hidden.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

ALL: Final = "all"  # the row and the column of the sums
Cell = tuple[Hashable, Hashable]
Line = tuple[bool, Hashable]  # a row (False) or a column (True)


def with_sums(counts: Mapping[Cell, int]) -> dict[Cell, int]:
    """The cells of a table with the sums of its rows and columns and the sum of all."""
    found: dict[Cell, int] = {(ALL, ALL): 0}
    for (row, column), count in counts.items():
        for cell in ((row, column), (row, ALL), (ALL, column), (ALL, ALL)):
            found[cell] = found.get(cell, 0) + count
    return found


def suppressed(counts: Mapping[Cell, int], smallest: int, also: Set[Cell] = frozenset()) -> set[Cell]:
    """The cells of a table with sums that are not published: those from 1 to below `smallest`, and what gives them away.

    Args:
        also: cells that are hidden in any case, for another table has them too.
    """
    cells = _by_line(counts)
    hidden = {cell for cell, count in counts.items() if 0 < count < smallest}
    hidden |= {cell for cell in also if counts.get(cell)}
    while more := set(_needed(counts, cells, hidden, smallest)):
        hidden |= more
    return hidden


def _by_line(counts: Mapping[Cell, int]) -> dict[Line, list[Cell]]:
    """The cells of each row and column that are not zero (a zero is published and tells nothing), smallest first."""
    found: dict[Line, list[Cell]] = {}
    for cell in sorted((cell for cell, count in counts.items() if count), key=lambda cell: (counts[cell], str(cell))):
        for line in _lines(cell):
            found.setdefault(line, []).append(cell)
    return found


def _lines(cell: Cell) -> tuple[Line, Line]:
    return (False, cell[0]), (True, cell[1])


def _needed(
    counts: Mapping[Cell, int], cells: Mapping[Line, list[Cell]], hidden: Set[Cell], smallest: int
) -> Iterator[Cell]:
    """For each thing that still gives a small count away, the smallest cell that helps."""
    bridges = _bridges(hidden)
    for bridge, side in bridges.items():
        if counts[bridge] < smallest or ALL in bridge:  # a sum that could be worked out would be hidden in vain
            # A cell that leads out of the part behind the bridge closes a circle, or joins a part that has another way out.
            ways = (cell for line in side for cell in cells[line] if len(side.intersection(_lines(cell))) == 1)
            yield min((cell for cell in ways if cell not in hidden), key=lambda cell: (counts[cell], str(cell)))
    unknown = hidden - bridges.keys()
    for line, own in cells.items():
        left = [cell for cell in own if cell in unknown]
        total = sum(counts[cell] for cell in left)
        if any(cell[1 - line[0]] == ALL for cell in left):  # their sum is not known
            continue
        if left and (total < smallest or total == len(left)):
            yield from islice((cell for cell in own if cell not in hidden), 1)


def _bridges(hidden: Set[Cell]) -> dict[Cell, frozenset[Line]]:
    """The hidden cells that lie on no circle, each with the rows and columns on one side of it."""
    walk = _Walk(graph={})
    for cell in hidden:
        row, column = _lines(cell)
        walk.graph.setdefault(row, []).append(column)
        walk.graph.setdefault(column, []).append(row)
    for line in walk.graph:
        if line not in walk.order:
            walk.visit(line, None)
    return walk.bridges


@dataclass(slots=True)
class _Walk:
    """Tarjan's search for bridges. It goes no deeper than twice the shorter side of the table."""

    graph: dict[Line, list[Line]]
    order: dict[Line, int] = field(default_factory=dict)
    low: dict[Line, int] = field(default_factory=dict)
    bridges: dict[Cell, frozenset[Line]] = field(default_factory=dict)

    def visit(self, line: Line, come_from: Line | None) -> None:
        """Look at what can be reached from a row or column."""
        self.order[line] = self.low[line] = begin = len(self.order)
        for other in self.graph[line]:
            if other == come_from:
                continue
            if other in self.order:
                self.low[line] = min(self.low[line], self.order[other])
                continue
            self.visit(other, line)
            self.low[line] = min(self.low[line], self.low[other])
            if self.low[other] > begin:
                row, column = (line, other) if other[0] else (other, line)
                self.bridges[row[1], column[1]] = frozenset(list(self.order)[self.order[other] :])
