"""Sealing: a past day's rows move from its partition into the lake, at every moment whole.

The rows are copied out of one snapshot, merged with what the lake holds of the day, and put into the lake's table as a new
version that nobody reads yet. Then one short transaction looks that nothing of the day changed since the snapshot, names the new
version as the true one and drops the partition. Killed before, the attempt leaves nothing but files that no one reads: the next
one goes back to the true version and does it again. Killed after, it is done.

Only one seals at a time (a session's advisory lock). That is for thrift; what is true is guarded by the row of the true version,
which whoever commits must find as it was when it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg import errors

from chengshu.core.errors import Conflict
from chengshu.lake import local, tables
from chengshu.lake.parquet import ROW_GROUP
from chengshu.logs import get_logger
from chengshu.sensing import cold, hot, store
from chengshu.sensing.cold import OPEN
from chengshu.sensing.models import Day, Gone, Lake
from chengshu.sensing.seam import OBSERVATIONS, Seam, lake_url, snapshot, start

log = get_logger(__name__)

ATTEMPTS: Final = 3  # copies of a day that keeps changing
PATIENCE: Final = 60.0  # seconds for which the last step waits for a moment when nobody reads or writes
WAIT: Final = "400ms"  # that others may be held up by one try at it
APART: Final = 1.0  # seconds between two tries
SETTLING: Final = timedelta(minutes=10)  # within which those who follow deliveries have looked at one


class _Changed(Exception):
    """The day changed since it was copied, or somebody else sealed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A day that was sealed: its rows in the lake now, and the version that holds them."""

    day: date
    rows: int
    version: int
    seconds: float


def seal(
    days: Iterable[date], *, now: datetime | None = None, reached: Callable[[str], None] = lambda _: None
) -> list[Sealed]:
    """Seal days that have a partition, oldest first; those that were sealed. None of them when somebody else is sealing.

    A day that keeps changing stays as it is and is left out; the next call tries again.

    Args:
        reached: told of each point of the way: "copied", "written", "versioned", "checked", "done". For tests.

    Raises:
        Conflict: for a day that has not ended for a day, whose changes are not counted yet; when the lake is not this city's.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC)
    wanted = sorted(set(days))
    if wanted and wanted[-1] >= (today - OPEN).date():
        raise Conflict(
            _("%(day)s has not ended long enough ago to be sealed.") % {"day": wanted[-1]},
            remedy="Choose days before yesterday.",
        )
    with alone() as mine:
        return [done for day in wanted if (done := _seal(day, reached))] if mine else []


@contextmanager
def alone() -> Iterator[bool]:
    """Whether this session is the only one that changes the lake, for as long as the block lasts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('sensing_seal'))")
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and connection.is_usable() and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('sensing_seal'))")


def settled() -> DeltaTable:
    """The lake's table at its latest version, which is the true one: what a killed attempt left behind is taken back."""
    table = tables.open_table(lake_url(), OBSERVATIONS)
    lake, _made = Lake.objects.get_or_create(pk=1)
    if lake.version is None and table.version() == 0:
        Lake.objects.filter(pk=1, version=None).update(version=0)
    elif lake.version is None or table.version() < lake.version:
        raise Conflict(
            "The lake does not belong to this database.",
            where=lake_url(),
            remedy="Set CHENGSHU_LAKE to this city's own lake, or restore the two together.",
        )
    elif table.version() > lake.version:
        log.info("lake.taken_back", found=table.version(), true=lake.version)
        Lake.objects.filter(pk=1, version=lake.version).update(version=tables.restore(table, lake.version))
    return table


def _seal(day: date, reached: Callable[[str], None]) -> Sealed | None:
    begun = time.monotonic()
    for _attempt in range(ATTEMPTS):
        table = settled()
        base = table.version()
        with hot.folder() as folder:
            with snapshot(start(day), start(day) + store.DAY) as seen:
                if day not in seen.hot or seen.version != base:
                    return None
                _copy(day, folder / "hot.parquet")
            reached("copied")
            version, rows = _write(table, day, seen, folder / "hot.parquet", reached)
        reached("versioned")
        if version == base + 1 and _commit(day, seen.changes[day], base, version, rows, reached):
            done = Sealed(day=day, rows=rows, version=version, seconds=time.monotonic() - begun)
            log.info("lake.sealed", day=str(day), rows=rows, version=version, seconds=round(done.seconds, 3))
            reached("done")
            return done
    log.warning("lake.not_sealed", day=str(day))
    return None


def _copy(day: date, file: Path) -> int:
    """The rows of the day's partition into a file; none where an opening that failed left no partition."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [store.partition(day)])
        there = cursor.fetchone()[0]
    return hot.spool(hot.of_day(day) if there else hot.between(start(day), start(day)), file)


def _write(table: DeltaTable, day: date, seen: Seam, file: Path, reached: Callable[[str], None]) -> tuple[int, int]:
    """The day as it shall be into the lake: the version that this made, and its rows."""
    counted = [0]

    def rows() -> Iterator[pa.RecordBatch]:
        with closing(merged(day, seen, file)) as found:
            for batch in found:
                counted[0] += batch.num_rows
                yield batch

    version = tables.replace(table, day, rows(), OBSERVATIONS, reached=lambda: reached("written"))
    return version, counted[0]


def merged(day: date, seen: Seam, file: Path) -> Generator[pa.RecordBatch]:
    """What the lake holds of the day without what is gone, and the rows of a file, in order; sorted on the disk if need be."""
    stored = OBSERVATIONS.stored
    columns = ", ".join(f'"{name}"' for name in stored.names)
    with local.cursor() as raw:
        local.view(raw, "hot", [str(file)], stored)
        query = f"SELECT {columns} FROM hot"  # noqa: S608
        if cold.see(raw, seen, [day]):
            query += f" UNION ALL SELECT {columns} FROM cold"  # noqa: S608
        found = raw.execute(f'{query} ORDER BY datastream, "at", nth, id').to_arrow_reader(ROW_GROUP)
        for batch in found:
            yield batch.cast(stored)


def _commit(day: date, changes: int, base: int, version: int, rows: int, reached: Callable[[str], None]) -> bool:
    """Make the version the true one and drop the partition; False when something changed, and nothing is done."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with transaction.atomic():
                _exchange(day, changes, base, version, rows)
                reached("checked")
        except _Changed:
            return False
        except OperationalError as error:
            if not isinstance(error.__cause__, (errors.LockNotAvailable, errors.DeadlockDetected)):
                raise
            if time.monotonic() > until:
                return False
            time.sleep(APART)
        else:
            store.forget()
            return True


def _exchange(day: date, changes: int, base: int, version: int, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT])
        # In the order of sensing_open_day; then whoever reads or writes ends, and whoever comes waits until this has ended.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sensing_day'), %s)", [(day - store.EPOCH).days])
        cursor.execute("LOCK TABLE ONLY sensing_observation IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"DROP TABLE IF EXISTS {store.partition(day)}")
        cursor.execute("UPDATE sensing_lake SET version = %s WHERE id = 1 AND version = %s", [version, base])
        moved = cursor.rowcount
        cursor.execute(
            "UPDATE sensing_day SET hot = false, cold = %s, sealed_at = now() WHERE day = %s AND hot AND changes = %s",
            [rows > 0, day, changes],
        )
        if moved != 1 or cursor.rowcount != 1:
            raise _Changed
    Gone.objects.filter(day=day).delete()


_FRESH: Final = """
SELECT DISTINCT unnest(days) FROM sensing_delivery WHERE days && %s::date[] AND (NOT seen OR received > %s)
"""


def due(now: datetime, *, days: int, quiet: timedelta) -> list[date]:
    """Days to be sealed: those that ended more than `days` ago, of those sealed before only what was not within `quiet`.

    Days to which rows have just come wait, so that whoever follows deliveries finds them in partitions.
    """
    last = (now.astimezone(UTC) - max(timedelta(days=days), OPEN + store.DAY)).date()
    rows = list(Day.objects.filter(day__lte=last, hot=True).order_by("day"))
    with connection.cursor() as cursor:
        cursor.execute(_FRESH, [[row.day for row in rows], now - min(quiet, SETTLING)])
        fresh = {day for (day,) in cursor.fetchall()}
    return [row.day for row in rows if row.day not in fresh and (row.sealed_at is None or row.sealed_at < now - quiet)]
