"""Samples that somebody shows to the wizard: kept for a day under the account's own name, so that they need not be sent again."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, TooLarge

LARGEST: Final = 8 * 2**20  # bytes of a sample
LINES: Final = 2**20  # bytes of a sample that has lines: the rest is left out
KEPT: Final = 86_400.0  # seconds
_TOKEN: Final = re.compile(r"[0-9a-f]{64}")
_WHOLE: Final = (b"{", b"[", b"<", b"PK", b"PAR1", b"\x1f\x8b")  # what means nothing in part


def keep(account: int, content: bytes) -> str:
    """Keep a sample; its token. Raises `Invalid` for nothing, `TooLarge` for what cannot be shortened."""
    if not content.strip():
        raise Invalid(_("There is nothing in it."), where="sample", remedy=_("Paste some lines, or choose a file."))
    if len(content) > LINES and not content.lstrip().startswith(_WHOLE) and b"\n" in content[:LINES]:
        content = content[: content.rindex(b"\n", 0, LINES) + 1]
    if len(content) > LARGEST:
        remedy = _("Send a piece of it: at most %(n)d MiB.") % {"n": LARGEST // 2**20}
        raise TooLarge(_("This is too large for a sample."), where="sample", remedy=remedy)
    token = hashlib.sha256(content).hexdigest()
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    (folder / f"{account}-{token}").write_bytes(content)
    return token


def load(account: int, token: str) -> bytes:
    """A sample of this account. Raises `Invalid` when it is not there any more."""
    path = _folder() / f"{account}-{token}"
    if not _TOKEN.fullmatch(token) or not path.is_file():
        raise Invalid(_("The sample is not there any more."), where="sample", remedy=_("Show it again."))
    return path.read_bytes()


def _folder() -> Path:
    return Path(settings.FILES_ROOT) / "samples"


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if path.stat().st_mtime < time.time() - KEPT:
            path.unlink(missing_ok=True)
