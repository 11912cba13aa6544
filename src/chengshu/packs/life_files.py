"""Kinds, states and moves: the life of a case, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chengshu.cases.models import STAGES
from chengshu.packs.records import NEW, OPEN, KindRow, MoveRow, StateRow
from chengshu.packs.source import Document, Mend
from chengshu.parties.roles import Role

MOVES = "moves.yaml"
SAME, EVERY_OPEN = "same", "open"  # words of the format that no state may be called


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """All kinds of a pack with their states and moves."""

    kinds: tuple[KindRow, ...]
    states: tuple[StateRow, ...]
    moves: tuple[MoveRow, ...]


def read_life(document: Document, mend: Mend) -> Life:
    """The content of moves.yaml, each move once for every state it leaves; checks that every case can reach its end."""
    kinds, states, moves = [], [], []
    for code, content in document.content["kinds"].items():
        own_states = list(_states(code, content, document))
        own_moves = list(_moves(code, content, document, mend))
        _check_kind(code, content, document, own_moves, mend)
        kinds.append(_kind(code, content, own_moves, document))
        states += own_states
        moves += own_moves
    return Life(kinds=tuple(kinds), states=tuple(states), moves=tuple(moves))


def _kind(code: str, content: Mapping[str, Any], moves: list[MoveRow], document: Document) -> KindRow:
    return KindRow(
        where=document.at("kinds", code),
        code=code,
        label=content["label"],
        label_en=content["label_en"],
        opening_clocks=opening_clocks(content.get("opening_clocks"), moves),
        limits=dict(content.get("limits", {})),
    )


def opening_clocks(given: Iterable[str] | None, moves: Iterable[MoveRow]) -> tuple[str, ...]:
    """Stages whose clocks start with the case, in order: `total` always, and where the pack does not say,
    every stage that some move stops and none starts."""
    moves = list(moves)
    stopped = {stage for move in moves for stage in move.clocks_stop}
    started = {stage for move in moves for stage in move.clocks_start}
    chosen = {*(given if given is not None else stopped - started), "total"}
    return tuple(stage for stage in STAGES if stage in chosen)


def _states(kind: str, content: Mapping[str, Any], document: Document) -> Iterator[StateRow]:
    yield StateRow(
        where=document.at("kinds", kind), kind=kind, code=NEW, label="新建", label_en="New", phase="new", rank=0
    )
    for rank, (code, state) in enumerate(content["states"].items(), 1):
        yield StateRow(where=document.at("kinds", kind, "states", code), kind=kind, code=code, rank=rank, **state)


def _moves(kind: str, content: Mapping[str, Any], document: Document, mend: Mend) -> Iterator[MoveRow]:
    yield _opening(kind, content, document)
    for rank, move in enumerate(content["moves"], 1):
        where = document.at("kinds", kind, "moves", rank - 1)
        for start in _starts(move, content["states"], where, mend):
            yield _move(kind, move, start, start if move["to"] == SAME else move["to"], rank, where)


def _opening(kind: str, content: Mapping[str, Any], document: Document) -> MoveRow:
    """The first step of every case: whoever may report may open."""
    return MoveRow(
        where=document.at("kinds", kind, "open"),
        kind=kind,
        code=OPEN,
        from_state=NEW,
        to_state=content["open"],
        label="上报",
        label_en="Open",
        roles=tuple(role.value for role in Role),
        why="任何来源的问题都先上报建案。",
        why_en="Whatever the origin, a case begins with a report.",
        rank=0,
    )


def _starts(move: Mapping[str, Any], states: Mapping[str, Any], where: str, mend: Mend) -> list[str]:
    """The states a move leaves, each once; `open` stands for every open state but the one it leads to."""
    named = [move["from"]] if isinstance(move["from"], str) else move["from"]
    found: dict[str, None] = {}
    for name in named:
        if name == EVERY_OPEN:
            found |= dict.fromkeys(s for s, state in states.items() if state["phase"] == "open" and s != move["to"])
        elif name in states:
            found[name] = None
        else:
            what = _("the move {move} leaves an unknown state {state}.").format(move=move["code"], state=name)
            mend.wrong(where, what, _("The states are {states}.").format(states=", ".join(states)))
    return list(found)


def _move(kind: str, move: Mapping[str, Any], start: str, end: str, rank: int, where: str) -> MoveRow:
    clocks = move.get("clocks", {})
    return MoveRow(
        where=where,
        kind=kind,
        code=move["code"],
        from_state=start,
        to_state=end,
        label=move["label"],
        label_en=move["label_en"],
        roles=tuple(move["roles"]),
        needs=tuple(move.get("needs", ())),
        not_who=tuple(move.get("not_who", ())),
        does=tuple(move.get("does", ())),
        clocks_stop=tuple(clocks.get("stop", ())),
        clocks_start=tuple(clocks.get("start", ())),
        clocks_pause="pause" in clocks,
        clocks_resume="resume" in clocks,
        why=move["why"],
        why_en=move.get("why_en", ""),
        rank=rank,
    )


def _check_kind(kind: str, content: Mapping[str, Any], document: Document, moves: list[MoveRow], mend: Mend) -> None:
    states: Mapping[str, Any] = content["states"]
    for word in (NEW, SAME, EVERY_OPEN):
        if word in states:
            what = _("no state may be called {word}, which has a meaning of its own.").format(word=word)
            mend.wrong(document.at("kinds", kind, "states", word), what, _("Choose another code."))
    if states.get(content["open"], {}).get("phase") != "open":
        what = _("a new case of {kind} enters {state}, which is no open state.").format(
            kind=kind, state=content["open"]
        )
        mend.wrong(document.at("kinds", kind, "open"), what, _("Name a state of phase open."))
        return
    _check_moves(kind, states, moves, mend)
    _check_ends(kind, states, content["open"], moves, document, mend)


def _check_moves(kind: str, states: Mapping[str, Any], moves: list[MoveRow], mend: Mend) -> None:
    codes = {move.code for move in moves}
    seen: dict[tuple[str, str], str] = {}
    for move in moves:
        if move.to_state not in states:
            what = _("the move {move} leads to an unknown state {state}.").format(move=move.code, state=move.to_state)
            mend.wrong(move.where, what, _("The states are {states}.").format(states=", ".join(states)))
        for other in set(move.not_who) - codes:
            what = _("{move}: not_who names an unknown move {other}.").format(move=move.code, other=other)
            mend.wrong(
                move.where, what, _("The moves of {kind} are {moves}.").format(kind=kind, moves=", ".join(codes))
            )
        if (before := seen.setdefault((move.code, move.from_state), move.where)) != move.where or (
            move.code == OPEN and move.from_state != NEW
        ):
            what = _("the move {move} leaves {state} twice, also in {before}.").format(
                move=move.code, state=move.from_state, before=before
            )
            mend.wrong(move.where, what, _("Give one of them another code; `open` is taken by the platform."))


def _check_ends(
    kind: str, states: Mapping[str, Any], entry: str, moves: list[MoveRow], document: Document, mend: Mend
) -> None:
    """Every state can be reached, and from every open one the case can end."""
    forward: dict[str, set[str]] = {}
    backward: dict[str, set[str]] = {}
    for move in moves:
        forward.setdefault(move.from_state, set()).add(move.to_state)
        backward.setdefault(move.to_state, set()).add(move.from_state)
    ends = {code for code, state in states.items() if state["phase"] != "open"}
    reached, ending = _spread({entry}, forward), _spread(ends, backward)
    for code, state in states.items():
        where = document.at("kinds", kind, "states", code)
        if code not in reached:
            mend.wrong(where, _("no move leads to the state {state}.").format(state=code), _("Add a move or drop it."))
        if state["phase"] == "open" and code not in ending:
            what = _("a case in the open state {state} can never end.").format(state=code)
            mend.wrong(where, what, _("Add a move that leads towards a done or dead state."))
    if not any(state["phase"] == "done" for state in states.values()):
        what = _("the kind {kind} has no state of phase done.").format(kind=kind)
        mend.wrong(document.at("kinds", kind), what, _("Add the state in which a case is finished, and a move to it."))


def _spread(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    found, frontier = set(start), list(start)
    while frontier:
        for state in edges.get(frontier.pop(), set()) - found:
            found.add(state)
            frontier.append(state)
    return found
