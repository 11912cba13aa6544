"""A request that carries a key is done once: its answer is kept with what it changed, and given when the key comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction

from chengshu.core.errors import Conflict

LONGEST = 200  # characters of a key
REFUSED = 400  # the status from which an answer is a refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was answered: an HTTP status and bytes that only the asker understands; `again` when it was answered before."""

    status: int
    body: bytes
    again: bool = False


def once(who: str, key: str, asked: str, work: Callable[[], Answer]) -> Answer:
    """Do `work` in a transaction with the record of its key, or give the answer of the first time.

    A refusal is not kept, whether `work` raises it, which also undoes what it did, or answers with it: the request may be
    mended and sent again under its key.

    Args:
        who: whose key it is.
        asked: digest of the request.

    Raises:
        Conflict: the key came with another request before.
    """
    with transaction.atomic():
        if not _claim(who, key, asked):
            found = earlier(who, key, asked)
            assert found is not None, "a key that cannot be claimed is there"
            return found
        answer = work()
        _keep(who, key, answer) if answer.status < REFUSED else _drop(who, key)
        return answer


def earlier(who: str, key: str, asked: str) -> Answer | None:
    """The answer that was given to a key, if there was one.

    Raises:
        Conflict: the key came with another request.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT request, status, body FROM cases_idempotency WHERE who = %s AND key = %s", [who, key])
        row = cursor.fetchone()
    if row is None:
        return None
    known, status, body = row
    if known != asked:
        raise Conflict(
            "The key was used for another request.", where="Idempotency-Key", remedy="Use a new key for each request."
        )
    return Answer(status=status, body=bytes(body), again=True)


def _claim(who: str, key: str, asked: str) -> bool:
    """Whether the key is new; a second caller waits here until the first has committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cases_idempotency (who, key, request, status, body, at) VALUES (%s, %s, %s, 0, '', now())"
            " ON CONFLICT DO NOTHING",
            [who, key, asked],
        )
        return bool(cursor.rowcount == 1)


def _keep(who: str, key: str, answer: Answer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE cases_idempotency SET status = %s, body = %s WHERE who = %s AND key = %s",
            [answer.status, answer.body, who, key],
        )


def _drop(who: str, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cases_idempotency WHERE who = %s AND key = %s", [who, key])
