"""The programs of a city: started, watched, started again, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chengshu.embedded.output import Output
from chengshu.embedded.processes import ends_with_parent
from chengshu.logs import get_logger

QUICK = 20.0
"""Seconds. A program that lived shorter died quickly; one that lived longer starts with a clean record."""

QUICK_DEATHS = 5
"""Quick deaths in a row after which a program is given up."""

HOPELESS = (2, 3)
"""Exit codes of ours that trying again does not mend: wrong input, and cannot start here."""

FIRST_PAUSE = 0.5
"""Seconds before the first restart; each further quick death doubles them."""

STOP_LIMIT = 15.0
"""Seconds for a program to end in order after SIGTERM, before it is killed."""

LEAN = {"MALLOC_ARENA_MAX": "2"}
"""For programs of many threads: without it, glibc keeps an arena for each and gives little back."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program of the city. One that is not `lasting` may end by itself with code 0, and its failure stops nobody.

    Without one that is not `needed` the city goes on, too, but it is tried again as long as any other.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = True
    needed: bool = True


class Child:
    """One program and its present process, which leads a process group of its own."""

    def __init__(self, program: Program, output: Output) -> None:
        self.program = program
        self.given_up = False
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._began = 0.0
        self._deaths = 0
        self._next_start = 0.0

    @property
    def pid(self) -> int | None:
        """The present process, if there is one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it ends with this one, even by kill -9."""
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            self.program.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**LEAN, **os.environ, **self.program.environment},
            start_new_session=True,
            preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one system call, nothing is imported
        )  # fmt: skip
        if self._process.stdout is not None:
            self._reader = self._output.follow(self.program.name, self._process.stdout)  # type: ignore[arg-type]
        log.info("program.started", program=self.program.name, pid=self._process.pid)

    def watch(self, now: float) -> None:
        """Notice a death, and start again when the pause after it is over. `now` is monotonic, in seconds."""
        if self._process is not None and self._process.poll() is not None:
            self._bury(self._process, now)
        elif self._process is None and self._next_start and now >= self._next_start:
            self._next_start = 0.0
            self.start()

    def stop(self, hurry: Callable[[], bool]) -> None:
        """End the process in order, or by force once `hurry` says so or STOP_LIMIT is over; nothing of it is left."""
        process, self._process, self._next_start = self._process, None, 0.0
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            if not _ended(process, hurry):
                log.warning("program.killed", program=self.program.name)
        _kill_group(process)
        self._finish_reading()
        log.info("program.stopped", program=self.program.name, code=process.returncode)

    def last_lines(self) -> list[str]:
        """Return what the program said last."""
        return self._output.last_lines(self.program.name)

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        self._process = None
        _kill_group(process)  # workers of a server that was killed would go on serving
        self._finish_reading()
        if process.returncode == 0 and not self.program.lasting:
            log.info("program.finished", program=self.program.name)
            return
        self._deaths = self._deaths + 1 if now - self._began < QUICK else 1
        pause = FIRST_PAUSE * 2 ** (self._deaths - 1)
        log.error("program.died", program=self.program.name, code=process.returncode, deaths=self._deaths)
        hopeless = not self.program.lasting and process.returncode in HOPELESS
        if hopeless or self._deaths >= QUICK_DEATHS:
            self.given_up = True
        else:
            self._next_start = now + pause

    def _finish_reading(self) -> None:
        if self._reader is not None:
            self._reader.join(2)


def _ended(process: subprocess.Popen[bytes], hurry: Callable[[], bool]) -> bool:
    until = time.monotonic() + STOP_LIMIT
    while process.poll() is None:
        if hurry() or time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        log.debug("program.group-empty", pid=process.pid)
    process.wait()
