"""Chores that go on by themselves, each in a thread; those of sensing: latest results kept, sources asked, days sealed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from django.db import DatabaseError, InterfaceError, connection

from chengshu.logs import get_logger
from chengshu.sensing import follow, keep, liveness
from chengshu.sensing.sources import poll

log = get_logger(__name__)
Chore: TypeAlias = tuple[Callable[[datetime], object], float]
"""What is done at a time, and the seconds between two times."""

CHORES: Final[tuple[Chore, ...]] = (
    (follow.tick, 5.0),  # how far behind a datastream's latest result may be
    (poll.tick, 1.0),
    (keep.tick, 60.0),
    (liveness.tick, 5.0),
)
LAST: Final = 5.0  # seconds in which a chore under way may end


def run(stop: threading.Event, chores: Sequence[Chore] = CHORES) -> None:
    """Do chores until `stop` is set. Apart, for a source that does not answer must not keep the latest results waiting."""
    threads = [
        threading.Thread(target=_again, args=[chore, pause, stop], name=chore.__module__, daemon=True)
        for chore, pause in chores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not stop.is_set():
            thread.join(1.0)
    for thread in threads:
        thread.join(LAST)


def _again(chore: Callable[[datetime], object], pause: float, stop: threading.Event) -> None:
    while not stop.is_set():
        once(chore)
        stop.wait(pause)
    connection.close()


def once(chore: Callable[[datetime], object], now: datetime | None = None) -> None:
    """Do a chore; one that fails is logged and tried again with the next look."""
    try:
        chore(now or datetime.now(UTC))
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        log.warning("chore.database_away", chore=chore.__module__, error=str(error))
    except Exception:
        log.exception("chore.failed", chore=chore.__module__)
