"""What a pack would change in the living city, before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chengshu.cases.models import Case
from chengshu.core.calendar import WorkingCalendar
from chengshu.packs.diff import FieldChange, differences, field_changes
from chengshu.packs.living import BY_PACK, Living, read_living, today_in
from chengshu.packs.records import OPEN, TABLES, DivisionRow, MoveRow, Pack, PostRow, Row, StateRow
from chengshu.packs.rule_files import zone_of
from chengshu.packs.source import Mend

CITY, PARTS = "city", "parts"
SHOWN = 12  # changes of one table and action that are shown one by one


class Action(StrEnum):
    """What happens to a row."""

    ADD = "add"
    CHANGE = "change"
    RETIRE = "retire"  # stays, but is no longer used
    REMOVE = "remove"  # outlines and successions only, to which nothing refers
    KEEP = "keep"  # was edited in the living city, and stays as it was edited


NAMES: dict[str, Promise] = {
    CITY: gettext_lazy("City"),
    "divisions": gettext_lazy("Divisions"),
    "successions": gettext_lazy("Successions of divisions"),
    "boundaries": gettext_lazy("Outlines"),
    "departments": gettext_lazy("Departments"),
    "kinds": gettext_lazy("Kinds of cases"),
    "states": gettext_lazy("States"),
    "moves": gettext_lazy("Moves"),
    "types": gettext_lazy("Case types"),
    "accounts": gettext_lazy("Demo accounts"),
    "posts": gettext_lazy("Posts of demo accounts"),
    PARTS: gettext_lazy("Parts"),
}
VERBS: dict[Action, Promise] = {
    Action.ADD: gettext_lazy("new"),
    Action.CHANGE: gettext_lazy("changed"),
    Action.RETIRE: gettext_lazy("retired"),
    Action.REMOVE: gettext_lazy("removed"),
    Action.KEEP: gettext_lazy("kept as edited"),
}
SIGNS = {Action.ADD: "+", Action.CHANGE: "~", Action.RETIRE: "-", Action.REMOVE: "-", Action.KEEP: "!"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One row that changes. `row` is what it becomes."""

    table: str
    action: Action
    key: str
    fields: tuple[FieldChange, ...] = ()
    note: str = ""
    row: Row | None = field(default=None, repr=False)

    def __str__(self) -> str:
        facts = "; ".join(map(str, self.fields)) if self.action is not Action.ADD else ""
        return " ".join(filter(None, (SIGNS[self.action], self.key, facts and f"({facts})", self.note)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All changes; `obstacles` forbid them, `notes` are to be known. `version` is the city's when it was compared."""

    city: str
    first: bool
    version: int = 0
    same: bool = False
    changes: tuple[Change, ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    applied: bool = False

    def of(self, table: str, *actions: Action) -> list[Change]:
        return [change for change in self.changes if change.table == table and change.action in actions]

    @property
    def writes(self) -> bool:
        """Whether anything of the city would change."""
        return any(change.action is not Action.KEEP for change in self.changes)

    def counts(self) -> dict[tuple[str, Action], int]:
        """How many rows of which table change how."""
        return dict(Counter((change.table, change.action) for change in self.changes))

    def lines(self, shown: int = SHOWN) -> Iterator[str]:
        """The plan for people: counted by table, with the first `shown` changes of each; for a first load the counts only."""
        for (table, action), count in self.counts().items():
            yield f"{NAMES[table]}: {count} {VERBS[action]}"
            if self.first:
                continue
            changes = self.of(table, action)
            yield from (f"  {change}" for change in changes[:shown])
            if len(changes) > shown:
                yield "  " + _("… and {n} more").format(n=len(changes) - shown)
        yield from (f"! {note}" for note in (*self.notes, *self.obstacles))


def make_plan(pack: Pack, living: Living | None = None, *, overwrite_edited: bool = False) -> Plan:
    """Compare a pack with the living city."""
    living = living or read_living(pack)
    changes = [*_city(pack, living)]
    for table in TABLES:
        changes += _table(table, pack, living)
    if not overwrite_edited:
        changes = [_kept(change, living) for change in changes]
    changes += _parts(pack, living, overwrite_edited)
    return Plan(
        city=pack.name,
        first=living.city is None,
        version=living.city.version if living.city else 0,
        changes=tuple(changes),
        obstacles=tuple(_obstacles(changes, pack, living)),
        notes=(*_notes(pack, living), *_orphaned(changes, living)),
    )


def _kept(change: Change, living: Living) -> Change:
    """A row that somebody edited in the living city stays as it was edited."""
    edited = living.edited.get((change.table, change.key))
    if edited is None:
        return change
    return replace(change, action=Action.KEEP, note=_edited_by(edited.by, edited.at))


def _edited_by(who: str, at: datetime) -> str:
    return _("edited by {who} on {day}").format(who=who, day=at.date())


def _city(pack: Pack, living: Living) -> Iterator[Change]:
    if living.row is None:
        yield Change(table=CITY, action=Action.ADD, key=pack.city.key, row=pack.city)
    elif living.row != pack.city:
        fields = field_changes(living.row, pack.city)
        yield Change(table=CITY, action=Action.CHANGE, key=pack.city.key, row=pack.city, fields=fields)


def _table(table: str, pack: Pack, living: Living) -> Iterator[Change]:
    here, wanted = living.rows.get(table, {}), {row.key: row for row in pack.rows(table)}
    for key, row in wanted.items():
        old = here.get(key)
        if isinstance(row, PostRow) and row.account in living.real_accounts:
            continue
        if old is None:
            yield Change(table=table, action=Action.ADD, key=key, row=row)
        elif old != row and table != "accounts":  # an account is a person's own once it is there
            yield Change(table=table, action=Action.CHANGE, key=key, row=row, fields=field_changes(old, row))
    for key, row in here.items():
        if key not in wanted and (change := _without(table, key, row, pack)):
            yield change


def _without(table: str, key: str, row: Row, pack: Pack) -> Change | None:
    """What becomes of a living row that the pack no longer has. Nothing that a case may refer to is deleted."""
    if table in {"boundaries", "successions"}:
        return Change(table=table, action=Action.REMOVE, key=key)
    if isinstance(row, DivisionRow):
        return _end(key, row, pack)
    if not getattr(row, "active", False):
        return None
    if isinstance(row, MoveRow) and row.code != OPEN and row.kind not in {kind.code for kind in pack.kinds}:
        return None  # the open cases of a kind that is gone may still be finished; no new one opens
    return Change(table=table, action=Action.RETIRE, key=key)


def _end(key: str, row: DivisionRow, pack: Pack) -> Change | None:
    """A division that the pack no longer has ends today, or where the next one of its code begins."""
    today = today_in(pack.city.timezone)
    later = [
        other.valid_from for other in pack.divisions if other.code == row.code and other.valid_from > row.valid_from
    ]
    end = min([*later, max(today, date.fromordinal(row.valid_from.toordinal() + 1))])
    if row.valid_to is not None and row.valid_to <= end:
        return None
    fields = (FieldChange(name="valid_to", old=row.valid_to, new=end),)
    return Change(table="divisions", action=Action.RETIRE, key=key, fields=fields)


def _parts(pack: Pack, living: Living, overwrite_edited: bool) -> Iterator[Change]:
    for row in pack.parts:
        old = living.parts.get(row.name)
        if old is None:
            yield Change(table=PARTS, action=Action.ADD, key=row.name, row=row)
            continue
        if old.value == row.value:
            continue
        edited, fields = old.by != BY_PACK, differences(old.value, row.value)
        note = _edited_by(old.by, old.at) if edited else ""
        if edited and old.from_pack != row.value:
            note += _("; the pack has changed since")
        action = Action.KEEP if edited and not overwrite_edited else Action.CHANGE
        yield Change(table=PARTS, action=action, key=row.name, row=row, fields=fields, note=note)


def _obstacles(changes: Iterable[Change], pack: Pack, living: Living) -> Iterator[str]:
    """Cases that would be lost: in a state that the pack drops from a kind it keeps, or of which it changes the phase."""
    kinds, wanted = {kind.code for kind in pack.kinds}, {row.key for row in pack.states}
    rows = living.rows.get("states", {})
    dropped = {k for k, row in rows.items() if isinstance(row, StateRow) and row.kind in kinds and k not in wanted}
    turned = {c.key for c in changes if c.table == "states" and any(f.name == "phase" for f in c.fields)}
    ids = living.ids.get("states", {})
    for key, count in _cases_in({ids[key]: key for key in dropped}, closed_too=False).items():
        yield _(
            "{n} open case(s) stand in the state {state}, which the pack drops; keep it until they are closed."
        ).format(n=count, state=key)
    for key, count in _cases_in({ids[key]: key for key in turned}, closed_too=True).items():
        yield _("{n} case(s) stand in the state {state}, whose phase the pack changes; give it a new code.").format(
            n=count, state=key
        )


def _cases_in(states: Mapping[int, str], *, closed_too: bool) -> dict[str, int]:
    if not states:
        return {}
    cases = Case.objects.filter(state__in=states)
    cases = cases if closed_too else cases.filter(closed_at=None)
    counted: Iterable[tuple[int, int]] = cases.values_list("state").annotate(n=Count("pk")).order_by("state")
    return {states[state]: count for state, count in counted}


def _orphaned(changes: Iterable[Change], living: Living) -> Iterator[str]:
    """Open cases whose unit the pack retires: nothing is lost, but somebody must send them on."""
    ids = living.ids.get("departments", {})
    retired = {ids[c.key]: c.key for c in changes if c.table == "departments" and c.action is Action.RETIRE}
    counted = Case.objects.filter(unit__in=retired, closed_at=None).values_list("unit").annotate(n=Count("pk"))
    for unit, count in counted.order_by("unit"):
        yield _(
            "{n} open case(s) are with {unit}, which the pack retires. Their dispatchers are told; send them on with the"
            " move “redispatch”, from the list /desk?unit={unit}."
        ).format(n=count, unit=retired[unit or 0])


def _notes(pack: Pack, living: Living) -> Iterator[str]:
    for name in sorted(living.real_accounts):
        yield _("The account {name} is a real one; the pack leaves it and its posts alone.").format(name=name)
    calendar: Any = next((part.value for part in pack.parts if part.name == "calendar"), None)
    zone = zone_of(pack.city.timezone, "", Mend())
    if calendar is not None and zone is not None:
        today = today_in(pack.city.timezone)
        for year in WorkingCalendar.from_dict(calendar, zone).uncovered(today, today):
            yield _("The calendar knows no holidays of {year}: only weekends are left out.").format(year=year)
