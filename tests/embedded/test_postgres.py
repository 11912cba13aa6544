"""The embedded PostgreSQL, with the real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from chengshu.core.errors import CannotStart
from chengshu.embedded import binaries
from chengshu.embedded.home import Home
from chengshu.embedded.place import SOCKET_PATH_LIMIT, folder_of
from chengshu.embedded.postgres import EmbeddedPostgres, Postmaster, running_url
from tests.embedded.conftest import AS_ROOT


def one(url: str, query: str) -> object:
    """Return the first value of the first row."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def remember(url: str, value: int) -> None:
    """Write one committed row."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def gone(pid: int, limit: float = 10) -> bool:
    """Wait until a process has ended."""
    until = time.monotonic() + limit
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_first_start_makes_a_usable_database(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        assert one(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert one(server.url, "SHOW synchronous_commit") == "on"
        assert one(server.url, "SHOW listen_addresses") == ""
        assert one(server.url, "SHOW server_encoding") == "UTF8"
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE EXTENSION pg_trgm")
            connection.execute("CREATE EXTENSION btree_gist")
            trigrams = connection.execute("SELECT cardinality(show_trgm('井盖缺失'))").fetchone()
        assert trigrams == (5,)  # with the character type C this would be 0


def test_second_start_is_quick_and_keeps_the_data(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        remember(server.url, 7)
    began = time.monotonic()
    with EmbeddedPostgres(home) as server:
        took = time.monotonic() - began
        assert one(server.url, "SELECT value FROM kept") == 7
    assert took < 3


def test_secrets_are_private_and_the_password_counts(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        for name in ("secret_key", "pg_password"):
            assert (home.folder / name).stat().st_mode & 0o777 == 0o600
        wrong = server.url.replace(home.private_text("pg_password", str), "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            psycopg.connect(server.url.replace("//chengshu:", "//postgres:"))


def test_lost_password_file_is_replaced(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        remember(server.url, 1)
    (home.folder / "pg_password").unlink()
    with EmbeddedPostgres(home) as server:
        assert one(server.url, "SELECT value FROM kept") == 1


def test_killed_server_comes_back_at_the_same_address_with_every_commit(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        remember(server.url, 3)
        first = server.pid
        assert first is not None
        assert server.restart_if_dead() is False
        os.kill(first, signal.SIGKILL)
        assert gone(first)
        assert server.restart_if_dead() is True
        assert server.pid != first
        assert one(server.url, "SELECT value FROM kept") == 3


HOLDER = """
import sys, time
from pathlib import Path
from chengshu import logs
from chengshu.embedded.home import Home
from chengshu.embedded.postgres import EmbeddedPostgres
logs.configure()
server = EmbeddedPostgres(Home(folder=Path(sys.argv[1])))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


def hold(home: Home) -> tuple[subprocess.Popen[str], str, int]:
    """Start the server in another process; returns it, the URL and the server's process."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert holder.stdout is not None
    url, pid = holder.stdout.readline().split()
    return holder, url, int(pid)


def test_server_ends_with_its_killed_city_and_recovers(home: Home) -> None:
    holder, url, pid = hold(home)
    with holder:
        remember(url, 5)
        holder.kill()
    assert gone(pid)
    with EmbeddedPostgres(home) as server:
        assert one(server.url, "SELECT value FROM kept") == 5


def test_both_killed_at_once(home: Home) -> None:
    holder, url, pid = hold(home)
    with holder:
        remember(url, 6)
        os.kill(pid, signal.SIGKILL)
        holder.kill()
    with EmbeddedPostgres(home) as server:
        assert one(server.url, "SELECT value FROM kept") == 6


def test_a_running_city_is_named_and_can_be_joined(home: Home) -> None:
    holder, url, pid = hold(home)
    with holder:
        assert running_url(home) == url
        with pytest.raises(CannotStart) as caught:
            EmbeddedPostgres(home).start()
        assert str(holder.pid) in str(caught.value)
        assert "CHENGSHU_HOME" in caught.value.remedy
        holder.terminate()
    assert gone(pid)


def test_no_city_runs(home: Home) -> None:
    assert running_url(home) is None


def test_number_of_the_dead_server_in_use_by_another_program(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        remember(server.url, 8)
        assert server.pid is not None
        data = folder_of(home) / "data"
        note = (data / "postmaster.pid").read_text()
        identity = {"user": data.stat().st_uid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **identity) as other:  # type: ignore[call-overload]
        pid_file = data / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n" + note.split("\n", 1)[1])
        os.chown(pid_file, data.stat().st_uid, data.stat().st_gid)
        with EmbeddedPostgres(home) as server:
            assert one(server.url, "SELECT value FROM kept") == 8
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(("found", "remedy"), [("99", "newer version"), ("9", "pg_dump")])
def test_data_of_another_major_version(home: Home, found: str, remedy: str) -> None:
    with EmbeddedPostgres(home):
        data = folder_of(home) / "data"
    (data / "PG_VERSION").write_text(f"{found}\n")
    with pytest.raises(CannotStart, match=f"PostgreSQL {found}") as caught:
        EmbeddedPostgres(home).start()
    assert remedy in caught.value.remedy


def test_full_disk(home: Home) -> None:
    with pytest.raises(CannotStart, match="disk is full"):
        EmbeddedPostgres(home, minimum_free=10**18).start()


def test_interrupted_creation_is_done_again(home: Home) -> None:
    home.prepare()
    left = home.folder / "pg" / "data.new"
    left.mkdir(parents=True)
    (left / "rubbish").write_text("half")
    with EmbeddedPostgres(home) as server:
        assert one(server.url, "SELECT 1") == 1


def test_damaged_data_are_told(home: Home) -> None:
    with EmbeddedPostgres(home):
        data = folder_of(home) / "data"
    (data / "global" / "pg_control").unlink()
    with pytest.raises(CannotStart) as caught:
        EmbeddedPostgres(home).start()
    assert caught.value.remedy
    assert caught.value.exit_code == 3


def test_long_path_gets_a_short_socket(folder: Path) -> None:
    home = Home(folder=folder / ("很长的名字" * 8) / "home")
    with EmbeddedPostgres(home) as server:
        assert len(os.fsencode(home.folder / "pg/run/.s.PGSQL.5432")) > SOCKET_PATH_LIMIT
        assert one(server.url, "SELECT 1") == 1
        noted = Postmaster.of(folder_of(home) / "data")
        assert noted is not None
        assert running_url(home) == server.url
    assert not Path(noted.sockets).exists()


@AS_ROOT
def test_root_leaves_the_work_to_an_unprivileged_account(home: Home) -> None:
    with EmbeddedPostgres(home) as server:
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().real not in (0, None)
    assert home.folder.stat().st_uid == 0
    assert (home.folder / "pg").stat().st_uid == 0
    assert home.folder.parent.stat().st_mode & 0o777 == 0o755


@AS_ROOT
def test_root_with_a_home_behind_a_closed_door(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home, shared = Home(folder=closed / "home"), folder / "shared"
    shared.mkdir(mode=0o755)
    for value in (1, 2):
        with EmbeddedPostgres(home, shared=shared) as server:
            remember(server.url, value)
            assert one(server.url, "SELECT count(*) FROM kept") == value
    assert closed.stat().st_mode & 0o777 == 0o700
    assert folder_of(home, shared=shared).parent == shared


@AS_ROOT
def test_root_with_programs_behind_a_closed_door(folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    installed = binaries._site_packages()
    for part in binaries.WANTED:
        if (installed / part).exists():
            (closed / part).parent.mkdir(parents=True, exist_ok=True)
            (closed / part).symlink_to(installed / part)
    monkeypatch.setattr(binaries, "_site_packages", lambda: closed)
    for value in (1, 2):
        with EmbeddedPostgres(home, shared=folder / "shared") as server:
            remember(server.url, value)
            assert server.pid is not None
            assert Path(psutil.Process(server.pid).exe()).is_relative_to(folder / "shared")


@AS_ROOT
def test_ordinary_user(folder: Path) -> None:
    folder.chmod(0o777)
    assert as_nobody(lambda: _start_and_ask(folder / "home")) == "1"


@AS_ROOT
def test_data_of_somebody_else(folder: Path, home: Home) -> None:
    with EmbeddedPostgres(home):
        data = folder_of(home) / "data"
    os.chown(data, 1, 1)
    os.chown(home.folder, 65534, 65534)
    for name in ("secret_key", "pg_password", "lock"):
        os.chown(home.folder / name, 65534, 65534)
    assert "belongs to the account with the number 1" in as_nobody(lambda: _start_and_ask(home.folder))


def _start_and_ask(folder: Path) -> str:
    try:
        with EmbeddedPostgres(Home(folder=folder)) as server:
            return str(one(server.url, "SELECT 1"))
    except CannotStart as error:
        return str(error)


def as_nobody(work: object) -> str:
    """Return what `work` returns in a forked process that gave up root; everything it needs is imported by now."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, work().encode())  # type: ignore[operator]
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer
