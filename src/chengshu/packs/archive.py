"""Opens a zip that somebody sent in as a city pack: nothing outside its folder, nothing too large, nothing unexpected."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid

MOST_FILES = 200
LARGEST = 200 * 2**20  # bytes of all files together, unpacked
LARGEST_ZIP = 50 * 2**20
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, ValueError, NotImplementedError,
    RuntimeError,
)  # fmt: skip


@contextmanager
def opened(content: bytes, city: str) -> Iterator[Path]:
    """The folder of a pack in a zip, called by its city's name, for as long as the block runs.

    Raises:
        Invalid: it is no zip, or holds what no pack holds; nothing of it is kept then.
    """
    if len(content) > LARGEST_ZIP:
        raise _invalid(_("The zip is too large."), _("50 MB at most: leave out the data of replays."))
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except DAMAGED as error:
        raise _invalid(_("This is no zip."), _("Pack the folder of the city pack as a zip.")) from error
    with archive, TemporaryDirectory(prefix="chengshu-pack-") as parent:
        folder = Path(parent) / city
        folder.mkdir()
        _unpack(archive, folder)
        yield folder


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    entries = [e for e in archive.infolist() if not e.filename.endswith("/") and "__MACOSX" not in e.filename]
    if len(entries) > MOST_FILES:
        raise _invalid(_("The zip holds too many files."), _("A pack has a few files and a folder data/."))
    left = LARGEST
    for entry, path in zip(entries, _paths(entries), strict=True):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        left -= _write(archive, entry, target, left)


def _paths(entries: list[zipfile.ZipInfo]) -> list[PurePosixPath]:
    """Where the files lie within the pack: the one folder around all of them is left out."""
    paths = [_safe(entry) for entry in entries]
    if not paths:
        raise _invalid(_("The zip is empty."), _("Pack the folder of the city pack as a zip."))
    for path in paths:
        if paths.count(path) > 1 or not set(paths).isdisjoint(path.parents):
            raise _invalid(
                _("The zip holds {name} twice, or below a file.").format(name=path), _("Pack the folder anew.")
            )
    first = paths[0].parts[0]
    wrapped = all(len(path.parts) > 1 and path.parts[0] == first for path in paths)
    return [path.relative_to(first) if wrapped else path for path in paths]


def _safe(entry: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    strange = not path.parts or path.is_absolute() or ".." in path.parts or "\x00" in str(path) or ":" in path.parts[0]
    if link or strange or len(entry.filename.encode()) > 200 or len(path.parts) > 4 or entry.flag_bits & 1:
        raise _invalid(
            _("The zip holds a file that leads elsewhere or is encrypted: {name}.").format(name=entry.filename[:80]),
            _("Pack only the folder of the city pack."),
        )
    return path


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Unpack one file piece by piece: what a zip says of its sizes is not believed."""
    written = 0
    try:
        with archive.open(entry) as source, target.open("wb") as out:
            while piece := source.read(2**20):
                written += len(piece)
                if written > left:
                    raise _invalid(_("The zip unpacks to too much."), _("200 MB at most."))
                out.write(piece)
    except DAMAGED as error:
        raise _invalid(
            _("The zip is damaged at {name}.").format(name=entry.filename[:80]), _("Pack it again.")
        ) from error
    return written


def _invalid(what: str, remedy: str) -> Invalid:
    return Invalid(what, where="zip", remedy=remedy)
