"""What a synthetic fleet tells: levels of 20 cm with a wave of a day and noise of each its own.

A share of it may go flat, fall silent or jump, as broken sensors do. Pure: numbers to numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Shares of a fleet (0 to 1) that are broken: tell always the same, tell nothing, jump now and then."""

    flat: float = 0.0
    silent: float = 0.0
    jumping: float = 0.0


def rounds(streams: NDArray[np.int64], rate: float, faults: Faults, *, seed: int = 1) -> Iterator[NDArray[np.int64]]:
    """Which datastreams speak in each second from now on, for ever: `rate` of them on the average, each in its turn."""
    random = np.random.default_rng(seed)
    speaking = streams[random.random(len(streams)) >= faults.silent]
    if not len(speaking):
        return
    turn, owed = 0, 0.0
    while True:
        owed += rate
        count = int(owed)
        owed -= count
        yield np.take(speaking, np.arange(turn, turn + count), mode="wrap")
        turn = (turn + count) % len(speaking)


def levels(streams: NDArray[np.int64], at: datetime, faults: Faults) -> NDArray[np.float64]:
    """What these datastreams tell at a time, in cm."""
    day = at.timestamp() / 86_400
    own = streams % 1_009 / 1_009  # of each its own phase, and whether it is broken
    values = 20 + 5 * np.sin(2 * np.pi * (day + own)) + np.random.default_rng().normal(0, 0.5, len(streams))
    values = np.where(own < faults.flat, 17.25, values)
    jumps = (own >= 1 - faults.jumping) & (np.random.default_rng().random(len(streams)) < 0.05)
    return np.where(jumps, values + 400, values).round(2)


def as_arrow(streams: NDArray[np.int64], at: datetime, results: NDArray[np.float64], span: float = 1.0) -> bytes:
    """Readings of the `span` (s) that ends at a time, one after the other, as an Arrow IPC stream, which the bulk door takes."""
    stamp = pa.timestamp("us", "UTC")
    before = np.arange(len(streams), 0, -1) * int(span * 1_000_000) // max(len(streams), 1)
    table = pa.table(
        {
            "datastream": pa.array(streams),
            "phenomenonTime": pa.array(int(at.timestamp() * 1e6) - before, stamp),
            "result": pa.array(results),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
