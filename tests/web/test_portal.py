"""The public pages: is it one of these, photos kept, near me, statistics, and where a citizen's notices lead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chengshu.cases import story, supporting
from chengshu.cases.models import Case, CaseType, Evidence, Report
from chengshu.evaluation import public
from chengshu.evaluation.public import By
from chengshu.parties.models import Account, Notice
from chengshu.parties.notices_text import Facts
from chengshu.places.models import City
from chengshu.web.portal import statistics
from tests.web.conftest import Browser, upload
from tests.web.test_report import answered, fill

POINT = {"lon": "120.12", "lat": "30.27"}
RUBBISH = {"title": "路口暴露垃圾一大堆", "type": "env.exposed_rubbish", **POINT}


@pytest.fixture(autouse=True)
def english(hangzhou: City) -> None:
    Account.objects.filter(username="citizen").update(language="en")


def token(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def test_nobody_is_asked_where_nothing_like_it_is_near(browser: Browser, case: Callable[..., Case]) -> None:
    case(0)  # rubbish in Wensan road
    for other in ({"title": "窨井盖松动", **POINT}, {**RUBBISH, "lon": "120.20"}, {"title": "暴露垃圾"}):
        client = browser("")
        assert client.post("/report", fill(client, **other))["Location"] == "/report/done"
    assert Case.objects.count() == 4


def test_a_report_that_is_none_of_them_becomes_its_own_case_with_its_photos(
    browser: Browser, case: Callable[..., Case]
) -> None:
    case(0)
    client = browser("")
    page = client.post("/report", fill(client, **RUBBISH, evidence=[upload()])).content.decode()
    assert "Is it one of these?" in page
    sent = {"token": token(page, "token"), "kept": token(page, "kept"), "seen": "1", "place": "", **RUBBISH}
    assert client.post("/report", sent)["Location"] == "/report/done"
    number, _word = answered(client)
    assert Case.objects.count() == 2
    assert Evidence.objects.get(case__number=number).seq == 1


def test_photos_outlive_a_mistake_elsewhere_and_nobody_elses_can_be_named(browser: Browser) -> None:
    client = browser("")
    page = client.post("/report", fill(client, title="", evidence=[upload(), upload("b.jpg")])).content.decode()
    assert "2 photos are kept" in page
    sent = {"token": token(page, "token"), "title": "路灯不亮", "place": "文三路", "kept": token(page, "kept")}
    client.post("/report", sent)
    assert Evidence.objects.exclude(case=None).count() == 2
    other = browser("")
    other.post("/report", fill(other, title="别人的照片", kept=sent["kept"]))
    number, _word = answered(other)
    assert not Evidence.objects.filter(case__number=number).exists()  # a file belongs to one case only
    forged = fill(other, title="伪造的照片", kept="forged")
    assert other.post("/report", forged)["Location"] == "/report/done"


def test_ten_photos_are_refused_in_a_sentence_and_the_words_stay(browser: Browser) -> None:
    client = browser("")
    answer = client.post("/report", fill(client, title="路灯不亮了", evidence=[upload(f"{n}.jpg") for n in range(10)]))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "10 files were sent" in page
    assert "路灯不亮了" in page
    assert not Case.objects.exists()


def test_a_forged_join_opens_a_case_of_its_own(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(0), browser("")
    client.post("/report", fill(client, join=str(made.pk), seen="1"))
    assert Report.objects.filter(case=made).count() == 1
    assert Case.objects.count() == 2


def test_joining_a_case_that_ended_meanwhile_opens_a_new_one(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(0), browser("citizen")
    stranger = browser("")
    page = stranger.post("/report", fill(stranger, **RUBBISH)).content.decode()
    join = token(page, "join")
    version = Case.objects.get(pk=made.pk).version
    assert client.post(f"/follow/{made.number}", {"move": "withdraw", "version": version}).status_code == 302
    stranger.post("/report", {"token": token(page, "token"), "seen": "1", "join": join, **RUBBISH})
    number, word = answered(stranger)
    assert number != made.number
    assert stranger.get(f"/follow/{number}").status_code == 200
    assert word


def test_a_citizen_finds_what_they_joined_among_their_reports(browser: Browser, case: Callable[..., Case]) -> None:
    made = case(0, by="operator")
    client = browser("citizen")
    page = client.post("/report", fill(client, **RUBBISH, evidence=[upload()])).content.decode()
    sent = {
        "token": token(page, "token"),
        "kept": token(page, "kept"),
        "seen": "1",
        "join": token(page, "join"),
        **RUBBISH,
    }
    for _again in range(2):  # a double tap joins once
        client.post("/report", sent)
    assert Report.objects.filter(case=made, verdict="joined").count() == 1
    assert Evidence.objects.filter(case=made).count() == 1
    mine = client.get("/mine").content.decode()
    assert f"/follow/{made.number}" in mine
    assert made.title not in mine
    assert client.get(f"/follow/{made.number}").status_code == 200
    other = browser("")
    assert other.get(f"/follow/{made.number}").status_code == 302


def test_following_reads_two_statements_and_keeps_no_session(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client))
    number, _word = answered(client)
    client.get(f"/follow/{number}")
    assert "sessionid" not in client.cookies
    with CaptureQueriesContext(connection) as ran:
        assert client.get(f"/follow/{number}").status_code == 200
    assert len(ran) == 0  # nothing through the ORM; the two prepared statements are counted by the benchmark


def test_joining_ones_own_case_leaves_it_ones_own(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client, **RUBBISH))
    number, _word = answered(client)
    page = client.post("/report", fill(client, **RUBBISH)).content.decode()
    sent = {"token": token(page, "token"), "seen": "1", "join": token(page, "join"), **RUBBISH}
    client.post("/report", sent)
    assert Report.objects.filter(case__number=number, verdict="joined").count() == 1
    version = Case.objects.get(number=number).version
    assert client.post(f"/follow/{number}", {"move": "withdraw", "version": version}).status_code == 302


def test_who_reported_without_an_account_brings_a_photo_after_signing_in(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client))
    number, _word = answered(client)
    client.force_login(Account.objects.get(username="citizen"))
    made = Case.objects.get(number=number)
    fields = {"move": "attach", "version": made.version, "note": "又拍了一张", "evidence": [upload()]}
    assert client.post(f"/follow/{number}", fields).status_code == 302
    assert Evidence.objects.get(case=made).seq == 2


def test_a_case_is_urged_once_in_a_while_by_the_same_person(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(3), browser("citizen")
    for status in (302, 429, 429):
        version = Case.objects.get(pk=made.pk).version
        answer = client.post(f"/follow/{made.number}", {"move": "urge", "version": version, "note": "请快一点"})
        assert answer.status_code == status
    assert "was urged within the last 4 hours" in answer.content.decode()
    assert "You can urge again from" in answer.content.decode()
    assert Case.objects.get(pk=made.pk).urges == 1


def test_a_device_can_forget_what_it_follows(browser: Browser) -> None:
    client = browser("")
    client.post("/report", fill(client))
    number, _word = answered(client)
    assert number in client.get("/follow").content.decode()
    client.post("/follow", {"forget": "1"})
    assert number not in client.get("/follow").content.decode()
    assert client.get(f"/follow/{number}").status_code == 302


def test_a_cookie_of_another_case_or_a_forged_one_opens_nothing(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(0), browser("")
    client.post("/report", fill(client))
    assert client.get(f"/follow/{made.number}").status_code == 302
    client.cookies["followed"] = "eyJIWi0xIjpbMSx0cnVlXX0:1:forged"
    assert client.get(f"/follow/{made.number}").status_code == 302


def test_what_is_late_is_said_plainly(
    browser: Browser, case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(3)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=30)

    monkeypatch.setattr(story, "datetime", Later)
    assert "This is overdue" in browser("citizen").get(f"/follow/{made.number}").content.decode()


def test_the_result_stands_above_with_its_picture_once(browser: Browser, case: Callable[..., Case]) -> None:
    page = browser("citizen").get(f"/follow/{case(7).number}").content.decode()
    assert page.count("垃圾已清运，现场已冲洗") == 1
    assert page.index("Result") < page.index("What happened")


def test_a_citizens_notice_leads_to_the_page_they_may_see(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(7), browser("citizen")
    account = Account.objects.get(username="citizen")
    notice = Notice.objects.create(
        account=account,
        key="closed:1",
        kind="closed",
        case=made.pk,
        params={"number": made.number},
        at=datetime.now(UTC),
    )
    assert "Your case was closed" in client.get("/mine").content.decode()
    for number in ("999999", "nonsense"):
        assert client.post("/notices/read", {"notice": number}).status_code == 404
    notice.refresh_from_db()
    assert notice.read_at is None
    assert Facts.of("closed", notice.params).link.endswith(f"/follow/{made.number}")
    assert Facts.of("due", notice.params).link.endswith(f"/cases/{made.number}")
    answer = client.post("/notices/read", {"notice": notice.pk})
    assert answer["Location"] == f"/follow/{made.number}"
    assert client.get(answer["Location"]).status_code == 200


def test_whoever_is_signed_in_is_not_asked_to_sign_in(browser: Browser) -> None:
    pages = [browser(name).get("/follow").content.decode().partition("<main")[2] for name in ("citizen", "")]
    assert ["sign in" in page for page in pages] == [False, True]


def test_near_me_shows_what_was_settled_there_and_not_elsewhere(browser: Browser, case: Callable[..., Case]) -> None:
    case(7)
    case(3)  # not settled
    client = browser("")
    for path in ("/near?lon=120.12&lat=30.27", "/near?division=330106"):
        page = client.get(path).content.decode()
        assert page.count("<h3>Exposed rubbish</h3>") == 1, path
        assert "垃圾已清运" in page
        assert "文三路" not in page
        assert "HZ-" not in page
    for path in ("/near?lon=120.3&lat=30.3", "/near?division=330110"):
        assert "Nothing was settled here" in client.get(path).content.decode()


@pytest.mark.parametrize("query", ["lon=999&lat=0", "lon=abc&lat=1", "lon=120", "division=nowhere", "lon=nan&lat=nan"])
def test_near_nonsense_is_said_and_not_guessed(browser: Browser, query: str) -> None:
    assert browser("").get(f"/near?{query}").status_code == 422


def test_statistics_count_what_the_city_settled(
    browser: Browser, case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "SMALLEST", 1)
    public.forget()
    for _n in range(3):
        case(7)
    case(2)
    page = browser("").get("/statistics.csv?by=district").content.decode("utf-8-sig")
    assert "Xihu District,4,3" in page or "Xihu,4,3" in page, page
    html = browser("").get("/statistics").content.decode()
    assert "What the numbers mean" in html
    assert "/near?division=330106" in html
    assert not re.search(r"\d\.\d %", html)  # published shares are whole percents
    public.forget()


def test_a_long_table_shows_its_beginning_until_all_of_it_is_asked_for(
    browser: Browser, case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "SMALLEST", 1)
    monkeypatch.setattr(statistics, "MOST", 1)
    public.forget()
    case(2)
    Case.objects.filter(pk=case(2).pk).update(type=CaseType.objects.get(code="street.vendor"))
    client = browser("")
    page = client.get("/statistics").content.decode()
    assert ("Exposed rubbish" in page) != ("Unlicensed vendor" in page)
    assert 'href="?whole=type#type"' in page
    whole = client.get("/statistics?whole=type").content.decode()
    assert "Exposed rubbish" in whole
    assert "Show 1 more" not in whole
    public.forget()


def test_small_counts_are_not_published(browser: Browser, case: Callable[..., Case]) -> None:
    public.forget()
    case(7)
    for by in By:
        lines = browser("").get(f"/statistics.csv?by={by}").content.decode("utf-8-sig").splitlines()[1:]
        assert all(",*,*,—,—" in line for line in lines), lines
    public.forget()


@pytest.mark.parametrize(
    "path",
    [
        "/statistics?month=1999-01", "/statistics?month=x", "/statistics.csv?by=person",
        "/statistics.csv?by=month&month=a%0Ab", "/statistics.csv?by=type&month=a%0Ab",
    ],
)  # fmt: skip
def test_what_is_not_published_is_missing(hangzhou: City, path: str) -> None:
    assert Client().get(path).status_code == 404


def test_words_of_types_alone_decide_what_is_alike(browser: Browser, case: Callable[..., Case]) -> None:
    """What another person wrote cannot be found out by asking: names and numbers are no words of a type."""
    made = case(0, description="慕容晓峰 13987654321")
    Case.objects.filter(pk=made.pk).update(title="慕容晓峰家的事", type=None)
    client = browser("")
    answer = client.post("/report", fill(client, title="慕容晓峰 13987654321", **POINT))
    assert answer.status_code == 302
    assert supporting.RADIUS == 300
