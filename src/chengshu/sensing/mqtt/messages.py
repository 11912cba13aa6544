"""A message as it came: who published what to which topic, and what is called when it is durable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from chengshu.parties.principal import Principal
from chengshu.sensing.mqtt.mapped import Mapped

_OBSERVATIONS: Final = re.compile(r"v1\.1/(?:Datastreams\((\d{1,18})\)/)?Observations")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What somebody published. `sources` take it; without any it is one of SensorThings'. `door` is where it came in, and
    is told, under `mark`, when what became of it is durable.
    """

    topic: str
    payload: bytes
    at: datetime
    principal: Principal
    sources: tuple[Mapped, ...] = ()
    door: Any = None
    mark: int = 0


@lru_cache(maxsize=65_536)
def observed(topic: str) -> int | None:
    """The datastream that a topic of Observations names; 0 where the message itself names it, None for any other topic."""
    found = _OBSERVATIONS.fullmatch(topic)
    return None if found is None else int(found[1] or 0)
