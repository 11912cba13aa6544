"""Telling the live process what has changed: by NOTIFY in the transaction of the change, heard when that commits.

A transaction that notifies waits for others that do when it commits. So only what works in batches calls this.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from chengshu.live.wire import CHANNEL, messages


def announce(*, cases: Iterable[UUID] = (), accounts: Iterable[int] = ()) -> None:
    """Something happened to these cases; these accounts got notices."""
    texts = messages(cases, accounts)
    if texts:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(pg_notify(%s, text)) FROM unnest(%s::text[]) text", [CHANNEL, texts])
