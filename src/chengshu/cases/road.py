"""The road of a case as a reader sees it: where it was, where it is, and the usual way from there to its end."""

from __future__ import annotations

from collections.abc import Iterable

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, State, Step


def road(known: Catalog, case: Case, steps: Iterable[Step]) -> tuple[State, ...]:
    """The states passed, the present one, and those ahead. What was gone through twice stands there once."""
    present = known.states[case.state_id]
    passed = {step.to_state_id for step in steps} - {present.pk}
    behind = [known.states[pk] for pk in passed if known.states[pk].rank < present.rank]
    return (*sorted(behind, key=lambda state: state.rank), present, *_ahead(known, case.kind_id, present))


def _ahead(known: Catalog, kind: int, state: State) -> tuple[State, ...]:
    """The longest way that only goes forward in the pack's order and ends in a good end: short cuts are the exception."""
    ways = [
        (onward, *_ahead(known, kind, onward))
        for onward in {known.states[move.to_state_id] for move in known.moves_from(kind, state.pk)}
        if onward.rank > state.rank and onward.phase in {"open", "done"}
    ]
    ending = [way for way in ways if way[-1].phase == "done"]
    return max(ending, key=lambda way: (len(way), [-state.rank for state in way]), default=())
