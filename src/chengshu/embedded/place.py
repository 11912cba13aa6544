"""Where the embedded database of a city lies, and as whom it runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chengshu.core.errors import CannotStart
from chengshu.embedded.account import Account, account_for
from chengshu.embedded.binaries import Binaries, find_binaries
from chengshu.embedded.home import Home
from chengshu.embedded.words import _
from chengshu.logs import get_logger

SHARED = Path("/var/lib/chengshu")
"""Where root puts what an unprivileged account must reach, when the home or the programs lie behind closed doors."""

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path on Linux (`sun_path` of unix(7), less its closing NUL)."""

MINIMUM_FREE = 500 * 1000 * 1000
"""Bytes of free disk below which no city is started: PostgreSQL stops in mid-work on a full disk."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The folders of one embedded database. Only `data` and `sockets` belong to the account that runs it."""

    folder: Path
    sockets: Path
    account: Account
    binaries: Binaries

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"


def folder_of(home: Home, *, shared: Path = SHARED) -> Path:
    """Return the folder of the database of `home`, which may not exist yet."""
    here, elsewhere = home.folder / "pg", _elsewhere(home, shared)
    return elsewhere if not (here / "data").exists() and (elsewhere / "data").exists() else here


def settle(home: Home, *, shared: Path = SHARED, minimum_free: int = MINIMUM_FREE) -> Place:
    """Choose and prepare the place of the database of `home`. Raise CannotStart when there is none to be had."""
    folder = folder_of(home, shared=shared)
    account = account_for(folder / "data")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not account.reaches(folder):
        folder = _behind_no_door(home, folder, shared, account)
    check_disk(folder, minimum_free)
    binaries = find_binaries(account, shared)
    return Place(folder=folder, sockets=_socket_folder(folder, account), account=account, binaries=binaries)


def check_disk(folder: Path, minimum_free: int) -> None:
    """Raise CannotStart when the disk of `folder` has fewer than `minimum_free` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < minimum_free:
        raise CannotStart(
            _("the disk is full: %(free)s MB are free, %(needed)s MB are needed.")
            % {"free": free // 1_000_000, "needed": minimum_free // 1_000_000},
            where=str(folder),
            remedy=_("Make room, or choose a CHENGSHU_HOME on another disk."),
        )


def _elsewhere(home: Home, shared: Path) -> Path:
    return shared / hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]


def _behind_no_door(home: Home, folder: Path, shared: Path, account: Account) -> Path:
    """Return a folder that `account` can reach; data that are already there are never left behind."""
    elsewhere = _elsewhere(home, shared)
    if not (folder / "data").exists():
        elsewhere.mkdir(mode=0o755, parents=True, exist_ok=True)
        if account.reaches(elsewhere):
            log.info("postgres.placed", folder=str(elsewhere), why="the account of the database cannot reach the home",
                     account=account.name, home=str(home.folder))  # fmt: skip
            return elsewhere
    raise CannotStart(
        _("the account “%(name)s”, which runs the database, cannot reach its folder.") % {"name": account.name},
        where=str(folder),
        remedy=_("Let it pass through the folders above (chmod o+x), or choose another CHENGSHU_HOME."),
    )


def _socket_folder(folder: Path, account: Account) -> Path:
    sockets = folder / "run"
    if len(os.fsencode(sockets / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
        sockets = Path(tempfile.mkdtemp(prefix="chengshu-", dir="/tmp"))
    account.own(sockets)
    return sockets
