"""Reporting without an account, and following what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from chengshu.cases.models import Case, Clock, Contact, Evidence
from chengshu.parties import throttle
from tests.web.conftest import Browser, upload


def fill(client: Client, **more: object) -> dict[str, object]:
    token = re.search(r'name="token" value="([^"]+)"', client.get("/report").content.decode())
    assert token
    return {"token": token[1], "title": "路灯不亮", "place": "文三路90号", **more}


def answered(client: Client) -> tuple[str, str]:
    """Number and word on the answer page."""
    keys = re.findall(r'class="key[^"]*">([^<]+)<', client.get("/report/done").content.decode())
    return keys[0], keys[1]


def test_a_stranger_reports_with_photo_and_gets_number_and_word(browser: Browser) -> None:
    client = browser("")
    fields = fill(client, lon="120.12", lat="30.27", phone="138 0000 0000", evidence=[upload()])
    assert client.post("/report", fields)["Location"] == "/report/done"
    number, word = answered(client)
    case = Case.objects.select_related("state", "kind", "division").get(number=number)
    assert (case.title, case.source, case.state.code, case.division.name) == (
        "路灯不亮",
        "citizen",
        "reported",
        "西湖区",
    )
    assert Evidence.objects.get(case=case).media_type == "image/jpeg"
    contact = Contact.objects.get(report__case=case)
    assert contact.phone == "138 0000 0000"
    assert word.replace("-", "") not in contact.secret


def test_a_form_sent_twice_is_one_case_with_the_same_answer(browser: Browser) -> None:
    client = browser("")
    fields = fill(client)
    client.post("/report", fields)
    first = answered(client)
    client.post("/report", fields)
    assert answered(client) == first
    assert Case.objects.filter(title="路灯不亮").count() == 1


def test_what_is_missing_is_said_beside_its_field_and_nothing_is_lost(browser: Browser) -> None:
    client = browser("")
    answer = client.post("/report", fill(client, title="", place="", description="就在路口", phone="abc"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert all(f'href="#{name}"' in page for name in ("title", "place", "phone"))
    assert "就在路口" in page
    assert not Case.objects.exists()


def test_a_file_that_is_no_picture_is_refused(browser: Browser) -> None:
    client = browser("")
    file = upload()
    file.seek(0)
    file.truncate()
    file.write(b"<svg onload=alert(1)>" * 10)
    file.seek(0)
    assert client.post("/report", fill(client, evidence=[file])).status_code == 422
    assert not Case.objects.exists()


def test_a_field_that_a_browser_filled_in_by_itself_is_said_and_the_form_goes_through_then(browser: Browser) -> None:
    client = browser("")
    page = client.post("/report", fill(client, leave_empty="http://spam.example")).content.decode()
    assert "must stay empty" in page
    assert "路灯不亮" in page
    assert not Case.objects.exists()
    assert client.post("/report", fill(client, website="https://city.example"))["Location"] == "/report/done"


def test_a_form_that_was_open_for_too_long_is_sent_once_more_and_goes_through(browser: Browser) -> None:
    client = browser("")
    sent = fill(client, token="forged")
    answer = client.post("/report", sent)
    assert answer.status_code == 422
    assert "Send it once more" in answer.content.decode()
    assert not Case.objects.exists()
    fresh = re.search(r'name="token" value="([^"]+)"', answer.content.decode())
    assert fresh
    assert client.post("/report", {**sent, "token": fresh[1]})["Location"] == "/report/done"


def test_too_many_reports_from_one_address_are_held_off_and_nothing_is_lost(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "REPORT_HERE", throttle.Limit(name="report-here", count=1, seconds=3600))
    client = browser("")
    client.post("/report", fill(client))
    answer = client.post("/report", fill(client, description="就在路口", evidence=[upload()]))
    page = answer.content.decode()
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "tried too often" in page
    assert "就在路口" in page
    assert "1 photo is kept" in page
    citizen = browser("citizen")  # who has an account is counted for it, wherever they are
    assert citizen.post("/report", fill(citizen))["Location"] == "/report/done"


def test_who_reports_for_others_all_day_is_not_held_off(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REPORT", "REPORT_HERE", "EVIDENCE", "EVIDENCE_HERE"):
        monkeypatch.setattr(throttle, name, throttle.Limit(name=f"none-{name}", count=0, seconds=3600))
    client = browser("operator")
    answer = client.post("/report", fill(client, evidence=[upload()]))
    assert answer["Location"].startswith("/cases/")


def test_photos_outlive_a_refusal_of_the_report(browser: Browser) -> None:
    client = browser("")
    page = client.post("/report", fill(client, lon="2.35", lat="48.85", evidence=[upload()])).content.decode()
    assert 'href="#place"' in page
    assert "1 photo is kept" in page
    kept, token = (re.search(rf'name="{name}" value="([^"]+)"', page) for name in ("kept", "token"))
    assert kept and token
    client.post("/report", {"token": token[1], "kept": kept[1], "title": "路灯不亮", "place": "文三路"})
    assert Evidence.objects.get(case__isnull=False)


def test_number_and_word_open_the_case_and_nothing_else_does(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client, evidence=[upload()]))
    number, word = answered(client)
    stranger = browser("")
    assert stranger.get(f"/follow/{number}")["Location"] == f"/follow?number={number}"
    assert stranger.post("/follow", {"number": number, "word": "AAAAA-22222"}).status_code == 422
    assert stranger.post("/follow", {"number": "HZ-1-1", "word": word}).status_code == 422
    sent = stranger.post("/follow", {"number": number, "word": word.lower().replace("-", " ")})
    assert sent["Location"] == f"/follow/{number}"
    page = stranger.get(f"/follow/{number}").content.decode()
    assert "路灯不亮" in page
    file = Evidence.objects.get()
    path = f"/cases/{number}/evidence/{file.pk}"
    shown = stranger.get(path)
    assert shown["Content-Type"] == "image/jpeg"
    assert shown.getvalue()[:2] == b"\xff\xd8"
    assert "sandbox" in shown["Content-Security-Policy"]
    assert browser("").get(path).status_code == 404
    assert browser("citizen").get(path).status_code == 404


def test_a_proven_reporter_urges_and_takes_back(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client))
    number, _word = answered(client)
    for move in ("urge", "withdraw"):
        version = Case.objects.get(number=number).version
        answer = client.post(f"/follow/{number}", {"move": move, "version": version})
        assert answer.status_code == 302, answer.content
    assert Case.objects.get(number=number).urges == 1
    assert Case.objects.select_related("state").get(number=number).state.code == "withdrawn"


def test_a_reporter_sees_answers_but_no_names_and_no_internal_notes(
    browser: Browser, case: Callable[..., Case]
) -> None:
    made = case(7)
    page = browser("citizen").get(f"/follow/{made.number}").content.decode()
    assert "垃圾已清运，现场已冲洗" in page
    assert "现场核查合格" not in page
    assert "演示·处置人员" not in page
    assert "13800000000" not in page
    shown = re.findall(r'src="(/cases/[^"]+)"', page)
    assert len(shown) == 1  # the handler's photo, not the one that registering asked for
    assert browser("citizen").get(shown[0]).getvalue()[:2] == b"\xff\xd8"


def test_a_citizen_rates_a_closed_case(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(7), browser("citizen")
    refused = client.post(f"/follow/{made.number}", {"move": "rate", "version": made.version})
    assert refused.status_code == 422
    client.post(f"/follow/{made.number}", {"move": "rate", "version": made.version, "rating": "4", "note": "处理得快"})
    made.refresh_from_db()
    assert made.rating == 4
    assert browser("citizen").get("/mine").content.decode().count(made.number) >= 1


def test_staff_report_for_a_caller_and_land_on_the_case(browser: Browser) -> None:
    client = browser("operator")
    answer = client.post("/report", fill(client, name="李四", type="env.exposed_rubbish"))
    case = Case.objects.select_related("type").get(title="路灯不亮")
    assert answer["Location"] == f"/cases/{case.number}"
    assert case.source == "hotline"
    assert case.type is not None
    assert case.type.code == "env.exposed_rubbish"


@pytest.mark.parametrize(
    ("lon", "lat"),
    [("abc", "30.2"), ("120.1", "999"), ("120.1", ""), ("nan", "30"), ("2.35", "48.85")],
    ids=["letters", "beyond the pole", "half", "not a number", "Paris"],
)
def test_nonsense_places_are_refused_beside_the_field(browser: Browser, lon: str, lat: str) -> None:
    client = browser("")
    for place in ("", "文三路90号"):
        answer = client.post("/report", fill(client, place=place, lon=lon, lat=lat))
        assert answer.status_code == 422
        assert 'href="#place"' in answer.content.decode()
    assert not Case.objects.exists()


@pytest.mark.parametrize("username", ["steward", "admin"])
def test_who_has_no_business_with_cases_reports_none(browser: Browser, username: str) -> None:
    client = browser(username)
    for answer in (client.get("/report"), client.post("/report", {"title": "路灯不亮", "place": "文三路"})):
        assert answer.status_code == 403
        assert "Switch to another post" in answer.content.decode() or "换" in answer.content.decode()
    assert not Case.objects.exists()


@pytest.mark.parametrize("username", ["grid", "handler", "operator", "leader", "analyst"])
def test_staff_land_on_a_page_they_may_see(browser: Browser, username: str) -> None:
    client = browser(username)
    answer = client.post("/report", fill(client, lon="119.28", lat="29.47"), follow=True)
    assert answer.status_code == 200
    assert Case.objects.get().number in answer.content.decode()


def test_the_receipt_promises_the_time_of_the_first_answer_and_not_that_of_the_whole(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client, type="env.exposed_rubbish"))
    number, _word = answered(client)
    case = Case.objects.get(number=number)
    accept, whole = (
        Clock.objects.get(case=case, stage=stage).due_at.astimezone(ZoneInfo("Asia/Shanghai"))
        for stage in ("accept", "total")
    )
    assert accept < whole
    page = client.get("/report/done").content.decode()
    assert f"decides by {accept:%m-%d %H:%M}." in page
    assert f"The whole of it is due by {whole:%m-%d %H:%M}." in page
