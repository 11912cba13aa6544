"""The wizard from a pasted sample to a source that is on; the list and its acts; nothing without its post."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chengshu.parties.models import Account
from chengshu.sensing.models import Feed, FeedChange
from tests.sensing.test_sources import PAYLOADS, workbook

SAMPLE = (
    "站点编号,监测时间,PM2.5(μg/m³),温度(℃)\n001,2026-11-22 08:00,35,21.5\n002,2026-11-22 08:00,many,20\n001,,36,21\n"
)


@pytest.fixture
def steward(hangzhou: object) -> Client:
    client = Client(headers={"Accept-Language": "zh-hans"})
    client.force_login(Account.objects.get(username="steward"))
    return client


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the wizard's form."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if not name or 'type="file"' in tag or ('type="checkbox"' in tag and "checked" not in tag):
            continue
        found[name[1]] = value[1].replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&") if value else ""
    for name, inside in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', inside) or re.search(r'value="([^"]*)"', inside)
        found[name] = chosen[1] if chosen else ""
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


def look(client: Client, **sent: Any) -> tuple[int, str]:
    answer = client.post("/sensing/sources/new", {"do": "look", **sent})
    return answer.status_code, answer.content.decode()


@pytest.mark.django_db
def test_from_a_pasted_sample_to_a_source_that_is_on(steward: Client, settings: Any, tmp_path: Path) -> None:
    settings.DROP_ROOT = tmp_path
    status, page = look(steward, pasted=SAMPLE)
    assert status == 200
    for right in ("001-PM2.5", "001-温度", "ug/m3", "2026-11-22 08:00:00", "many"):
        assert right in page
    form = form_of(page)
    assert form["t_column"] == "监测时间" and form["r0_key"] == "{站点编号}-PM2.5" and form["r1_unit"] == "Cel"
    changed = {**form, "r1_store_unit": "K", "r1_low": "293", "do": "preview"}
    page = steward.post("/sensing/sources/new", changed).content.decode()
    assert "294.65" in page and "K" in page
    saved = {**form_of(page), "do": "save", "name": "air", "label": "空气质量", "why": "新接入"}
    answer = steward.post("/sensing/sources/new", saved)
    assert (answer.status_code, answer["Location"]) == (302, "/sensing/sources/one?name=air")
    feed = Feed.objects.get()
    assert (feed.state, feed.kind, feed.mapping["results"][1]["store_unit"]) == ("on", "file", "K")
    assert (tmp_path / "hangzhou" / "air" / "done").is_dir()
    assert list(FeedChange.objects.order_by("pk").values_list("act", "why")) == [("made", "新接入"), ("on", "新接入")]
    for path in ("/sensing/sources", "/sensing/sources/one?name=air"):
        assert "空气质量" in steward.get(path).content.decode()


@pytest.mark.django_db
def test_a_workbook_a_wide_table_and_mistakes(steward: Client) -> None:
    book = workbook([["设备", "时间", "水位(m)"], ["W1", "2026/11/22 8:00", 3.2]])
    status, page = look(steward, file=SimpleUploadedFile("水位.xlsx", book))
    assert status == 200 and "W1-水位" in page
    wide = "time," + ",".join(f"s{n}" for n in range(20)) + "\n2026-11-22 08:00," + ",".join(map(str, range(20))) + "\n"
    status, page = look(steward, pasted=wide)
    assert status == 200 and "<code>s11</code>" in page
    assert form_of(page)["w_keep"] == "time"
    status, page = look(steward, pasted="")
    assert status == 422
    status, page = look(steward, address="http://127.0.0.1/", kind="http")
    assert status == 403 and "CHENGSHU_FEED_NETWORKS" in page
    _, page = look(steward, pasted=SAMPLE)
    answer = steward.post(
        "/sensing/sources/new", {**form_of(page), "do": "preview", "t_column": "何时", "r0_unit": "furlong"}
    )
    assert answer.status_code == 422 and "furlong" in answer.content.decode()
    answer = steward.post("/sensing/sources/new", {**form_of(page), "do": "text", "as_text": "format: [csv"})
    assert answer.status_code == 422
    answer = steward.post("/sensing/sources/new", {**form_of(page), "do": "save", "name": "../x", "label": "x"})
    assert answer.status_code == 422 and not Feed.objects.exists()


@pytest.mark.django_db
def test_a_secret_travels_sealed_and_another_accounts_sample_is_not_there(steward: Client) -> None:
    _, page = look(steward, pasted=SAMPLE, secret="open sesame")
    assert "open sesame" not in page and form_of(page)["sealed"]
    saved = {
        **form_of(page),
        "do": "save",
        "name": "a",
        "label": "甲",
        "kind": "http",
        "address": "https://example.org/{cursor}",
    }
    assert steward.post("/sensing/sources/new", saved).status_code == 302
    assert b"sesame" not in bytes(Feed.objects.get().secret or b"") and Feed.objects.get().secret
    other = Client()
    other.force_login(Account.objects.get(username="admin"))
    assert other.post("/sensing/sources/new", {**form_of(page), "do": "preview"}).status_code == 422


@pytest.mark.django_db
def test_acts_of_a_source(steward: Client, settings: Any, tmp_path: Path) -> None:
    settings.DROP_ROOT = tmp_path
    _, page = look(steward, pasted=(PAYLOADS / "metro.csv").read_text())
    steward.post("/sensing/sources/new", {**form_of(page), "do": "save", "name": "m", "label": "地铁"})
    assert Feed.objects.get().state == "on"
    act = "/sensing/sources/act"
    steward.post(act, {"name": "m", "do": "off", "back": "list"})
    assert Feed.objects.get().state == "off"
    assert steward.post(act, {"name": "m", "do": "run"}).status_code == 409
    steward.post(act, {"name": "m", "do": "on"})
    one = steward.get("/sensing/sources/one?name=m").content.decode()
    mapping = re.search(r'id="mapping"[^>]*>(.*?)</textarea>', one, re.S)
    assert mapping
    sent = {"name": "m", "do": "change", "version": "1", "label": "地铁客流", "schedule": "60", "why": "改名",
            "mapping": mapping[1].replace("&#39;", "'").replace("&#34;", '"')}  # fmt: skip
    assert steward.post(act, sent).status_code == 302
    assert Feed.objects.get().label == "地铁客流"
    assert steward.post(act, sent).status_code == 409
    assert steward.post(act, {**sent, "version": "2", "mapping": "format: csv"}).status_code == 422


@pytest.mark.django_db
def test_topics_from_what_a_subscriber_prints(steward: Client) -> None:
    lines = 'factory/7/state {"ts": 1790000000, "temp": 20.5}\nfactory/8/state {"ts": 1790000060, "temp": 21}\n'
    status, page = look(steward, pasted=lines, kind="mqtt", address="factory/+/state")
    assert status == 200 and "7-temp" in page and "8-temp" in page
    form = form_of(page)
    assert (form["kind"], form["r0_key"], form["e_thing"]) == ("mqtt", "{topic2}-temp", "{topic2}")
    saved = {**form, "do": "save", "name": "factory", "label": "工厂"}
    assert steward.post("/sensing/sources/new", {**saved, "address": "#"}).status_code == 422
    answer = steward.post("/sensing/sources/new", saved)
    assert (answer.status_code, answer["Location"]) == (302, "/sensing/sources/one?name=factory")
    feed = Feed.objects.get()
    assert (feed.kind, feed.state, feed.next_at) == ("mqtt", "on", None)
    one = steward.get("/sensing/sources/one?name=factory").content.decode()
    assert "factory/+/state" in one and 'value="run"' not in one
    mapping = re.search(r'id="mapping"[^>]*>(.*?)</textarea>', one, re.S)
    assert mapping
    sent = {"name": "factory", "do": "change", "version": "1", "label": "工厂", "schedule": feed.schedule, "why": "改主题",
            "address": "works/#", "mapping": mapping[1].replace("&#39;", "'").replace("&#34;", '"')}  # fmt: skip
    assert steward.post("/sensing/sources/act", sent).status_code == 302
    assert Feed.objects.get().address == "works/#" and Feed.objects.get().next_at is None
    assert look(steward, pasted="nothing", kind="mqtt")[0] == 422
