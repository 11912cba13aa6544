"""The worker: works off the outbox and fires clocks, again and again, until told to stop. Any number may run."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import structlog
from django.db import DatabaseError, InterfaceError, connection

from chengshu.cases import due, evidence, outbox
from chengshu.cases.models import Idempotency
from chengshu.parties import throttle

PAUSE = 0.5  # seconds between looks when there was little to do
LONGEST_PAUSE = 10.0  # between tries while the database is away

SWEEP = 600.0  # seconds between sweeps
KEPT = timedelta(days=7)  # for which the answer to an Idempotency-Key is kept

log = structlog.get_logger()


def run(stop: threading.Event) -> None:
    """Work until `stop` is set; a database that goes away is waited for."""
    pause, swept = PAUSE, 0.0
    log.info("worker started", action="worker.start")
    while not stop.is_set():
        try:
            if time.monotonic() - swept > SWEEP:
                sweep()
                swept = time.monotonic()
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
    # Clocks fill the outbox; when many fall due at once, what they caused is worked off first.
    fired = due.fire(now or datetime.now(UTC)) if done < outbox.BATCH else 0
    if done or fired:
        log.debug("worked", action="worker.batch", outbox=done, clocks=fired)
    return done >= outbox.BATCH or fired >= due.BATCH


def sweep() -> None:
    """Drop what has served its time: attempts of ended windows, answers to old keys, files that no case came to use."""
    throttle.sweep()
    evidence.drop_unused(datetime.now(UTC))
    Idempotency.objects.filter(at__lt=datetime.now(UTC) - KEPT).delete()
