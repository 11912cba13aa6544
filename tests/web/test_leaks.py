"""Nothing of a person is found on any page that others may open: planted data is looked for at every address."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import ExifTags, Image

from chengshu.cases.advance import advance
from chengshu.cases.models import Case, Evidence
from chengshu.cases.records import MoveRequest
from chengshu.evaluation import public
from chengshu.parties.models import Account, Post
from chengshu.parties.tokens import issue
from tests.web import permissions
from tests.web.conftest import ROAD, Browser, Who, _proof
from tests.web.test_report import answered, fill

NAME, PHONE, CARD, PLATE, MAIL = "慕容晓峰", "13987654321", "330106199003074518", "浙A7K2M9", "xiaofeng.mr@example.cn"
CAMERA = "Planted Photographer"
OFFICIAL = "钟离处置员"
HOUSE = "77号3幢2单元501室"
TITLE = f"{NAME}家门口路灯不亮 {PHONE}"
WORDS = f"身份证{CARD}，车牌{PLATE}，邮箱{MAIL}，住文三路{HOUSE}"
NOTE = f"已联系{NAME}（{PHONE}），{CARD}，{PLATE}，{MAIL}，{HOUSE}路灯已修复"
INSIDE = "内部核查意见甲乙丙"
PLANTED = (NAME, PHONE, CARD, PLATE, MAIL, CAMERA, OFFICIAL, "501室", "77号", "xiaofeng", INSIDE, PHONE[3:], "家门口")
POINT = {"lon": "120.12", "lat": "30.27"}


def picture() -> SimpleUploadedFile:
    """A photo that tells whose it is and where it was taken."""
    out, image = io.BytesIO(), Image.new("RGB", (60, 40), "blue")
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = CAMERA
    exif[ExifTags.Base.ImageDescription] = f"Planted {PHONE}"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    image.save(out, "JPEG", exif=exif)
    return SimpleUploadedFile(f"{NAME}.jpg", out.getvalue(), "image/jpeg")


@pytest.fixture
def planted(browser: Browser, who: Who) -> tuple[str, str]:
    """Number and word of a case full of personal data, settled, with public and internal notes that hold it too."""
    public.forget()
    Account.objects.filter(username="handler").update(name=OFFICIAL, demo=False)
    client = browser("")
    fields = fill(
        client, title=TITLE, description=WORDS, place=f"文三路{HOUSE}", type="env.exposed_rubbish", name=NAME, phone=PHONE,
        evidence=[picture()], **POINT,
    )  # fmt: skip
    client.post("/report", fields)
    number, word = answered(client)
    notes = {"handle": NOTE, "verify": f"{INSIDE} {NAME}"}
    for name, move, needs in ROAD:
        case = Case.objects.get(number=number)
        proof = _proof(who(name)) if move in {"register", "handle"} else ()
        more = {**needs, **({"note": notes[move]} if move in notes else {})}
        [done] = advance([MoveRequest(case=case.pk, move=move, evidence=proof, **more)], actor=who(name))
        assert done.ok, (move, done)
    return number, word


def addresses(number: str) -> Iterator[str]:
    """Every address that can be read, about this case and its files, with what a curious reader would ask."""
    case = Case.objects.get(number=number)
    files = [str(pk) for pk in Evidence.objects.filter(case=case).values_list("pk", flat=True)]
    for row in permissions.rows():
        if row.method != "GET" or row.where in {"far", "abroad", "other"}:
            continue
        path = re.sub(r"\{ref\}|<number:number>", number, row.route)
        for file in files if re.search(r"id\}|:id>", path) else [""]:
            yield re.sub(r"\{\w+\}|<(?:\w+:)?\w+>", file or "1", path)
    yield from (f"/near?lon={POINT['lon']}&lat={POINT['lat']}", "/near?division=330106", f"/api/cases/{case.pk}")
    yield from (f"/statistics.csv?by={by}" for by in public.By)
    yield from (f"/api/cases?q={PHONE}", f"/follow?number={number}", f"/statistics?month={datetime.now(UTC):%Y-%m}")


def told(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    return " ".join([bytes(body).decode("utf-8", "replace"), *(f"{k}: {v}" for k, v in answer.headers.items())])


def found(text: str) -> list[str]:
    return [word for word in PLANTED if word in text]


@pytest.mark.parametrize("reader", ["", "citizen"])
def test_others_find_nothing_at_any_address(browser: Browser, planted: tuple[str, str], reader: str) -> None:
    number, _word = planted
    token = {}
    if reader:
        token = {"Authorization": f"Bearer {issue(Post.objects.get(account__username=reader), 'leaks')}"}
    leaks = {}
    client = browser(reader)
    for path in addresses(number):
        headers = token if path.startswith("/api/") else {}
        if words := found(told(client, path, **headers)):
            leaks[path] = words
    assert not leaks


def test_the_public_pages_do_show_the_case_that_they_hide_so_much_of(
    browser: Browser, planted: tuple[str, str]
) -> None:
    page = browser("").get(f"/near?lon={POINT['lon']}&lat={POINT['lat']}").content.decode()
    assert "Exposed rubbish" in page
    assert "路灯已修复" in page
    assert "330106" in page
    assert POINT["lon"] + "0" not in page.replace(f'value="{POINT["lon"]}"', "")


def test_somebody_who_joins_sees_nothing_that_the_first_one_wrote(browser: Browser) -> None:
    Account.objects.filter(username="citizen").update(language="en")
    first = browser("")
    fields = fill(
        first, title=TITLE, description=WORDS, place=f"文三路{HOUSE}", type="env.exposed_rubbish", name=NAME, phone=PHONE,
        evidence=[picture()], **POINT,
    )  # fmt: skip
    first.post("/report", fields)
    number, _word = answered(first)
    file = Evidence.objects.get(case__number=number)
    for reader in ("", "citizen"):
        client = browser(reader)
        offered = client.post("/report", fill(client, title="暴露垃圾没人清", type="env.exposed_rubbish", **POINT))
        page = offered.content.decode()
        assert "Is it one of these?" in page
        assert not found(page)
        join = re.search(r'name="join" value="([^"]+)"', page)
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert join
        assert token
        sent = {"token": token[1], "title": "暴露垃圾没人清", "type": "env.exposed_rubbish", "seen": "1", **POINT}
        assert client.post("/report", {**sent, "join": join[1]})["Location"] == "/report/done"
        for path in (
            "/report/done",
            f"/follow/{number}",
            f"/cases/{number}/evidence/{file.pk}",
            "/mine",
            f"/api/cases/{number}",
        ):
            assert not found(told(client, path)), path
        assert "Somebody else reported it first" in told(client, f"/follow/{number}")
        version = Case.objects.get(number=number).version
        assert client.post(f"/follow/{number}", {"move": "withdraw", "version": version}).status_code == 403
        assert client.post(f"/follow/{number}", {"move": "urge", "version": version}).status_code == 302
    assert Case.objects.count() == 1
    assert Case.objects.get(number=number).urges == 2
    assert "by 2 more people" in told(first, f"/follow/{number}")


def test_who_reported_first_sees_nothing_that_somebody_wrote_who_joined(browser: Browser) -> None:
    """Neither has an account: nothing but the joining itself tells the two apart."""
    first, second = browser(""), browser("")
    first.post("/report", fill(first, title="暴露垃圾", type="env.exposed_rubbish", **POINT))
    number, _word = answered(first)
    page = second.post(
        "/report", fill(second, title="垃圾没人清", type="env.exposed_rubbish", **POINT)
    ).content.decode()
    token, join = (re.search(rf'name="{name}" value="([^"]+)"', page) for name in ("token", "join"))
    assert token and join
    sent = {"token": token[1], "title": "垃圾没人清", "type": "env.exposed_rubbish", "seen": "1", **POINT}
    second.post("/report", {**sent, "join": join[1]})
    version = Case.objects.get(number=number).version
    fields = {"move": "urge", "version": version, "note": NOTE, "evidence": [picture()]}
    assert second.post(f"/follow/{number}", fields).status_code == 302
    brought = Evidence.objects.get(case__number=number)
    shown = told(first, f"/follow/{number}")
    assert not found(shown)
    assert str(brought.pk) not in shown
    assert first.get(f"/cases/{number}/evidence/{brought.pk}").status_code == 404
    version = Case.objects.get(number=number).version
    own = {"move": "urge", "version": version, "note": "我写的"}
    assert first.post(f"/follow/{number}", own).status_code == 302  # the other one's urging does not count as theirs
    assert "我写的" in told(first, f"/follow/{number}")
