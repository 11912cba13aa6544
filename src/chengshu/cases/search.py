"""Lists of cases: filters, and pages by cursor that stay right while cases move."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.contrib.postgres.search import SearchQuery
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from chengshu import database
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.core.errors import Invalid, NotFound
from chengshu.core.text import place_term, query_terms, serial_term
from chengshu.parties.principal import Principal

Order = Literal["due", "new", "old", "severity"]
LARGEST = 200
FEW = 100  # matches of words that are sorted here
_TAIL = re.compile(r"(?:^|[0-9]{8}-|^-)([0-9]{3,9})$")  # the last digits of a number, or what follows its date
_NUMBER = re.compile(r"[A-Z0-9]+-[0-9]{8}-[0-9]{6,}")
_FIELDS = [field.attname for field in Case._meta.concrete_fields]
_READ = f"SELECT {', '.join(_FIELDS)} FROM cases_case WHERE id = %s"  # noqa: S608 - names of our own columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a list is narrowed to; everything empty means all that the post may see.

    Args:
        q: words of title, description and place, Chinese and Latin; names of places and units; a number or its last digits.
        open: only open (True) or only ended (False) cases.
        state, states: codes of states of any kind; ids of states (of one kind each).
        ids: only these cases, by id or by a query for ids.
        overdue: only cases of which a running clock is overdue at `now`.
        due_before: only cases with a running clock due before this time.
    """

    q: str = ""
    kind: str = ""
    type: str = ""
    major: str = ""
    state: tuple[str, ...] = ()
    states: tuple[int, ...] | None = None
    unit: str = ""
    division: int | None = None
    unplaced: bool = False
    source: str = ""
    scene: str = ""
    severity_max: int | None = None
    open: bool | None = None
    overdue: bool = False
    suspended: bool | None = None
    escalated: bool = False
    unassigned: bool = False
    untyped: bool = False
    due_before: datetime | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None
    closed_from: datetime | None = None
    ids: tuple[UUID, ...] | QuerySet[Any, UUID] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Cases in order and the cursor of the next page, None at the end."""

    cases: list[Case]
    next: str | None


_SIMPLE: dict[str, str] = {
    "kind": "kind__code",
    "type": "type__code",
    "major": "type__major",
    "unit": "unit__code",
    "source": "source",
    "scene": "scene",
    "due_before": "due_at__lt",
    "opened_from": "opened_at__gte",
    "opened_to": "opened_at__lt",
    "closed_from": "closed_at__gte",
    "severity_max": "severity__lte",
    "ids": "pk__in",
}


def matching(principal: Principal, filters: Filters, now: datetime) -> QuerySet[Case]:
    """The visible cases that match, in no order."""
    found = visible(principal)
    for name, lookup in _SIMPLE.items():
        if (value := getattr(filters, name)) not in ("", None):
            found = found.filter(**{lookup: value})
    if filters.state:
        found = found.filter(state__code__in=filters.state)
    if filters.states is not None:
        found = found.filter(state__in=filters.states)
    if filters.unplaced:
        found = found.filter(places__len=1)
    if filters.division is not None:
        found = found.filter(places__contains=[filters.division])
    if filters.open is not None:
        found = found.filter(closed_at__isnull=filters.open)
    if filters.suspended is not None:
        found = found.filter(suspended=filters.suspended, closed_at=None)
    if filters.escalated:
        found = found.filter(escalation__gt=0, closed_at=None)
    if filters.untyped:
        found = found.filter(type=None)
    if filters.unassigned:
        found = found.filter(unit=None, closed_at=None)
    if filters.overdue:
        found = found.filter(closed_at=None, due_at__lt=now)
    return found.filter(_words(catalog(principal.city), filters.q)) if filters.q.strip() else found


def _words(known: Catalog, q: str) -> Q:
    """Cases that hold all the words, lie in the places and with the units named, or whose number it is."""
    if _NUMBER.fullmatch(number := q.strip().upper()):
        return Q(number=number)
    whole = " ".join(q.casefold().split())  # an English name has spaces in it
    every = [whole] if whole in known.named_units or whole in known.named_places else whole.split()
    units = [known.named_units[word] for word in every if word in known.named_units]
    words = [word for word in every if word not in known.named_units]
    asked = list(filter(None, (_asked(known, word) for word in words)))
    if not (units or asked):
        return Q(pk__in=[])
    wanted = Q(*(Q(unit__in=ids) for ids in units))
    return (
        wanted & Q(text__terms=SearchQuery(" & ".join(asked), search_type="raw", config="simple")) if asked else wanted
    )


def _asked(known: Catalog, word: str) -> str:
    """A word as a tsquery: all its terms, or the place of that name, or the number that ends in it."""
    either = [" & ".join(map(_quoted, terms))] if (terms := query_terms(word)) else []
    either += [_quoted(place_term(pk)) for pk in known.named_places.get(word, ())]
    if tail := _TAIL.search(word):
        either.append(f"{_quoted(serial_term(tail[1]))}:*")
    return f"({' | '.join(f'({one})' for one in either)})" if either else ""


def _quoted(term: str) -> str:
    """A term as one word of a tsquery; terms hold letters, digits and their marks only."""
    return f"'{term}'"


def page(
    principal: Principal,
    filters: Filters,
    *,
    now: datetime,
    order: Order = "due",
    cursor: str | None = None,
    size: int = 50,
) -> Page:
    """One page of the matching cases, with type, state, unit and division read along.

    Orders: `due` nearest due first (cases without one last), `new` newest first, `old` oldest first, `severity` gravest
    first and of one severity nearest due first.
    """
    if not 1 <= size <= LARGEST:
        what = _("A page of %(size)d cases cannot be had.") % {"size": size}
        raise Invalid(what, remedy=_("Ask for 1 to %(most)d.") % {"most": LARGEST})
    found = matching(principal, filters, now)
    if cursor:
        found = found.filter(_AFTER[order](_decode(cursor)))
    rows = _first(found, order, size + 1, words=bool(filters.q.strip()))
    more = len(rows) > size
    cases = related(catalog(principal.city), rows[:size])
    return Page(cases=cases, next=_encode(rows[size - 1]) if more else None)


def _first(found: QuerySet[Case], order: Order, count: int, *, words: bool) -> list[Case]:
    """The first cases in order. Words may match a hundred thousand cases: these are never sorted as a whole.

    Few matches are sorted here. Of many, those with a due time are all open and come in the order of an index; the
    others follow by id.
    """
    if not words:
        return list(found.order_by(*_ORDERS[order])[:count])
    if len(few := list(found[: FEW + 1])) <= FEW:
        return sorted(few, key=_KEYS[order], reverse=order == "new")[:count]
    if order != "due":
        return list(found.order_by(*_ORDERS[order])[:count])
    running = list(found.filter(closed_at=None, due_at__isnull=False).order_by("due_at", "pk")[:count])
    rest = found.filter(due_at=None).order_by("pk")[: count - len(running)] if len(running) < count else ()
    return [*running, *rest]


def read(known: Catalog, id: UUID) -> Case:
    """A case by id whatever its scope, with type, state, unit and division; NotFound when there is none."""
    found = database.rows(_READ, [id])
    if not found:
        raise NotFound("There is no such case.", where=str(id), remedy="Check the id.")
    return related(known, [Case.from_db("default", _FIELDS, found[0])])[0]


def related(known: Catalog, cases: list[Case]) -> list[Case]:
    """Give cases what they refer to from the catalog: PostgreSQL would need ten times as long to plan the joins as to read.

    What the catalog does not hold yet is read when it is asked for.
    """
    tables: tuple[tuple[str, str, Mapping[int, Any]], ...] = (
        ("kind", "kind_id", known.kinds),
        ("state", "state_id", known.states),
        ("type", "type_id", known.types),
        ("unit", "unit_id", known.departments),
        ("division", "division_id", known.division_rows),
    )
    for case in cases:
        read = case._state.fields_cache  # where assigning would put them too, after checks of each
        for name, key, table in tables:
            if (row := table.get(getattr(case, key))) is not None:
                read[name] = row
    return cases


_NEVER = datetime.max.replace(tzinfo=UTC)
_KEYS: dict[Order, Callable[[Case], Any]] = {
    "severity": lambda case: (case.severity, case.due_at or _NEVER, case.pk),
    "due": lambda case: (case.due_at or _NEVER, case.pk),
    "new": lambda case: case.pk,
    "old": lambda case: case.pk,
}
_ORDERS = {
    "severity": ("severity", F("due_at").asc(nulls_last=True), "pk"),
    "due": (F("due_at").asc(nulls_last=True), "pk"),
    "new": ("-pk",),
    "old": ("pk",),
}


_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    due: datetime | None
    id: UUID
    severity: int


def _after_due(mark: _Mark) -> Q:
    if mark.due is None:
        return Q(due_at=None, pk__gt=mark.id)
    return Q(due_at__gt=mark.due) | Q(due_at=mark.due, pk__gt=mark.id) | Q(due_at=None)


_AFTER: dict[Order, Callable[[_Mark], Q]] = {
    "due": _after_due,
    "severity": lambda mark: Q(severity__gt=mark.severity) | (Q(severity=mark.severity) & _after_due(mark)),
    "new": lambda mark: Q(pk__lt=mark.id),
    "old": lambda mark: Q(pk__gt=mark.id),
}


def _encode(case: Case) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([case.due_at, case.pk, case.severity])).decode().rstrip("=")


def _decode(cursor: str) -> _Mark:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        due, id, severity = msgspec.json.decode(raw, type=tuple[_Aware | None, UUID, int])
        # In UTC, for PostgreSQL does not read every offset that a forged cursor may hold.
        return _Mark(due=due and due.astimezone(UTC), id=id, severity=max(0, min(severity, 9)))
    except (binascii.Error, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise Invalid(
            _("There is no such page of this list."), where="cursor", remedy=_("Begin again with its first page.")
        ) from error
