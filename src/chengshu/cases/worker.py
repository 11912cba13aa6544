"""The worker: works off the outbox and fires clocks, again and again, until told to stop. Any number may run."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import structlog
from django.db import DatabaseError, InterfaceError, connection

from chengshu.cases import due, evidence, outbox
from chengshu.cases.models import Idempotency
from chengshu.parties import delivery, delivery_send, sessions, throttle

GLANCE = 0.03  # seconds between glances at the outbox when there is little to do: open pages soon tell what happens
REST = 0.02  # seconds of pause for every row of a batch: with more to do, batches grow, and a row costs less
LONGEST_REST = 0.5
CLOCKS = 0.5  # seconds between looks at the clocks
LONGEST_PAUSE = 10.0  # between tries while the database is away

LAST = 5.0  # seconds in which messages under way may end
SWEEP = 600.0  # seconds between sweeps
KEPT = timedelta(days=7)  # for which the answer to an Idempotency-Key is kept

log = structlog.get_logger()


def run(stop: threading.Event) -> None:
    """Work until `stop` is set; a database that goes away is waited for."""
    away, swept, looked = LONGEST_REST, 0.0, 0.0
    log.info("worker started", action="worker.start")
    # Apart, for whoever waits for a receiver outside must not keep clocks waiting.
    deliveries = threading.Thread(target=delivery_send.run, args=[stop], name="deliveries", daemon=True)
    deliveries.start()
    while not stop.is_set():
        try:
            if time.monotonic() - swept > SWEEP:
                sweep()
                swept = time.monotonic()
            pause = GLANCE
            if outbox.waiting() or time.monotonic() - looked >= CLOCKS:
                looked = time.monotonic()
                pause = once()
            away = LONGEST_REST
        except (DatabaseError, InterfaceError) as error:
            pause = away = min(away * 2, LONGEST_PAUSE)
            connection.close()
            log.warning("database away", action="worker.database_away", error=str(error), again_in=pause)
        stop.wait(pause)
    deliveries.join(LAST)
    log.info("worker stopped", action="worker.stop")


def once(now: datetime | None = None) -> float:
    """One batch of each; the seconds to pause before the next."""
    done = outbox.drain()
    # Clocks fill the outbox; when many fall due at once, what they caused is worked off first.
    fired = due.fire(now or datetime.now(UTC)) if done < outbox.BATCH else 0
    if done or fired:
        log.debug("worked", action="worker.batch", outbox=done, clocks=fired)
    return 0.0 if done >= outbox.BATCH or fired >= due.BATCH else rest(done)


def rest(rows: int) -> float:
    """The pause after a batch that was not a whole one.

    Small batches cost several times as much for a row as large ones. Below some fifty rows a second the pauses shrink to
    `GLANCE`, above it they grow to `LONGEST_REST`.
    """
    return min(max(GLANCE, REST * rows), LONGEST_REST)


def sweep() -> None:
    """Drop what has served its time: attempts of ended windows, sessions, answers to old keys, files that no case came to use.

    Suspended cases that no clock wakes go on here, at most so long after their date.
    """
    due.wake(datetime.now(UTC))
    throttle.sweep()
    sessions.sweep(datetime.now(UTC))
    delivery.sweep(datetime.now(UTC))
    evidence.drop_unused(datetime.now(UTC))
    Idempotency.objects.filter(at__lt=datetime.now(UTC) - KEPT).delete()
