"""What the city settled near a point or in a division lately, as anybody may read it.

Nothing that a citizen wrote is told, no photo, no address: the type, the street, days, the unit, whether it was in time, and what
the unit answered, without what tells of persons. A place is the centre of an H3 cell of resolution 9 (edges of some 200 m), so
that no home is pointed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import h3
from django.db.models import QuerySet

from chengshu.cases import suggest
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, CaseType, Clock, Contact, State, Step
from chengshu.cases.story import RESULTS
from chengshu.core.masking import masked
from chengshu.parties.models import Department
from chengshu.parties.roles import Role
from chengshu.places.models import Level

RADIUS = 1000.0  # metres
WINDOW = timedelta(days=90)
MOST = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """A case that ended well. `place` are the divisions' ids down to the street; `in_time` None where no limit ran."""

    type: CaseType | None
    state: State
    unit: Department | None
    place: tuple[int, ...]
    opened_at: datetime
    closed_at: datetime
    in_time: bool | None
    result: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """The centre of a cell (degrees, WGS 84) and how many cases ended in it."""

    lon: float
    lat: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """The last cases that ended well, newest first, and where; `more` when there are others."""

    cases: tuple[Settled, ...]
    spots: tuple[Spot, ...]
    more: bool


def around(known: Catalog, lon: float, lat: float, now: datetime) -> Near:
    """What was settled within about a kilometre of a point."""
    return _near(known, _settled(known, now).filter(cell__in=suggest.cells_around(lon, lat, RADIUS)))


def within(known: Catalog, division: int, now: datetime) -> Near:
    """What was settled in a division."""
    return _near(known, _settled(known, now).filter(places__contains=[division]))


def _settled(known: Catalog, now: datetime) -> QuerySet[Case]:
    kinds = {kind for (kind, _code, _state), move in known.moves.items() if Role.CITIZEN.value in move.roles}
    done = [pk for pk, state in known.states.items() if state.phase == "done" and state.kind_id in kinds]
    return Case.objects.filter(state__in=done, closed_at__gte=now - WINDOW, closed_at__lte=now)


def _near(known: Catalog, found: QuerySet[Case]) -> Near:
    rows = list(found.order_by("-closed_at")[: MOST + 1])
    shown = rows[:MOST]
    results, in_time = _results(shown), _in_time(shown)
    cases = tuple(_public(known, case, results.get(case.pk, ""), in_time.get(case.pk)) for case in shown)
    return Near(cases=cases, spots=_spots(shown), more=len(rows) > MOST)


def _public(known: Catalog, case: Case, result: str, in_time: bool | None) -> Settled:
    place = tuple(pk for pk in case.places if Level.CITY < known.divisions[pk].level <= Level.STREET)
    assert case.closed_at is not None
    return Settled(
        type=known.types.get(case.type_id or 0), state=known.states[case.state_id],
        unit=known.departments.get(case.unit_id or 0), place=place, opened_at=case.opened_at, closed_at=case.closed_at,
        in_time=in_time, result=result,
    )  # fmt: skip


def _results(cases: Sequence[Case]) -> dict[UUID, str]:
    """The last answer in each case, without the names that the system knows and whatever looks private."""
    ids = [case.pk for case in cases]
    names: dict[UUID, set[str]] = {pk: set() for pk in ids}
    contacts = Contact.objects.filter(report__case__in=ids).exclude(name="")
    steps = list(Step.objects.filter(case__in=ids).select_related("account", "move").order_by("case", "seq"))
    for pk, name in [
        *contacts.values_list("report__case", "name"),
        *((s.case_id, s.account.name) for s in steps if s.account),
    ]:
        names[pk].add(name)
    answers = {s.case_id: s.note for s in steps if s.move.code in RESULTS and s.note and s.role != Role.CITIZEN}
    return {pk: masked(note, names[pk]) for pk, note in answers.items()}


def _in_time(cases: Sequence[Case]) -> dict[UUID, bool]:
    clocks = Clock.objects.filter(case__in=[case.pk for case in cases], stage="total", stopped_at__isnull=False)
    return {
        clock.case_id: clock.stopped_at is not None and clock.stopped_at <= clock.due_at
        for clock in clocks.order_by("pk")
    }


def _spots(cases: Iterable[Case]) -> tuple[Spot, ...]:
    counted = Counter(case.cell for case in cases if case.cell is not None)
    centres = ((h3.cell_to_latlng(h3.int_to_str(cell)), count) for cell, count in sorted(counted.items()))
    return tuple(Spot(lon=round(lon, 5), lat=round(lat, 5), count=count) for (lat, lon), count in centres)
