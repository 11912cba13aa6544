"""What needs the administrator's care in a city: numbers, each with the list behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from chengshu.cases import rule_use, stuck
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, CaseType
from chengshu.packs.models import Proposal
from chengshu.parties import staff
from chengshu.parties.models import Delivery, Department, Post
from chengshu.places.models import City

ENDS_SOON = 60  # days before the calendar's last covered year runs out
RULE_DAYS = 30  # in which a rule matched nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Care:
    """One thing to look after: how many there are, and some of them by name."""

    name: str
    count: int
    some: tuple[str, ...] = ()


def of_city(city: City) -> list[Care]:
    """Everything that needs care, whether there is any of it or not."""
    known = catalog(city.pk)
    checks: tuple[Callable[[Catalog], Care], ...] = (
        _proposals, _without_post, _without_handler, _without_limit, _idle_rules, _calendar, _late, _failed, _deliveries,
        _posts_ending,
    )  # fmt: skip
    return [check(known) for check in checks]


def _care(name: str, found: list[str]) -> Care:
    return Care(name=name, count=len(found), some=tuple(found[:3]))


def _proposals(known: Catalog) -> Care:
    found = Proposal.objects.filter(city=known.city, agreed=None).select_related("account")
    return _care("proposals", [proposal.account.name for proposal in found])


def _without_post(known: Catalog) -> Care:
    return _care("without_post", [account.name for account in staff.search(known.city, show="without")])


def _without_handler(known: Catalog) -> Care:
    """Units and companies that lead open cases, and for which nobody works today."""
    led = Case.objects.filter(unit=OuterRef("pk"), closed_at=None)
    held = staff.holding(Post.objects.filter(department=OuterRef("pk")), known.city)
    found = Department.objects.filter(~Exists(held), Exists(led), city=known.city, active=True).order_by("code")
    return _care("without_handler", [department.name for department in found])


def _without_limit(known: Catalog) -> Care:
    found = [t for t in _types(known) if not any(t.limits.values())]
    return _care("without_limit", [t.name for t in found])


def _types(known: Catalog) -> list[CaseType]:
    return [t for t in known.types.values() if t.active]


def _idle_rules(known: Catalog) -> Care:
    """Rules that decide none of the newest cases of the last month, were they dispatched today."""
    table: list[Any] = known.parts["dispatch"]["rules"]
    used = rule_use.used(known, days=RULE_DAYS)
    return _care("idle_rules", [str(rule["id"]) for rule in table if str(rule["id"]) not in used] if used else [])


def _calendar(known: Catalog) -> Care:
    """Whether the calendar knows the holidays of every year that begins within the next days."""
    today = datetime.now(known.zone).date()
    missing = known.calendar.uncovered(today, today + timedelta(days=ENDS_SOON))
    return _care("calendar", [str(year) for year in missing])


def _late(known: Catalog) -> Care:
    """What should have been worked off minutes ago."""
    return Care(name="late", count=stuck.late(known.city).count())


def _failed(known: Catalog) -> Care:
    """What could not be worked off, and waits until somebody tries it again."""
    return Care(name="failed", count=stuck.failed(known.city).count())


def _deliveries(known: Catalog) -> Care:
    return Care(name="deliveries", count=Delivery.objects.filter(city=known.city, state="dead").count())


def _posts_ending(known: Catalog) -> Care:
    """The accounts of which a post ends within the next days."""
    return _care("posts_ending", [account.name for account in staff.search(known.city, show="ending")])
