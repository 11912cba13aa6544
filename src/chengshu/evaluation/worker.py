"""The worker with what goes on by itself beside the clocks of cases: sensing, scenes, counts by day, the brief of the morning."""

from __future__ import annotations

import threading
from typing import Final

from chengshu.brain import upkeep, watch
from chengshu.cases import worker
from chengshu.evaluation import brief, counts
from chengshu.sensing import worker as sensing

LAST: Final = 5.0  # seconds in which what is under way may end
CHORES: Final[tuple[sensing.Chore, ...]] = (
    *sensing.CHORES,
    (watch.tick, 0.5),
    (upkeep.tick, 10.0),
    (counts.count_all, 10.0),  # how far behind the lines of the cockpit may be
    (brief.tell_all, 10.0),
)


def run(stop: threading.Event) -> None:
    """Work until `stop` is set. The chores run apart, for a long count must not keep clocks waiting."""
    chores = threading.Thread(target=sensing.run, args=[stop, CHORES], name="chores", daemon=True)
    chores.start()
    worker.run(stop)
    chores.join(LAST)
