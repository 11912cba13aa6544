"""What was made or changed in the register, told to whoever listens when the transaction commits.

Observations are not told here: who wants to know of new ones follows the deliveries. What nobody hears is gone; it is for those
who look on, not for what must follow from a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from django.conf import settings
from django.db import connection

CHANNEL: Final = "chengshu_sensing"
AT_ONCE: Final = 250  # ids in a notification, which holds less than 8000 bytes
MOST_MEMBERS: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """Entities of a set that were made (`members` None) or whose members changed."""

    kind: str
    ids: tuple[int, ...]
    members: tuple[str, ...] | None = None


def made(kind: str, ids: Sequence[int]) -> None:
    """Tell within this transaction that entities were made. `kind` is the name of their set, such as "Things"."""
    _tell(News(kind=kind, ids=tuple(ids)))


def changed(kind: str, ids: Sequence[int], members: Collection[str]) -> None:
    """Tell within this transaction that members (or links) of entities changed."""
    if members:
        _tell(News(kind=kind, ids=tuple(ids), members=tuple(sorted(members)[:MOST_MEMBERS])))


def _tell(news: News) -> None:
    if not settings.MQTT:  # nobody can listen
        return
    with connection.cursor() as cursor:
        for part in _parts(news):
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, part])


def _parts(news: News) -> Iterator[str]:
    for first in range(0, len(news.ids), AT_ONCE):
        part = News(kind=news.kind, ids=news.ids[first : first + AT_ONCE], members=news.members)
        yield msgspec.json.encode(part).decode()


def heard(payload: str) -> News:
    """A notification as it was told. Raises `msgspec.MsgspecError` for anything else."""
    return msgspec.json.decode(payload, type=News)
