"""Idempotency-Key: a request sent twice is done once and answered twice alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from chengshu.core.errors import Conflict, Invalid
from chengshu.parties.principal import Principal

HEADER = "Idempotency-Key"
LONGEST = 200


def once(request: HttpRequest, principal: Principal, work: Callable[[], HttpResponse]) -> HttpResponse:
    """Do `work` in a transaction with the record of its key; give the first answer again when the key comes back.

    A refusal changes nothing and is not kept: the request may be mended and sent again. Raises Conflict when a key
    comes back with another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return work()
    if not 1 <= len(key) <= LONGEST:
        raise Invalid(f"The key has {len(key)} characters.", where=HEADER, remedy=f"Use 1 to {LONGEST}.")
    who = f"{principal.account}:{principal.post}"
    asked = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()
    with transaction.atomic():
        if not _claim(who, key, asked):
            return _earlier(who, key, asked)
        response = work()
        _keep(who, key, response)
        return response


def _claim(who: str, key: str, asked: str) -> bool:
    """Whether the key is new; a second caller waits here until the first has committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cases_idempotency (who, key, request, status, body, at) VALUES (%s, %s, %s, 0, '', now())"
            " ON CONFLICT DO NOTHING",
            [who, key, asked],
        )
        return bool(cursor.rowcount == 1)


def _earlier(who: str, key: str, asked: str) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT request, status, body FROM cases_idempotency WHERE who = %s AND key = %s", [who, key])
        known, status, body = cursor.fetchone()
    if known != asked:
        raise Conflict("The key was used for another request.", where=HEADER, remedy="Use a new key for each request.")
    headers, content = msgspec.msgpack.decode(bytes(body), type=tuple[dict[str, str], bytes])
    return HttpResponse(content, status=status, headers={**headers, "Idempotency-Replayed": "true"})


def _keep(who: str, key: str, response: HttpResponse) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE cases_idempotency SET status = %s, body = %s WHERE who = %s AND key = %s",
            [response.status_code, msgspec.msgpack.encode((dict(response.items()), response.content)), who, key],
        )
