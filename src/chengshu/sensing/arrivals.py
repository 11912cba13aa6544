"""What has come in since somebody looked: deliveries that are committed, and how far back they reach.

Identifiers of deliveries are given before they commit, so that no number tells what is new; a flag does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from chengshu.sensing.models import Delivery

MOST: Final = 10_000  # deliveries at once

_NEW: Final = """
SELECT id, first_at FROM sensing_delivery WHERE NOT looked AND city_id = %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
PART: Final = """
WITH part AS (
    SELECT day::timestamp AT TIME ZONE 'UTC' AS first, (day + 1)::timestamp AT TIME ZONE 'UTC' AS after,
        (day - date '1970-01-01')::bigint << 37 | serial_first AS low,
        (day - date '1970-01-01')::bigint << 37 | serial_last AS high
    FROM sensing_delivery, unnest(days) AS day WHERE id = ANY(%s)
)
"""
"""Where the observations of some deliveries stand: by day, the times of the partition and the numbers (`low` to `high`) in it."""
_EARLIEST: Final = f"""{PART}
SELECT min(o.at) FROM part
JOIN sensing_observation o ON o.at >= part.first AND o.at < part.after AND o.id BETWEEN part.low AND part.high
WHERE o.at >= %s AND o.at < %s AND o.datastream = ANY(%s)
"""  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A delivery, and the earliest time that it tells of; None where it added nothing."""

    delivery: int
    first_at: datetime | None


def arrived(city: int) -> list[Arrived]:
    """Deliveries that nobody has looked at yet, locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW, [city, MOST])
        return [Arrived(delivery=pk, first_at=first_at) for pk, first_at in cursor.fetchall()]


def earliest(
    came: Sequence[Arrived], since: datetime, until: datetime, datastreams: Collection[int]
) -> datetime | None:
    """The earliest time with since <= at < until that these deliveries tell of some datastreams; None when they tell of none."""
    late = [each.delivery for each in came if each.first_at is not None and each.first_at < until]
    if not late or not datastreams:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_EARLIEST, [late, since, until, sorted(datastreams)])
        found: datetime | None = cursor.fetchone()[0]
    return found


def looked(came: Sequence[Arrived]) -> None:
    """Say that these deliveries were looked at."""
    if came:
        Delivery.objects.filter(pk__in=[each.delivery for each in came]).update(looked=True)
