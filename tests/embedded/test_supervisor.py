"""A whole city of toy programs behind a real Granian and a real database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from chengshu.embedded.home import Home

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], limit: float = 20) -> bool:
    """Wait until something holds; tell whether it does."""
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@dataclass
class Running:
    """A city that was started, and what it says."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def wait_open(self) -> None:
        """Read until the city greets."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("open http://127.0.0.1:")

    def get(self) -> str:
        """Ask the web server how often the city was started; an empty text when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as reply:
                return str(reply.read().decode())
        except OSError:
            return ""

    def family(self) -> list[psutil.Process]:
        """All processes of the city but the supervisor."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def member(self, *words: str) -> psutil.Process:
        """Return the direct child of the supervisor whose command line has all `words`."""
        children = psutil.Process(self.process.pid).children()
        alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        return next(child for child in alive if all(word in " ".join(child.cmdline()) for word in words))

    def said(self, text: str) -> bool:
        """Tell whether `text` is in the log."""
        return text in self.log.read_text()


@contextmanager
def city(home: Home, flaw: str = "none", port: int | None = None) -> Iterator[Running]:
    """Start a city; whatever happens, nothing of it stays."""
    port = port or free_port()
    log = home.folder.parent / f"{flaw}.log"
    command = [sys.executable, "-m", "tests.embedded.small_city", str(home.folder), str(port), flaw]
    with log.open("w") as sink:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=sink, text=True)
    running = Running(process=process, port=port, log=log)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def none_left(family: list[psutil.Process]) -> bool:
    """Tell whether all have ended."""
    return not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stops_in_order_and_leaves_no_process(home: Home, how: signal.Signals) -> None:
    with city(home) as running:
        running.wait_open()
        family = running.family()
        assert len(family) > 5  # two web processes and their parent, worker, database and its own
        running.process.send_signal(how)
        assert running.process.wait(30) == 0
        assert none_left(family)
        assert running.said('"program": "replay", "action": "program.printed", "message": "played"')


def test_second_start_finds_the_data(home: Home) -> None:
    for times in ("1", "2"):
        with city(home) as running:
            running.wait_open()
            assert running.get() == times


def test_killed_supervisor_takes_everything_with_it(home: Home) -> None:
    with city(home) as running:
        running.wait_open()
        family = running.family()
        running.process.kill()
        assert until(lambda: none_left(family))
    with city(home) as running:
        running.wait_open()
        assert running.get() == "2"


@pytest.mark.parametrize("words", [("granian",), ("-c", "at work"), ("postgres", "-D")])
def test_killed_program_comes_back(home: Home, words: tuple[str, ...]) -> None:
    with city(home) as running:
        running.wait_open()
        killed = running.member(*words)
        old = {member.pid for member in killed.children(recursive=True)}
        killed.kill()
        assert until(lambda: not killed.is_running())

        def back() -> bool:
            try:
                return running.member(*words).pid != killed.pid and running.get() == "1"
            except (StopIteration, psutil.Error):
                return False

        assert until(back)
        assert not old & {member.pid for member in running.family()}


def test_killed_web_worker_is_replaced(home: Home) -> None:
    with city(home) as running:
        running.wait_open()
        web = running.member("granian")
        workers = web.children(recursive=True)
        for worker in workers:
            worker.kill()
        assert until(lambda: running.get() == "1")
        assert running.member("granian").pid == web.pid


def test_program_that_always_dies_is_given_up(home: Home) -> None:
    with city(home, "dying") as running:
        assert running.process.wait(60) == 1
        assert running.process.stdout is not None
        said = running.process.stdout.read()
        assert "“worker” does not stay alive" in said
        assert "I cannot live" in said


def test_failing_replay_stops_nobody(home: Home) -> None:
    with city(home, "replay") as running:
        running.wait_open()
        assert until(lambda: running.said("program.given-up"))
        assert running.get() == "1"


def test_second_signal_means_at_once(home: Home) -> None:
    with city(home, "stubborn") as running:
        running.wait_open()
        family = running.family()
        running.process.send_signal(signal.SIGINT)
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(14) == 0
        assert none_left(family)


def test_port_taken(home: Home) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a left-over Granian does
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with city(home, port=port) as running:
            assert running.process.wait(20) == 3
            assert running.process.stdout is not None
            said = running.process.stdout.read()
    assert "is taken" in said
    assert f"CHENGSHU_PORT={port + 1}" in said
    assert not (home.folder / "pg").exists()


def test_external_database_that_is_not_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENGSHU_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/none")
    with city(home) as running:
        assert running.process.wait(20) == 3
        assert running.process.stdout is not None
        said = running.process.stdout.read()
    assert "cannot be reached" in said
    assert "secret" not in said
    assert os.environ["CHENGSHU_DATABASE_URL"] not in said
