"""The rows of a pack as its files hold them: what the readers of `*_files.py` read, written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import shapely

from chengshu.cases.models import STAGES
from chengshu.packs.life_files import SAME
from chengshu.packs.places_files import LEVELS, Divisions
from chengshu.packs.records import (
    NEW,
    OPEN,
    AccountRow,
    BoundaryRow,
    CityRow,
    DepartmentRow,
    DivisionRow,
    KindRow,
    MoveRow,
    Pack,
    PostRow,
    StateRow,
    SuccessionRow,
    TypeRow,
)

LEVEL_NAMES = {value: name for name, value in LEVELS.items()}
Content = dict[str, Any]


def city(row: CityRow) -> Content:
    """city.yaml"""
    named = ("name", "label", "label_en", "timezone", "language", "number_prefix")
    content = {name: getattr(row, name) for name in named}
    return content | {name: value for name, value in row.about.items() if value or name not in {"about", "sources"}}


def division(row: DivisionRow, known: Divisions) -> Content:
    """A row of divisions.csv"""
    fitting = [other for other in known.named(row.parent.partition("@")[0]) if other.covers(row)]
    plain = row.parent and len(fitting) > 0 and fitting[0].key == row.parent
    return {
        "code": row.code,
        "name": row.name,
        "name_en": row.name_en,
        "level": LEVEL_NAMES[row.level],
        "parent": row.parent.partition("@")[0] if plain else row.parent,
        "valid_from": row.valid_from.isoformat(),
        "valid_to": row.valid_to.isoformat() if row.valid_to else "",
        "source": row.source,
    }


def succession(row: SuccessionRow) -> Content:
    """A row of division_changes.csv"""
    return {
        "predecessor": row.predecessor,
        "successor": row.successor,
        "date": row.date.isoformat(),
        "note": row.note,
    }


def boundary(row: BoundaryRow) -> Content:
    """A feature of boundaries.geojson"""
    code, _at, day = row.division.partition("@")
    geometry = shapely.geometry.mapping(shapely.from_wkb(row.wkb))
    return {
        "type": "Feature",
        "properties": {"code": code, "valid_from": day, "source": row.source},
        "geometry": geometry,
    }


def reference(key: str, known: Divisions) -> str:
    """How a file names a division: by its code where that means it, else with the day on which it begins."""
    code = key.partition("@")[0]
    latest = known.latest(code)
    return code if latest is not None and latest.key == key else key


def department(row: DepartmentRow, known: Divisions) -> Content:
    """A row of departments.csv"""
    same = ("code", "name", "name_en")
    return {name: getattr(row, name) for name in same} | {
        "level": LEVEL_NAMES[row.level],
        "parent": row.parent,
        "function": row.function,
        "division": reference(row.division, known),
        "kind": row.kind,
        "last_resort": "yes" if row.last_resort else "",
    }


def case_type(row: TypeRow) -> Content:
    """A row of case_types.csv"""
    names = ("code", "kind", "major", "major_en", "minor", "minor_en", "name", "name_en")
    return {
        **{name: getattr(row, name) for name in (*names, "register_standard", "close_standard")},
        **{f"{stage}_limit": row.limits.get(stage, "") for stage in STAGES},
        "severity": str(row.severity),
        "urgent": "yes" if row.urgent else "no",
        "evidence": "+".join(row.evidence),
        "source": row.source,
    }


def limits(row: TypeRow) -> Iterator[Content]:
    """The rows of limits.csv for one type"""
    for dated in row.dated_limits:
        sources, day = dated.get("sources", {}), dated["valid_from"]
        for stage, limit in dated["limits"].items():
            source = sources.get(stage, "")
            yield {"type": row.code, "stage": stage, "valid_from": day, "limit": limit, "source": source}


def life(pack: Pack) -> Content:
    """moves.yaml"""
    return {"kinds": {kind.code: _kind(kind, pack) for kind in pack.kinds}}


def _kind(kind: KindRow, pack: Pack) -> Content:
    states = [state for state in pack.states if state.kind == kind.code and state.code != NEW]
    moves = [move for move in pack.moves if move.kind == kind.code]
    opening = next(move for move in moves if move.code == OPEN)
    made = sorted((move for move in moves if move.code != OPEN), key=lambda move: (move.rank, move.code))
    return {
        "label": kind.label,
        "label_en": kind.label_en,
        "opening_clocks": list(kind.opening_clocks),
        **({"limits": dict(kind.limits)} if kind.limits else {}),
        "states": {state.code: _state(state) for state in sorted(states, key=lambda state: state.rank)},
        "open": opening.to_state,
        "moves": [_move(list(same)) for _, same in groupby(made, key=lambda move: (move.rank, move.code))],
    }


def _state(state: StateRow) -> Content:
    return {"label": state.label, "label_en": state.label_en, "phase": state.phase}


def _move(rows: list[MoveRow]) -> Content:
    """One entry: a move leaves as many states as it has rows."""
    move = rows[0]
    stays = len(rows) > 1 and all(row.from_state == row.to_state for row in rows)
    content: Content = {
        "code": move.code,
        "label": move.label,
        "label_en": move.label_en,
        "from": [row.from_state for row in rows],
        "to": SAME if stays else move.to_state,
        "roles": list(move.roles),
    }
    content |= {name: list(value) for name in ("needs", "not_who") if (value := getattr(move, name))}
    clocks: Mapping[str, Any] = {
        "stop": list(move.clocks_stop),
        "start": list(move.clocks_start),
        "pause": "all" if move.clocks_pause else None,
        "resume": "all" if move.clocks_resume else None,
    }
    if given := {name: value for name, value in clocks.items() if value}:
        content["clocks"] = given
    if move.does:
        content["does"] = list(move.does)
    return content | {"why": move.why} | ({"why_en": move.why_en} if move.why_en else {})


def people(accounts: Iterable[AccountRow], posts: Iterable[PostRow], known: Divisions) -> Content:
    """posts.yaml"""
    return {
        "accounts": [{"username": a.username, "name": a.name, "language": a.language} for a in accounts],
        "posts": [
            {
                "role": post.role,
                "department": post.department or None,
                "division": reference(post.division, known),
                "account": post.account,
            }
            for post in posts
        ],
    }
