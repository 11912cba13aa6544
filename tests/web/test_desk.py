"""The desk beyond its lists: saved views, looking ahead, undo, telephones, paper, and what happens to two people at once."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from chengshu.cases import evidence, looks
from chengshu.cases.due import fire
from chengshu.cases.models import Case, Clock
from chengshu.parties import throttle
from chengshu.parties.models import Access, Account, Audit
from chengshu.web.desk import palette, saved
from chengshu.web.models import SavedView
from tests.web.conftest import Browser, Who, photo, upload

MakeCase = Callable[..., Case]


def numbers(page: bytes) -> set[str]:
    return set(re.findall(r'class="title" href="/cases/(HZ-[0-9-]+)"', page.decode()))


def text(page: bytes) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.decode()))


def chosen(*cases: Case) -> list[str]:
    return [f"{case.pk}:{case.version}" for case in cases]


def save(client: Client, name: str, query: str, **more: str) -> str:
    """Save a list as the form does; where that leads."""
    answer = client.post("/desk/views", {"name": name, "query": query, "pinned": "1", **more})
    assert answer.status_code == 302
    return answer["Location"]


def test_a_saved_view_is_a_tab_with_its_count(browser: Browser, case: MakeCase) -> None:
    accepted, _other = case(1), case(0)
    client = browser("shift")
    there = save(client, "待立案", "/desk?view=open&state=accepted&order=new&cursor=xyz")
    [view] = SavedView.objects.all()
    assert view.query == {"view": "open", "state": "accepted", "order": "new"}
    shown = client.get(there).content
    assert "待立案</h1>" in shown.decode()
    assert numbers(shown) == {accepted.number}
    [again] = re.findall(r'name="query" value="([^"]+)"', shown.decode())
    save(client, "待立案", html.unescape(again))
    assert SavedView.objects.get().query == view.query
    page = client.get("/desk?view=open").content.decode()
    [href] = re.findall(r'class="is-own" href="([^"]+)"', page)
    answer = client.get(html.unescape(href))
    assert numbers(answer.content) == {accepted.number}
    assert "<h1" in answer.content.decode()
    assert f'id="tab-{view.pk}">1<' in client.get("/desk/counts").content.decode()


def test_the_same_name_replaces_and_only_the_owner_deletes(browser: Browser) -> None:
    client = browser("shift")
    save(client, "我的", "/desk?view=open")
    save(client, "我的", "/desk?view=overdue", first="1")
    [view] = SavedView.objects.all()
    assert (view.query["view"], view.first) == ("overdue", True)
    assert browser("operator").post(f"/desk/views/{view.pk}/delete").status_code == 404
    assert client.post(f"/desk/views/{view.pk}/delete").status_code == 302
    assert not SavedView.objects.exists()


def test_the_desk_opens_with_the_view_chosen_for_it(browser: Browser) -> None:
    client = browser("shift")
    save(client, "先看", "/desk?view=urgent", first="1")
    save(client, "再看", "/desk?view=soon", first="1")
    assert "view=soon" in client.get("/desk")["Location"]
    assert SavedView.objects.filter(first=True).count() == 1


def test_a_shared_view_is_seen_by_the_department_only(browser: Browser) -> None:
    save(browser("shift"), "全科室", "/desk?view=overdue", share="1")
    assert "全科室" in browser("dispatcher").get("/desk").content.decode()
    assert "全科室" not in browser("handler").get("/desk").content.decode()


def test_of_what_colleagues_share_the_newest_is_shown_and_nothing_counted(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "SHARED", 1)
    for name in ("旧的", "新的"):
        save(browser("shift"), name, "/desk?view=overdue", share="1")
    client = browser("dispatcher")
    page = client.get("/desk").content.decode()
    assert ("旧的" in page, "新的" in page) == (False, True)
    assert 'id="tab-' not in client.get("/desk/counts").content.decode()


def test_a_view_needs_a_name(browser: Browser) -> None:
    assert browser("shift").post("/desk/views", {"query": "/desk"}).status_code == 422


def test_looking_first_says_which_go_where_and_why_others_stay(browser: Browser, case: MakeCase) -> None:
    good, moved, early = case(2), case(3), case(1)
    client = browser("dispatcher")
    body = {"move": "dispatch", "case": chosen(good, moved, early)}
    page = text(client.post("/desk/preview", body, headers={"HX-Request": "true"}).content)
    assert "西湖区" in page.split(good.number)[1].split("\n")[0]
    assert moved.number in page
    assert early.number in page
    assert Case.objects.get(pk=good.pk).version == good.version
    whole = client.post("/desk/preview", body).content.decode()
    assert "<html" in whole
    assert 'name="move" value="dispatch"' in whole


def test_a_bulk_move_is_taken_back_together(browser: Browser, case: MakeCase) -> None:
    one, two, other = case(2), case(2), case(2)
    client = browser("dispatcher")
    client.post("/desk/move", {"move": "dispatch", "case": chosen(one, two, other)})
    browser("shift").post(f"/cases/{other.number}/move", {"move": "note", "note": "已电话通知"})
    assert 'action="/desk/undo"' in client.get("/desk?view=all").content.decode()
    answer = client.post("/desk/undo", follow=True)
    states = {c.number: c.state.code for c in Case.objects.select_related("state")}
    assert [states[c.number] for c in (one, two, other)] == ["registered", "registered", "dispatched"]
    assert other.number in text(answer.content)
    assert 'action="/desk/undo"' not in client.get("/desk?view=all").content.decode()
    assert client.post("/desk/undo").status_code == 302


def test_one_step_is_taken_back_on_its_page(browser: Browser, case: MakeCase) -> None:
    made, client = case(2), browser("dispatcher")
    client.post(f"/cases/{made.number}/move", {"move": "dispatch", "unit": "330106-CGJ", "version": made.version})
    page = client.get(f"/cases/{made.number}").content.decode()
    assert 'name="move" value="undo_dispatch"' in page
    assert 'value="undo_dispatch"' not in browser("shift").get(f"/cases/{made.number}").content.decode()
    client.post(f"/cases/{made.number}/move", {"move": "undo_dispatch"})
    assert Case.objects.select_related("state").get(pk=made.pk).state.code == "registered"


def test_a_telephone_is_looked_for_without_standing_in_the_address(browser: Browser, case: MakeCase) -> None:
    made, client = case(1), browser("operator")
    target = client.post("/desk/telephone", {"telephone": "138 0000 0000"})["Location"]
    assert "0000" not in target
    page = client.get(target)
    assert numbers(page.content) == {made.number}
    assert "138****0000" in text(page.content)
    assert "13800000000" not in page.content.decode()
    assert Access.objects.get().subject == f"case:{made.pk}"
    assert browser("shift").get(target).status_code == 403


@pytest.mark.parametrize("username", ["operator", "leader"])
@pytest.mark.parametrize("path", ["/desk?view=all&q=13800000000", "/desk/palette?q=13800000000"])
def test_an_address_never_searches_for_a_telephone(browser: Browser, case: MakeCase, username: str, path: str) -> None:
    made = case(1)
    page = browser(username).get(path).content.decode()
    assert made.number not in page
    assert not Access.objects.exists()
    if path.startswith("/desk?"):  # who may is offered the form for it, filled in
        assert ('name="telephone" value="13800000000"' in page) == (username == "operator")


def test_who_reads_no_contacts_cannot_search_for_a_telephone(browser: Browser, case: MakeCase) -> None:
    case(1)
    assert browser("leader").post("/desk/telephone", {"telephone": "13800000000"}).status_code == 403
    assert browser("operator").post("/desk/telephone", {"telephone": "1380000"}).status_code == 422
    assert not Access.objects.exists()


def test_people_are_looked_up_so_often_and_the_administrator_sees_when_it_was_too_often(
    browser: Browser, case: MakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LIMIT", throttle.Limit(name="looks-test", count=2, seconds=3600))
    made, client = case(1), browser("operator")
    asked = [
        ("/desk/telephone", {"telephone": "13911112222"}),
        (f"/cases/{made.number}/contact", {"purpose": "回访反映人"}),
    ]
    statuses = [client.post(path, fields).status_code for path, fields in asked * 2]
    assert statuses == [302, 200, 429, 429]
    assert Access.objects.count() == 2
    trace = Audit.objects.get(action="contact.limit")
    assert trace.facts == {"username": "operator", "looks": 2}
    assert browser("shift").post(*asked[1]).status_code == 200


def test_what_somebody_wrote_into_a_case_is_no_markup_of_the_list(browser: Browser, case: MakeCase) -> None:
    made = case(0)
    bad = "<script>alert(1)</script>\"'&"
    Case.objects.filter(pk=made.pk).update(title=bad, place_text=bad, source=bad)
    for path in ("/desk?view=open", "/desk/print?view=open", f"/cases/{made.number}", f"/cases/{made.number}/print"):
        page = browser("shift").get(path).content.decode()
        assert "<script>alert" not in page, path
        assert bad in text(page.encode()), path  # escaped once: nobody reads &#x27;


def test_who_was_overtaken_sees_what_happened_and_keeps_the_note(browser: Browser, case: MakeCase) -> None:
    made = case(2)
    browser("dispatcher").post(f"/cases/{made.number}/move", {"move": "dispatch", "unit": "330106-CGJ"})
    late = {"move": "merge", "note": "我写的理由", "version": made.version, "seq": made.seq, "target": made.number}
    answer = browser("shift").post(f"/cases/{made.number}/move", late)
    page = text(answer.content)
    assert answer.status_code == 409
    assert "演示·派遣员" in page.split("while you wrote")[-1] or "演示·派遣员" in page.split("他人已办理")[-1]
    assert "我写的理由" in answer.content.decode()


def test_after_a_move_the_next_case_is_there(browser: Browser, case: MakeCase) -> None:
    one, two = case(0), case(0)
    client = browser("operator")
    assert f'name="then" value="{two.number}"' in client.get(f"/cases/{one.number}").content.decode()
    answer = client.post(f"/cases/{one.number}/move", {"move": "accept", "version": one.version, "then": two.number})
    assert answer["Location"] == f"/cases/{two.number}"


def test_a_handler_who_gave_a_case_back_is_led_to_the_field(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    answer = browser("handler").post(f"/cases/{made.number}/move", {"move": "return", "note": "不属本单位职责"})
    assert answer["Location"] == "/field"


def test_missing_evidence_is_named(browser: Browser, case: MakeCase) -> None:
    made = case(1)
    Account.objects.update(language="en")
    page = browser("shift").get(f"/cases/{made.number}").content
    assert "needs a photo before this move" in text(page)
    answer = browser("shift").post(f"/cases/{made.number}/move", {"move": "register", "type": "env.exposed_rubbish"})
    assert "need a photo before this move" in text(answer.content)


def test_what_belongs_together_is_found_without_saying_who(browser: Browser, case: MakeCase) -> None:
    made, other = case(1), case(1)
    page = browser("operator").get(f"/cases/{made.number}/related").content
    assert other.number in page.decode()
    assert "13800000000" not in page.decode()
    assert "张三丰" not in page.decode()
    part = browser("operator").get(f"/cases/{made.number}/related", headers={"HX-Request": "true"}).content
    assert b"<html" not in part


def test_what_else_a_person_reported_is_shown_for_a_purpose_and_leaves_a_trace(
    browser: Browser, case: MakeCase
) -> None:
    made, other = case(1), case(0)
    Case.objects.filter(pk=other.pk).update(cell=None)  # not near: only the telephone is the same
    client = browser("operator")
    for path in (f"/cases/{made.number}", f"/cases/{made.number}/related"):
        assert other.number not in client.get(path).content.decode(), path
    assert not Access.objects.exists()
    shown = client.post(f"/cases/{made.number}/contact", {"purpose": "回访"})
    assert other.number in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    traces = {(trace.subject, trace.purpose) for trace in Access.objects.all()}
    assert traces == {(f"case:{made.pk}", "回访"), (f"case:{other.pk}", "回访")}


def test_the_last_resort_is_offered_with_the_centre(browser: Browser, case: MakeCase) -> None:
    page = browser("shift").get(f"/cases/{case(2).number}").content.decode()
    [form] = re.findall(r'<select[^>]+id="unit-last_resort".*?</select>', page, re.S)
    assert re.findall(r'value="([^"]*)" selected', form) == ["330106-YX"]


def test_dispatched_cases_are_not_sent_on_or_split_together(browser: Browser, case: MakeCase) -> None:
    case(2), case(3)
    page = browser("dispatcher").get("/desk?view=all").content.decode()
    offered = set(re.findall(r'<option value="(\w+)" data-states', page))
    assert "dispatch" in offered
    assert offered.isdisjoint({"redispatch", "split"})


def test_a_picture_of_a_later_report_stands_on_a_line_of_its_own(browser: Browser, case: MakeCase, who: Who) -> None:
    made, citizen = case(4), who("citizen")
    sent = evidence.store(photo(), account=citizen.account)
    case(0, joins=made.pk, evidence=(sent.pk,))
    page = browser("shift").get(f"/cases/{made.number}").content.decode()
    lines = re.findall(r"<li.*?</li>", page.split('class="timeline"')[1], re.S)
    assert [line for line in lines if str(sent.pk) in line and "is-step" not in line]
    assert not [line for line in lines if str(sent.pk) in line and "is-step" in line]


def test_a_work_order_has_what_is_needed_outside_and_no_name(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    page = browser("dispatcher").get(f"/cases/{made.number}/print").content.decode()
    for wanted in (made.number, made.title, "文三路90号", "西湖区城市管理局", "<img"):
        assert wanted in page, wanted
    assert "张三丰" not in page
    assert "13800000000" not in page


def test_the_palette_finds_cases_lists_places_and_units(browser: Browser, case: MakeCase) -> None:
    made, client = case(1), browser("shift")
    tail = made.number.rsplit("-", 1)[1][-4:]
    assert f"/cases/{made.number}" in client.get(f"/desk/palette?q={tail}").content.decode()
    assert "view=overdue" in client.get("/desk/palette?q=").content.decode()
    assert "unit=330106-CGJ" in client.get("/desk/palette?q=330106-CGJ").content.decode()
    assert "division=" in client.get("/desk/palette?q=西湖区").content.decode()
    assert (
        "/scores" in client.get("/desk/palette?q=score").content.decode()
        or "/scores" in client.get("/desk/palette?q=评价").content.decode()
    )


def test_the_palette_makes_addresses_only_for_what_it_shows(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, str]] = []

    def address(**values: str) -> str:
        made.append(values)
        return "/desk"

    monkeypatch.setattr(palette, "_open", address)
    page = browser("shift").get("/desk/palette?q=西湖").content.decode()
    assert 0 < len(made) <= 3 * palette.OTHERS
    assert "西湖区" in page


def test_lists_in_every_order(browser: Browser, case: MakeCase) -> None:
    made = {case(1).number, case(1).number}
    for order in ("due", "new", "old", "severity", "nonsense"):
        assert numbers(browser("shift").get(f"/desk?view=open&order={order}").content) == made


def test_a_wrong_cursor_is_told_in_a_sentence(browser: Browser) -> None:
    answer = browser("shift").get("/desk?cursor=made-up")
    assert answer.status_code == 422


def test_evidence_with_a_move_by_bulk_form_stays_out(browser: Browser, case: MakeCase) -> None:
    made = case(4)
    answer = browser("handler").post("/desk/move", {"move": "handle", "case": chosen(made), "evidence": upload()})
    assert answer.status_code == 302
    assert Case.objects.select_related("state").get(pk=made.pk).state.code == "handling"


def heads(page: bytes) -> list[str]:
    head = page.decode().partition("<thead>")[2].partition("</thead>")[0]
    return [words for words in re.findall(r"<th>(.*?)</th>", head) if "<" not in words]


def test_the_list_shows_the_columns_that_its_reader_chose(browser: Browser, case: MakeCase) -> None:
    case(1)
    client, address = browser("shift"), "/desk?view=open"
    Account.objects.filter(username="shift").update(language="en")
    assert heads(client.get(address).content) == ["Case", "State", "Due", "Unit", "Place", "Reported"]
    answer = client.post("/desk/columns", {"column": ["major", "due", "nonsense", "moved"], "next": address})
    assert answer["Location"] == address
    shown = client.get(address)
    assert heads(shown.content) == ["Case", "Due", "Class", "Last step"]
    row = shown.content.decode().partition("<tbody>")[2].partition("</tr>")[0]
    cells = re.findall(r'<td class="([a-z -]*)">', row)
    assert len(cells) == 7, "a telephone keeps state, due and unit"
    assert [cell.strip() for cell in cells if "d-md-none" in cell] == ["nowrap d-md-none", "blank d-md-none"]
    assert Account.objects.get(username="shift").columns == ["due", "major", "moved"]
    assert heads(browser("operator").get(address).content)[1:] != ["Due", "Class", "Last step"]
    client.post("/desk/columns", {"column": ["due"], "usual": "yes"})
    assert Account.objects.get(username="shift").columns is None
    client.post("/desk/columns", {})
    assert heads(client.get(address).content) == ["Case"]


def test_an_escalation_stands_once_in_the_story(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    Account.objects.filter(username="shift").update(language="en")
    fire(Clock.objects.get(case=made, stage="handle").due_at)
    page = browser("shift").get(f"/cases/{made.number}").content.decode()
    story = page[page.index('<ol class="timeline">') :].partition("</ol>")[0]
    assert story.count("Escalated to level 1: Handling") == 1
    assert "<b>Escalate</b>" not in story
    assert "到期未完成" in story, "the reason stands beside it"
