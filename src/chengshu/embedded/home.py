"""The folder in which a city keeps its own things, CHENGSHU_HOME: secrets, the lock, the embedded database."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _


def new_secret() -> str:
    """Return 256 random bits as text that needs no quoting in a URL."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Home:
    """One city's own folder; its secrets are readable by the owner alone."""

    folder: Path

    @classmethod
    def of_environment(cls) -> Home:
        """Return the folder named by CHENGSHU_HOME, by default `.chengshu` in the current folder."""
        return cls(folder=Path(os.environ.get("CHENGSHU_HOME") or ".chengshu").expanduser().absolute())

    def prepare(self) -> None:
        """Create the folder and the secret key. Raise CannotStart where this account may not write there."""
        # Started by root, the database runs as another account, which must be able to walk through (not to list).
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.folder.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self.secret_key()

    def secret_key(self) -> str:
        """Return the key that signs sessions and links; it is made on the first call and kept in `secret_key`."""
        return self.private_text("secret_key", new_secret)

    def private_text(self, name: str, make: Callable[[], str]) -> str:
        """Return the text of the file `name` (mode 0600), writing what `make` returns when there is none yet.

        Two processes starting at once end up with the same text.
        """
        path = self.folder / name
        try:
            if not path.exists():
                self._write_once(path, make())
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise self._unusable(error) from error

    def _write_once(self, path: Path, text: str) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first: its text counts
        finally:
            draft.unlink()

    def _unusable(self, error: OSError) -> CannotStart:
        return CannotStart(
            _("the folder of the city cannot be used: %(reason)s.") % {"reason": error.strerror or error},
            where=str(error.filename or self.folder),
            remedy=_("Start as the account that owns it, or name another folder with CHENGSHU_HOME."),
        )


class Lock:
    """Only one process at a time runs the city of a folder. The kernel frees the lock however its holder ends."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise CannotStart that names the process which has it."""
        file = os.open(self._home.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(file)
            raise self._held(holder) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _held(self, holder: str) -> CannotStart:
        return CannotStart(
            _("another chengshu is running (pid %(pid)s).") % {"pid": holder},
            where=str(self._home.folder),
            remedy=_("Stop it, or choose another CHENGSHU_HOME."),
        )

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
