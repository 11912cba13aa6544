"""What follows from large deliveries: their datastreams' latest results, kept for many deliveries at once.

`accept()` keeps them itself where few datastreams are concerned. Every other delivery waits here unseen, so that a datastream
that is heard of ten times between two looks is written once.
"""

from __future__ import annotations

from datetime import datetime
from itertools import accumulate
from typing import Final

from django.db import connection, transaction

from chengshu.sensing import latest
from chengshu.sensing.arrivals import PART

DELIVERIES: Final = 500  # looked at at once, at most …
ROWS: Final = 1_000_000  # … and with so many observations

_WAITING: Final = """
SELECT id, rows, received FROM sensing_delivery WHERE NOT seen ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_FOUND: Final = f"""{PART}
SELECT o.datastream, min(o.at), max(coalesce(o.until, o.at)), max(o.at), min(o.result_time), max(o.result_time),
    (array_agg(o.id ORDER BY o.at DESC, o.id DESC))[1], (array_agg(o.result ORDER BY o.at DESC, o.id DESC))[1]
FROM part JOIN sensing_observation o ON o.at >= part.first AND o.at < part.after AND o.id BETWEEN part.low AND part.high
GROUP BY o.datastream ORDER BY o.datastream
"""  # noqa: S608


def tick(now: datetime) -> int:
    """See to the deliveries that wait; how many. Any number of workers may do so at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WAITING, [DELIVERIES])
        waiting = cursor.fetchall()
        taken = [
            row for row, before in zip(waiting, accumulate(row[1] for row in waiting), strict=True) if before <= ROWS
        ]
        taken = taken or waiting[:1]
        if not taken:
            return 0
        ids = [pk for pk, _rows, _received in taken]
        cursor.execute(_FOUND, [ids])
        if found := cursor.fetchall():
            latest.apply(list(zip(*found, strict=True)), max(received for _pk, _rows, received in taken))
        cursor.execute("UPDATE sensing_delivery SET seen = true WHERE id = ANY(%s)", [ids])
    return len(taken)
