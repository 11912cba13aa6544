"""`chengshu check`: proves that every case, clock and task follows from the steps; `--rebuild` mends what does not.

The steps are append-only and true by their foreign keys; everything else about a case is their projection. The check
tells each life anew (chengshu.cases.life) and compares. It also looks at what waits: the outbox, clocks that are past
due without an event, and evidence whose file is missing or changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from typing import Annotated
from uuid import UUID

import structlog
import typer
from django.db import transaction
from django.db.models import Exists, Min, OuterRef
from django.utils.translation import gettext as _

from chengshu.cases.evidence import path_of
from chengshu.cases.models import Case, Clock, ClockEvent, Evidence, Outbox
from chengshu.cases.outbox import FAILED
from chengshu.cases.projection import Difference, Rules, differences, mend
from chengshu.parties.models import Audit

CHUNK = 1_000  # cases compared at once
GRACE = timedelta(minutes=5)  # how long the worker may be behind without a word
SHOWN = 100  # differences printed in full

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What the worker has still to do; nothing is wrong with it unless it grows."""

    outbox: int
    oldest: datetime | None
    unfired: int
    failed: int


def check_all(*, rebuild: bool = False) -> Iterator[Difference]:
    """Every difference between what is stored and what the steps tell, case by case; mended when `rebuild`.

    Cases may move meanwhile: what seems to differ is looked at again under the lock that every move takes.
    """
    rules = Rules.read()
    for ids in _chunks():
        if seeming := {each.case for each in differences(rules, ids)}:
            yield from _under_lock(rules, seeming, rebuild=rebuild)


def _chunks() -> Iterator[list[UUID]]:
    last: UUID | None = None
    while True:
        cases = Case.objects.order_by("pk") if last is None else Case.objects.filter(pk__gt=last).order_by("pk")
        ids = list(cases.values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        yield ids
        last = ids[-1]


def _under_lock(rules: Rules, cases: set[UUID], *, rebuild: bool) -> list[Difference]:
    """The differences that remain while nobody can move the cases; mended with a trace when `rebuild`."""
    with transaction.atomic():
        ids = list(Case.objects.select_for_update().filter(pk__in=cases).order_by("pk").values_list("pk", flat=True))
        found = differences(rules, ids)
        if rebuild:
            mend(rules, sorted({each.case for each in found}))
            _trace(found)
    return found


def _trace(found: Iterable[Difference]) -> None:
    by_case: dict[str, list[str]] = {}
    for each in found:
        by_case.setdefault(each.number, []).append(str(each))
    Audit.objects.bulk_create(
        Audit(action="case.rebuild", facts={"case": number, "differences": lines}) for number, lines in by_case.items()
    )
    for number in by_case:
        log.warning("case rebuilt from its steps", action="case.rebuild", case=number)


def waiting(now: datetime) -> Waiting:
    """How far the worker is behind."""
    fired = ClockEvent.objects.filter(clock=OuterRef("pk"), event__startswith="due@")
    late = Clock.objects.filter(stopped_at=None, paused_at=None, due_at__lt=now - GRACE).exclude(Exists(fired))
    oldest = Outbox.objects.exclude(topic=FAILED).aggregate(oldest=Min("at"))["oldest"]
    failed = Outbox.objects.filter(topic=FAILED).count()
    return Waiting(outbox=Outbox.objects.count() - failed, oldest=oldest, unfired=late.count(), failed=failed)


def damaged() -> Iterator[Difference]:
    """Evidence whose file is missing or no longer has its digest."""
    rows = (
        Evidence.objects.exclude(case=None)
        .order_by("case", "at")
        .values_list("case_id", "case__number", "id", "digest")
    )
    for case, number, evidence, digest in rows.iterator():
        assert case is not None
        path = path_of(digest)
        if not path.is_file():
            yield Difference(case=case, number=number or "", what=f"evidence {evidence}", stored="no file", told=digest)
            continue
        with path.open("rb") as file:
            if (own := file_digest(file, "sha256").hexdigest()) != digest:
                yield Difference(case=case, number=number or "", what=f"evidence {evidence}", stored=own, told=digest)


def main(
    rebuild: Annotated[bool, typer.Option("--rebuild", help=_("Mend what differs, from the steps."))] = False,
) -> None:
    """Compare every stored case with what its steps tell."""
    found = _print(check_all(rebuild=rebuild))
    broken = _print(damaged())
    behind = waiting(datetime.now(UTC))
    typer.echo(
        _("Waiting for the worker: %(outbox)d messages, %(unfired)d clocks past due; %(failed)d set aside.")
        % {"outbox": behind.outbox, "unfired": behind.unfired, "failed": behind.failed}
    )
    cases = Case.objects.count()
    if not found and not broken:
        typer.echo(_("%(cases)d cases: all follow from their steps.") % {"cases": cases})
        return
    words = (
        _("%(cases)d cases, %(found)d differences mended, %(broken)d damaged files.")
        if rebuild
        else _(
            "%(cases)d cases, %(found)d differences, %(broken)d damaged files."
            " `chengshu check --rebuild` mends the differences."
        )
    )
    typer.echo(words % {"cases": cases, "found": found, "broken": broken}, err=True)
    raise typer.Exit(1 if broken or not rebuild else 0)


def _print(found: Iterable[Difference]) -> int:
    count = 0
    for count, each in enumerate(found, 1):
        if count <= SHOWN:
            typer.echo(str(each), err=True)
    if count > SHOWN:
        typer.echo(_("… and %(more)d more.") % {"more": count - SHOWN}, err=True)
    return count
