"""Cases that have to do with another one: of the same finding, the same reporter, the same place; never whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Contact
from chengshu.cases.search import related
from chengshu.cases.visibility import visible
from chengshu.parties.principal import Principal
from chengshu.parties.roles import READS_CONTACT

MOST = 5  # of each sort
LATELY = timedelta(days=180)  # within which a place or a reporter counts as having been there before


@dataclass(frozen=True, kw_only=True, slots=True)
class Kindred:
    """Cases that share something with another one; `because` says what."""

    because: str
    cases: Sequence[Case]


def kindred(known: Catalog, principal: Principal, case: Case, now: datetime) -> list[Kindred]:
    """What belongs together with a case as far as the post sees it, newest first; only sorts that have any."""
    sorts: list[tuple[str, Q]] = []
    if case.scene and case.key:
        sorts.append((_("The same finding (%(key)s) before") % {"key": case.key}, Q(scene=case.scene, key=case.key)))
    if principal.role in READS_CONTACT and (reporter := _reporter(case)):
        sorts.append((_("From the same reporter"), reporter & Q(opened_at__gte=now - LATELY)))
    if case.cell is not None:
        same = Q(cell=case.cell, closed_at__gte=now - LATELY)
        sorts.append(
            (_("Ended near here in the last half year"), same & (Q(type=case.type_id) if case.type_id else Q()))
        )
        sorts.append((_("Open near here"), Q(cell=case.cell, closed_at=None)))
    found = [Kindred(because=because, cases=_first(known, principal, case, which)) for because, which in sorts]
    return [one for one in found if one.cases]


def _first(known: Catalog, principal: Principal, case: Case, which: Q) -> list[Case]:
    return related(known, list(visible(principal).filter(which).exclude(pk=case.pk).order_by("-pk")[:MOST]))


def _reporter(case: Case) -> Q | None:
    """Cases of the same account, or of the same telephone by its keyed digest."""
    keys = list(Contact.objects.filter(report__case=case).exclude(phone_key="").values_list("phone_key", flat=True))
    ids = Contact.objects.filter(phone_key__in=keys).values_list("report__case", flat=True)[:200] if keys else ()
    same = [Q(pk__in=list(ids))] if keys else []
    # Officials report for others: their account says nothing of who found it.
    same += [Q(reporter=case.reporter_id)] if case.reporter_id and case.source == "citizen" else []
    return same[0] | same[-1] if same else None
