"""What a post has to do in the field, and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.urls import reverse

from chengshu.cases import choices, search
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case
from chengshu.cases.search import Filters
from chengshu.web.pages import Request, known, text


def wanted(request: Request, *, today: bool = False) -> Filters:
    """The open cases that this post brings forward; with `today` those due before the day ends, overdue ones included."""
    catalog = known(request)
    until = _midnight(catalog) if today else None
    return Filters(open=True, states=choices.to_act(catalog, request.principal.role), due_before=until)


def _midnight(catalog: Catalog) -> datetime:
    """The end of today in the city."""
    here = datetime.now(UTC).astimezone(catalog.zone)
    return datetime.combine(here.date() + timedelta(days=1), time(), tzinfo=catalog.zone)


def following(request: Request, case: Case) -> Case | None:
    """The job after this one: the nearest due of the others."""
    found = search.page(request.principal, wanted(request), now=datetime.now(UTC), size=2).cases
    return next((other for other in found if other.pk != case.pk), None)


def onwards(request: Request, case: Case) -> str:
    """Where a person goes who has just moved a case, given as it stood before: on with it while there is something to do in
    it, else to the job that the form named, the next one, or the list.
    """
    if text(request, "from", 10) == "list":
        return reverse("field")
    now = datetime.now(UTC)
    stands = search.matching(request.principal, Filters(ids=(case.pk,)), now).first()
    to_act = wanted(request).states or ()
    if stands is not None and (stands.state_id == case.state_id or stands.state_id in to_act):
        return reverse("field_job", args=[case.number])
    after = _named(request, now) or following(request, case)
    return reverse("field_job", args=[after.number]) if after else reverse("field")


def _named(request: Request, now: datetime) -> Case | None:
    """The job that the form wants to come next, such as the next one of a route, if it is still to be done."""
    number = text(request, "then", 60)
    return search.matching(request.principal, wanted(request), now).filter(number=number).first() if number else None
