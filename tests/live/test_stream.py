"""The live process of a real city: who hears what over HTTP, and what it survives."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

from benchmarks.city import City, temporary_home
from tests.live.listening import listening

pytestmark = pytest.mark.slow
WEST, EAST, UNIT = "330106", "330109", "330106-CGJ"


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    with temporary_home() as home, City(home=home, packs="hangzhou") as running:
        until(lambda: ready(running))
        yield running


@pytest.fixture(scope="module")
def staff(city: City) -> Iterator[Callable[[str], Any]]:
    """The API client of a role's demo account."""
    names = {"operator": "operator", "shift_leader": "shift", "dispatcher": "dispatcher"}
    clients = {role: city.client(city.token(name, role)) for role, name in names.items()}
    yield clients.__getitem__
    for client in clients.values():
        client.close()


def ready(city: City) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{city.live_port}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def until(true: Callable[[], bool], limit: float = 40) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def report(staff: Callable[[str], Any], division: str = WEST) -> dict[str, Any]:
    """A new case that needs no evidence to be registered."""
    body = {"type": "appeal.noise_social", "title": "夜间噪声", "description": "夜间施工", "division": division,
            "place_text": "文三路90号", "key": secrets.token_hex(8)}  # fmt: skip
    answer = staff("operator").post("/api/cases", body)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


def move(staff: Callable[[str], Any], role: str, case: dict[str, Any], code: str, **needs: Any) -> None:
    answer = staff(role).post(f"/api/cases/{case['id']}/moves", {"move": code, **needs})
    assert answer.status == 200, answer.body


def dispatched(staff: Callable[[str], Any]) -> dict[str, Any]:
    case = report(staff)
    move(staff, "operator", case, "accept")
    move(staff, "shift_leader", case, "register")
    move(staff, "dispatcher", case, "dispatch", unit=UNIT)
    return case


def test_an_area_hears_of_its_own_cases_only(city: City, staff: Callable[[str], Any]) -> None:
    with listening(city.live("leader")) as leader, listening(city.live("shift")) as shift:
        east, west = report(staff, EAST), report(staff, WEST)
        assert shift.case(east["number"])["state"] == "reported"
        shift.case(west["number"])
        told = leader.case(west["number"])
        assert (told["move"], told["label"], told["seq"], told["closed"]) == ("open", "上报", 1, False)
        assert east["number"] not in leader.numbers()


def test_a_unit_hears_of_its_own_cases_and_of_its_notices(city: City, staff: Callable[[str], Any]) -> None:
    with listening(city.live("handler")) as handler, listening(city.live("metro")) as metro:
        before = handler.next("notice")["unread"]
        case = dispatched(staff)
        assert handler.next("notice")["unread"] == before + 1
        assert handler.case(case["number"])["move"] == "dispatch"
        assert case["number"] not in metro.numbers()


def test_who_has_no_valid_ticket_hears_nothing(city: City) -> None:
    address = city.live("shift")
    cut = [address[:-3], f"{address}x", address.split("?")[0], address.replace("ticket=", "ticket=W")]
    for wrong in cut:
        answer = httpx.get(wrong)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    said = httpx.post(address.split("?")[0].replace("/stream", "/presence"), data={"ticket": "forged", "case": "1"})
    assert said.status_code == 401


def test_a_session_that_ended_opens_no_stream(city: City) -> None:
    address = city.live("analyst")
    with listening(address) as analyst:
        analyst.next("notice")
    assert say(city, address) == 204
    city.sql("DELETE FROM django_session")  # of all who signed in for the tests above
    assert httpx.get(address).status_code == 401
    assert say(city, address) == 401  # so that the page does not try again and again


def test_what_is_no_form_is_refused(city: City) -> None:
    address = city.live("analyst").split("?")[0].replace("/stream", "/presence")
    for body in (b"ticket=\xff\xfe", b"ticket=%ff"):
        answer = httpx.post(address, content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_pages_of_citizens_and_strangers_carry_no_ticket(city: City) -> None:
    for headers in ({}, city.session("citizen")):
        page = httpx.get(f"{city.url}/", headers=headers, follow_redirects=True)
        assert page.status_code == 200
        assert 'name="live"' not in page.text


def test_scripts_may_speak_with_the_live_process_only(city: City) -> None:
    policy = httpx.get(f"{city.url}/login").headers["content-security-policy"]
    assert f"connect-src 'self' http://127.0.0.1:{city.live_port};" in policy


def test_two_at_a_case_see_each_other(city: City, staff: Callable[[str], Any]) -> None:
    number = dispatched(staff)["number"]
    with listening(city.live("dispatcher", number)) as dispatcher, listening(city.live("handler", number)):
        assert dispatcher.next("presence", lambda data: data["people"])["people"] == [
            {"name": "演示·处置人员", "role": "handler", "writing": False}
        ]
        with listening(city.live("metro", number)) as metro:
            metro.next("notice")
        say(city, city.live("handler"), case=number, writing="1")
        people = dispatcher.next("presence")["people"]
        assert [(person["name"], person["writing"]) for person in people] == [("演示·处置人员", True)]
    # Whoever may not see the case was never shown, and the handler has left.
    with listening(city.live("dispatcher", number)) as dispatcher:
        assert dispatcher.next("presence")["people"] == []


def say(city: City, address: str, **facts: str) -> int:
    ticket = parse_qs(urlsplit(address).query)["ticket"][0]
    return httpx.post(f"http://127.0.0.1:{city.live_port}/presence", data={**facts, "ticket": ticket}).status_code


def test_presence_is_limited(city: City) -> None:
    address = city.live("verifier")
    assert say(city, address) == 204
    assert 429 in [say(city, address) for _ in range(90)]
    assert say(city, address, case="x" * 5000) == 413


def test_a_page_that_opens_late_is_told_how_the_case_stands(city: City, staff: Callable[[str], Any]) -> None:
    case = dispatched(staff)
    with listening(city.live("dispatcher", case["number"])) as dispatcher:
        assert dispatcher.case(case["number"])["seq"] == 4


def test_a_reader_that_does_not_read_is_dropped(city: City, staff: Callable[[str], Any]) -> None:
    ids = [report(staff)["id"] for _ in range(20)]
    address = urlsplit(city.live("supervisor"))
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        lazy.connect(("127.0.0.1", city.live_port))
        lazy.sendall(f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: streams(city) == 1)
        payload = json.dumps([ids, []])
        many = "SELECT count(pg_notify('chengshu_live', %s || repeat(' ', i))) FROM generate_series(1, 100) i"
        for _ in range(15):
            city.sql(many, [payload])
        until(lambda: streams(city) == 0)
    with listening(city.live("shift")) as shift:
        late = report(staff)
        shift.case(late["number"])
    assert "chengshu_live_dropped_total 1.0" in httpx.get(f"http://127.0.0.1:{city.live_port}/metrics").text


def streams(city: City) -> int:
    return int(httpx.get(f"http://127.0.0.1:{city.live_port}/readyz").json()["streams"])


def test_a_page_that_is_closed_is_forgotten(city: City) -> None:
    with listening(city.live("shift")) as shift:
        shift.next("notice")
        assert streams(city) >= 1
    until(lambda: streams(city) == 0)


def test_the_web_server_tells_its_numbers_too(city: City) -> None:
    assert "chengshu_live_streams" in httpx.get(f"{city.url}/metrics").text


def test_a_database_that_comes_back_is_heard_again(city: City, staff: Callable[[str], Any]) -> None:
    with listening(city.live("shift")) as shift:
        shift.next("notice")
        postmaster = min(city.parts()["database"], key=lambda process: process.create_time())
        postmaster.send_signal(signal.SIGKILL)
        shift.next("resync")
        until(lambda: httpx.get(f"{city.url}/readyz").status_code == 200)
        case = eventually(lambda: report(staff))
        shift.case(case["number"])


def eventually(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The first answer after the pages' own connections have found the database again."""
    for _ in range(20):
        try:
            return make()
        except AssertionError:
            time.sleep(0.5)
    raise AssertionError("the database did not come back for the pages")


def test_a_killed_live_process_comes_back(city: City, staff: Callable[[str], Any]) -> None:
    with listening(city.live("shift")) as shift:
        for process in city.parts()["live"]:
            process.kill()
        assert shift.closed.wait(10)
    until(lambda: ready(city))
    with listening(city.live("shift")) as shift:
        shift.case(report(staff)["number"])


def test_it_ends_with_the_city_though_pages_are_open(city: City) -> None:
    with listening(city.live("shift")):
        family = psutil.Process(city.process.pid).children(recursive=True) if city.process else []
        began = time.monotonic()
        city.stop()
        assert time.monotonic() - began < 15
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
