"""Writes the rows of a plan in bulk, table by table: each table refers to those before it by their new ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from django.db import connection, models

from chengshu.cases.models import Case, CaseType, Kind, Move, Outbox, State
from chengshu.cases.outbox import ORPHANED
from chengshu.packs.living import Living, today_in
from chengshu.packs.plan import Action, Change, Plan
from chengshu.packs.records import (
    BoundaryRow,
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
from chengshu.places.cells import cover
from chengshu.places.models import Boundary, BoundaryCell, City, Division, DivisionChange

BATCH = 500
Values = dict[str, Any]

# A division's path follows from its parents: when one gets another parent, all below it move too.
PATHS = """
    WITH RECURSIVE tree AS (
        SELECT id, ARRAY[id] AS path FROM places_division WHERE city_id = %s AND parent_id IS NULL
        UNION ALL
        SELECT d.id, t.path || d.id FROM places_division d JOIN tree t ON d.parent_id = t.id
    )
    UPDATE places_division d SET path = t.path FROM tree t WHERE d.id = t.id AND d.path IS DISTINCT FROM t.path
"""


@dataclass(slots=True)
class Writer:
    """Writes one plan into one city. `ids` grows as rows are added."""

    plan: Plan
    city: City
    ids: dict[str, dict[str, int]]
    parents: Mapping[str, str]  # of the pack's divisions

    @classmethod
    def of(cls, pack: Pack, plan: Plan, living: Living, city: City) -> Writer:
        ids = {table: dict(ids) for table, ids in living.ids.items()}
        return cls(plan=plan, city=city, ids=ids, parents={row.key: row.parent for row in pack.divisions})

    def divisions(self) -> None:
        for change in self.plan.of("divisions", Action.RETIRE):
            Division.objects.filter(pk=self.id("divisions", change.key)).update(valid_to=change.fields[0].new)
        self.rows("divisions", Division, self._division)
        if any(field.name == "parent" for c in self.plan.of("divisions", Action.CHANGE) for field in c.fields):
            with connection.cursor() as cursor:
                cursor.execute(PATHS, [self.city.pk])

    def successions(self) -> None:
        self.remove("successions", DivisionChange)
        self.rows("successions", DivisionChange, self._succession)

    def boundaries(self) -> None:
        """Outlines are replaced as a whole, with their cells."""
        self.remove("boundaries", Boundary, Action.CHANGE)
        changes = self.plan.of("boundaries", Action.ADD, Action.CHANGE)
        rows = [change.row for change in changes if isinstance(change.row, BoundaryRow)]
        written = Boundary.objects.bulk_create(
            Boundary(division_id=self.id("divisions", row.division), wkb=row.wkb, source=row.source) for row in rows
        )
        copy_cells({boundary.pk: bytes(boundary.wkb) for boundary in written})

    def departments(self) -> None:
        self.retire("departments", Department)
        ended = [self.id("departments", change.key) for change in self.plan.of("departments", Action.RETIRE)]
        orphaned = Case.objects.filter(unit__in=ended, closed_at=None).values_list("pk", flat=True)
        now = datetime.now(UTC)
        Outbox.objects.bulk_create(
            (Outbox(topic=ORPHANED, case=case, facts={}, at=now) for case in orphaned), batch_size=BATCH
        )
        self.rows("departments", Department, self._department)

    def life(self) -> None:
        """Kinds, states and moves; a move that is no longer made goes first, for another may take its code."""
        self.rows("kinds", Kind, self._kind)
        self.rows("states", State, self._state)
        self.retire("moves", Move)
        self.rows("moves", Move, self._move)

    def types(self) -> None:
        self.retire("types", CaseType)
        self.rows("types", CaseType, self._type)

    def people(self, password: Callable[[], str]) -> None:
        """Accounts that are not there yet, and posts. `password` gives the encoded password of new accounts."""
        rows = [change.row for change in self.plan.of("accounts", Action.ADD) if change.row]
        encoded = password() if rows else ""
        accounts = [Account(**row.facts(), password=encoded, demo=True) for row in rows]
        for account in Account.objects.bulk_create(accounts):
            self.ids.setdefault("accounts", {})[account.username] = account.pk
        ended = [self.id("posts", change.key) for change in self.plan.of("posts", Action.RETIRE)]
        Post.objects.filter(pk__in=ended).update(valid_to=today_in(self.city.timezone))
        self.rows("posts", Post, self._post)

    def id(self, table: str, key: str) -> int:
        return self.ids[table][key]

    def id_or_none(self, table: str, key: str) -> int | None:
        return self.id(table, key) if key else None

    def rows(self, table: str, model: type[models.Model], values: Callable[[Any], Values]) -> None:
        """Add what is new, and change what is there."""
        added, changed = self.plan.of(table, Action.ADD), self.plan.of(table, Action.CHANGE)
        own = self.ids.setdefault(table, {})
        fresh = dict(zip((change.key for change in added), fresh_ids(model, len(added)), strict=True))
        own.update(fresh)  # before the rows are made, for some refer to others of the same table
        model._default_manager.bulk_create(self._made(model, added, values), batch_size=BATCH)
        if changed:
            made = self._made(model, changed, values)
            model._default_manager.bulk_update(made, _columns(model, values(changed[0].row)), batch_size=BATCH)

    def _made(self, model: type[models.Model], changes: Iterable[Change], values: Callable[[Any], Values]) -> list[Any]:
        return [model(pk=self.id(change.table, change.key), **values(change.row)) for change in changes]

    def retire(self, table: str, model: type[models.Model]) -> None:
        ended = [self.id(table, change.key) for change in self.plan.of(table, Action.RETIRE)]
        model._default_manager.filter(pk__in=ended).update(active=False)

    def remove(self, table: str, model: type[models.Model], *more: Action) -> None:
        gone = [self.id(table, change.key) for change in self.plan.of(table, Action.REMOVE, *more)]
        model._default_manager.filter(pk__in=gone).delete()

    def _division(self, row: DivisionRow) -> Values:
        path = self._path(row.key)
        parent = path[-2] if row.parent else None
        return _but(row, "parent") | {"city_id": self.city.pk, "parent_id": parent, "path": path}

    def _path(self, division: str) -> list[int]:
        above = [self.id("divisions", division)]
        while division := self.parents[division]:
            above.append(self.id("divisions", division))
        return above[::-1]

    def _succession(self, row: SuccessionRow) -> Values:
        ends = {f"{end}_id": self.id("divisions", getattr(row, end)) for end in ("predecessor", "successor")}
        return ends | {"date": row.date, "note": row.note}

    def _department(self, row: DepartmentRow) -> Values:
        return _but(row, "parent", "division") | {
            "city_id": self.city.pk,
            "parent_id": self.id_or_none("departments", row.parent),
            "division_id": self.id("divisions", row.division),
        }

    def _kind(self, row: KindRow) -> Values:
        return _but(row, "opening_clocks") | {"city_id": self.city.pk, "opening_clocks": list(row.opening_clocks)}

    def _state(self, row: StateRow) -> Values:
        return _but(row, "kind") | {"kind_id": self.id("kinds", row.kind)}

    def _move(self, row: MoveRow) -> Values:
        return _but(row, "kind", "from_state", "to_state") | {
            "kind_id": self.id("kinds", row.kind),
            "from_state_id": self.id("states", f"{row.kind}/{row.from_state}"),
            "to_state_id": self.id("states", f"{row.kind}/{row.to_state}"),
        }

    def _type(self, row: TypeRow) -> Values:
        return _but(row, "kind") | {"city_id": self.city.pk, "kind_id": self.id("kinds", row.kind)}

    def _post(self, row: PostRow) -> Values:
        return {
            "account_id": self.id("accounts", row.account),
            "role": row.role,
            "department_id": self.id_or_none("departments", row.department),
            "division_id": self.id("divisions", row.division),
            "valid_to": None,
        }


def _but(row: Row, *names: str) -> Values:
    """The facts of a row without those that are references; lists as the database has them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.facts().items()
        if name not in names
    }


def _columns(model: type[models.Model], values: Mapping[str, Any]) -> list[str]:
    return [model._meta.get_field(name).name for name in values]


def fresh_ids(model: type[models.Model], count: int) -> Sequence[int]:
    """New primary keys of a table, so that rows can refer to each other before they are written."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def copy_cells(outlines: Mapping[int, bytes]) -> None:
    """Write the cells of outlines (boundary id → well-known binary) by COPY: a large city has tens of thousands."""
    if not outlines:
        return
    table = BoundaryCell._meta.db_table
    statement = f'COPY "{table}" (boundary_id, cell, whole) FROM STDIN (FORMAT BINARY)'
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int8", "int8", "bool"])
        for boundary, wkb in outlines.items():
            covered = cover(shapely.from_wkb(wkb))
            for cell, whole in zip(covered.cells.tolist(), np.asarray(covered.whole).tolist(), strict=True):
                copy.write_row((boundary, cell, whole))
