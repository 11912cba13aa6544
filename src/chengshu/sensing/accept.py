"""accept(): the only way in for observations. What is right is added once, what is not is kept in quarantine, all or nothing.

One transaction writes the delivery, its content, its observations and its quarantine. The same content again adds nothing,
whatever became of the first answer; the same observation in other content is known by its datastream, time and result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from django.db import connection

from chengshu import database
from chengshu.core.errors import Conflict
from chengshu.parties.principal import Principal
from chengshu.sensing import cold, decode, features, known, latest, store
from chengshu.sensing.check import AHEAD, Content, check, ids_of
from chengshu.sensing.models import Delivery, Quarantined
from chengshu.sensing.records import Incoming, Reason, Receipt, Refused
from chengshu.sensing.scope import Scope, write_scope

SYNC: Final = 200  # datastreams whose latest result is kept at once; of more, the worker keeps it a moment later
_ZSTD: Final = pa.Codec("zstd", compression_level=1)


class _Stale(Exception):
    """Datastreams changed between the check and the lock."""


@dataclass(kw_only=True, slots=True)
class _Work:
    """One call on its way."""

    incoming: Incoming
    actor: Principal
    scope: Scope
    at: datetime
    good: pl.DataFrame
    refused: Sequence[Refused]
    digest: bytes | None
    version: int
    repeat: bool


def accept(
    incoming: Incoming,
    *,
    actor: Principal,
    at: datetime | None = None,
    repeat: bool = False,
    ahead: timedelta | None = AHEAD,
) -> Receipt:
    """Take in what a door read; durable and queryable when it returns.

    Args:
        at: when it came in; now by default.
        repeat: whether a datastream may observe twice at one time, as who creates single entities may. Otherwise the same result
            again is known already, and another one is refused as a contradiction.
        ahead: how far in the future a row's time may lie; None for any.

    Returns:
        What became of the rows; `ids` tells the observation of each line that was added or known.

    Raises:
        NotAllowed: for who may not write what sensors say.
    """
    received = at or datetime.now(UTC)
    scope = write_scope(actor)
    digest = _digest(incoming)
    for _attempt in range(5):
        register = _register(incoming.rows, scope)
        checked = check(incoming.rows, register, at=received, content=_content(incoming), ahead=ahead)
        work = _Work(
            incoming=incoming,
            actor=actor,
            scope=scope,
            at=received,
            good=checked.good,
            refused=[*incoming.refused, *checked.refused],
            digest=digest,
            version=register.version,
            repeat=repeat,
        )
        days = [store.to_date(day) for day in np.unique(store.days_of(checked.good))]
        try:
            return store.with_days(days, partial(_write, work, days))
        except _Stale:
            known.forget()
    raise Conflict("The datastreams keep changing.", remedy="Send it again.")


def _register(rows: pl.DataFrame, scope: Scope) -> known.Known:
    ids = rows["datastream"].drop_nulls().unique().to_numpy()
    keys = rows["key"].drop_nulls().unique().to_list() if "key" in rows.columns else []
    found = known.known(scope, ids, keys)
    if keys:
        ids = np.unique(ids_of(rows, found.keys))
        found = known.known(scope, ids, keys)
    rows_of = found.find(ids)
    featureless = rows_of["id"][(rows_of["id"] != 0) & (rows_of["feature"] == known.PLACED)]
    if len(featureless):
        features.ensure(featureless.tolist())
        found = known.fresh(scope, ids, keys)
    return found


def _content(incoming: Incoming) -> Content:
    """What was read of a row: its line of a text with a row a line, else the line that says the same."""
    if incoming.content is not None and incoming.media_type == "application/x-ndjson":
        text = incoming.content.split(b"\n")
        return lambda row: {"line": text[row["line"] - 1].decode("utf-8", "replace")[:10_000]}
    return decode.shown


def _digest(incoming: Incoming) -> bytes | None:
    if incoming.content is None:
        return None
    return hashlib.sha256(incoming.media_type.encode() + b"\0" + incoming.content).digest()


def receipt(delivery: Delivery) -> Receipt:
    """What became of a delivery, as told to who sends it again."""
    return Receipt(
        delivery=delivery.pk, rows=delivery.rows, known=delivery.known, refused=delivery.refused,
        received=delivery.received, replayed=True,
    )  # fmt: skip


_BEGIN: Final = "SELECT * FROM sensing_begin(%s, %s, %s, %s, %s, %s, %s, %s, %s::date[])"
_END: Final = """
WITH raw AS (INSERT INTO sensing_raw (delivery_id, content) SELECT %s, %s WHERE %s)
UPDATE sensing_delivery SET rows = %s, known = %s, refused = %s, serial_first = %s, serial_last = %s, first_at = %s,
    seen = %s WHERE id = %s
"""


def _write(work: _Work, days: Sequence[date]) -> Receipt:
    came = work.incoming
    [(state, delivery, serial, in_lake)] = database.rows(
        _BEGIN,
        [work.scope.city, came.door, work.digest, came.media_type, work.at, work.actor.account, work.version,
         work.good.height, list(days)],
    )  # fmt: skip
    if state == "stale":
        raise _Stale
    if state == "known":
        return receipt(Delivery.objects.get(pk=delivery))
    frame = store.numbered(work.good, serial)
    added, same = _added(frame, work, in_lake)
    cold.touched(days, work.at)
    _quarantine(work, delivery)
    few = added["datastream"].n_unique() <= SYNC
    if added.height and few:
        latest.keep(added, work.at)
    _end(work, delivery, added, len(same), serial, seen=few)
    return Receipt(
        delivery=delivery,
        rows=added.height,
        known=len(same),
        refused=len(work.refused),
        received=work.at,
        problems=tuple(work.refused),
        taken=frame.select("line", "id"),
        same=same,
    )


def _end(work: _Work, delivery: int, added: pl.DataFrame, same: int, serial: int, *, seen: bool) -> None:
    """The content as it came, and what became of it."""
    content = work.incoming.content
    packed = bytes(_ZSTD.compress(content)) if content is not None else b""
    last = serial + work.good.height - 1
    first_at = added.select(pl.col("at").min()).item()
    with connection.cursor() as cursor:
        cursor.execute(
            _END,
            [delivery, packed, content is not None, added.height, same, len(work.refused), serial, last,
             first_at, seen, delivery],
        )  # fmt: skip


def _added(frame: pl.DataFrame, work: _Work, in_lake: bool) -> tuple[pl.DataFrame, Mapping[int, int]]:
    """Write the rows that are new; they, and by their ids those that were there before. Contradictions join the refused."""
    if frame.height == 0 or (not in_lake and store.add(frame)):
        return frame, {}
    same: Mapping[int, int] = {}
    if work.repeat:
        fresh = store.counted(frame)
    else:
        found = store.told_apart(frame, cold.compare(frame))
        fresh, same = found.fresh, found.known
        work.refused = [*work.refused, *_contradictions(frame, found.clashing, _content(work.incoming))]
    if fresh.height and not store.add(fresh):
        raise Conflict("Somebody wrote the same observations at the same time.", remedy="Send it again.")
    return fresh, same


def _contradictions(frame: pl.DataFrame, clashing: Mapping[int, int], content: Content) -> list[Refused]:
    rows = frame.filter(pl.col("id").is_in(list(clashing))) if clashing else frame.clear()
    return [
        Refused(
            line=row["line"],
            reason=Reason.CONTRADICTS,
            detail=f"observation {clashing[row['id']]} says something else of {row['at'].isoformat()}",
            content=content({**row, "unit": None}),  # converted
            datastream=row["datastream"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _quarantine(work: _Work, delivery: int) -> None:
    """The rows that were refused."""
    if not work.refused:
        return
    Quarantined.objects.bulk_create(
        [
            Quarantined(
                city_id=work.scope.city,
                delivery_id=delivery,
                line=each.line,
                datastream_id=each.datastream,
                reason=each.reason,
                detail=each.detail,
                content=each.content if isinstance(each.content, Mapping) else {"line": each.content},
                at=work.at,
            )
            for each in work.refused
        ],
        batch_size=1_000,
    )
