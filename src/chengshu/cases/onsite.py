"""What a telephone says of an act in the field: when it was done and where the telephone was.

Both are kept as facts of the step and shown as the telephone's words. The step's own time stays that of the server: it stops
limits, starts those of others, and whoever carries a telephone can set its clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chengshu.cases.models import Case
from chengshu.cases.suggest import distance

AHEAD = timedelta(minutes=10)  # a telephone's clock may be so far ahead
WORTH = timedelta(minutes=2)  # what was sent as soon as this needs no second time


@dataclass(frozen=True, kw_only=True, slots=True)
class Onsite:
    """What came with an act.

    Args:
        done_at: when it was done, by the telephone's clock.
        lon, lat: where the telephone was, degrees of WGS 84, if its owner said so; both or neither.
        accuracy: metres around that point within which the telephone believed to be.
    """

    done_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy: float | None = None

    def moment(self, since: datetime, at: datetime) -> datetime | None:
        """When it was done, if that can be: not before `since`, not after `at`; None for what no clock should say."""
        if self.done_at is None or not since <= self.done_at <= at + AHEAD:
            return None
        return min(self.done_at, at)

    def facts(self, opened_at: datetime, at: datetime) -> dict[str, Any]:
        """The facts of a step that is recorded at `at`, of a case opened at `opened_at`."""
        found: dict[str, Any] = {}
        done = self.moment(opened_at, at)
        if done is not None and at - done >= WORTH:
            found["done_at"] = done
        if self.lon is not None and self.lat is not None:
            found["here"] = {"lon": self.lon, "lat": self.lat, "accuracy": self.accuracy}
        return found


def metres(case: Case, facts: Mapping[str, Any]) -> int | None:
    """How far from the place of a case the telephone was when a step with these facts was made, if both are known."""
    here = facts.get("here")
    if here is None or case.lon is None or case.lat is None:
        return None
    return round(distance(case.lon, case.lat, here["lon"], here["lat"]))
