"""The work of the staff: lists, moves, refusals, contacts, the field, the overview and the scorecards."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chengshu.cases.models import Case
from chengshu.cases.records import NewReport
from chengshu.cases.report import report
from chengshu.parties.models import Access, Notice
from tests.web.conftest import Browser, Who, upload

MakeCase = Callable[..., Case]


def numbers(page: bytes) -> set[str]:
    return set(re.findall(r'href="/cases/(HZ-[0-9-]+)"', page.decode()))


def test_the_desk_shows_each_post_its_work(browser: Browser, case: MakeCase) -> None:
    reported, registered, dispatched, handled = case(0), case(2), case(3), case(5)
    todo = {
        name: numbers(browser(name).get("/desk").content) for name in ("operator", "dispatcher", "handler", "verifier")
    }
    assert todo == {
        "operator": {reported.number},
        "dispatcher": {registered.number},
        "handler": {dispatched.number},
        "verifier": {handled.number},
    }


def test_lists_are_narrowed(browser: Browser, case: MakeCase) -> None:
    made, ended = case(1), case(7)
    client = browser("shift")
    assert numbers(client.get("/desk?view=open").content) == {made.number}
    assert numbers(client.get("/desk?view=ended").content) == {ended.number}
    assert numbers(client.get("/desk?view=all&state=accepted").content) == {made.number}
    assert numbers(client.get("/desk?view=open&q=暴露垃圾 文三路").content) == {made.number}
    assert numbers(client.get(f"/desk?view=all&q={ended.number}").content) == {ended.number}
    assert numbers(client.get("/desk?view=overdue").content) == set()
    assert numbers(client.get(f"/desk?view=all&ids={made.pk},{ended.pk}").content) == {made.number, ended.number}
    assert client.get("/desk?ids=nonsense").status_code == 422


def test_a_filter_by_script_gets_the_list_only(browser: Browser, case: MakeCase) -> None:
    case(1)
    answer = browser("shift").get("/desk?view=open", headers={"HX-Request": "true"})
    assert b"<html" not in answer.content
    assert b"data-row" in answer.content


def test_long_lists_go_on_page_by_page(browser: Browser, case: MakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chengshu.web.desk.board.SIZE", 2)
    made = {case(0).number for _ in range(3)}
    client = browser("operator")
    first = client.get("/desk?view=open").content
    following = re.search(r'href="([^"]+)" rel="next"', first.decode())
    assert following
    second = client.get(following[1].replace("&amp;", "&")).content
    assert numbers(first) | numbers(second) == made
    assert len(numbers(first)) == 2


def test_several_cases_move_at_once_and_the_rest_is_explained(browser: Browser, case: MakeCase) -> None:
    one, two, stale = case(2), case(2), case(2)
    chosen = [f"{one.pk}:{one.version}", f"{two.pk}:{two.version}", f"{stale.pk}:{stale.version - 1}"]
    answer = browser("dispatcher").post("/desk/move", {"move": "dispatch", "case": chosen}, follow=True)
    states = {c.number: c.state.code for c in Case.objects.select_related("state")}
    assert [states[c.number] for c in (one, two, stale)] == ["dispatched", "dispatched", "registered"]
    assert stale.number in answer.content.decode()


def test_a_case_offers_the_moves_of_the_post_with_suggestions(browser: Browser, case: MakeCase) -> None:
    made = case(2)
    page = browser("dispatcher").get(f"/cases/{made.number}").content.decode()
    assert 'name="move" value="dispatch"' in page
    assert 'name="move" value="register"' not in page
    chosen = re.findall(r'<option value="([^"]+)" selected>', page)
    assert any(code.startswith("330106-") for code in chosen)
    assert 'class="reason"' in page


def test_the_whole_road_by_the_forms(browser: Browser, case: MakeCase) -> None:
    made = case(0)
    for name, move, fields in (
        ("operator", "accept", {}),
        ("shift", "register", {"type": "env.exposed_rubbish", "evidence": upload()}),
        ("dispatcher", "dispatch", {"unit": "330106-CGJ"}),
        ("handler", "receive", {}),
        ("handler", "handle", {"note": "已清运", "evidence": upload()}),
        ("verifier", "verify", {"note": "合格"}),
        ("shift", "close", {}),
    ):
        version = Case.objects.get(pk=made.pk).version
        answer = browser(name).post(f"/cases/{made.number}/move", {"move": move, "version": version, **fields})
        assert answer.status_code == 302, (
            move,
            re.findall(r"(?:error-text|alert-danger)[^<]+<", answer.content.decode()),
        )
    assert Case.objects.select_related("state").get(pk=made.pk).state.code == "closed"


def test_a_refused_move_says_why_and_keeps_what_was_written(browser: Browser, case: MakeCase) -> None:
    made = case(4)
    fields = {"move": "handle", "version": made.version, "note": "已经清理"}
    answer = browser("handler").post(f"/cases/{made.number}/move", fields)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "已经清理" in page
    assert "error-text" in page


def test_who_comes_second_is_told(browser: Browser, case: MakeCase) -> None:
    made = case(2)
    first = {"move": "dispatch", "version": made.version, "unit": "330106-CGJ"}
    assert browser("dispatcher").post(f"/cases/{made.number}/move", first).status_code == 302
    second = browser("dispatcher").post(
        f"/cases/{made.number}/move", {"move": "note", "version": made.version, "note": "看一下"}
    )
    assert second.status_code == 409


def test_strange_input_is_refused_in_words(browser: Browser, case: MakeCase) -> None:
    made, client = case(2), browser("dispatcher")
    path = f"/cases/{made.number}/move"
    for fields in (
        {"move": "dispatch", "unit": "no-such-unit"},
        {"move": "dispatch", "version": "１"},
        {"move": "merge", "target": "HZ-0-0"},
        {"move": "no-such-move"},
        {"move": "suspend", "until": "tomorrow"},
        {"move": "note", "note": "x" * 6000, "rating": "five"},
    ):
        assert client.post(path, fields).status_code in {404, 409, 422}, fields
    made.refresh_from_db()
    assert made.version == 3


def test_contacts_are_shown_for_a_purpose_and_the_look_is_recorded(browser: Browser, case: MakeCase) -> None:
    made, client = case(1), browser("operator")
    assert "13800000000" not in client.get(f"/cases/{made.number}").content.decode()
    assert client.post(f"/cases/{made.number}/contact", {"purpose": ""}).status_code == 422
    shown = client.post(f"/cases/{made.number}/contact", {"purpose": "核实具体位置"})
    assert "13800000000" in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    look = Access.objects.get()
    assert (look.subject, look.purpose) == (f"case:{made.pk}", "核实具体位置")


def test_cases_of_others_are_not_there(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    assert browser("metro").get(f"/cases/{made.number}").status_code == 404
    assert browser("metro").post(f"/cases/{made.number}/move", {"move": "receive"}).status_code == 404


def test_the_field_offers_the_next_act(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    page = browser("handler").get("/field").content.decode()
    assert made.number in page
    assert re.search(r'name="move" value="receive"', page)


def test_a_case_without_a_place_is_listed_among_those_that_have_none(browser: Browser, who: Who) -> None:
    new = NewReport(
        origin="test", origin_key="nowhere", title="不知在哪里", kind="urban", occurred_at=datetime.now(UTC)
    )
    report([new], city=who("citizen").city, actor=who("citizen"))
    client = browser("shift")
    assert "below=-" in client.get("/cockpit").content.decode()
    assert len(numbers(client.get("/cockpit/cases?which=open&below=-").content)) == 1
    assert len(numbers(client.get("/desk?view=open&division=-").content)) == 1


def test_scorecards_lead_to_their_cases_and_to_csv(browser: Browser, case: MakeCase) -> None:
    closed = case(7)
    client = browser("supervisor")
    page = client.get("/scores?kind=department").content.decode()
    links = [href.replace("&amp;", "&") for href in re.findall(r'href="(/scores/cases\?[^"]+)"', page)]
    behind = [href for href in links if "measure=closed" in href]
    assert numbers(client.get(behind[0]).content) == {closed.number}
    table = client.get("/scores.csv?kind=department").content
    assert table.startswith(b"\xef\xbb\xbf")
    assert "330106-CGJ" in table.decode("utf-8-sig")
    assert client.get("/scores?kind=planet").status_code == 422
    assert client.get("/scores?first=2026-02-01&last=2026-01-01").status_code == 422
    assert client.get("/scores?first=yesterday").status_code == 422


def test_a_notice_opens_its_case_and_is_read(browser: Browser, case: MakeCase, who: Who) -> None:
    made = case(3)
    notice = Notice.objects.create(
        account_id=who("handler").account or 0, key="test", kind="dispatch", case=made.pk, at=datetime.now(UTC),
        params={"number": made.number, "title": made.title},
    )  # fmt: skip
    client = browser("handler")
    assert made.title in client.get("/notices").content.decode()
    assert client.post("/notices/read", {"notice": notice.pk})["Location"] == f"/cases/{made.number}"
    browser("operator").post("/notices/read")
    notice.refresh_from_db()
    assert notice.read_at is not None
