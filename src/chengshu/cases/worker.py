"""The worker: works off the outbox and fires clocks, again and again, until told to stop. Any number may run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import structlog
from django.db import DatabaseError, InterfaceError, connection

from chengshu.cases import due, outbox

PAUSE = 0.5  # seconds between looks when there was little to do
LONGEST_PAUSE = 10.0  # between tries while the database is away

log = structlog.get_logger()


def run(stop: threading.Event) -> None:
    """Work until `stop` is set; a database that goes away is waited for."""
    pause = PAUSE
    log.info("worker started", action="worker.start")
    while not stop.is_set():
        try:
            busy = once()
            pause = PAUSE
        except (DatabaseError, InterfaceError) as error:
            busy, pause = False, min(pause * 2, LONGEST_PAUSE)
            connection.close()
            log.warning("database away", action="worker.database_away", error=str(error), again_in=pause)
        if not busy:
            stop.wait(pause)
    log.info("worker stopped", action="worker.stop")


def once(now: datetime | None = None) -> bool:
    """One batch of each; whether a whole one was done, so that more may wait.

    After less than that the worker pauses: small batches cost several times as much for a row as large ones.
    """
    done = outbox.drain()
    fired = due.fire(now or datetime.now(UTC))
    if done or fired:
        log.debug("worked", action="worker.batch", outbox=done, clocks=fired)
    return done >= outbox.BATCH or fired >= due.BATCH
