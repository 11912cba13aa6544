"""Which cases a post may see. The same rule for writing stands in sql/functions.sql (`cases_visible`).

A post sees what its scope covers, and besides what its account reported in this city: who finds something on patrol outside
their own ground, or reports from a unit, follows what becomes of it.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from chengshu.cases.catalog import catalog
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
            return Q(places__contains=[principal.division]) | _reported(principal)
        case Scope.UNIT:
            tasks = Task.objects.filter(case=OuterRef("pk"), unit=principal.department, state__in=["open", "done"])
            return Q(unit=principal.department) | Q(Exists(tasks)) | _reported(principal)
        case Scope.OWN if principal.account is not None:
            reports = Report.objects.filter(case=OuterRef("pk"), account=principal.account)
            return Q(reporter=principal.account) | Q(Exists(reports))
        case _:
            return Q(pk__in=[])


def _reported(principal: Principal) -> Q:
    """What an official reported: those of this city, told by its root among the places, for which no join is needed.

    The alternative has an index of its own, which PostgreSQL joins with that of the scope (BitmapOr). A post for the whole
    city sees all of it anyway, and is spared the question.
    """
    root = catalog(principal.city).root
    if principal.account is None or (principal.scope is Scope.AREA and principal.division == root):
        return Q()
    return Q(reporter=principal.account, places__contains=[root])
