"""The life of a case on the page: a move is changed, shown before it counts, kept with its reason, and taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from chengshu.cases.models import Move
from chengshu.packs.apply import load_city
from chengshu.packs.models import Revision
from chengshu.parties.models import Account
from chengshu.places.models import City
from tests.web.forms import values

pytestmark = pytest.mark.django_db
ACCEPT = "/admin/moves/one?kind=urban&code=accept"
CHECKED = re.compile(r'type="checkbox" name="([a-z_]+)" value="([a-z_]+)" checked')
Form = dict[str, Any]


def form_of(client: Client, address: str) -> Form:
    """What a browser would send of the form of a move, with all that is chosen of each list."""
    form: Form = dict(values(client, address))
    for name, value in CHECKED.findall(client.get(address).content.decode()):
        kept = form[name] if isinstance(form[name], list) else []
        form[name] = [*kept, value]
    return form


def roles(code: str) -> list[str]:
    return list(Move.objects.filter(kind__code="urban", code=code, active=True).values_list("roles", flat=True)[0])


def test_saving_a_form_as_it_is_changes_nothing(admin: Client) -> None:
    for code in ("accept", "handle", "suspend", "note", "self_handle"):
        form = form_of(admin, f"/admin/moves/one?kind=urban&code={code}") | {"do": "save", "why": "没有改"}
        answer = admin.post("/admin/moves/save", form, follow=True)
        assert "Nothing was changed" in answer.content.decode(), code


def test_who_may_make_a_move_changes_and_comes_back(admin: Client) -> None:
    before = roles("accept")
    assert "verifier" not in before
    form = form_of(admin, ACCEPT) | {"roles": [*before, "verifier"]}
    shown = admin.post("/admin/moves/save", {**form, "do": "check"}).content.decode()
    assert "The diagram after the change" in shown
    assert '<svg class="life"' in shown
    assert "Verifier" in shown[shown.index("What saving would change") :][:2000]
    assert roles("accept") == before
    assert admin.post("/admin/moves/save", {**form, "do": "save", "why": ""}).status_code == 422
    assert admin.post("/admin/moves/save", {**form, "do": "save", "why": "夜班试行"}).status_code == 302
    assert set(roles("accept")) == {*before, "verifier"}
    page = admin.get("/admin/moves?kind=urban").content.decode()
    assert "夜班试行" in page
    back = re.findall(r'href="(/admin/moves/earlier\?kind=urban&amp;number=\d+)"', page)[0].replace("&amp;", "&")
    number = back.rpartition("=")[2]
    earlier = admin.get(back).content.decode()
    seen = re.findall(r'name="seen" value="(\w+)"', earlier)[0]
    form = {"kind": "urban", "number": number, "seen": seen, "why": "试行结束"}
    assert admin.post("/admin/moves/return", {**form, "seen": "old"}).status_code == 409
    assert admin.post("/admin/moves/return", form).status_code == 302
    assert roles("accept") == before
    assert Revision.objects.latest("pk").how == "return"


def test_a_new_move_is_made_and_retired(admin: Client) -> None:
    form: Form = form_of(admin, "/admin/moves/one?kind=urban") | {
        "code": "consult", "label": "会商", "label_en": "Consult", "from": ["registered", "dispatched"], "to": "same",
        "roles": ["dispatcher"], "needs": ["note"], "because": "请相关单位一起研判。",
    }  # fmt: skip
    assert admin.post("/admin/moves/save", {**form, "do": "save", "why": "新增会商"}).status_code == 302
    made = Move.objects.filter(kind__code="urban", code="consult", active=True)
    assert (
        {move.from_state.code for move in made} == {move.to_state.code for move in made} == {"registered", "dispatched"}
    )
    twice = admin.post(
        "/admin/moves/save", {**form, "seen": form_of(admin, ACCEPT)["seen"], "do": "save", "why": "再加"}
    )
    assert twice.status_code == 422
    form = form_of(admin, "/admin/moves/one?kind=urban&code=consult") | {"do": "retire", "why": "不再会商"}
    assert admin.post("/admin/moves/save", form).status_code == 302
    assert not made.all().exists()


def test_a_life_that_could_not_end_is_refused(admin: Client, hangzhou: City) -> None:
    form = form_of(admin, "/admin/moves/one?kind=urban&code=close") | {"do": "retire", "why": "不再结案"}
    answer = admin.post("/admin/moves/save", form)
    assert answer.status_code == 422
    assert "no move leads to the state" in answer.content.decode() or "can never end" in answer.content.decode()
    assert Move.objects.filter(kind__city=hangzhou, kind__code="urban", code="close", active=True).exists()


def test_what_is_missing_is_named_in_the_language_of_the_reader(admin: Client) -> None:
    Account.objects.filter(username="admin").update(language="zh-hans")
    form = form_of(admin, ACCEPT) | {"roles": [], "from": [], "label": "", "do": "save", "why": "试"}
    answer = admin.post("/admin/moves/save", form)
    wrong = answer.content.decode()
    wrong = wrong[wrong.index("error-summary") :][:1200]
    assert answer.status_code == 422
    assert wrong.count("<li>") == 3
    assert "岗位" in wrong or "角色" in wrong
    assert "状态" in wrong


@pytest.mark.parametrize(
    "bad",
    [
        {"from": ["nowhere"]},
        {"to": "new"},
        {"roles": ["king"]},
        {"needs": ["gold"]},
        {"does": ["drop table"]},
        {"stop": ["x"]},
    ],
)
def test_what_no_form_offers_is_refused(admin: Client, bad: Form) -> None:
    form = form_of(admin, ACCEPT) | bad | {"do": "save", "why": "试"}
    assert admin.post("/admin/moves/save", form).status_code == 422


def test_the_second_of_two_editors_is_told_who_was_first(admin: Client, second: Account) -> None:
    mine, other = form_of(admin, ACCEPT), Client(headers={"Accept-Language": "en"})
    other.force_login(second)
    theirs = form_of(other, "/admin/moves/one?kind=urban&code=note") | {
        "label_en": "Jot down",
        "do": "save",
        "why": "first",
    }
    assert other.post("/admin/moves/save", theirs).status_code == 302
    answer = admin.post("/admin/moves/save", {**mine, "label_en": "Take", "do": "save", "why": "second"})
    assert answer.status_code == 409
    assert "第二管理员" in answer.content.decode()


def test_a_pack_of_the_command_line_leaves_an_edited_move_alone(admin: Client) -> None:
    before = roles("accept")
    form = form_of(admin, ACCEPT) | {"roles": [*before, "verifier"], "do": "save", "why": "夜班试行"}
    assert admin.post("/admin/moves/save", form).status_code == 302
    City.objects.filter(name="hangzhou").update(digest="")
    load_city("hangzhou", yes=True, echo=lambda _line: None)
    assert set(roles("accept")) == {*before, "verifier"}
    load_city("hangzhou", yes=True, overwrite_edited=True, echo=lambda _line: None)
    assert roles("accept") == before
