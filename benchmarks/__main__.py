"""`python -m benchmarks [NAME]`: each measurement in a process of its own, so that none leaves anything to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from benchmarks import (
    cockpit,
    importing,
    lifecycle,
    live,
    machine,
    mqtt,
    pages,
    rates,
    screen,
    seconds,
    sensing,
    things,
    writing,
)
from benchmarks.city import ROOT, temporary_home
from benchmarks.results import Result, note, show
from benchmarks.store import HOMES

# In this order the large store is filled once, by the measurement of the import, and read by those after it.
ALL: dict[str, Callable[[], list[Result]]] = {
    "start_time": machine.start_time,
    "report_batches": writing.report_batches,
    "batches": writing.batches,
    "lifecycle_http_10k": lifecycle.at_ten_thousand,
    "live_cockpits": live.live_cockpits,
    "import_history": importing.import_history,
    "lifecycle_http_1m": lifecycle.at_a_million,
    "list_page": pages.list_page,
    "case_page": pages.case_page,
    "cockpit_pages": cockpit.cockpit_pages,
    "list_rate": rates.list_rate,
    "case_rate": rates.case_rate,
    "follow_page": rates.follow_page,
    "first_screen": screen.first_screen,
    "bulk_observations": sensing.bulk_observations,
    "mqtt": mqtt.mqtt,
    "sensor_to_case": seconds.sensor_to_case,
    "soak": seconds.soak,
    "register_of_things": things.register_of_things,
    "memory": machine.memory,
}


def main(words: list[str]) -> int:
    """Run all measurements, or those whose names begin with the given one; 1 when one fails, 2 when there is none."""
    wanted = words[0] if words else ""
    names = [name for name in ALL if name.startswith(wanted)]
    if not names:
        note(f"There is no measurement {wanted!r}. Choose of: {', '.join(ALL)}.")
        return 2
    if HOMES in os.environ and len(names) == 1:
        for result in ALL[names[0]]():
            show(result)
        return 0
    return _each(names)


def _each(names: list[str]) -> int:
    kept = os.environ.get(HOMES)
    with nullcontext(Path(kept)) if kept else temporary_home() as homes:
        homes.mkdir(mode=0o755, parents=True, exist_ok=True)
        environment = os.environ | {HOMES: str(homes)}
        codes = [_one(name, environment) for name in names]
    return 1 if any(codes) else 0


def _one(name: str, environment: dict[str, str]) -> int:
    note(f"measuring {name}")
    return subprocess.run([sys.executable, "-m", "benchmarks", name], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
