"""Which cases a post may see. The same rule for writing stands in sql/functions.sql (`cases_visible`)."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from chengshu.cases.models import Case, Report, Task
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Scope


def visible(principal: Principal) -> QuerySet[Case]:
    """The cases that a post may see."""
    return Case.objects.filter(_rule(principal))


def _rule(principal: Principal) -> Q:
    match principal.scope:
        case Scope.ALL:
            return Q(kind__city=principal.city)
        case Scope.AREA:
            return Q(places__contains=[principal.division])
        case Scope.UNIT:
            tasks = Task.objects.filter(case=OuterRef("pk"), unit=principal.department, state__in=["open", "done"])
            return Q(unit=principal.department) | Q(Exists(tasks))
        case Scope.OWN if principal.account is not None:
            reports = Report.objects.filter(case=OuterRef("pk"), account=principal.account)
            return Q(reporter=principal.account) | Q(Exists(reports))
        case _:
            return Q(pk__in=[])
