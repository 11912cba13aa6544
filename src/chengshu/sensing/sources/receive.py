"""A content through a mapping into the lake of observations: what the register needs is made, then accept() takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.db import transaction

from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import Role
from chengshu.places.models import City
from chengshu.places.tree import root_division
from chengshu.sensing import known, store
from chengshu.sensing.accept import accept
from chengshu.sensing.models import Feed
from chengshu.sensing.records import Receipt
from chengshu.sensing.sources import register, shape
from chengshu.sensing.sources.mapping import Source
from chengshu.sensing.sources.shape import Taken


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What became of a content: how many datastreams were made, the receipt of accept(), how far its cursor got."""

    made: int
    receipt: Receipt
    cursor: str | None


def receive(
    content: bytes, source: Source, *, actor: Principal, city: City, door: str, at: datetime | None = None,
    beside: Callable[[Received], None] | None = None,
) -> Received:  # fmt: skip
    """Take a content in.

    Args:
        beside: what is done in the transaction of accept(), such as moving a cursor: both or neither.

    Raises:
        Invalid: the content cannot be read at all; nothing of it was taken.
        NotAllowed: the register's things belong to somebody else.
    """
    received = at or datetime.now(UTC)
    taken = shape.take(content, source, zone=city.timezone, door=door, received=received)
    return take_in(taken, source, actor=actor, at=received, beside=beside)


def take_in(
    taken: Taken, source: Source, *, actor: Principal, at: datetime, beside: Callable[[Received], None] | None = None
) -> Received:
    """Take in what a mapping made of a content. Raises as `receive` does."""
    made = register.ensure(taken.streams, source, actor, at)
    rows = taken.incoming.rows.drop_nulls("at")
    days = [int(day) for day in np.unique(store.days_of(rows)) if 0 <= day < 2**16]
    store.open_days([store.to_date(day) for day in days])  # outside the transaction that writes
    try:
        with transaction.atomic():
            receipt = accept(taken.incoming, actor=actor, at=at)
            got = Received(made=made, receipt=receipt, cursor=taken.cursor)
            if beside is not None:
                beside(got)
    except BaseException:
        known.forget()  # what was read of the register in this transaction may never have been
        raise
    return got


def actor_of(feed: Feed) -> Principal:
    """As whom a feed writes: a gateway of its owner, or the platform itself."""
    root = root_division(feed.city_id)
    if feed.owner_id is None:
        return system(feed.city_id, root)
    return Principal(
        account=None, username=f"feed:{feed.name}", name=feed.label, post=None, role=Role.GATEWAY, city=feed.city_id,
        division=root, department=feed.owner_id,
    )  # fmt: skip
