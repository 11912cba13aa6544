"""Cases that have to do with another one: of the same finding, the same place, and for a purpose of the same reporter."""

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
from chengshu.parties.models import Access
from chengshu.parties.principal import Principal

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


def same_reporter(known: Catalog, principal: Principal, case: Case, purpose: str, now: datetime) -> list[Case]:
    """Other cases of the last half year by the same telephone or account, newest first.

    This is a search for a person: it is made only by whoever has just read the contact of the case for this purpose
    (detail.contact), and leaves a trace at every case it finds.
    """
    assert principal.account is not None, "detail.contact refuses nobody"
    lately = visible(principal).filter(opened_at__gte=now - LATELY).exclude(pk=case.pk).order_by("-pk")
    found = [one for same in _same(case) for one in lately.filter(same)[:MOST]]
    newest = sorted({one.pk: one for one in found}.values(), key=lambda one: one.pk, reverse=True)[:MOST]
    Access.objects.bulk_create(
        Access(
            account_id=principal.account, post_id=principal.post, subject=f"case:{one.pk}", fields=["phone"],
            purpose=purpose.strip()[:500],
        )
        for one in newest
    )  # fmt: skip
    return related(known, newest)


def _same(case: Case) -> list[Q]:
    """Cases of the same telephone by its keyed digest, and of the same account."""
    keys = list(Contact.objects.filter(report__case=case).exclude(phone_key="").values_list("phone_key", flat=True))
    same = [Q(pk__in=Contact.objects.filter(phone_key__in=keys).values("report__case"))] if keys else []
    # Officials report for others: their account says nothing of who found it.
    return [*same, Q(reporter=case.reporter_id)] if case.reporter_id and case.source == "citizen" else same
