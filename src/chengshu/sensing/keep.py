"""How long observations are kept, and where: the rule of the installation, done by `tick`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from chengshu.lake import tables
from chengshu.logs import get_logger
from chengshu.sensing import store
from chengshu.sensing.models import Day, Gone, Lake
from chengshu.sensing.seal import Sealed, alone, due, seal, settled

log = get_logger(__name__)

QUIET: Final = timedelta(hours=1)  # between two sealings of a day to which late rows come
ONCE: Final = 31  # days sealed by one tick at most
BATCH: Final = 500  # deliveries whose content is deleted at once
_vacuumed: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What a tick did: days sealed, days forgotten, contents of deliveries deleted, files of the lake deleted."""

    sealed: Sequence[Sealed] = ()
    forgotten: Sequence[date] = ()
    contents: int = 0
    files: int = 0


def tick(now: datetime) -> Kept:
    """Do what the rule says by now: to be called by one worker about once a minute; several do no harm."""
    _reopen(now)
    wanted = due(now, days=settings.HOT_DAYS, quiet=QUIET)[:ONCE] if settings.HOT_DAYS else []
    return Kept(
        sealed=seal(wanted, now=now) if wanted else (),
        forgotten=forget_days(now),
        contents=forget_contents(now),
        files=_clean(now),
    )


def _reopen(now: datetime) -> None:
    """Let days of which observations were deleted be sealed again, so that what was deleted leaves the lake's files too."""
    days = Gone.objects.values_list("day", flat=True).distinct()
    old = Day.objects.filter(day__in=days, cold=True, hot=False, sealed_at__lt=now - QUIET).order_by("day")
    store.open_days(list(old.values_list("day", flat=True)[:ONCE]))


def forget_days(now: datetime) -> Sequence[date]:
    """Delete the days of the lake that are older than the rule keeps them; those that were deleted."""
    if settings.COLD_DAYS == 0:
        return ()
    first = (now.astimezone(UTC) - timedelta(days=settings.COLD_DAYS)).date()
    old = list(Day.objects.filter(day__lt=first, cold=True, hot=False).order_by("day").values_list("day", flat=True))
    if not old:
        return ()
    with alone() as mine:
        return old if mine and _delete(old) else ()


def _delete(days: Sequence[date]) -> bool:
    """Days out of the lake; False when somebody else was at it, or a late row came."""
    table = settled()
    base = table.version()
    version = tables.remove(table, f"day IN ({', '.join(repr(str(day)) for day in days)})")
    with transaction.atomic():
        same = Lake.objects.filter(pk=1, version=base).update(version=version)
        there = Day.objects.filter(day__in=days, hot=False).update(cold=False, sealed_at=None)
        if version > base + 1 or same != 1 or there != len(days):
            transaction.set_rollback(True)
            return False
        Gone.objects.filter(day__in=days).delete()
    log.info("lake.forgotten", days=len(days), first=str(days[0]), last=str(days[-1]))
    return True


def forget_contents(now: datetime) -> int:
    """Delete the content of deliveries older than the rule keeps it, a part at a time; how many."""
    if settings.RAW_DAYS == 0:
        return 0
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM sensing_raw WHERE delivery_id IN (SELECT r.delivery_id FROM sensing_raw r"
                " JOIN sensing_delivery d ON d.id = r.delivery_id WHERE d.received < %s ORDER BY d.received LIMIT %s)",
                [now - timedelta(days=settings.RAW_DAYS), BATCH],
            )
            found: int = cursor.rowcount
        total += found
        if found < BATCH:
            return total


def _clean(now: datetime) -> int:
    """Once a day: vacuum the lake, and sweep what killed processes left in the spool."""
    global _vacuumed  # noqa: PLW0603
    if _vacuumed is not None and now - _vacuumed < timedelta(days=1):
        return 0
    _vacuumed = now
    _sweep(now)
    return len(vacuum()) if Lake.objects.filter(pk=1, version__gt=0).exists() else 0


def vacuum() -> Sequence[str]:
    """Delete files of the lake that nobody reads any more; their paths. None when somebody else is at work on the lake."""
    with alone() as mine:
        return tables.vacuum(settled()) if mine else ()


def _sweep(now: datetime) -> None:
    places = [Path(settings.SPOOL)]
    if (lake := tables.folder(settings.LAKE)) is not None:
        places.append(lake / "spool")
    for place in places:
        for each in place.glob("hot-*"):
            if each.stat().st_mtime < (now - timedelta(days=1)).timestamp():
                rmtree(each, ignore_errors=True)
