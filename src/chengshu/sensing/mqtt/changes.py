"""What changed: entities as they are told (`news`), and the observations of deliveries that are committed.

Deliveries are numbered before they commit, so a smaller number may appear after a larger one. Numbers that are missing are
asked for again until every transaction has ended that ran when they were missed: then they were never used. Nothing is asked
while nobody subscribes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import psycopg

from chengshu.logs import get_logger
from chengshu.sensing import news
from chengshu.sensing.mqtt.updates import Change

AT_ONCE: Final = 200  # deliveries
ROWS: Final = 20_000  # observations
MISSING: Final = 100_000  # numbers that are waited for
log = get_logger(__name__)

_NOW: Final = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint, (SELECT coalesce(max(id), 0) FROM sensing_delivery)
FROM pg_current_snapshot() s
"""
_COMMITTED: Final = """
SELECT id, rows FROM sensing_delivery WHERE id > %s OR id = ANY(%s) ORDER BY id LIMIT %s
"""
_OBSERVED: Final = """
WITH part AS (
    SELECT day::timestamp AT TIME ZONE 'UTC' AS first, (day + 1)::timestamp AT TIME ZONE 'UTC' AS after,
        (day - date '1970-01-01')::bigint << 37 | serial_first AS low,
        (day - date '1970-01-01')::bigint << 37 | serial_last AS high
    FROM sensing_delivery, unnest(days) AS day WHERE id = ANY(%(ids)s)
)
SELECT o.id, o.datastream
FROM part JOIN sensing_observation o ON o.at >= part.first AND o.at < part.after AND o.id BETWEEN part.low AND part.high
WHERE %(all)s OR o.datastream = ANY(%(streams)s)
ORDER BY o.id & ((1::bigint << 37) - 1)
"""


@dataclass(kw_only=True, slots=True)
class Deliveries:
    """Where somebody got to who follows committed deliveries. `missing`: numbers, and the transaction that must have ended."""

    reached: int = -1
    missing: dict[int, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Nobody follows any more; who begins again, begins with what comes then."""
        self.reached, self.missing = -1, {}

    def step(self, connection: psycopg.Connection[Any], streams: Collection[int]) -> tuple[list[Change], bool]:
        """New observations of these datastreams (0 among them: of all) since the last step; whether more wait."""
        oldest, newest, last = connection.execute(_NOW).fetchone() or (0, 0, 0)
        if self.reached < 0:
            self.reached = last
            return [], False
        found = connection.execute(_COMMITTED, [self.reached, list(self.missing), AT_ONCE]).fetchall()
        ids = self._passed(found)
        more = len(ids) < len(found) or len(found) == AT_ONCE
        if not more:
            self._note(oldest, newest)
        if not ids:
            return [], more
        values = {"ids": ids, "all": 0 in streams, "streams": list(streams)}
        rows = connection.execute(_OBSERVED, values).fetchall()
        return [Change(kind="Observations", id=number, stream=stream) for number, stream in rows], more

    def _passed(self, found: list[tuple[int, int]]) -> list[int]:
        """As many deliveries as are looked at now."""
        ids: list[int] = []
        rows = 0
        for number, count in found:
            if ids and rows + count > ROWS:
                break
            rows += count
            ids.append(number)
            self._reach(number)
        return ids

    def _reach(self, number: int) -> None:
        if self.missing.pop(number, None) is None and number > self.reached:
            self.missing.update(dict.fromkeys(range(self.reached + 1, min(number, self.reached + MISSING)), 0))
            self.reached = number

    def _note(self, oldest: int, newest: int) -> None:
        """Drop numbers that were never used. What is missed for the first time gets its transaction with the next step: by then
        whoever holds such a number has one.
        """
        ended = [number for number, until in self.missing.items() if 1 < until <= oldest]
        for number in ended:
            del self.missing[number]
        for number, until in self.missing.items():
            if until <= 1:
                self.missing[number] = newest if until == 1 else 1


def heard(connection: psycopg.Connection[Any], timeout: float) -> Iterator[Change]:
    """The entities that are told of within a time; ends early when something was."""
    for notify in connection.notifies(timeout=timeout, stop_after=1):
        try:
            found = news.heard(notify.payload)
        except msgspec.MsgspecError:
            log.warning("mqtt.not-understood", payload=notify.payload[:100])
            continue
        yield from (Change(kind=found.kind, id=number, members=found.members) for number in found.ids)
