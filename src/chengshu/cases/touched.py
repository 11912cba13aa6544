"""What a change of configuration touches among the cases that are open: numbers for whoever is about to make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Count

from chengshu.cases.models import Case, Clock, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Touched:
    """`cases` that are open; by stage the clocks that run, with the limit of the moment in which they began."""

    cases: int = 0
    clocks: Mapping[str, int] = field(default_factory=dict)
    tasks: int = 0


def by_type(city: int, code: str) -> Touched:
    """The open cases of a case type. Their running clocks keep their limits; later stages take the new ones."""
    cases = Case.objects.filter(type__city=city, type__code=code, closed_at=None)
    running = Clock.objects.filter(case__in=cases, stopped_at=None).order_by("stage")
    clocks = dict(running.values_list("stage").annotate(n=Count("pk")))
    return Touched(cases=cases.count(), clocks=clocks)


def by_department(city: int, code: str) -> Touched:
    """The open cases that a department leads, and its open tasks in all cases."""
    cases = Case.objects.filter(unit__city=city, unit__code=code, closed_at=None)
    tasks = Task.objects.filter(unit__city=city, unit__code=code, state="open")
    return Touched(cases=cases.count(), tasks=tasks.count())


def by_types(city: int) -> dict[int, int]:
    """Open cases by case type."""
    return _counted(city, "type")


def by_departments(city: int) -> dict[int, int]:
    """Open cases by the department that leads."""
    return _counted(city, "unit")


def _counted(city: int, name: str) -> dict[int, int]:
    found = Case.objects.filter(kind__city=city, closed_at=None, **{f"{name}__isnull": False})
    return dict(found.order_by().values_list(name).annotate(n=Count("pk")))


def by_working_time(city: int) -> int:
    """Running clocks of open cases whose limit counts working time: their due times were told and stay."""
    running = Clock.objects.filter(case__kind__city=city, case__closed_at=None, stopped_at=None)
    return running.filter(limit__regex=r"w[hd]$").count()
