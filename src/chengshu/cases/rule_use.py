"""Which dispatch rules decide anything: a rule that never does is old, or shadowed by one above it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chengshu.cases import dispatch
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case

NEWEST = 1_000  # cases that are tried


def used(known: Catalog, *, days: int) -> frozenset[str]:
    """The ids of the rules that decide, by today's table, the newest thousand cases of the last days."""
    since = datetime.now(UTC) - timedelta(days=days)
    cases = Case.objects.filter(kind__city=known.city, opened_at__gte=since).order_by("-pk")
    rows = cases.values_list(*dispatch.COLUMNS)[:NEWEST]
    decided = (dispatch.decide(known, dispatch.Facts.of_row(*row)) for row in rows)
    return frozenset(decision.rule for decision in decided if decision)
