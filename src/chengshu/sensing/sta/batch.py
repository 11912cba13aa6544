"""Batch requests (18-088, 11): several requests in one body, as multipart/mixed of OData or as JSON.

Requests are done in order. Those of a change set (multipart) or an atomicity group (JSON) are done all or not at all. A request
may name what an earlier one made: `$id` at the beginning of its address, `{"@iot.id": "$id"}` in its body.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

import msgspec
from django.db import transaction

from chengshu.core.errors import TooLarge
from chengshu.sensing import known
from chengshu.sensing.sta.body import ID, LARGEST, Body, Malformed, mapped

MOST: Final = 1_000
JSON: Final = "application/json"
METHODS: Final = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
_MADE: Final = re.compile(r"(?P<path>\w+\((?P<id>\d+)\))$")
_NAME: Final = re.compile(r"[^\w.@+-]")  # what is taken out of a Content-ID
_REFERENCE: Final = re.compile(r"/?\$(?P<id>[^/?()]+)(?P<rest>[/?].*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request of a batch: `path` from the root of the service, with its query. `group` is that of an atomic set."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    id: str = ""
    group: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was answered to one request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Handle = Callable[[Request], Answer]
"""Does one request as if it had come alone; refusals are answers, not exceptions."""
Result = tuple[Request, Answer]


class _Failed(Exception):
    """A request of an atomic set was refused."""


def run(content_type: str, content: bytes, handle: Handle, *, root: str) -> tuple[str, bytes]:
    """Do a batch; the answer's content type and body.

    Args:
        root: of the service, such as /sta/v1.1, which addresses in the batch may begin with.

    Raises:
        Malformed: it is no batch. TooLarge.
    """
    if len(content) > LARGEST:
        raise TooLarge("The batch is larger than is taken.", remedy="Send at most 16 MiB at once.")
    if content_type.partition(";")[0].strip().lower() == JSON:
        return JSON, _json_answer(_done(_json_requests(content, root), handle))
    requests = list(_multipart_requests(content_type, content, root))
    boundary = f"batch_{secrets.token_hex(16)}"
    return f"multipart/mixed; boundary={boundary}", _multipart_answer(_done(requests, handle), boundary)


def _done(requests: Sequence[Request], handle: Handle) -> list[Result]:
    """All requests done, in order, group by group."""
    if len(requests) > MOST:
        raise TooLarge(
            "The batch holds too many requests.", where=f"{len(requests)}", remedy="Send at most 1000 at once."
        )
    made: dict[str, tuple[str, int]] = {}
    failed: set[str] = set()
    found: list[Result] = []
    for group, members in groupby(requests, key=lambda request: request.group):
        several = list(members)
        if group:
            found += _atomically(several, handle, made, failed)
        else:
            found += [(request, _one(request, handle, made, failed)) for request in several]
    return found


def _one(request: Request, handle: Handle, made: dict[str, tuple[str, int]], failed: set[str]) -> Answer:
    try:
        ready = None if failed & {*request.after} else _resolved(request, made)
    except Malformed as error:
        return _refusal(400, str(error))
    answer = _refusal(424, "A request that this one builds on was not done.") if ready is None else handle(ready)
    if answer.status >= 400:
        failed.update({request.id, request.group} - {""})
    elif request.id and (found := _MADE.search(answer.headers.get("Location", ""))):
        made[request.id] = found["path"], int(found["id"])
    return answer


def _atomically(
    requests: Sequence[Request], handle: Handle, made: dict[str, tuple[str, int]], failed: set[str]
) -> list[Result]:
    """Do requests all or not at all. When one is refused, it is answered so, and the others that they were not done."""
    inside = dict(made)
    answers: list[Answer] = []
    try:
        with transaction.atomic():
            for request in requests:
                answers.append(_one(request, handle, inside, failed))
                if answers[-1].status >= 400:
                    raise _Failed
    except _Failed:
        known.forget()
        failed.update({each for request in requests for each in (request.id, request.group) if each})
        undone = _refusal(424, "Another request of its group was refused.")
        return [(request, answers[-1] if n == len(answers) - 1 else undone) for n, request in enumerate(requests)]
    made.update(inside)
    return list(zip(requests, answers, strict=True))


def _refusal(status: int, message: str) -> Answer:
    body = msgspec.json.encode({"code": status, "type": "error", "message": message})
    return Answer(status=status, headers={"Content-Type": JSON}, body=body)


def _resolved(request: Request, made: Mapping[str, tuple[str, int]]) -> Request | None:
    """A request with what it names of earlier ones filled in; None where that was not made."""
    if request.method not in METHODS or (request.group and request.method == "GET"):
        raise Malformed("This method is not taken here.", where=request.method[:20])
    if request.path.lower().startswith("/$batch"):
        raise Malformed("A batch holds no batch.", where=request.path[:60])
    path, body = request.path, request.body
    if reference := _REFERENCE.fullmatch(path):
        if reference["id"] not in made:
            return None
        path = f"/{made[reference['id']][0]}{reference['rest'] or ''}"
    if body and b'"$' in body:
        body = msgspec.json.encode(_filled(mapped(body), made))
    return replace(request, path=path, body=body)


def _filled(value: Any, made: Mapping[str, tuple[str, int]]) -> Any:
    """JSON with the ids of what was made in place of `$id`."""
    if isinstance(value, list):
        return [_filled(each, made) for each in value]
    if not isinstance(value, dict):
        return value
    named = value.get(ID)
    if isinstance(named, str) and named[:1] == "$" and named[1:] in made:
        return {**value, ID: made[named[1:]][1]}
    return {name: _filled(each, made) for name, each in value.items()}


def _path(url: str, root: str) -> str:
    """An address within the service: absolute, from the host, or relative to the root."""
    if url.startswith(("http://", "https://")):
        url = f"/{url.split('/', 3)[3]}" if url.count("/") >= 3 else "/"
        if not url.startswith(f"{root}/"):
            raise Malformed("This address is of another service.", where=url[:100])
    return f"/{url.removeprefix(root).lstrip('/')}"


# JSON


class _Each(msgspec.Struct, rename="camel"):
    id: str | int
    method: str
    url: str
    headers: dict[str, str] = {}
    body: Any = None
    atomicity_group: str | int | None = None
    depends_on: list[str | int] = []


class _Batch(msgspec.Struct):
    requests: list[_Each]


_EXAMPLE: Final = 'Write {"requests": [{"id": "1", "method": "post", "url": "Things", "body": {}}]}.'


def _json_requests(content: bytes, root: str) -> list[Request]:
    try:
        found = msgspec.convert(mapped(content), _Batch).requests
    except msgspec.ValidationError as error:
        raise Malformed("This is no batch.", where=str(error)[:200], remedy=_EXAMPLE) from error
    requests = [
        Request(
            method=each.method.upper(), path=_path(each.url, root), id=str(each.id),
            headers={"Content-Type": JSON, **each.headers}, body=b"" if each.body is None else msgspec.json.encode(each.body),
            group="" if each.atomicity_group is None else str(each.atomicity_group), after=tuple(map(str, each.depends_on)),
        )
        for each in found
    ]  # fmt: skip
    groups = [group for group, _ in groupby(requests, key=lambda request: request.group) if group]
    if len({request.id for request in requests}) < len(requests) or len(set(groups)) < len(groups):
        raise Malformed("Ids are given once, and the requests of a group follow each other.")
    return requests


def _json_answer(results: Sequence[Result]) -> bytes:
    return msgspec.json.encode({"responses": [_json_result(*result) for result in results]})


def _json_result(request: Request, answer: Answer) -> Body:
    found: Body = {"id": request.id, "status": answer.status}
    if request.group:
        found["atomicityGroup"] = request.group
    if answer.headers:
        found["headers"] = {name.lower(): value for name, value in answer.headers.items()}
    if "Location" in answer.headers:
        found["location"] = answer.headers["Location"]  # where FROST has it, and its clients look
    if answer.body:
        is_json = "json" in answer.headers.get("Content-Type", JSON)
        found["body"] = msgspec.Raw(answer.body) if is_json else answer.body.decode("utf-8", "replace")
    return found


# Multipart


def _multipart_requests(content_type: str, content: bytes, root: str) -> Iterator[Request]:
    """The requests of a multipart body; those of a change set bear its number as their group."""
    for number, part in enumerate(_parts(content_type, content)):
        if part.get_content_maintype() != "multipart":
            yield _request(part, root)
            continue
        for inner in part.get_payload():
            if not isinstance(inner, Message) or inner.is_multipart():
                raise Malformed("A change set holds requests only.")
            yield _request(inner, root, group=f"change set {number}")


def _parts(content_type: str, content: bytes) -> list[Message]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    if "\n" in content_type or not content_type.lower().startswith("multipart/mixed"):
        raise Malformed("A batch is multipart/mixed or JSON.", where=content_type[:100])
    parts = BytesParser(policy=HTTP).parsebytes(head + content).get_payload()
    if not isinstance(parts, list):
        raise Malformed("The batch has no parts between its boundaries.", where=content_type[:100])
    return [part for part in parts if isinstance(part, Message)]


def _request(part: Message, root: str, group: str = "") -> Request:
    """The request that a part of type application/http holds."""
    payload = part.get_payload(decode=True)
    if part.get_content_type() != "application/http" or not isinstance(payload, bytes):
        raise Malformed("A part of a batch is application/http.", where=part.get_content_type())
    head, _, body = payload.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
    line, *fields = head.decode("utf-8", "replace").split("\n")
    words = line.split(" ")
    if len(words) not in {2, 3}:
        raise Malformed(
            "A request begins with its method and address.", where=line[:100], remedy="POST Things HTTP/1.1"
        )
    headers = {
        name.strip().title(): value.strip() for name, _, value in (each.partition(":") for each in fields) if name
    }
    return Request(
        method=words[0].upper(), path=_path(words[1], root), headers=headers, body=body.strip(), group=group,
        id=_NAME.sub("", str(part.get("Content-ID") or headers.get("Content-Id", ""))),
    )  # fmt: skip


def _multipart_answer(results: Sequence[Result], boundary: str) -> bytes:
    parts: list[bytes] = []
    for group, members in groupby(results, key=lambda result: result[0].group):
        several = list(members)
        refused = next((result for result in several if result[1].status >= 400 and result[1].status != 424), None)
        if not group:
            parts += [_http(*result) for result in several]
        elif refused is not None:
            parts.append(_http(*refused))  # of a change set that was not done, one answer says why
        else:
            inner = f"{boundary}_{len(parts)}"
            content = _joined([_http(*result) for result in several], inner)
            parts.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode() + content)
    return _joined(parts, boundary)


def _joined(parts: Sequence[bytes], boundary: str) -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts) + f"--{boundary}--\r\n".encode()


def _http(request: Request, answer: Answer) -> bytes:
    """An answer as a part."""
    own = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    own += [f"Content-ID: {request.id}"] if request.id else []
    status = HTTPStatus(answer.status)
    head = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in answer.headers.items())]
    return "\r\n".join([*own, "", *head, "", ""]).encode() + answer.body
