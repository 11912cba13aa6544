"""The desk beyond its lists: saved views, looking ahead, undo, telephones, paper, and what happens to two people at once."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from chengshu.cases.models import Case
from chengshu.parties.models import Access, Account
from chengshu.web.models import SavedView
from tests.web.conftest import Browser, upload

MakeCase = Callable[..., Case]


def numbers(page: bytes) -> set[str]:
    return set(re.findall(r'class="title" href="/cases/(HZ-[0-9-]+)"', page.decode()))


def text(page: bytes) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.decode()))


def chosen(*cases: Case) -> list[str]:
    return [f"{case.pk}:{case.version}" for case in cases]


def save(client: Client, name: str, query: str, **more: str) -> None:
    answer = client.post("/desk/views", {"name": name, "query": query, "pinned": "1", "next": query, **more})
    assert answer.status_code == 302


def test_a_saved_view_is_a_tab_with_its_count(browser: Browser, case: MakeCase) -> None:
    accepted, _other = case(1), case(0)
    client = browser("shift")
    save(client, "待立案", "/desk?view=open&state=accepted&order=new&cursor=xyz")
    [view] = SavedView.objects.all()
    assert view.query == {"view": "open", "state": "accepted", "order": "new"}
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


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_telephone_is_looked_for_without_standing_in_the_address(
    browser: Browser, case: MakeCase, headers: dict[str, str]
) -> None:
    made, client = case(1), browser("operator")
    answer = client.get("/desk?view=todo&q=138 0000 0000", headers=headers)
    target = answer["HX-Redirect"] if headers else answer["Location"]
    assert "0000" not in target
    page = client.get(target)
    assert numbers(page.content) == {made.number}
    assert "138****0000" in text(page.content)
    assert "13800000000" not in page.content.decode()
    assert Access.objects.get().subject == f"case:{made.pk}"
    assert browser("shift").get(target).status_code == 403


def test_who_reads_no_contacts_searches_words_only(browser: Browser, case: MakeCase) -> None:
    case(1)
    assert numbers(browser("leader").get("/desk?view=all&q=13800000000").content) == set()
    assert not Access.objects.exists()


def test_what_somebody_wrote_into_a_case_is_no_markup_of_the_list(browser: Browser, case: MakeCase) -> None:
    made = case(0)
    bad = "<script>alert(1)</script>\"'&"
    Case.objects.filter(pk=made.pk).update(title=bad, place_text=bad, source=bad)
    for path in ("/desk?view=open", "/desk/print?view=open", f"/cases/{made.number}", f"/cases/{made.number}/print"):
        page = browser("shift").get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "alert(1)" in text(page.encode()), path


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
    telephone = client.get("/desk/palette?q=13800000000").content.decode()
    assert made.number not in telephone
    assert not Access.objects.exists()


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
