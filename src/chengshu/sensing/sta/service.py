"""The service behind the addresses of SensorThings, without HTTP: a request in, an answer out; a batch is many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

import msgspec
from django.db import OperationalError, connection
from django.utils.translation import gettext as _
from psycopg import errors

from chengshu.core.errors import ChengshuError, NotFound
from chengshu.parties.principal import Principal
from chengshu.sensing.mqtt.config import endpoints
from chengshu.sensing.scope import Scope, read_scope, write_scope
from chengshu.sensing.sta import batch, data_array, read, write
from chengshu.sensing.sta.batch import Answer, Request
from chengshu.sensing.sta.body import Malformed, decode, mapped
from chengshu.sensing.sta.entities import ENTITIES
from chengshu.sensing.sta.errors import NotOffered
from chengshu.sensing.sta.paths import Target

ROOT: Final = "/sta/v1.1"
TRIES: Final = 5
_SPEC: Final = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
CONFORMANCE: Final = tuple(
    _SPEC + each
    for each in (
        "datamodel", "resource-path/resource-path-to-entities", "request-data", "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities", "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code", "create-update-delete/update-entity",
        "create-update-delete/delete-entity", "create-update-delete/historical-location-auto-creation",
        "batch-request/batch-request", "data-array/data-array",
    )
)  # fmt: skip
"""The requirements classes that are met (18-088, table of requirements)."""
MQTT: Final = ("create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates")


class _Refused(ChengshuError):
    """A method that is not for this address."""

    status = 405


def answer(principal: Principal, request: Request, base: str) -> Answer:
    """Do one request; refusals are answers. Of writers that waited for each other in a ring the one that lost is done again."""
    method = _METHODS.get(request.method, _no_method)
    for last in range(TRIES):
        try:
            return method(principal, request, base)
        except ChengshuError as error:
            return refusal(error)
        except OperationalError as error:
            ring = isinstance(error.__cause__, errors.DeadlockDetected) and not connection.in_atomic_block
            if not ring or last == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def run_batch(principal: Principal, content_type: str, content: bytes, base: str) -> Answer:
    """Do a batch."""
    try:
        read_scope(principal)
        kind, body = batch.run(content_type, content, lambda request: answer(principal, request, base), root=ROOT)
    except ChengshuError as error:
        return refusal(error)
    return Answer(status=200, headers={"Content-Type": kind}, body=body)


def refusal(error: ChengshuError) -> Answer:
    """An error as clients of SensorThings read it (code, type, message), with what it is, where, and what to do."""
    status = 400 if error.status == 422 else error.status
    body = {
        "code": status, "type": "error", "message": str(error), "status": status, "detail": _(error.what),
        "instance": error.where, "remedy": _(error.remedy) if error.remedy else "",
    }  # fmt: skip
    return Answer(status=status, headers={"Content-Type": read.JSON}, body=msgspec.json.encode(body))


def landing(base: str, endpoints: Mapping[str, object] | None = None) -> bytes:
    """What the service has: its sets, and what it conforms to. `endpoints` says more of some classes."""
    sets = [{"name": name, "url": f"{base}/{name}"} for name in ENTITIES]
    settings = {"conformance": [*CONFORMANCE, *(endpoints or {})], **(endpoints or {})}
    return msgspec.json.encode({"value": sets, "serverSettings": settings})


def _over_mqtt() -> dict[str, object]:
    """What is offered by MQTT, and where."""
    found = {"endpoints": endpoints()}
    return {_SPEC + each: found for each in MQTT} if found["endpoints"] else {}


def _get(principal: Principal, request: Request, base: str) -> Answer:
    path, _mark, query = request.path.partition("?")
    if not path.strip("/"):
        read_scope(principal)
        return Answer(status=200, headers={"Content-Type": read.JSON}, body=landing(base, _over_mqtt()))
    found = read.read(principal, unquote(path), query, base)
    if found.text is None:
        return Answer(status=204)
    return Answer(status=200, headers={"Content-Type": found.media_type}, body=found.text.encode())


def _post(principal: Principal, request: Request, base: str) -> Answer:
    scope, path = write_scope(principal), _path(request)
    if path.strip("/") == "CreateObservations":
        return _create_observations(principal, request.body, base)
    target = _target(path, scope)
    if target.id is not None:
        raise _Refused("Entities are made in a set.", where=path[:200], remedy="POST to the address of the set.")
    body = mapped(request.body)
    parent = (target.parent[0].name, target.parent[2]) if target.parent else None
    made = write.create(principal, target.entity.name, body, parent=parent)
    return _shown(principal, made.kind, made.id, base, 201)


def _create_observations(principal: Principal, content: bytes, base: str) -> Answer:
    ids = data_array.create_observations(principal, content)
    links = [f"{base}/Observations({each})" if each is not None else "error" for each in ids]
    return Answer(status=201, headers={"Content-Type": read.JSON}, body=msgspec.json.encode(links))


def _patch(principal: Principal, request: Request, base: str) -> Answer:
    target, body = _entity(principal, request), decode(request.body)
    media_type = _header(request, "Content-Type").partition(";")[0].strip().lower() or read.JSON
    write.patch(principal, target.entity.name, _id(target), body, media_type)
    return _shown(principal, target.entity.name, _id(target), base, 200)


def _put(principal: Principal, request: Request, base: str) -> Answer:
    target, body = _entity(principal, request), decode(request.body)
    write.put(principal, target.entity.name, _id(target), body)
    return _shown(principal, target.entity.name, _id(target), base, 200)


def _delete(principal: Principal, request: Request, base: str) -> Answer:
    target = _entity(principal, request)
    write.delete(principal, target.entity.name, _id(target))
    return Answer(status=200)


def _no_method(principal: Principal, request: Request, base: str) -> Answer:
    raise _Refused("This method is not taken here.", where=request.method[:20])


_METHODS: Final[dict[str, Callable[[Principal, Request, str], Answer]]] = {
    "GET": _get, "POST": _post, "PATCH": _patch, "PUT": _put, "DELETE": _delete,
}  # fmt: skip


def _path(request: Request) -> str:
    return unquote(request.path.partition("?")[0])


def _header(request: Request, name: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name.lower()), "")


def _target(path: str, scope: Scope) -> Target:
    target = read.find(path, scope)
    if target.rest:
        raise NotOffered(
            "Properties and references are not written by themselves.", where=path[:200], remedy="PATCH it."
        )
    return target


def _entity(principal: Principal, request: Request) -> Target:
    """The one entity that a request is about."""
    path = _path(request)
    target = _target(path, write_scope(principal))
    if target.id is None:
        raise _Refused("This method is for one entity.", where=path[:200], remedy="Name its id.")
    if target.parent is not None and not target.checked:
        read.check(target, principal)
    return target


def _id(target: Target) -> int:
    if target.id is None:
        raise Malformed("This method is for one entity.")
    return target.id


def _shown(principal: Principal, kind: str, number: int, base: str, status: int) -> Answer:
    """The entity as it is now, with its address."""
    address = f"{base}/{kind}({number})"
    text = read.texts(principal, kind, [number], base).get(number)
    if text is None:
        raise NotFound("Nothing is found at this address.", where=address)
    headers = {"Content-Type": read.JSON, "Location": address}
    return Answer(status=status, headers=headers, body=text.encode())
