"""The one-command city: database, preparation, web, worker, replays; kept alive, and ended in order."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from chengshu.core.errors import CannotStart, ChengshuError
from chengshu.embedded.children import Child, Program
from chengshu.embedded.external import check_database
from chengshu.embedded.home import Home
from chengshu.embedded.output import Output
from chengshu.embedded.ports import address, check_port, wait_for
from chengshu.embedded.postgres import EmbeddedPostgres, running_url
from chengshu.embedded.words import _
from chengshu.logs import chosen_format, get_logger

TICK = 0.2
"""Seconds between two looks at the programs."""

READY_LIMIT = 60.0
"""Seconds for the first page to be served."""

REQUEST_LIMIT = 3
"""Seconds for the requests at work when the city is stopped. (A web process that is just starting hears no signal.)"""

LIVE_CONNECTIONS = 4096
"""Requests that the live process may answer at the same time: each open page is one."""

log = get_logger(__name__)


class ProgramGivenUp(ChengshuError):
    """A program of the city does not stay alive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """What makes a city run.

    `prepare` gets the URL of the database and migrates and loads it; the programs start after it. They find the
    database in CHENGSHU_DATABASE_URL. The first program is the web server; when it answers at `ready_path` the others
    are started, and `greet` gets its address. They are stopped in the order given. `more_ports` are those of the others.
    """

    home: Home
    host: str
    port: int
    programs: Sequence[Program]
    prepare: Callable[[str], None]
    greet: Callable[[str], None]
    ready_path: str = "healthz"
    more_ports: Sequence[int] = ()


def run_city(city: City) -> int:
    """Run `city` until SIGINT or SIGTERM, then stop it in order, and return the exit code 0.

    Call it in the main thread, as the last act of a process: both signals are ignored when it returns.

    Raise CannotStart when it cannot start here, ProgramGivenUp when a program dies again and again, KeyboardInterrupt
    when it is stopped before it runs.
    """
    for port in (city.port, *city.more_ports):
        check_port(city.host, port)
    city.home.prepare()
    _make_terminable()
    with database(city.home) as (url, server):
        os.environ.update(CHENGSHU_DATABASE_URL=url, CHENGSHU_HOME=str(city.home.folder))
        _gather_metrics(city.home)
        city.prepare(url)
        with _stop_requests() as stop:
            _Watch(city, server, stop).run()
    return 0


def _gather_metrics(home: Home) -> None:
    """Let the programs that are started add their metrics up in one folder, empty at each start."""
    folder = home.folder / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


@contextmanager
def database(home: Home) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """Give the URL of CHENGSHU_DATABASE_URL, or of an embedded server that runs as long as the block."""
    url = os.environ.get("CHENGSHU_DATABASE_URL")
    if url:
        check_database(url)
        yield url, None
        return
    with EmbeddedPostgres(home) as server:
        yield server.url, server


@contextmanager
def any_database(home: Home) -> Iterator[str]:
    """Give the URL of a database for one command: that of a running city, else as `database` does."""
    running = None if os.environ.get("CHENGSHU_DATABASE_URL") else running_url(home)
    if running:
        yield running
        return
    with database(home) as (url, _server):
        yield url


class _Watch:
    """The life of the programs of one city."""

    def __init__(self, city: City, server: EmbeddedPostgres | None, stop: _Stop) -> None:
        form = chosen_format()
        output = Output(form)
        self._city, self._server, self._stop = city, server, stop
        self._children = [Child(program, output) for program in city.programs]
        os.environ["CHENGSHU_LOG"] = form  # the programs write into pipes, and would not see the terminal

    def run(self) -> None:
        try:
            self._open()
            while not self._stop.event.wait(TICK):
                self._look()
        finally:
            self._end()

    def _open(self) -> None:
        """Start the web server alone, that it be ready soon; the others when it answers."""
        url = address(self._city.host, self._city.port)
        web, *others = self._children
        until = time.monotonic() + READY_LIMIT
        web.start()
        while not self._stop.event.is_set():
            if wait_for(url + self._city.ready_path, limit=TICK):
                for child in others:
                    child.start()
                self._city.greet(url)
                return
            self._look()
            if time.monotonic() > until:
                raise _silent(web, url)

    def _look(self) -> None:
        if self._server is not None:
            self._server.restart_if_dead()
        for child in self._children:
            child.watch(time.monotonic())
            if child.given_up:
                self._give_up(child)

    def _give_up(self, child: Child) -> None:
        error = _given_up(child)
        if child.program.lasting and child.program.needed:
            raise error
        log.error("program.given-up", program=child.program.name, why=str(error))
        self._children.remove(child)

    def _end(self) -> None:
        for child in self._children:
            child.stop(lambda: self._stop.hasty)


class _Stop:
    """The wish to stop, as signals tell it: the second one means at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.hasty = False

    def request(self, number: int, _frame: FrameType | None) -> None:
        self.hasty = self.event.is_set()
        self.event.set()


@contextmanager
def _stop_requests() -> Iterator[_Stop]:
    """Turn SIGINT and SIGTERM into a wish that is granted in order; afterwards they are ignored.

    What remains to be ended then is the database, and this process: an impatient signal must not leave it half-way.
    """
    stop = _Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        signal.signal(number, stop.request)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _make_terminable() -> None:
    """Make SIGTERM end this process like Ctrl-C does while it prepares."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def web_program(
    *, host: str, port: int, workers: int, threads: int, application: str = "chengshu.wsgi:application"
) -> Program:
    """Return the web server: Granian with `workers` processes of `threads` threads each."""
    return Program(
        name="web",
        argv=(
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
            "--workers", str(workers), "--blocking-threads", str(threads), "--http", "1", "--no-ws",
            "--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", str(REQUEST_LIMIT),
            application,
        ),
    )  # fmt: skip


def worker_program() -> Program:
    """Return the worker, which does what follows a change: notices, deadlines, schedules."""
    return Program(name="worker", argv=(sys.executable, "-m", "chengshu", "worker"))


def live_command(*, host: str, port: int) -> tuple[str, ...]:
    """Return the command of the live process: Granian with one worker, for what it knows lies in its memory."""
    return (
        sys.executable, "-m", "granian", "--interface", "asgi", "--host", host, "--port", str(port), "--workers", "1",
        "--loop", "asyncio", "--http", "1", "--no-ws", "--backpressure", str(LIVE_CONNECTIONS),
        "--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "2",
        "chengshu.live.asgi:application",
    )  # fmt: skip


def live_program(*, host: str, port: int) -> Program:
    """Return the program that tells the open pages what happens."""
    return Program(name="live", argv=live_command(host=host, port=port), needed=False)


def mqtt_program() -> Program:
    """Return the program that takes and tells by MQTT."""
    return Program(name="mqtt", argv=(sys.executable, "-m", "chengshu", "mqtt"), needed=False)


def replay_program(name: str, *arguments: str) -> Program:
    """Return the replay of the source `name`; it ends when the source does."""
    return Program(name=name, argv=(sys.executable, "-m", "chengshu", "replay", name, *arguments), lasting=False)


def _given_up(child: Child) -> ProgramGivenUp:
    return ProgramGivenUp(
        _("the program “%(name)s” does not stay alive; it said last: %(last)s")
        % {"name": child.program.name, "last": " / ".join(child.last_lines()[-3:]) or "-"},
        remedy=_("Mend the cause shown in its log lines above, and start again."),
    )


def _silent(child: Child, url: str) -> CannotStart:
    return CannotStart(
        _("the web server did not answer within %(seconds)s seconds.") % {"seconds": round(READY_LIMIT)},
        where=url,
        remedy=_("Read the lines of “%(name)s” above for the cause.") % {"name": child.program.name},
    )
