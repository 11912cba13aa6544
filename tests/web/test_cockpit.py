"""The cockpit: every number opens a list of exactly so many, which offers an act to those who may act."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chengshu.cases.advance import advance
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest
from chengshu.evaluation.counts import count_all
from chengshu.evaluation.models import Handover, ShiftNote
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal
from chengshu.places.models import City, Division

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
Who = Callable[[str], Principal]
MakeCase = Callable[..., Case]
WATCHERS = ("operator", "shift", "dispatcher", "verifier", "supervisor", "leader", "analyst")
PAGES = (
    "/cockpit",
    "/cockpit?days=7",
    "/cockpit/wall",
    "/cockpit/brief",
    "/cockpit/handover",
    "/cockpit/line/reported",
)
COUNT = re.compile(r'<a[^>]+href="(/cockpit/cases\?[^"]+)"[^>]*>(?:(?!</a>).)*?</a>', re.S)
NUMBER = re.compile(r'data-count="(\d+)"')


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, (path, response.status_code, response.content.decode()[:2000])
    return response.content.decode()


def lists(page: str) -> list[tuple[str, int | None]]:
    """The lists that a page leads to, each with the number shown beside the link, if it is a number of cases."""
    found = []
    for match in COUNT.finditer(page):
        count = NUMBER.search(match.group(0))
        found.append((html.unescape(match.group(1)), int(count.group(1)) if count else None))
    return found


def counted(page: str) -> int:
    [count] = re.findall(r'data-counted="(\d+)"', page)
    return int(count)


@pytest.fixture(autouse=True)
def _english(hangzhou: City) -> None:
    Account.objects.update(language="en")


@pytest.fixture
def town(case: MakeCase, who: Who) -> list[Case]:
    """Cases all over the road: new, urged, dispatched and late, returned, closed, reopened."""
    made = [case(stages) for stages in (0, 0, 3, 4, 7, 7)]
    late, returned, again = made[2], made[3], made[5]
    requests: list[tuple[Case, str, str, dict[str, Any]]] = [
        (late, "urge", "shift", {}),
        (returned, "return", "handler", {"note": "不属于本单位职责范围"}),
        (again, "reopen", "shift", {"note": "问题重现，重新处理"}),
    ]
    for one, move, by, more in requests:
        [verdict] = advance([MoveRequest(case=one.pk, move=move, **more)], actor=who(by))
        assert verdict.ok, (move, verdict)
    Case.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(hours=5), escalation=1)
    count_all()
    return made


@pytest.mark.parametrize("username", WATCHERS)
def test_every_number_opens_a_list_of_so_many_cases_and_an_act(
    browser: Browser, town: list[Case], username: str
) -> None:
    client = browser(username)
    seen: dict[str, int | None] = {}
    pages = (
        PAGES if username in {"shift", "leader"} else PAGES[:1]
    )  # what is drawn is the same for all; what may be done is not
    for path in pages:
        for href, count in lists(text_of(client, path)):
            seen[href] = count if count is not None else seen.get(href)
    assert len(seen) > (40 if pages == PAGES else 20)
    today = datetime.now(UTC).astimezone(timezone.get_fixed_timezone(480)).date().isoformat()
    for href, count in seen.items():
        page = text_of(client, href)
        if count is not None:
            assert counted(page) == count, href
        assert not counted(page) or "/cases/" in page, href
        acting = 'name="move"' in page or "Your post makes no move" in page or not counted(page)
        assert acting, href
        if username in {"supervisor", "shift", "leader"} and counted(page) and "which=overdue" in href:
            assert 'name="move"' in page, href
    assert any(today in href for href in seen)


def test_the_exceptions_are_counted(browser: Browser, town: list[Case]) -> None:
    found = lists(text_of(browser("supervisor"), "/cockpit"))
    of = {href.removeprefix("/cockpit/cases?which="): count for href, count in found}
    assert (of["overdue"], of["escalated"], of["urged"], of["repeated"]) == (1, 1, 1, 1)
    assert (of["open"], of["today"], of["ended_today"]) == (5, 6, 1)


def test_pressing_many_at_once(browser: Browser, town: list[Case]) -> None:
    client = browser("supervisor")
    page = text_of(client, "/cockpit/cases?which=open&move=supervise")
    assert re.search(r'value="supervise"[^>]*checked', page)
    chosen = re.findall(r'name="case" value="([^"]+)"', page)
    assert len(chosen) == 5
    answer = client.post(
        "/cockpit/act",
        {"move": "supervise", "case": chosen, "note": "今日内反馈进展", "next": "/cockpit/cases?which=open"},
        follow=True,
    )
    assert "5 cases" in answer.content.decode()
    assert Case.objects.filter(urges__gt=0).count() == 5
    stale = client.post("/cockpit/act", {"move": "supervise", "case": chosen, "note": "再催"}, follow=True)
    assert "5 cases were not moved" in stale.content.decode()
    assert client.post("/cockpit/act", {"move": "supervise", "case": ["x:1"]}).status_code == 422


def test_naming_a_tracker(browser: Browser, town: list[Case], who: Who) -> None:
    client = browser("shift")
    [row, *_] = re.findall(r'name="case" value="([^"]+)"', text_of(client, "/cockpit/cases?which=overdue&move=track"))
    client.post("/cockpit/act", {"move": "track", "case": [row], "tracker": who("verifier").account})
    assert Case.objects.get(pk=row.split(":")[0]).tracker_id == who("verifier").account


def test_a_leader_sees_the_own_district_only(browser: Browser, town: list[Case]) -> None:
    client = browser("leader")
    page = text_of(client, "/cockpit")
    assert "Hangzhou</a>" not in page
    root = Division.objects.get(code="3301", valid_to=None).pk
    other = Division.objects.get(code="330109", valid_to=None).pk
    for division in (root, other, 0, 10**17):
        for path in ("/cockpit", "/cockpit/cases", "/cockpit/brief", "/cockpit/handover", "/cockpit/map.json"):
            assert client.get(f"{path}?division={division}").status_code == 404, (path, division)


def test_the_way_down(browser: Browser, town: list[Case]) -> None:
    client = browser("shift")
    west = Division.objects.get(code="330106", valid_to=None).pk
    assert f"division={west}" in text_of(client, "/cockpit")
    below = text_of(client, f"/cockpit?division={west}")
    assert "Hangzhou</a>" in below or "杭州市</a>" in below
    assert "below=-" in below  # the cases are placed in the district, no street is known
    [(href, count)] = {(h, n) for h, n in lists(below) if "below=-" in h and "which=open" in h}
    assert counted(text_of(client, href)) == count == 5


def test_odd_questions_are_answered_in_words(browser: Browser) -> None:
    client = browser("shift")
    for path, status in (
        ("/cockpit/cases?which=planet", 404), ("/cockpit/cases?indicator=planet", 404), ("/cockpit/line/planet", 404),
        ("/cockpit/cases?indicator=reported&first=x", 422), ("/cockpit/cases?indicator=reported&first=1-1-1", 422),
        ("/cockpit/cases?indicator=reported&first=2026-02-02&last=2026-02-01", 422), ("/cockpit/brief?day=x", 422),
        ("/cockpit/cases?made=close&start=x", 422), ("/cockpit/handover?start=x", 422),
        ("/cockpit?days=x&division=x", 404), ("/cockpit/cases?which=open&from=x&unit=nobody&type=-", 200),
        ("/cockpit/cases?indicator=reported&hour=x&weekday=1", 422), ("/cockpit/handover/99", 404),
        ("/cockpit/cases?indicator=reported&hour=99&weekday=9", 200), ("/cockpit?division=" + "9" * 5000, 404),
        ("/cockpit/cases?made=close&start=9999-12-31T23:59", 422), ("/cockpit/cases?made=close&start=0001-01-01", 422),
        ("/cockpit/handover?start=9999-12-31T23:59", 422), ("/cockpit/handover?start=0001-01-01", 422),
        ("/cockpit/handover?start=2099-01-01", 200), ("/cockpit/cases?indicator=reported&hour=²&weekday=1", 422),
    ):  # fmt: skip
        assert client.get(path).status_code == status, path


def test_the_map_draws_cases_and_leads_to_lists(browser: Browser, town: list[Case]) -> None:
    client = browser("leader")
    drawn: Any = client.get("/cockpit/map.json").json()
    assert len(drawn["cases"]["features"]) == 5
    assert sum(f["properties"]["late"] for f in drawn["cases"]["features"]) == 1
    [unit] = drawn["units"]["features"][0]["properties"]["units"][:1]
    assert counted(text_of(client, unit["href"])) == unit["open"]
    city: Any = browser("shift").get("/cockpit/map.json").json()
    west = city["divisions"]["330106"]
    assert (west["open"], west["late"]) == (5, 1)
    assert counted(text_of(browser("shift"), west["late_href"])) == 1


def test_a_shifted_map_shifts_points_and_outlines(browser: Browser, town: list[Case], settings: Any) -> None:
    client = browser("leader")
    plain: Any = client.get("/cockpit/map.json").json()["cases"]["features"][0]["geometry"]["coordinates"]
    outline: Any = client.get("/map/boundaries.json?tiles").json()
    settings.TILES_URL, settings.TILES_CRS = "https://tiles.example.cn/{z}/{x}/{y}.png", "gcj02"
    response = client.get("/cockpit/map.json")
    moved: Any = response.json()["cases"]["features"][0]["geometry"]["coordinates"]
    assert 0.003 < moved[0] - plain[0] < 0.006
    assert client.get("/map/boundaries.json?tiles").json() != outline
    assert client.get("/map/boundaries.json").json() == outline  # forms take points in WGS 84


def test_the_handover_needs_two_people_and_stays_as_it_was(browser: Browser, town: list[Case]) -> None:
    shift, next_shift = browser("shift"), browser("operator")
    page = text_of(shift, "/cockpit/handover")
    assert town[2].number in page
    shift.post("/cockpit/handover/note", {"case": town[2].number, "text": "已电话催办，等回复"})
    shift.post("/cockpit/handover/note", {"text": "对讲机三号电池坏"})
    assert shift.post("/cockpit/handover/note", {"text": " "}).status_code == 422
    signed = shift.post("/cockpit/handover/sign", {"note": "其余正常"})
    assert signed.status_code == 302
    record = signed["Location"].split("?")[0]
    told = text_of(shift, record)
    assert all(
        words in told for words in ("已电话催办，等回复", "对讲机三号电池坏", "其余正常", town[2].number, "nobody yet")
    )
    assert "Take the shift over" not in told
    assert shift.post(f"{record}/take").status_code == 403
    assert browser("leader").get(record).status_code == 404
    assert next_shift.post("/cockpit/handover/sign", {}).status_code == 409
    assert next_shift.post(f"{record}/take", {"note": "收到"}).status_code == 302
    assert "收到" in text_of(shift, record)
    assert next_shift.post(f"{record}/take").status_code == 409


def test_what_is_noted_and_signed_for_a_district_stays_with_it(browser: Browser, town: list[Case]) -> None:
    client, west = browser("shift"), Division.objects.get(code="330106", valid_to=None).pk
    page = text_of(client, f"/cockpit/handover?division={west}")
    note, sign = (re.findall(rf'action="(/cockpit/handover/{act}[^"]*)"', page)[-1] for act in ("note", "sign"))
    client.post(html.unescape(note), {"text": "只与西湖区有关"})
    record = client.post(html.unescape(sign), {})["Location"]
    assert (ShiftNote.objects.get().division_id, Handover.objects.get().division_id) == (west, west)
    assert "只与西湖区有关" in text_of(client, record)
    assert "只与西湖区有关" not in text_of(client, "/cockpit/handover")


def test_what_happens_after_signing_belongs_to_the_next_shift(browser: Browser, town: list[Case], who: Who) -> None:
    client = browser("shift")
    record = client.post("/cockpit/handover/sign", {"note": "提前交班"})["Location"]
    made = re.compile(r'href="([^"]*made=[^"]*)"[^>]*>(?:(?!</a>).)*?<b[^>]*>(\d+)</b>', re.S)
    told = made.findall(text_of(client, record))
    [verdict] = advance([MoveRequest(case=town[0].pk, move="accept")], actor=who("operator"))
    assert verdict.ok
    assert client.post("/cockpit/handover/note", {"text": "签字后又来一件"})["Location"].endswith("#notes")
    page = text_of(client, "/cockpit/handover")  # no way back to the record only: the next shift is there
    assert "签字后又来一件" in page
    assert "Sign the shift off" not in page
    [(href, count)] = [(href, int(count)) for href, count in made.findall(page) if "made=accept" in href]
    assert (count, counted(text_of(client, html.unescape(href)))) == (1, 1)
    assert len(made.findall(page)) == 1  # what the record tells is not told twice
    assert told
    assert all(counted(text_of(client, html.unescape(href))) == int(count) for href, count in told)


def test_many_cases_are_not_sent_to_one_unit_or_split_at_once(browser: Browser, town: list[Case]) -> None:
    page = text_of(browser("dispatcher"), "/cockpit/cases?which=open")
    offered = set(re.findall(r'name="move" value="(\w+)"', page))
    assert "dispatch" in offered
    assert offered.isdisjoint({"redispatch", "split"})


def test_parts_refresh_themselves(browser: Browser, town: list[Case]) -> None:
    for path in ("/cockpit", "/cockpit/wall"):
        part = browser("shift").get(path, headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in part and town[2].number in part
