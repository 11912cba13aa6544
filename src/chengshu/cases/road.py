"""The road of a case as a reader sees it: where it was, where it is, and the usual way from there to its end."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, State, Step


def road(known: Catalog, case: Case, steps: Iterable[Step]) -> tuple[State, ...]:
    """The states passed, the present one, and those ahead. What was gone through twice stands there once."""
    return road_of(known, case.kind_id, case.state_id, {step.to_state_id for step in steps})


def road_of(known: Catalog, kind: int, state: int, passed: Collection[int]) -> tuple[State, ...]:
    """As `road`, of a case known by the ids of its kind, its state and the states it went through."""
    present = known.states[state]
    behind = [known.states[pk] for pk in passed if pk != state and known.states[pk].rank < present.rank]
    ways: dict[tuple[int, int], tuple[State, ...]] = known.memo.setdefault("ways", {})
    if (ahead := ways.get((kind, state))) is None:
        ahead = ways[kind, state] = _ahead(known, kind, present)
    return (*sorted(behind, key=lambda state: state.rank), present, *ahead)


def _ahead(known: Catalog, kind: int, state: State) -> tuple[State, ...]:
    """The longest way that only goes forward in the pack's order and ends in a good end: short cuts are the exception."""
    ways = [
        (onward, *_ahead(known, kind, onward))
        for onward in {known.states[move.to_state_id] for move in known.moves_from(kind, state.pk)}
        if onward.rank > state.rank and onward.phase in {"open", "done"}
    ]
    ending = [way for way in ways if way[-1].phase == "done"]
    return max(ending, key=lambda way: (len(way), [-state.rank for state in way]), default=())
