"""Files as evidence: pictures are decoded and written anew, so that only the picture is stored; PDFs are kept as they are."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from PIL import ExifTags, Image, ImageOps

from chengshu.cases.models import Evidence
from chengshu.core.errors import Invalid
from chengshu.core.ids import new_id

UNUSED = timedelta(days=1)  # for which a file waits for a report or a move to name it
LARGEST = 10 * 2**20  # bytes, as sent
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 2560
FIRST_YEAR = 1990  # EXIF is younger; a camera whose clock was never set says 0001 or 1970
PICTURES = ("JPEG", "PNG", "WEBP")
Image.init()  # registers every format, which opening by name does not

REMEDY = gettext_noop("Send a JPEG, PNG, WebP or PDF of at most 10 MB.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """Bytes to store and what is known of them."""

    content: bytes
    media_type: str
    width: int | None = None
    height: int | None = None
    taken_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None


def store(content: bytes, *, name: str = "", account: int | None = None, zone: str = "UTC") -> Evidence:
    """Keep a file under the digest of its bytes; it belongs to no case until a report or a move names it.

    Args:
        zone: IANA zone of the city, for pictures whose EXIF gives a time without one.
    """
    kept = examine(content, name, ZoneInfo(zone))
    digest = hashlib.sha256(kept.content).hexdigest()
    with _alone(digest):
        _write(path_of(digest), kept.content)
        return _row(kept, digest, name, account)


def _row(kept: Stored, digest: str, name: str, account: int | None) -> Evidence:
    return Evidence.objects.create(
        id=new_id(),
        digest=digest,
        media_type=kept.media_type,
        size=len(kept.content),
        width=kept.width,
        height=kept.height,
        taken_at=kept.taken_at,
        lon=kept.lon,
        lat=kept.lat,
        name=Path(name).name[:200].replace("\x00", ""),
        account_id=account,
        at=datetime.now(UTC),
    )


@contextmanager
def _alone(digest: str) -> Iterator[None]:
    """A transaction in which nobody else stores or drops the file, so that no row is left without its bytes."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [digest])
        yield


def drop_unused(now: datetime) -> int:
    """Delete what belongs to no case a day after it came, and the files that no other row names; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cases_evidence WHERE case_id IS NULL AND at < %s RETURNING digest", [now - UNUSED])
        digests = [digest for (digest,) in cursor]
    for digest in set(digests):
        with _alone(digest):
            if not Evidence.objects.filter(digest=digest).exists():
                path_of(digest).unlink(missing_ok=True)
    return len(digests)


def path_of(digest: str) -> Path:
    return Path(settings.FILES_ROOT) / digest[:2] / digest


def examine(content: bytes, name: str, zone: ZoneInfo) -> Stored:
    """Decide by the bytes, never by the name, what a file is; refuse what is not evidence."""
    if not content:
        raise Invalid("The file is empty.", where=name, remedy=REMEDY)
    if len(content) > LARGEST:
        raise Invalid(_("The file has %(size).1f MB.") % {"size": len(content) / 2**20}, where=name, remedy=REMEDY)
    if content.startswith(b"%PDF-"):
        return Stored(content=content, media_type="application/pdf")
    return _picture(content, name, zone)


def _picture(content: bytes, name: str, zone: ZoneInfo) -> Stored:
    with _decoding(content, name) as image:
        taken_at, point = _when_and_where(image, zone)
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))  # before it is turned, which makes a copy
        upright = _upright(image)
        out = io.BytesIO()
        upright.convert("RGB").save(out, "JPEG", quality=85)
    lon, lat = point or (None, None)
    return Stored(
        content=out.getvalue(), media_type="image/jpeg", width=upright.width, height=upright.height,
        taken_at=taken_at, lon=lon, lat=lat,
    )  # fmt: skip


@contextmanager
def _decoding(content: bytes, name: str) -> Iterator[Image.Image]:
    """The decoded picture; whatever a broken or hostile file does to the decoder becomes one refusal."""
    try:
        with Image.open(io.BytesIO(content), formats=PICTURES) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Invalid(
                    _("The picture has %(width)d × %(height)d pixels.")
                    % {"width": image.width, "height": image.height},
                    where=name,
                    remedy=REMEDY,
                )
            image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # a large JPEG is decoded at a half, a quarter or an eighth
            image.load()
            yield image
    except Invalid:
        raise
    except Image.DecompressionBombError as error:
        raise Invalid(
            _("The picture has more than %(most)d pixels.") % {"most": MOST_PIXELS}, where=name, remedy=REMEDY
        ) from error
    except Exception as error:
        raise Invalid("The file is no picture that can be read.", where=name, remedy=REMEDY) from error


def _when_and_where(image: Image.Image, zone: ZoneInfo) -> tuple[datetime | None, tuple[float, float] | None]:
    """Time and place from the EXIF; from EXIF that is broken, none, for the picture itself may well be whole."""
    try:
        exif = image.getexif()
        return _taken_at(exif, zone), _point(exif)
    except Exception:  # whatever hostile bytes do to the reader: struct.error, TypeError, AttributeError and others
        return None, None


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; as it is when that cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # as above
        return image


def _taken_at(exif: Image.Exif, zone: ZoneInfo) -> datetime | None:
    details = exif.get_ifd(ExifTags.IFD.Exif)
    text = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        taken = datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None
    return taken if taken.year >= FIRST_YEAR and taken <= datetime.now(UTC) + timedelta(days=1) else None


def _point(exif: Image.Exif) -> tuple[float, float] | None:
    """(longitude, latitude) in degrees, WGS 84 as EXIF gives it."""
    gps: Mapping[int, Any] = exif.get_ifd(ExifTags.IFD.GPSInfo)
    try:
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude]) * (-1 if gps[ExifTags.GPS.GPSLatitudeRef] == "S" else 1)
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude]) * (-1 if gps[ExifTags.GPS.GPSLongitudeRef] == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return (lon, lat) if -180 <= lon <= 180 and -90 <= lat <= 90 else None


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _write(path: Path, content: bytes) -> None:
    """Write so that a file is there whole or not at all."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}.{new_id().hex}")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
