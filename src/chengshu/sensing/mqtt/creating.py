"""Create by publishing (18-088, 14.2): Observations of many messages go through accept() at once, all else one by one.

`v1.1/Observations` and `v1.1/Datastreams(7)/Observations` take the JSON of an Observation; `v1.1/CreateObservations` and the
other sets take what POST takes there. What cannot be taken stands in quarantine with its topic and the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from chengshu.core.errors import ChengshuError
from chengshu.parties.principal import Principal
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import frame_of
from chengshu.sensing.mqtt.mapped import text_of
from chengshu.sensing.mqtt.messages import Message, observed
from chengshu.sensing.records import Incoming, Reason, Refused
from chengshu.sensing.scope import write_scope
from chengshu.sensing.sources.topics import VERSION
from chengshu.sensing.sta import service
from chengshu.sensing.sta.batch import Request
from chengshu.sensing.sta.body import Body, Malformed, identifier, mapped, number, split
from chengshu.sensing.sta.data_array import known_features
from chengshu.sensing.sta.observation import row_of

DOOR: Final = "mqtt"
MEDIA_TYPE: Final = "application/x-mqtt-messages+json"


def create(principal: Principal, messages: Sequence[Message]) -> list[Message]:
    """Take in the Observations that messages of one principal say; durable when it returns. Those that hold other entities, or
    are others, are left: they are for `post`.

    Raises:
        NotAllowed: for who may not write.
        Conflict: datastreams keep changing, or somebody wrote the same at the same time: take them again.
    """
    scope = write_scope(principal)
    rows: list[Body] = []
    refused: list[Refused] = []
    left: list[Message] = []
    for line, message in enumerate(messages, start=1):
        try:
            row = _row(message)
        except ChengshuError as error:
            refused.append(_refused(line, message, str(error)))
            continue
        if row is None:
            left.append(message)
        else:
            rows.append({"line": line, **row})
    frame = frame_of(rows)
    if "feature" in frame.columns:
        frame, unknown = known_features(frame, scope)
        refused = sorted([*refused, *unknown], key=lambda each: each.line)
    if frame.height or refused:
        taken = _incoming(messages, frame, refused)
        accept(taken, actor=principal, at=messages[-1].at)
    return left


def post(message: Message, *, base: str) -> None:
    """Create what POST creates at the address that is the topic. What it refuses stands in quarantine."""
    path = message.topic.removeprefix(VERSION).replace("%", "%25").replace("?", "%3F")
    request = Request(method="POST", path=path, headers={"Content-Type": "application/json"}, body=message.payload)
    answer = service.answer(message.principal, request, base)
    if answer.status >= 400:
        refuse(message, str(msgspec.json.decode(answer.body).get("message", "")))


def refuse(message: Message, why: str, *, actor: Principal | None = None, door: str = DOOR) -> None:
    """Put a message that nothing could be made of into quarantine. Raises where not even that can be done."""
    taken = _incoming([message], frame_of([]), [_refused(1, message, why)], door)
    accept(taken, actor=actor or message.principal, at=message.at)


def _incoming(
    messages: Sequence[Message], rows: pl.DataFrame, refused: Sequence[Refused], door: str = DOOR
) -> Incoming:
    """With the messages as they came, each with its time: two that say the same at different times are two."""
    raw = [(each.at.isoformat(), each.topic, each.payload.decode("utf-8", "replace")) for each in messages]
    return Incoming(
        door=door, rows=rows, refused=tuple(refused), content=msgspec.json.encode(raw), media_type=MEDIA_TYPE
    )  # fmt: skip


def _row(message: Message) -> Body | None:
    """The row of an Observation; None where it is none, or holds other entities, which are to be made."""
    datastream = observed(message.topic)
    if datastream is None:
        return None
    members, links = split("Observations", mapped(message.payload))
    stream, feature = links.get("Datastream"), links.get("FeatureOfInterest")
    named = identifier(stream, "Datastream") if stream is not None else datastream
    about = identifier(feature, "FeatureOfInterest") if feature is not None else None
    if named is None or (feature is not None and about is None):
        return None
    if stream is not None and datastream and named != datastream:
        raise Malformed("The body names another entity than the address.", where="Datastream")
    if not named:
        raise Malformed("This link is missing.", where="Datastream", remedy='Write "Datastream": {"@iot.id": 7}.')
    return {"datastream": number(named, "Datastream"), "feature": about, **row_of(members, "", message.at)}


def _refused(line: int, message: Message, why: str) -> Refused:
    return Refused(
        line=line, reason=Reason.FORM, detail=f"{message.topic}: {why}"[:500].replace("\0", "\ufffd"),
        content={"topic": message.topic, "line": text_of(message.payload)},
    )  # fmt: skip
