"""What should follow from a step or a clock and has not yet: late, or set aside because it could not be worked off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from chengshu.cases.models import Case, Clock, Outbox
from chengshu.cases.outbox import FAILED
from chengshu.core.errors import NotFound
from chengshu.places.models import City

LATE = timedelta(minutes=10)  # after which a row should long have been worked off


def late(city: City) -> QuerySet[Outbox]:
    """What should have been worked off minutes ago, the oldest first."""
    return _of_city(city).exclude(topic=FAILED).filter(at__lt=datetime.now(UTC) - LATE)


def failed(city: City) -> QuerySet[Outbox]:
    """What was set aside, the oldest first; `facts` tell the former `topic` and the `error`."""
    return _of_city(city).filter(topic=FAILED)


def _of_city(city: City) -> QuerySet[Outbox]:
    """Each with the `number` of its case."""
    case = Case.objects.filter(pk=OuterRef("case"))
    rows = Outbox.objects.filter(Exists(case.filter(kind__city=city)))
    return rows.annotate(number=Subquery(case.values("number")[:1])).order_by("pk")


@transaction.atomic
def try_again(city: City, number: int) -> None:
    """Give what was set aside back to the worker.

    Raises:
        NotFound: nothing was set aside under this number.
    """
    row = failed(city).select_for_update(of=("self",)).filter(pk=number).first()
    if row is None:
        raise NotFound(_("Nothing was set aside under this number."), where=str(number), remedy=_("Look at the list."))
    facts = {name: value for name, value in row.facts.items() if name not in {"topic", "error"}}
    if "clock" in facts:  # the clock itself was set aside: it is looked at again at once
        Clock.objects.filter(pk=facts["clock"], stopped_at=None).update(next_at=F("due_at"))
        row.delete()
    else:
        Outbox.objects.filter(pk=row.pk).update(topic=row.facts["topic"], facts=facts)
