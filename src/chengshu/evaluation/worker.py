"""The worker with the chores of evaluation beside it, counts by day and the brief of the morning, and those of sensing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, connection

from chengshu.cases import worker
from chengshu.evaluation import brief, counts
from chengshu.logs import get_logger
from chengshu.sensing import worker as sensing

PAUSE = 10.0  # seconds between looks; how far behind the lines of the cockpit may be
LAST = 5.0  # seconds in which a chore under way may end
log = get_logger(__name__)
CHORES: tuple[Callable[[datetime], int], ...] = (counts.count_all, brief.tell_all)


def run(stop: threading.Event) -> None:
    """Work until `stop` is set. The chores run apart, for a long count must not keep clocks waiting."""
    chores = threading.Thread(target=_chores, args=[stop], name="chores", daemon=True)
    sensed = threading.Thread(target=sensing.run, args=[stop], name="sensing", daemon=True)
    chores.start()
    sensed.start()
    worker.run(stop)
    chores.join(LAST)
    sensed.join(LAST)


def _chores(stop: threading.Event) -> None:
    while not stop.is_set():
        once()
        stop.wait(PAUSE)


def once(now: datetime | None = None) -> None:
    """Do each chore; one that fails is logged and tried again with the next look."""
    for chore in CHORES:
        try:
            chore(now or datetime.now(UTC))
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            log.warning("chore.database_away", chore=chore.__name__, error=str(error))
        except Exception:
            log.exception("chore.failed", chore=chore.__name__)
