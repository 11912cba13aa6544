"""Writing by SensorThings: create, change, replace, delete (18-088, 10). Each call is one transaction, all or nothing.

Kinds are the names of entity sets, such as "Things". Bodies are decoded JSON (`body.mapped`, `body.decode`). All raise
`NotAllowed` (403) for who may not write, `NotFound` (404) for what is not there or not for the caller, `Malformed` (400) for what
cannot be taken, and `Conflict` (409).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction

from chengshu.core.errors import NotFound
from chengshu.parties.principal import Principal
from chengshu.sensing import known
from chengshu.sensing.models import Thing
from chengshu.sensing.scope import write_scope
from chengshu.sensing.sta import change, deep, history, observation, remove
from chengshu.sensing.sta.body import ID, KINDS, Body, Malformed, identifier, items
from chengshu.sensing.sta.deep import Made, Writer

JSON_PATCH: Final = "application/json-patch+json"
Parent = tuple[str, int]
"""The entity whose navigation link a body was sent to: the name of its set and its id."""
_WITH_STREAMS: Final = frozenset({"Things", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest"})

__all__ = ["JSON_PATCH", "Made", "create", "delete", "patch", "put"]


def create(
    principal: Principal, kind: str, body: Body, *, parent: Parent | None = None, at: datetime | None = None
) -> Made:
    """Make an entity, with all that its body holds inline, linked to `parent`."""
    with _writing(principal, at) as writer:
        made = deep.create(writer, kind, _under(writer, kind, body, parent) if parent else body)
        observations = deep.finish(writer)
        return Made(kind=kind, id=observations[-1] if kind == "Observations" else made)


def patch(
    principal: Principal,
    kind: str,
    id: int,
    body: Any,
    media_type: str = "application/json",
    *,
    at: datetime | None = None,
) -> None:
    """Change an entity: JSON Patch where the media type says so, otherwise a merge."""
    with _writing(principal, at) as writer:
        if media_type == JSON_PATCH:
            _change(writer, kind, id, change.patching(body))
            return
        given = _mapped(body)
        change.same_id(given, id)
        _change(writer, kind, id, change.merging(kind, given))


def put(principal: Principal, kind: str, id: int, body: Any, *, at: datetime | None = None) -> None:
    """Replace the members of an entity; links that are not named stay."""
    with _writing(principal, at) as writer:
        given = _mapped(body)
        change.same_id(given, id)
        _change(writer, kind, id, change.replacing(kind, given))


def delete(principal: Principal, kind: str, id: int, *, at: datetime | None = None) -> None:
    """Delete an entity and what cannot be without it."""
    with _writing(principal, at) as writer:
        if kind == "Observations":
            observation.remove(id, writer.scope, writer.at)
            return
        if kind in _WITH_STREAMS:
            remove.lock()
        remove.remove(writer, _locked(writer, kind, id))


@contextmanager
def _writing(principal: Principal, at: datetime | None) -> Iterator[Writer]:
    """A transaction of somebody who may write."""
    writer = Writer(principal=principal, scope=write_scope(principal), at=at or datetime.now(UTC))
    try:
        with transaction.atomic():
            yield writer
    except BaseException:
        known.forget()  # what was read of datastreams that are not there after all
        raise


def _mapped(body: Any) -> Body:
    if not isinstance(body, dict):
        raise Malformed("The body is not a JSON object.", remedy="Send the members of one entity.")
    return body


def _change(writer: Writer, kind: str, id: int, new: change.New) -> None:
    if kind == "Observations":
        change.change_observation(writer, id, new)
    else:
        change.change(writer, kind, _locked(writer, kind, id), new)


def _locked(writer: Writer, kind: str, id: int) -> Any:
    """An entity, locked: after its Datastreams, as who adds observations locks them, or the two would wait for each other."""
    history.hold([id] if kind == "Things" else _housed(id) if kind == "Locations" else [])
    rows = deep.visible(kind, writer.scope).select_for_update(of=("self",), no_key=True)
    found = rows.filter(pk=id).first() if id < 2**63 else None
    if found is None:
        raise NotFound("There is no such entity.", where=f"{kind}({id})")
    return found


def _housed(location: int) -> list[int]:
    """The Things that stand at a Location."""
    return list(Thing.objects.filter(locations=location).order_by("pk").values_list("pk", flat=True))


def _under(writer: Writer, kind: str, body: Body, parent: Parent) -> Body:
    """A body with the link to the entity whose navigation link it was sent to."""
    set_, number = parent
    name = next((n for n, link in KINDS[kind].links.items() if link.kind == set_), None)
    if name is None:
        raise NotFound("There is no such navigation link.", where=f"{set_}({number})/{kind}")
    if set_ != "Observations" and not deep.visible(set_, writer.scope).filter(pk=number).exists():
        raise NotFound("There is no such entity.", where=f"{set_}({number})")
    back: Any = {ID: number}
    given = body.get(name)
    if KINDS[kind].links[name].many:
        return {**body, name: [*(items(given, name) if given else []), back]}
    if given is not None and identifier(given, name) != number:
        raise Malformed("The body names another entity than the address.", where=name)
    return {**body, name: back}
