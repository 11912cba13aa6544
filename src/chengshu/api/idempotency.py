"""Idempotency-Key: a request sent twice is done once and answered twice alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from django.http import HttpRequest, HttpResponse

from chengshu.cases import answers
from chengshu.cases.answers import LONGEST, Answer
from chengshu.core.errors import Invalid
from chengshu.parties.principal import Principal

HEADER = "Idempotency-Key"


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
    return _unpacked(answers.once(who, key, asked, lambda: _packed(work())))


def _packed(response: HttpResponse) -> Answer:
    body = msgspec.msgpack.encode((dict(response.items()), response.content))
    return Answer(status=response.status_code, body=body)


def _unpacked(answer: Answer) -> HttpResponse:
    headers, content = msgspec.msgpack.decode(answer.body, type=tuple[dict[str, str], bytes])
    again = {"Idempotency-Replayed": "true"} if answer.again else {}
    return HttpResponse(content, status=answer.status, headers={**headers, **again})
