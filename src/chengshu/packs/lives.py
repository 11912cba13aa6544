"""Editing the life of a kind of case from a page: one move of its table, checked as the whole table of a pack is.

    proposal = propose_move(city, "urban", content, code="accept")
    editing.save(principal, proposal, why=…, seen=…)

A move is an entry of moves.yaml. One that leaves several states is several rows; they change, are kept and come back together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from chengshu.core.errors import Mistake, Mistakes, NotFound
from chengshu.packs import contents, life_files, revisions, schema
from chengshu.packs.current import current
from chengshu.packs.editing import Proposal
from chengshu.packs.living import Living
from chengshu.packs.plan import make_plan
from chengshu.packs.records import KindRow, MoveRow, Pack, Row, StateRow
from chengshu.packs.source import Document, Mend
from chengshu.places.models import City

Content = Mapping[str, Any]
R = TypeVar("R", StateRow, MoveRow)
_ROWS: Mapping[str, type[Row]] = {"kinds": KindRow, "states": StateRow, "moves": MoveRow}


def opened(city: City, kind: str, code: str = "") -> tuple[dict[str, Any], str]:
    """A move as its entry in moves.yaml (empty without a code), and the fingerprint of its kind's life, for a form to carry.

    Raises:
        NotFound: there is no such kind or move, or it is the opening, which every kind has as it is.
    """
    pack, living = current(city.name)
    moves = _table(contents.life(pack), kind)["moves"]
    return _entry(moves, code) if code else {}, _seen(living, kind)


def propose_move(city: City, kind: str, content: Content, *, code: str = "") -> Proposal:
    """A new move, or the one called `code` as `content` (an entry of moves.yaml) has it.

    Raises:
        Mistakes: the table would be wrong: by its schema, or because some case could not be brought to its end.
        NotFound: there is no such kind or move.
    """
    pack, living = current(city.name)
    life = contents.life(pack)
    moves = _table(life, kind)["moves"]
    if code:
        old = _entry(moves, code)
        moves[moves.index(old)] = _ordered(content, old)
    elif any(move["code"] == content["code"] for move in moves):
        what = _("There is a move of this code already.")
        raise Mistakes([Mistake(where="code", what=what, remedy=_("Choose another code, or change that move."))])
    else:
        moves.append(dict(content))
    return _proposed(pack, living, life, kind)


def retire_move(city: City, kind: str, code: str) -> Proposal:
    """A move that is no longer made; the steps by which it was made stay."""
    pack, living = current(city.name)
    life = contents.life(pack)
    moves = _table(life, kind)["moves"]
    moves.remove(_entry(moves, code))
    return _proposed(pack, living, life, kind)


def earlier(city: City, kind: str, revision: int) -> Proposal:
    """The life of a kind as it was before one of its changes.

    Raises:
        NotFound: there is no such change of it.
        Conflict: open cases stand in a state that it did not have (when it is saved).
    """
    pack, living = current(city.name)
    undone = [a for a in revisions.of_life(city.pk, kind) if a.revision_id >= revision]
    if not undone or undone[-1].revision_id != revision:
        raise NotFound(_("There is no earlier version."), where=str(revision), remedy=_("Choose one of the history."))
    rows = {table: {k: r for k, r in living.rows.get(table, {}).items() if _kind(table, k) == kind} for table in _ROWS}
    for each in undone:
        rows[each.table].pop(each.key, None)
        if each.before is not None:
            rows[each.table][each.key] = _ROWS[each.table](**_tuples(each.before))
    moves = tuple(row for row in rows["moves"].values() if isinstance(row, MoveRow) and row.active)
    states = tuple(row for key, row in rows["states"].items() if isinstance(row, StateRow) and key in _used(moves))
    kinds = tuple(row for row in rows["kinds"].values() if isinstance(row, KindRow))
    old = replace(pack, kinds=kinds, states=states, moves=moves)
    return _proposed(pack, living, contents.life(old), kind, ranks=old)


def _used(rows: Iterable[Row]) -> set[str]:
    return {f"{row.kind}/{end}" for row in rows if isinstance(row, MoveRow) for end in (row.from_state, row.to_state)}


def _kind(table: str, key: str) -> str:
    return key if table == "kinds" else key.partition("/")[0]


def _tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def _table(life: Content, kind: str) -> dict[str, Any]:
    if kind not in life["kinds"]:
        raise NotFound(_("There is no such kind of case."), where=kind, remedy=_("Choose one of the list."))
    table: dict[str, Any] = life["kinds"][kind]
    return table


def _entry(moves: Sequence[dict[str, Any]], code: str) -> dict[str, Any]:
    found = next((move for move in moves if move["code"] == code), None)
    if found is None:
        raise NotFound(_("There is no such move."), where=code, remedy=_("Go back to the list."))
    return found


def _ordered(new: Any, old: Any) -> Any:
    """The lists of an entry in the order in which they stood, what is new behind: a form has an order of its own."""
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return {name: _ordered(value, old.get(name)) for name, value in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [*(item for item in old if item in new), *(item for item in new if item not in old)]
    return new


def _proposed(pack: Pack, living: Living, life: Content, kind: str, *, ranks: Pack | None = None) -> Proposal:
    """The pack with another life of one kind; the rows of the others stay as they are.

    What stands in `ranks` (the pack itself, when None) keeps its place there; what is new comes last.
    """
    mend = Mend()
    document = Document(name=life_files.MOVES, where="", content={"kinds": {kind: life["kinds"][kind]}}, marked=None)
    good = schema.good_document("moves", document, mend)
    read = life_files.read_life(document, mend) if good else life_files.Life(kinds=(), states=(), moves=())
    if mend.mistakes:
        raise Mistakes([replace(mistake, where="") for mistake in mend.mistakes])  # a page has no lines
    new = replace(
        pack,
        kinds=(*(row for row in pack.kinds if row.code != kind), *read.kinds),
        states=(*(row for row in pack.states if row.kind != kind), *_ranked(read.states, (ranks or pack).states)),
        moves=(*(row for row in pack.moves if row.kind != kind), *_ranked(read.moves, (ranks or pack).moves)),
    )
    plan = make_plan(new, living, overwrite_edited=True)
    return Proposal(pack=new, plan=plan, table="kinds", key=kind, seen=_seen(living, kind))


def _ranked(rows: Iterable[R], known: Iterable[R]) -> list[R]:
    """States or moves in the places where they are known; new ones behind them."""
    ranks = {(row.kind, row.code): row.rank for row in known}
    last = max(ranks.values(), default=0)
    return [replace(row, rank=ranks.get((row.kind, row.code), last + 1)) for row in rows]


def _seen(living: Living, kind: str) -> str:
    rows = (r for table in _ROWS for k, r in sorted(living.rows.get(table, {}).items()) if _kind(table, k) == kind)
    return hashlib.sha256("".join(map(revisions.fingerprint, rows)).encode()).hexdigest()[:16]
