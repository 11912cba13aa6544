"""The data folder of the embedded PostgreSQL: made, checked, repaired. (PostgreSQL calls a data folder a cluster.)"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from chengshu.core.errors import CannotStart
from chengshu.embedded import tuning
from chengshu.embedded.diagnosis import diagnose
from chengshu.embedded.place import Place
from chengshu.embedded.words import _
from chengshu.logs import get_logger

ROLE = DATABASE = "chengshu"

HBA = f"""# Only the platform's own role, only by the socket of this folder, only with its password.
local all {ROLE} scram-sha-256
"""

ORPHAN_LIMIT = 60
"""Seconds for a server whose city was killed to end by itself."""

log = get_logger(__name__)


def create(place: Place, password: str) -> None:
    """Make the data folder with the role and the database of the platform. An interrupted attempt leaves nothing valid.

    The superuser has no password and no line in `pg_hba.conf`: nobody logs in as superuser. The platform's role may
    make databases (the tests do), and trusted extensions (pg_trgm, btree_gist) in its own.
    """
    draft = place.data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    place.account.own(draft)
    # The character type must know Unicode beside the collation: with C, pg_trgm sees no letters in Chinese text.
    command: list[str | Path] = [
        place.binaries.initdb, "-D", draft, "--username=postgres", "--auth=reject", "--encoding=UTF8",
        "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
    ]  # fmt: skip
    result = place.account.run(command)
    if result.returncode:
        raise diagnose(result.stderr, draft)
    (draft / "pg_hba.conf").write_text(HBA, encoding="ascii")
    _alone(
        place,
        draft,
        f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'",
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
    )
    draft.rename(place.data)
    log.info("postgres.created", folder=str(place.data), account=place.account.name)


def set_password(place: Place, password: str) -> None:
    """Give the platform's role a new password, when the old one was lost with the file that held it."""
    _alone(place, place.data, f"ALTER ROLE {ROLE} PASSWORD '{password}'")
    log.info("postgres.password-renewed", folder=str(place.data))


def check_version(place: Place) -> None:
    """Raise CannotStart when the data were written by another major version of PostgreSQL."""
    found, ours = _major_of(place.data), place.binaries.major
    if found == ours:
        return
    newer = _("The data were written by a newer version of chengshu: install that version.")
    older = _("Start the version of chengshu that wrote them, dump them with pg_dump, and load them into a new home.")
    raise CannotStart(
        _("the data are of PostgreSQL %(found)s, this program has PostgreSQL %(ours)s.")
        % {"found": found, "ours": ours},
        where=str(place.data),
        remedy=newer if found > ours else older,
    )


def end_orphan(data: Path) -> None:
    """See to it that no server works on `data`: the caller holds the lock, so one that does lost its city.

    A note of a dead server is PostgreSQL's to judge: it finds by it whether parts of that server still work. Only a
    process number that another program has by now would mislead it, and is replaced by ours, which it takes for dead.
    """
    pid = _noted_pid(data)
    if pid is None:
        return
    if not is_server(pid, data):
        if Path(f"/proc/{pid}").exists():
            _renumber(data / "postmaster.pid")
        return
    log.warning("postgres.orphan-found", pid=pid)
    _signal(pid, signal.SIGINT)
    if not _gone(pid, data, ORPHAN_LIMIT):
        _signal(pid, signal.SIGQUIT)
        _gone(pid, data, ORPHAN_LIMIT)


def is_server(pid: int, data: Path) -> bool:
    """Tell whether the process `pid` is a PostgreSQL server on the folder `data`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"postgres") and os.fsencode(data) in words


def _major_of(data: Path) -> int:
    try:
        return int((data / "PG_VERSION").read_text(encoding="ascii").split(".")[0])
    except (OSError, ValueError) as error:
        raise CannotStart(
            _("the data of the database are incomplete: PG_VERSION cannot be read."),
            where=str(data),
            remedy=_("Restore the folder from a backup, or choose another CHENGSHU_HOME."),
        ) from error


def _alone(place: Place, data: Path, *statements: str) -> None:
    """Run statements in PostgreSQL's single-user mode, which needs no server and no login; one statement a line."""
    settings = tuning.arguments({"log_checkpoints": "off", "exit_on_error": "on"})
    command: list[str | Path] = [place.binaries.postgres, "--single", "-D", data, *settings, "postgres"]
    result = place.account.run(command, text="".join(f"{statement};\n" for statement in statements))
    if result.returncode:
        raise diagnose(result.stderr, data)


def _noted_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    except (OSError, IndexError, ValueError):
        return None


def _renumber(note: Path) -> None:
    _, rest = note.read_text(encoding="utf-8").split("\n", 1)
    note.write_text(f"{os.getpid()}\n{rest}", encoding="utf-8")


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        log.debug("postgres.orphan-gone", pid=pid)


def _gone(pid: int, data: Path, limit: float) -> bool:
    until = time.monotonic() + limit
    while is_server(pid, data) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_server(pid, data)
