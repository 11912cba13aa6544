"""Who runs the embedded database: PostgreSQL refuses root, so root hands it to an unprivileged account."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _

CANDIDATES = ("nobody", "postgres", "daemon")

CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""Everything PostgreSQL gets of the environment: the caller's PG* variables must not reach it."""


class Identity(TypedDict, total=False):
    """The arguments that make `subprocess` start a process as another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account of the operating system; `switch` tells whether we must change to it."""

    name: str
    uid: int
    gid: int
    switch: bool

    @property
    def identity(self) -> Identity:
        """The arguments with which `subprocess` starts a process as this account."""
        return Identity(user=self.uid, group=self.gid, extra_groups=[]) if self.switch else Identity()

    def run(self, argv: Sequence[str | Path], *, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a short command as this account with a clean environment and return its output; never raises on failure.

        A command that cannot even be started has the return code 127 and the reason in `stderr`.
        """
        command = [str(word) for word in argv]
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, encoding="utf-8", errors="replace",
                cwd="/", env=CLEAN_ENVIRONMENT, check=False, timeout=300, **self.identity,
            )  # fmt: skip
        except OSError as error:
            return subprocess.CompletedProcess(command, 127, "", str(error))

    def reaches(self, folder: Path) -> bool:
        """Tell whether this account can walk into `folder`: every folder above must let it pass."""
        return not self.switch or self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def own(self, folder: Path) -> None:
        """Create `folder` as a private folder (0700) of this account."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.switch:
            os.chown(folder, self.uid, self.gid)


def account_for(data: Path) -> Account:
    """Return the account that shall run the database whose data are, or will be, in `data`.

    Existing data stay with their owner. Raise CannotStart when these belong to somebody else or no account is there.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    if me == 0:
        return _as_root(owner)
    if owner not in (None, me):
        raise CannotStart(
            _("the database belongs to the account with the number %(uid)s.") % {"uid": owner},
            where=str(data),
            remedy=_("Start as that account, or choose another CHENGSHU_HOME."),
        )
    return Account(name=str(me), uid=me, gid=os.getegid(), switch=False)


def _as_root(owner: int | None) -> Account:
    if owner:
        entry = _entry(owner)
        return Account(name=entry.pw_name if entry else str(owner), uid=owner, gid=_group(owner), switch=True)
    chosen = os.environ.get("CHENGSHU_PG_USER")
    for name in (chosen,) if chosen else CANDIDATES:
        entry = _entry(name)
        if entry is not None and entry.pw_uid != 0:
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise CannotStart(
        _("PostgreSQL does not run as root, and none of these accounts is there: %(names)s.")
        % {"names": chosen or ", ".join(CANDIDATES)},
        where="/etc/passwd",
        remedy=_("Start as an ordinary user, name an account with CHENGSHU_PG_USER, or set CHENGSHU_DATABASE_URL."),
    )


def _group(uid: int) -> int:
    entry = _entry(uid)
    return entry.pw_gid if entry else uid


def _entry(name: str | int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name) if isinstance(name, str) else pwd.getpwuid(name)
    except KeyError:
        return None
