"""What a person may choose from when making a move, and what the desk's filters offer."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, CaseType, Move, State
from chengshu.parties.models import Department
from chengshu.places.models import Level

# What a move may need that is made on many cases by one form: no file, and no choice for each case.
IN_BULK = frozenset({"note", "unit", "type_evidence", "type", "tasks_done", "task", "window"})
WIDE = Level.DISTRICT  # units down to this level are offered also where the place of a case is not known exactly


def units(known: Catalog, case: Case) -> list[Department]:
    """The units in whose jurisdiction a case lies, those nearest to the place first.

    A case whose place is known only as a district or less exactly may belong to any unit below it.
    """
    places = list(case.places)
    exact = known.divisions[case.division_id].level > WIDE
    near = (d for d in known.departments.values() if d.active)
    fitting = [d for d in near if d.division_id in places or (not exact and _below(known, d, case))]
    return sorted(fitting, key=lambda d: (-d.level, d.code))


def _below(known: Catalog, department: Department, case: Case) -> bool:
    place = known.divisions.get(department.division_id)
    return place is not None and place.level <= Level.STREET and case.division_id in place.path


def types(known: Catalog, case: Case) -> list[CaseType]:
    """The types of a case's kind, in the order of the pack."""
    return sorted((t for t in known.types.values() if t.active and t.kind_id == case.kind_id), key=lambda t: t.pk)


def wide_units(known: Catalog) -> list[Department]:
    """The units that the desk's filter offers: those of the city and its districts."""
    return sorted(
        (d for d in known.departments.values() if d.active and d.level <= WIDE), key=lambda d: (d.level, d.code)
    )


def moves_of(known: Catalog, role: str) -> list[Move]:
    """All moves that a role may make somewhere."""
    return [move for move in known.moves.values() if role in move.roles]


def to_act(known: Catalog, role: str) -> tuple[int, ...]:
    """Ids of the open states out of which a role brings cases forward: its work."""
    forward = (move for move in moves_of(known, role) if brings_forward(known, move))
    return tuple(sorted({move.from_state_id for move in forward}))


def brings_forward(known: Catalog, move: Move) -> bool:
    """Whether a move leads nearer to a good end."""
    start, end = known.states[move.from_state_id], known.states[move.to_state_id]
    return start.phase == "open" and end.rank > start.rank and end.phase in {"open", "done"} and not move.clocks_pause


def states(known: Catalog) -> list[tuple[str, State]]:
    """Each state code once, with the first state that bears it, in the order of the road."""
    found: dict[str, State] = {}
    for state in sorted(known.states.values(), key=lambda s: (s.rank, s.pk)):
        if state.phase != "new":
            found.setdefault(state.code, state)
    return list(found.items())


def majors(known: Catalog) -> list[CaseType]:
    """One type of each class, for its name in both languages."""
    found: dict[str, CaseType] = {}
    for type in sorted(known.types.values(), key=lambda t: t.pk):
        if type.active:
            found.setdefault(type.major, type)
    return list(found.values())


def at_once(move: Move, also: Collection[str] = ()) -> bool:
    """Whether a move can be made on many cases by one form, which brings a note and perhaps what `also` names.

    A unit is then advised for each case: that has a sense where the move gives the case to its first unit, not where
    somebody means another one.
    """
    gives = "create_task" in move.does and "cancel_tasks" not in move.does
    return IN_BULK.union(also).issuperset(move.needs) and ("unit" not in move.needs or gives)


def bulk(known: Catalog, role: str, states_shown: Iterable[int]) -> list[tuple[Move, tuple[int, ...]]]:
    """Moves that can be made on many cases at once, each with the shown states from which it leads."""
    found: dict[str, tuple[Move, list[int]]] = {}
    for state in sorted(set(states_shown)):
        for move in known.moves_from(known.states[state].kind_id, state):
            if role in move.roles and at_once(move):
                found.setdefault(move.code, (move, []))[1].append(state)
    return [(move, tuple(starts)) for move, starts in found.values()]
