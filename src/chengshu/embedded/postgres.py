"""The embedded PostgreSQL: one small server in CHENGSHU_HOME, reached by a Unix socket, ending with its city."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from chengshu.core.errors import CannotStart
from chengshu.embedded import cluster, tuning
from chengshu.embedded.account import CLEAN_ENVIRONMENT
from chengshu.embedded.diagnosis import diagnose
from chengshu.embedded.home import Home, Lock, new_secret
from chengshu.embedded.place import MINIMUM_FREE, SHARED, Place, folder_of, settle
from chengshu.embedded.processes import ends_with_parent
from chengshu.embedded.words import _
from chengshu.logs import get_logger

START_LIMIT = 600
"""Seconds. A server that replays a long journal after a crash is at work, not stuck; the log tells of it."""

STOP_LIMIT = 30
"""Seconds for an orderly end, before the server is told to end at once (it then recovers at the next start)."""

LOG_LIMIT = 10_000_000
"""Bytes of the server's log above which a start puts it aside."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Postmaster:
    """What a server wrote about itself into `postmaster.pid` (PostgreSQL's `pidfile.h`)."""

    pid: int
    sockets: str
    status: str

    @classmethod
    def of(cls, data: Path) -> Postmaster | None:
        """Return what stands in `data`, or nothing when no server is there or it has not written all of it yet."""
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return cls(pid=int(lines[0]), sockets=lines[4].strip(), status=lines[7].strip())
        except (OSError, IndexError, ValueError):
            return None


def database_url(password: str, sockets: str) -> str:
    """Return the URL of the database `chengshu` behind the socket in the folder `sockets`."""
    return f"postgresql://{cluster.ROLE}:{quote(password)}@/{cluster.DATABASE}?host={quote(sockets, safe='')}"


def running_url(home: Home, *, shared: Path = SHARED) -> str | None:
    """Return the URL of the server that runs for `home` now, started by another process; nothing when none is ready."""
    data = folder_of(home, shared=shared) / "data"
    server = Postmaster.of(data)
    if server is None or server.status != "ready" or not cluster.is_server(server.pid, data):
        return None
    return database_url(home.private_text("pg_password", new_secret), server.sockets)


class EmbeddedPostgres:
    """The server of one city. Start it in the thread that will live longest; use it as a context manager.

    `url` is empty until it is started; `minimum_free` are bytes of disk; `shared` is where root puts what the
    unprivileged account cannot reach in `home`.
    """

    def __init__(self, home: Home, *, shared: Path = SHARED, minimum_free: int = MINIMUM_FREE) -> None:
        self.home = home
        self._shared, self._minimum_free = shared, minimum_free
        self._lock = Lock(home)
        self._place: Place | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> str:
        """Start the server, making the database at the first time, and return its URL.

        Raise CannotStart when it fails.
        """
        self.home.prepare()
        self._lock.acquire()
        try:
            self._place = settle(self.home, shared=self._shared, minimum_free=self._minimum_free)
            self.url = self._start(self._place)
        except BaseException:
            self.stop()
            raise
        return self.url

    def restart_if_dead(self) -> bool:
        """Start the server again after it was killed, at the same address; tell whether that was needed."""
        if self._place is None or self._process is None or self._process.poll() is None:
            return False
        log.warning("postgres.died", code=self._process.returncode)
        cluster.end_orphan(self._place.data)
        self._launch(self._place)
        return True

    def stop(self) -> None:
        """End the server in order (a fast shutdown: open transactions are rolled back) and free the folder."""
        if self._process is not None:
            self._end(self._process)
            self._process = None
        if self._place is not None and self._place.sockets.parent != self._place.folder:
            shutil.rmtree(self._place.sockets, ignore_errors=True)
        self._lock.release()

    @property
    def pid(self) -> int | None:
        """The process of the server, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def _start(self, place: Place) -> str:
        cluster.end_orphan(place.data)
        fresh = not (self.home.folder / "pg_password").exists()
        password = self.home.private_text("pg_password", new_secret)
        if not place.data.exists():
            cluster.create(place, password)
        else:
            cluster.check_version(place)
            if fresh:
                cluster.set_password(place, password)
        self._launch(place)
        return database_url(password, str(place.sockets))

    def _launch(self, place: Place) -> None:
        values = tuning.settings(tuning.memory_bytes(), socket_folder=place.sockets)
        began = time.monotonic()
        _clear_sockets(place.sockets)
        while not self._attempt(place, tuning.arguments(values), began):
            time.sleep(0.2)
        log.info("postgres.started", seconds=round(time.monotonic() - began, 2), folder=str(place.folder))

    def _attempt(self, place: Place, settings: list[str], began: float) -> bool:
        """Start the server once; tell whether it came up. Remains of a killed server may hold it off for a moment."""
        with _open_log(place.log) as sink:
            said_before = sink.tell()
            self._process = subprocess.Popen(
                [str(place.binaries.postgres), "-D", str(place.data), *settings],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd="/", env=CLEAN_ENVIRONMENT,
                start_new_session=True, **place.account.identity,
                preexec_fn=ends_with_parent(signal.SIGINT),  # noqa: PLW1509 - one system call, nothing is imported
            )  # fmt: skip
        if self._wait_ready(place, self._process, began):
            return True
        said = _read_from(place.log, said_before)
        if "pre-existing shared memory block" in said and time.monotonic() - began < STOP_LIMIT:
            return False
        raise diagnose(said, place.log)

    def _wait_ready(self, place: Place, process: subprocess.Popen[bytes], began: float) -> bool:
        told = 10.0
        while process.poll() is None:
            server = Postmaster.of(place.data)
            if server is not None and server.pid == process.pid and server.status == "ready":
                return True
            waited = time.monotonic() - began
            if waited > told:
                log.info("postgres.recovering", seconds=round(waited))
                told += 10
            if waited > START_LIMIT:
                raise _too_slow(place.log)
            time.sleep(0.02)
        return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for how, limit in ((signal.SIGINT, STOP_LIMIT), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            if process.poll() is not None:
                return
            process.send_signal(how)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                log.warning("postgres.stop-delayed", signal=how.name, seconds=limit)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _clear_sockets(folder: Path) -> None:
    """Remove what a killed server left: no server works on the data by now, but its number may still look alive.

    (It does as long as nobody has reaped it, which in a container without an init is for ever.)
    """
    for left in folder.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)


def _open_log(path: Path) -> BinaryIO:
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    sink = path.open("ab")
    path.chmod(0o600)
    return sink


def _read_from(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")


def _too_slow(path: Path) -> CannotStart:
    return CannotStart(
        _("the database was not ready after %(seconds)s seconds.") % {"seconds": START_LIMIT},
        where=str(path),
        remedy=_("Read the end of this log; a very long recovery may be waited for by starting again."),
    )
