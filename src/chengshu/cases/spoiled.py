"""A row that cannot be worked off must not hold up the others: it is set aside, told of, and kept for whoever mends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, transaction

Row = TypeVar("Row")
AWAY = (OperationalError, InterfaceError)  # the database is away or two waited in a ring: later, all goes well

log = structlog.get_logger()


def work_off(rows: Sequence[Row], work: Callable[[Sequence[Row]], None], set_aside: Callable[[Row, str], None]) -> None:
    """Work rows off together; when that fails one by one, setting aside those that fail alone. Call it in a transaction."""
    try:
        with transaction.atomic():
            work(rows)
    except AWAY:
        raise
    except Exception:
        log.exception("a batch failed; its rows are tried one by one", action="worker.batch_failed", rows=len(rows))
        for row in rows:
            _alone(row, work, set_aside)


def _alone(row: Row, work: Callable[[Sequence[Row]], None], set_aside: Callable[[Row, str], None]) -> None:
    try:
        with transaction.atomic():
            work([row])
    except AWAY:
        raise
    except Exception as error:
        log.exception("a row was set aside", action="worker.row_set_aside", row=str(row))
        set_aside(row, f"{type(error).__name__}: {error}"[:500])
