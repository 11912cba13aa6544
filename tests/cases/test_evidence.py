"""Files as evidence: what is kept of a picture, what is refused, and that no hostile byte becomes more than a refusal."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import ExifTags, Image, ImageOps

from chengshu.cases import detail, evidence
from chengshu.core.errors import ChengshuError, Invalid, NotFound
from tests.cases.people import EAST, Cast, picture

ZONE = ZoneInfo("Asia/Shanghai")
GPS = {1: "N", 2: (30.0, 15.0, 36.0), 3: "E", 4: (120.0, 9.0, 18.0)}


def exif(
    *, gps: dict[int, object] | None = None, taken: str = "2026:03:02 09:30:00", orientation: int = 1
) -> Image.Exif:
    made = Image.Exif()
    made[ExifTags.Base.Orientation] = orientation
    made[ExifTags.Base.Make] = "SECRET-CAMERA"
    made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    made.get_ifd(ExifTags.IFD.GPSInfo).update(gps if gps is not None else GPS)
    return made


def examine(content: bytes) -> evidence.Stored:
    return evidence.examine(content, "x.jpg", ZONE)


def test_metadata_is_taken_out_and_place_and_time_are_kept() -> None:
    sent = picture(format="JPEG", exif=exif())
    assert b"SECRET-CAMERA" in sent
    kept = examine(sent)
    assert b"SECRET-CAMERA" not in kept.content and b"Exif" not in kept.content
    with Image.open(io.BytesIO(kept.content)) as image:
        assert dict(image.getexif()) == {} and image.format == "JPEG"
    assert kept.taken_at == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert (kept.lon, kept.lat) == (pytest.approx(120.155), pytest.approx(30.26))


@pytest.mark.parametrize(
    ("gps", "point"),
    [
        ({**GPS, 1: "S", 3: "W"}, (-120.155, -30.26)),
        ({2: GPS[2], 4: GPS[4]}, None),
        ({**GPS, 2: (95.0, 0.0, 0.0)}, None),
        ({**GPS, 2: (30.0, 15.0)}, None),
        ({}, None),
    ],
)
def test_a_place_is_believed_only_whole(gps: dict[int, object], point: tuple[float, float] | None) -> None:
    kept = examine(picture(format="JPEG", exif=exif(gps=gps)))
    assert (kept.lon, kept.lat) == (pytest.approx(point) if point else (None, None))


@pytest.mark.parametrize(
    "taken", ["", "yesterday", "0001:01:01 00:00:00", "0000:00:00 00:00:00", "9999:12:31 23:59:59"]
)
def test_a_time_that_cannot_be_is_left_out(taken: str) -> None:
    assert examine(picture(format="JPEG", exif=exif(taken=taken))).taken_at is None


def test_pictures_stand_upright_and_are_not_too_large() -> None:
    kept = examine(picture(size=(4000, 2000), format="JPEG", exif=exif(orientation=6)))
    assert (kept.width, kept.height) == (1280, 2560)


@pytest.mark.parametrize(
    ("mode", "format"), [("RGBA", "PNG"), ("P", "PNG"), ("L", "PNG"), ("1", "PNG"), ("RGB", "WEBP"), ("CMYK", "JPEG")]
)
def test_every_usual_picture_becomes_a_jpeg(mode: str, format: str) -> None:
    kept = examine(picture(mode, format=format))
    assert (kept.media_type, kept.width, kept.height) == ("image/jpeg", 40, 30)


def test_the_multi_picture_jpeg_of_a_phone_is_taken() -> None:
    out = io.BytesIO()
    first, second = Image.new("RGB", (40, 30)), Image.new("RGB", (20, 15))
    first.save(out, "MPO", save_all=True, append_images=[second])
    kept = examine(out.getvalue())
    assert (kept.media_type, kept.width) == ("image/jpeg", 40)


def test_a_pdf_is_kept_as_it_is() -> None:
    content = b"%PDF-1.7\n..."
    kept = examine(content)
    assert (kept.content, kept.media_type, kept.width) == (content, "application/pdf", None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"<html><script>alert(1)</script></html>",
        b"MZ\x90\x00",
        b"PK\x03\x04",
        picture()[:60],
        picture(format="JPEG")[:200],
        b"\xff\xd8\xff",
        picture(format="GIF"),
        picture(format="BMP"),
        picture(format="TIFF"),
        b"\x00" * (evidence.LARGEST + 1),
    ],
)
def test_what_is_no_evidence_is_refused_with_a_remedy(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        examine(content)
    assert "JPEG" in refused.value.remedy


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    bomb = picture("1", size=(20_000, 20_000))
    assert len(bomb) < 100_000
    with pytest.raises(Invalid, match="pixels"):
        examine(bomb)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of broken EXIF, and goes on
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_bytes_are_refused_and_nothing_worse(format: str) -> None:
    chance = random.Random(7)
    whole = picture(size=(24, 24), format=format, exif=exif())
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        if chance.random() < 0.3:
            del broken[chance.randrange(8, len(broken)) :]
        with contextlib.suppress(ChengshuError):
            examine(bytes(broken))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_metadata_is_none_or_a_refusal() -> None:
    """Only the EXIF is broken, so that the readers of EXIF meet every kind of nonsense."""
    chance = random.Random(11)
    whole = picture(size=(24, 24), format="JPEG", exif=exif(orientation=6))
    first = whole.index(b"Exif")
    last = first + int.from_bytes(whole[first - 2 : first], "big")
    for _ in range(400):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(first, last - 2)] = chance.randrange(256)
        with contextlib.suppress(Invalid):
            assert examine(bytes(broken)).media_type == "image/jpeg"


@pytest.mark.parametrize("error", [TypeError, AttributeError, struct.error, MemoryError])
def test_what_the_reader_of_metadata_raises_leaves_the_picture(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = picture(format="JPEG", exif=exif())
    monkeypatch.setattr(Image.Exif, "get_ifd", _raising(error))
    monkeypatch.setattr(ImageOps, "exif_transpose", _raising(error))
    kept = examine(sent)
    assert (kept.width, kept.taken_at, kept.lon) == (40, None, None)


@pytest.mark.parametrize("error", [TypeError, AttributeError, struct.error, MemoryError])
def test_what_the_decoder_raises_is_a_refusal(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", _raising(error))
    with pytest.raises(Invalid, match="no picture"):
        examine(picture())


def _raising(error: type[Exception]) -> Callable[..., None]:
    def fail(*_args: object, **_more: object) -> None:
        raise error

    return fail


@pytest.mark.django_db
def test_bytes_are_stored_once_under_their_digest(settings: object) -> None:
    one, two = evidence.store(picture(), name="a.png"), evidence.store(picture(), name="b.png")
    assert one.digest == two.digest and one.pk != two.pk
    path = evidence.path_of(one.digest)
    assert path.parent.name == one.digest[:2] and path.is_relative_to(Path(settings.FILES_ROOT))  # type: ignore[attr-defined]
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == one.digest and len(content) == one.size
    assert [p.name for p in path.parent.iterdir()] == [one.digest], "no half-written file stays"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "kept"), [("../../etc/passwd", "passwd"), ("a\x00b.png", "ab.png"), ("x" * 300, "x" * 200), ("", "")]
)
def test_a_name_is_only_a_name(name: str, kept: str) -> None:
    assert evidence.store(picture(), name=name).name == kept


def test_who_may_see_a_file(cast: Cast) -> None:
    handler = cast("handler")
    loose = cast.proof(handler)
    story = cast.case("handling")
    story.move(handler, "attach", evidence=(used := cast.proof(handler),))
    for who, id, seen in (
        (handler, loose, True),
        (cast("dispatcher"), loose, False),
        (cast("dispatcher"), used, True),
        (cast("dispatcher", division=EAST), used, False),
        (cast("citizen"), used, True),
        (cast("citizen", name="o"), used, False),
    ):
        if seen:
            assert detail.find_evidence(who, id).pk == id
        else:
            with pytest.raises(NotFound):
                detail.find_evidence(who, id)
