"""The living city as a pack: what `read_pack` would give of a folder that describes the city as it stands now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from chengshu.core.errors import NotFound
from chengshu.packs.living import Living, read_living
from chengshu.packs.records import OPEN, AccountRow, CityRow, MoveRow, Pack, PartRow, PostRow, Row, StateRow
from chengshu.parties.models import Account
from chengshu.places.models import City


def current(name: str) -> tuple[Pack, Living]:
    """The living city as a pack, and the reading that it was made of.

    Raises:
        NotFound: no city of this name is loaded.
    """
    city = City.objects.filter(name=name).first()
    if city is None:
        raise NotFound(_("This city has not been loaded."), where=name, remedy=_("Load it with `chengshu load-city`."))
    living = read_living(_named(city))
    assert living.row is not None
    return _pack(city, living, living.row), living


def _named(city: City) -> Pack:
    """A pack that says no more than the city's name and its demo accounts: enough to read the living city by."""
    held = Account.objects.filter(demo=True, posts__division__city=city).distinct().order_by("pk")
    accounts = tuple(AccountRow(username=a.username, name=a.name, language=a.language) for a in held)
    nothing: dict[str, Any] = dict.fromkeys(
        (
            "divisions",
            "successions",
            "boundaries",
            "departments",
            "kinds",
            "states",
            "moves",
            "types",
            "posts",
            "parts",
        ),
        (),
    )
    row = CityRow(
        name=city.name, label="", label_en="", timezone=city.timezone, language="", number_prefix="", about={}
    )
    return Pack(name=city.name, digest=city.digest, root="", city=row, accounts=accounts, **nothing)


def _pack(city: City, living: Living, row: CityRow) -> Pack:
    moves = _active(living, "moves")
    kinds = {move.kind for move in moves if isinstance(move, MoveRow) and move.code == OPEN}
    used = {end for move in moves if isinstance(move, MoveRow) for end in _ends(move)}
    states = [s for s in _rows(living, "states") if isinstance(s, StateRow) and s.kind in kinds and s.key in used]
    posts = [post for post in _active(living, "posts") if isinstance(post, PostRow)]
    tables: dict[str, Any] = {
        name: tuple(_active(living, name))
        for name in ("divisions", "successions", "boundaries", "departments", "types", "accounts")
    }
    return Pack(
        name=city.name,
        digest=city.digest,
        root=next((key for key, d in living.rows.get("divisions", {}).items() if _is_root(d)), ""),
        city=row,
        kinds=tuple(k for k in _rows(living, "kinds") if k.key in kinds),  # type: ignore[misc]
        states=tuple(sorted(states, key=lambda s: (s.kind, s.rank))),
        moves=tuple(m for m in moves if isinstance(m, MoveRow) and m.kind in kinds),
        posts=tuple(posts),
        parts=tuple(PartRow(name=name, value=part.value) for name, part in sorted(living.parts.items())),
        **tables,
    )


def _rows(living: Living, table: str) -> Iterable[Row]:
    return living.rows.get(table, {}).values()


def _active(living: Living, table: str) -> list[Row]:
    """The rows in use: what was retired is in no pack."""
    return [row for row in _rows(living, table) if getattr(row, "active", True)]


def _ends(move: MoveRow) -> tuple[str, str]:
    return f"{move.kind}/{move.from_state}", f"{move.kind}/{move.to_state}"


def _is_root(row: Row) -> bool:
    return not getattr(row, "parent", "") and getattr(row, "valid_to", None) is None
