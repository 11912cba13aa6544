"""Observations that stand in another day than their number tells, because their phenomenonTime was changed."""

from __future__ import annotations

from datetime import date

from django.db import connection

from chengshu.sensing.records import LAST_DAY, SERIAL_BITS
from chengshu.sensing.store import to_date


def day_of(observation: int) -> date:
    """The UTC day that an observation's row stands in, if it stands anywhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT day FROM sensing_moved WHERE observation = %s", [min(observation, 2**63 - 1)])
        row = cursor.fetchone()
    return row[0] if row else told(observation)


def told(observation: int) -> date:
    """The day that an observation's number tells: the one that it was made for."""
    return to_date(min(observation >> SERIAL_BITS, LAST_DAY))


def remember(observation: int, day: date) -> None:
    """Keep the day of an observation whose number tells another one."""
    with connection.cursor() as cursor:
        if told(observation) == day:
            cursor.execute("DELETE FROM sensing_moved WHERE observation = %s", [observation])
            return
        cursor.execute(
            "INSERT INTO sensing_moved (observation, day) VALUES (%s, %s)"
            " ON CONFLICT (observation) DO UPDATE SET day = excluded.day",
            [observation, day],
        )
