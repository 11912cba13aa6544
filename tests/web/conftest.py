"""People at the pages, and cases on their desks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser as Chromium

from chengshu.cases import evidence
from chengshu.cases.advance import advance
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.parties.models import Account, Post
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from tests import running
from tests.web.browsing import Site, chromium

Browser = Callable[[str], Client]
Who = Callable[[str], Principal]
ROAD: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("operator", "accept", {}),
    ("shift", "register", {}),
    ("dispatcher", "dispatch", {"unit": "330106-CGJ"}),
    ("handler", "receive", {}),
    ("handler", "handle", {"note": "垃圾已清运，现场已冲洗"}),
    ("verifier", "verify", {"note": "现场核查合格"}),
    ("shift", "close", {}),
)


def photo(colour: str = "red") -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "JPEG")
    return out.getvalue()


def upload(name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, photo(), "image/jpeg")


@pytest.fixture
def browser(hangzhou: City) -> Browser:
    """The browser of a demo account, or of a stranger (""), with CSRF checked as in life."""

    def signed_in(username: str) -> Client:
        client = Client(headers={"Accept-Language": "en"})
        if username:
            client.force_login(Account.objects.get(username=username))
        return client

    return signed_in


@pytest.fixture
def admin(browser: Browser) -> Client:
    """The administrator of the city, who reads English here."""
    Account.objects.filter(username="admin").update(language="en")
    return browser("admin")


@pytest.fixture
def second(hangzhou: City) -> Account:
    """A second administrator of the city."""
    account = Account.objects.create(username="second", name="第二管理员", password="x", language="en")
    Post.objects.create(account=account, role="administrator", division=hangzhou.divisions.get(code="3301"))
    return account


@pytest.fixture
def case(who: Who) -> Callable[..., Case]:
    """A case of exposed rubbish in Xihu district that went so many stages along the usual road."""

    def make(stages: int = 0, *, by: str = "citizen", **more: Any) -> Case:
        made = NewReport(
            origin="test", origin_key=datetime.now(UTC).isoformat(), title="文三路暴露垃圾", type="env.exposed_rubbish",
            occurred_at=datetime.now(UTC), division="330106", place_text="文三路90号", lon=120.12, lat=30.27,
            contact={"name": "张三丰", "phone": "13800000000"}, payload={"text": "文三路暴露垃圾"}, **more,
        )  # fmt: skip
        [verdict] = report([made], city=who(by).city, actor=who(by))
        for name, move, needs in ROAD[:stages]:
            proof = _proof(who(name)) if move in {"register", "handle"} else ()
            [done] = advance([MoveRequest(case=verdict.case, move=move, evidence=proof, **needs)], actor=who(name))
            assert done.ok, (move, done)
        return Case.objects.select_related("state", "unit").get(pk=verdict.case)

    return make


def _proof(actor: Principal) -> tuple[UUID]:
    return (evidence.store(photo(), account=actor.account).pk,)


@pytest.fixture(scope="module")
def browser_of_all() -> Iterator[Chromium]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(browser_of_all: Chromium) -> Site:
    """The running city in a browser."""
    return Site(browser=browser_of_all, url=running.city().url)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "现场.jpg"
    path.write_bytes(photo("green"))
    return str(path)
