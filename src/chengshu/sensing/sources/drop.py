"""Files dropped into a folder: taken when they are complete, then moved to done/ or failed/ with a report beside."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import TooLarge
from chengshu.sensing.models import Feed
from chengshu.sensing.sources.table import LARGEST

STILL: Final = 2.0  # seconds without a change, after which a file counts as complete
MOST: Final = 100  # files at once
UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart")
DONE, FAILED = "done", "failed"


def folder(feed: Feed) -> Path:
    """The folder that a feed watches."""
    return Path(settings.DROP_ROOT) / feed.city.name / feed.name


def prepare(feed: Feed) -> Path:
    """Make the folders of a feed that are not there."""
    place = folder(feed)
    for each in (place, place / DONE, place / FAILED):
        each.mkdir(parents=True, exist_ok=True)
    return place


def complete(feed: Feed, now: float) -> list[Path]:
    """The files that are complete, the oldest first. Links and what is no file are left alone: they could lead anywhere.

    Args:
        now: seconds since 1970 by this machine's clock.
    """
    found = sorted(_files(prepare(feed)), key=lambda entry: entry[0])
    return [path for changed, path in found if now - changed >= STILL][:MOST]


def _files(place: Path) -> Iterator[tuple[float, Path]]:
    """(last change, path). A copy may carry the time of its original, but not its time of change (ctime)."""
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            told = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(told.st_mode):
                yield max(told.st_mtime if told.st_mtime <= told.st_ctime else 0.0, told.st_ctime), Path(entry.path)


def read(path: Path) -> bytes:
    """A file's content. Raises `TooLarge`; a link put in its place meanwhile is not followed (`OSError`)."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        remedy = _("Send it in parts of at most %(n)d MiB.") % {"n": LARGEST // 2**20}
        raise TooLarge(_("It is too large to be taken at once."), where=path.name, remedy=remedy)
    return content


def move(path: Path, where: str, report: Mapping[str, Any]) -> Path:
    """Move a file to done/ or failed/ with its report beside; an earlier file of the same name stays."""
    target = path.parent / where / path.name
    if target.exists():
        target = target.with_name(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{path.name}")
    told = json.dumps(report, ensure_ascii=False, indent=2, default=str)
    target.with_name(f"{target.name}.report.json").write_text(told + "\n", encoding="utf-8", errors="backslashreplace")
    path.rename(target)
    return target
