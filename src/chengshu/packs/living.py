"""The living city in the words of a pack, so that both can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from chengshu.cases.models import CaseType, Kind, Move, State
from chengshu.packs.models import Alteration
from chengshu.packs.records import (
    AccountRow,
    BoundaryRow,
    CityRow,
    DepartmentRow,
    DivisionRow,
    KindRow,
    MoveRow,
    Pack,
    PostRow,
    Row,
    StateRow,
    SuccessionRow,
    TypeRow,
)
from chengshu.parties.models import Account, Department, Post
from chengshu.places.models import Boundary, City, Division, DivisionChange, Part

BY_PACK = "pack"  # Part.by of what a pack wrote
PACK = "pack"  # Revision.how of what a pack changed


@dataclass(frozen=True, kw_only=True, slots=True)
class LivingPart:
    """The active version of a part, and what the last pack said."""

    value: Any
    version: int
    by: str
    at: datetime
    from_pack: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited:
    """A row was last changed by a person, not by a pack."""

    by: str
    at: datetime


@dataclass(slots=True)
class Living:
    """What stands in the database: rows and ids of each table by natural key."""

    city: City | None = None
    row: CityRow | None = None
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    parts: dict[str, LivingPart] = field(default_factory=dict)
    edited: dict[tuple[str, str], Edited] = field(default_factory=dict)  # by table and key
    real_accounts: frozenset[str] = frozenset()  # named by the pack, but not made by one

    def put(self, table: str, key: str, pk: int, row: Row) -> None:
        self.rows.setdefault(table, {})[key] = row
        self.ids.setdefault(table, {})[key] = pk

    def names(self, table: str) -> dict[int | None, str]:
        """Keys by id; nothing is called by an empty text."""
        return {None: "", **{pk: key for key, pk in self.ids.get(table, {}).items()}}


def read_living(pack: Pack) -> Living:
    """The city that the pack describes, as it stands now; empty before the first load."""
    living = Living(city=City.objects.filter(name=pack.name).first())
    _read_accounts(living, pack)
    if living.city is None:
        return living
    living.row = _city(living.city)
    _read_divisions(living, living.city, pack)
    _read_outlines(living, living.city)
    _read_departments(living, living.city)
    _read_life(living, living.city)
    _read_types(living, living.city)
    _read_posts(living, living.city)
    living.parts = _parts(living.city)
    living.edited = _edited(living.city)
    return living


def _edited(city: City) -> dict[tuple[str, str], Edited]:
    """The rows whose last change was made by a person in the living city."""
    last = Alteration.objects.filter(city=city).order_by("table", "key", "-pk").distinct("table", "key")
    made = last.values_list("table", "key", "revision__how", "revision__account__username", "revision__at")
    return {(table, key): Edited(by=by or "", at=at) for table, key, how, by, at in made if how != PACK}


def _city(city: City) -> CityRow:
    names = ("name", "label", "label_en", "timezone", "language", "number_prefix", "about")
    return CityRow(**{name: getattr(city, name) for name in names})


def _read_divisions(living: Living, city: City, pack: Pack) -> None:
    divisions = list(Division.objects.filter(city=city).defer("path"))
    keys = _corrected({d.pk: (d.code, d.valid_from) for d in divisions}, pack)
    for d in divisions:
        same = {name: getattr(d, name) for name in ("code", "valid_from", "valid_to", "name", "name_en", "level")}
        row = DivisionRow(parent=keys[d.parent_id], source=d.source, **same)
        living.put("divisions", keys[d.pk], d.pk, row)


def _corrected(divisions: Mapping[int, tuple[str, date]], pack: Pack) -> dict[int | None, str]:
    """Keys of the living divisions. One whose first day the pack corrects goes by its new key: it stays the same division.

    That is so where exactly one living and one new row of a code have no other partner.
    """
    keys = {pk: f"{code}@{day}" for pk, (code, day) in divisions.items()}
    here, wanted = set(keys.values()), {row.key: row.code for row in pack.divisions}
    new = Counter(code for key, code in wanted.items() if key not in here)
    lost = Counter(code for pk, (code, _day) in divisions.items() if keys[pk] not in wanted)
    moved = {code: key for key, code in wanted.items() if key not in here and new[code] == lost[code] == 1}
    return {None: "", **{pk: key if key in wanted else moved.get(divisions[pk][0], key) for pk, key in keys.items()}}


def _read_outlines(living: Living, city: City) -> None:
    names = living.names("divisions")
    for b in Boundary.objects.filter(division__city=city):
        row = BoundaryRow(division=names[b.division_id], wkb=bytes(b.wkb), source=b.source)
        living.put("boundaries", row.key, b.pk, row)
    for c in DivisionChange.objects.filter(predecessor__city=city):
        ends = {"predecessor": names[c.predecessor_id], "successor": names[c.successor_id]}
        succession = SuccessionRow(date=c.date, note=c.note, **ends)
        living.put("successions", succession.key, c.pk, succession)


def _read_departments(living: Living, city: City) -> None:
    departments = list(Department.objects.filter(city=city))
    codes: dict[int | None, str] = {None: "", **{d.pk: d.code for d in departments}}
    places = living.names("divisions")
    for d in departments:
        row = DepartmentRow(
            code=d.code,
            name=d.name,
            name_en=d.name_en,
            level=d.level,
            parent=codes[d.parent_id],
            function=d.function,
            division=places[d.division_id],
            kind=d.kind,
            last_resort=d.last_resort,
            active=d.active,
        )
        living.put("departments", row.key, d.pk, row)


def _read_life(living: Living, city: City) -> None:
    for k in Kind.objects.filter(city=city):
        clocks = tuple(k.opening_clocks)
        kind = KindRow(code=k.code, label=k.label, label_en=k.label_en, opening_clocks=clocks, limits=k.limits)
        living.put("kinds", k.code, k.pk, kind)
    for s in State.objects.filter(kind__city=city).select_related("kind"):
        same = {name: getattr(s, name) for name in ("code", "label", "label_en", "phase", "rank")}
        state = StateRow(kind=s.kind.code, **same)
        living.put("states", state.key, s.pk, state)
    for m in Move.objects.filter(kind__city=city).select_related("kind", "from_state", "to_state"):
        move = _move(m)
        living.put("moves", move.key, m.pk, move)


def _move(m: Move) -> MoveRow:
    lists = ("roles", "needs", "not_who", "clocks_stop", "clocks_start", "does")
    same = ("code", "label", "label_en", "clocks_pause", "clocks_resume", "why", "why_en", "rank", "active")
    values: dict[str, Any] = {name: getattr(m, name) for name in same}
    values |= {name: tuple(getattr(m, name)) for name in lists}
    return MoveRow(kind=m.kind.code, from_state=m.from_state.code, to_state=m.to_state.code, **values)


def _read_types(living: Living, city: City) -> None:
    texts = ("code", "major", "major_en", "minor", "minor_en", "name", "name_en", "register_standard", "close_standard")
    for t in CaseType.objects.filter(city=city).select_related("kind"):
        values: dict[str, Any] = {name: getattr(t, name) for name in (*texts, "limits", "severity", "urgent", "source")}
        row = TypeRow(
            kind=t.kind.code,
            dated_limits=tuple(t.dated_limits),
            evidence=tuple(t.evidence),
            active=t.active,
            **values,
        )
        living.put("types", row.key, t.pk, row)


def _read_accounts(living: Living, pack: Pack) -> None:
    found = list(Account.objects.filter(username__in=[account.username for account in pack.accounts]))
    for a in found:
        living.put("accounts", a.username, a.pk, AccountRow(username=a.username, name=a.name, language=a.language))
    living.real_accounts = frozenset(a.username for a in found if not a.demo)


def _read_posts(living: Living, city: City) -> None:
    """Posts of demo accounts: those of other people are no pack's business."""
    today = today_in(city.timezone)
    places, departments = living.names("divisions"), living.names("departments")
    for p in Post.objects.filter(division__city=city, account__demo=True).select_related("account"):
        row = PostRow(
            account=p.account.username,
            role=p.role,
            department=departments[p.department_id],
            division=places[p.division_id],
            active=p.valid_to is None or p.valid_to > today,
        )
        living.put("posts", row.key, p.pk, row)


def today_in(timezone: str) -> date:
    """The day it is in a city."""
    return datetime.now(UTC).astimezone(ZoneInfo(timezone)).date()


def _parts(city: City) -> dict[str, LivingPart]:
    versions = list(Part.objects.filter(city=city).order_by("version"))
    from_pack = {part.name: part.value for part in versions if part.by == BY_PACK}
    return {
        part.name: LivingPart(
            value=part.value, version=part.version, by=part.by, at=part.at, from_pack=from_pack.get(part.name)
        )
        for part in versions
        if part.active
    }
