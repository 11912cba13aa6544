"""An area at a glance: exceptions first, then where the open cases lie. Every number has the list behind it.

Numbers and lists are made from the same conditions (`WHICH`), so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Model, OuterRef, Q, QuerySet, prefetch_related_objects
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from chengshu.cases.catalog import Catalog
from chengshu.cases.choices import states
from chengshu.cases.models import Case, CaseType, Report
from chengshu.cases.search import related
from chengshu.core.errors import NotFound
from chengshu.parties.models import Department
from chengshu.places.models import Division

SOON = timedelta(days=1)
DAY = timedelta(days=1)
LARGEST = 15  # groups shown of each kind
NONE = "-"  # as unit, type or division: the cases that have none

Condition = Callable[[datetime, Catalog], Q]
# Open cases of a kind; `now` is aware.
WHICH: Mapping[str, Condition] = {
    "open": lambda now, known: Q(),
    "overdue": lambda now, known: Q(due_at__lt=now),
    "escalated": lambda now, known: Q(escalation__gt=0),
    "urged": lambda now, known: Q(urges__gt=0),
    "repeated": lambda now, known: Q(returns__gte=2) | Q(reworks__gt=0) | Q(reopens__gt=0),
    "urgent": lambda now, known: Q(severity__lte=1),
    "untracked": lambda now, known: Q(severity__lte=1, tracker=None),
    "soon": lambda now, known: Q(due_at__gte=now, due_at__lt=now + SOON),
    "unassigned": lambda now, known: Q(unit=None),
    "suspended": lambda now, known: Q(suspended=True),
}
# Cases that came in or ended lately, whether open or not.
LATELY: Mapping[str, Condition] = {
    "today": lambda now, known: Q(opened_at__gte=midnight(known, now)),
    "ended_today": lambda now, known: Q(closed_at__gte=midnight(known, now)),
    "last_24h": lambda now, known: Q(opened_at__gte=now - DAY, opened_at__lte=now),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which cases of an area are wanted: a name of WHICH or LATELY, narrowed by codes (NONE: those without).

    `below` is NONE for the cases of which no place below the division is known.
    """

    which: str
    division: int
    below: str = ""
    unit: str = ""
    type: str = ""
    state: str = ""
    scene: str = ""
    thing: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Open and overdue cases of one division, unit, type or state; `thing` is None for those that have none."""

    thing: Any
    open: int
    overdue: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """An area now: how many cases of each sort, and where the open ones lie."""

    counts: Mapping[str, int]
    divisions: Sequence[Row]
    units: Sequence[Row]
    types: Sequence[Row]
    states: Sequence[Row]


def midnight(known: Catalog, now: datetime) -> datetime:
    """The last midnight of the city."""
    return now.astimezone(known.zone).replace(hour=0, minute=0, second=0, microsecond=0)


def area(known: Catalog, division: int, prefix: str = "") -> Q:
    """The condition that a case lies in a division.

    The whole city is told by its kinds. A division is told by its level's place in the path, which no index answers: these
    numbers are of open cases or of a span of days, and reading those costs less than all that ever lay in the division.
    """
    if division == known.root:
        return Q(**{f"{prefix}kind__in": list(known.kinds)})
    return Q(**{f"{prefix}places__{len(known.divisions[division].path) - 1}": division})


def listed(known: Catalog, asked: Asked, now: datetime) -> QuerySet[Case]:
    """The cases behind a number, in no order. Raises NotFound for a name that is none."""
    if asked.which in WHICH:
        found = Case.objects.filter(area(known, asked.division), WHICH[asked.which](now, known), closed_at=None)
    elif asked.which in LATELY:
        found = Case.objects.filter(area(known, asked.division), LATELY[asked.which](now, known))
    else:
        raise NotFound("There is no such list.", where=asked.which, remedy="Open it from the cockpit.")
    return narrowed(known, found, asked)


def narrowed(known: Catalog, found: QuerySet[Case], asked: Asked) -> QuerySet[Case]:
    """Those of some cases that have the unit, type, state and so on that are asked for."""
    for path, value in (("unit__code", asked.unit), ("type__code", asked.type)):
        if value:
            found = found.filter(**({path.replace("__code", ""): None} if value == NONE else {path: value}))
    if asked.below == NONE:
        found = found.filter(places__len=len(known.divisions[asked.division].path))
    if asked.thing:
        found = found.filter(Exists(Report.objects.filter(case=OuterRef("pk"), payload__thing=asked.thing)))
    wanted = {"state__code": asked.state, "scene": asked.scene}
    return found.filter(**{path: value for path, value in wanted.items() if value})


def overview(known: Catalog, division: int, now: datetime) -> Overview:
    """Count the cases of an area. Ended cases are only counted for today, so this stays quick as they pile up."""
    here = Case.objects.filter(area(known, division))
    still = here.filter(closed_at=None)
    depth = len(known.divisions[division].path)
    return Overview(
        counts=_counts(here, still, known, now),
        divisions=_rows(still, f"places__{depth}", now, Division, most=40),
        units=_rows(still, "unit", now, Department),
        types=_rows(still, "type", now, CaseType),
        states=_by_state(known, still, now),
    )


def must_act(known: Catalog, division: int, now: datetime, count: int) -> list[Case]:
    """Cases that are overdue, escalated or of the gravest severity: escalated highest first, then gravest, then longest late."""
    hot = Q(due_at__lt=now) | Q(escalation__gt=0) | Q(severity__lte=1)
    wanted = Case.objects.filter(area(known, division), hot, closed_at=None)
    return with_related(known, wanted.order_by("-escalation", "severity", "due_at", "pk")[:count])


def with_related(known: Catalog, cases: Iterable[Case]) -> list[Case]:
    """Cases with what a list shows of them: from the catalog, for joins cost more to plan than to read; trackers by one query."""
    found = related(known, list(cases))
    prefetch_related_objects(found, "tracker")
    return found


def _counts(here: QuerySet[Case], still: QuerySet[Case], known: Catalog, now: datetime) -> dict[str, int]:
    found: dict[str, int] = still.aggregate(
        **{name: Count("pk", filter=condition(now, known)) for name, condition in WHICH.items() if name != "open"},
        open=Count("pk"),
    )
    return found | {name: here.filter(condition(now, known)).count() for name, condition in LATELY.items()}


def _grouped(still: QuerySet[Case], by: str, now: datetime) -> QuerySet[Any, Any]:
    counted: dict[str, Any] = {"n": Count("pk"), "late": Count("pk", filter=Q(due_at__lt=now))}
    found: QuerySet[Any, Any] = still.values(group=F(by)).annotate(**counted)
    return found.order_by("-n", "group")


def _rows(still: QuerySet[Case], by: str, now: datetime, model: type[Model], most: int = LARGEST) -> list[Row]:
    """The largest groups, with the records that they stand for."""
    rows = list(_grouped(still, by, now)[:most])
    things = model._default_manager.in_bulk([row["group"] for row in rows if row["group"] is not None])
    return [Row(thing=things.get(row["group"]), open=row["n"], overdue=row["late"]) for row in rows]


def _by_state(known: Catalog, still: QuerySet[Case], now: datetime) -> list[Row]:
    """By the code of the state: kinds of cases share the stages of one road. In the order of that road."""
    counts = {row["group"]: row for row in _grouped(still, "state__code", now)}
    return [
        Row(thing=state, open=counts[code]["n"], overdue=counts[code]["late"])
        for code, state in states(known)
        if code in counts
    ]


def by_hour(known: Catalog, division: int, start: datetime, end: datetime) -> dict[tuple[int, int], int]:
    """How many cases came in by weekday (1 Monday to 7 Sunday) and hour of the city's day, from `start` until `end`."""
    rows = Case.objects.filter(area(known, division), opened_at__gte=start, opened_at__lt=end)
    parts = {
        "weekday": ExtractIsoWeekDay("opened_at", tzinfo=known.zone),
        "hour": ExtractHour("opened_at", tzinfo=known.zone),
    }
    found: QuerySet[Any, Any] = rows.order_by().values(**parts).annotate(n=Count("pk"))
    return {(row["weekday"], row["hour"]): row["n"] for row in found}


def at_hour(known: Catalog, cases: QuerySet[Case], weekday: int, hour: int) -> QuerySet[Case]:
    """Those of some cases that came in on a weekday (1 Monday) at an hour of the city's day."""
    return cases.alias(
        on=ExtractIsoWeekDay("opened_at", tzinfo=known.zone), at=ExtractHour("opened_at", tzinfo=known.zone)
    ).filter(on=weekday, at=hour)
