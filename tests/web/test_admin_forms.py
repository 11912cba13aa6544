"""Forms of administration: what must not be changed, what somebody else changed meanwhile, and words in the reader's language."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chengshu.cases.catalog import catalog, forget
from chengshu.cases.models import CaseType
from chengshu.parties.models import Account
from chengshu.places.models import City, Part
from chengshu.web.admin import parts
from tests.web.conftest import Browser
from tests.web.forms import form_of, values

pytestmark = pytest.mark.django_db
TYPE = "/admin/types/one?code=env.exposed_rubbish"


def _parameter(client: Client, **fields: str) -> int:
    seen = Part.objects.get(city__name="hangzhou", name="parameters", active=True).version
    form = {"name": "reopen_window_days", "seen": str(seen), "why": "调整", "do": "save", **fields}
    return client.post("/admin/parameters/save", form).status_code


@pytest.mark.parametrize("value", ["5", '"handler"', "[1]", '["king"]', "[NaN]", '["\\u0000"]', "[" * 400, "handler"])
def test_a_list_stays_a_list_of_what_it_held(admin: Client, browser: Browser, value: str) -> None:
    fields = {"name": "second_factor_roles", "value": value, "since": "2099-01-01"}
    assert _parameter(admin, **fields) == 422
    assert _parameter(admin, **{**fields, "value": '["handler"]'}) == 302
    forget()
    assert browser("handler").get("/notices").status_code == 200


@pytest.mark.parametrize("value", ["-1", "4000", "1e9", "nan", "many"])
def test_a_number_stays_within_reason(admin: Client, value: str) -> None:
    assert _parameter(admin, value=value, since="2099-01-01") == 422


def test_what_has_happened_stays_judged_by_the_number_of_its_day(admin: Client, hangzhou: City) -> None:
    before = catalog(hangzhou.pk).parts["parameters"]["reopen_window_days"]["values"]
    assert _parameter(admin, value="45", since="2020-01-01") == 422
    assert _parameter(admin, drop="2019-01-01") == 422
    assert _parameter(admin, drop="no day") == 422
    forget()
    assert catalog(hangzhou.pk).parts["parameters"]["reopen_window_days"]["values"] == before


def test_looking_at_a_change_does_not_hide_that_of_another(admin: Client, second: Account) -> None:
    mine, other = values(admin, TYPE), Client(headers={"Accept-Language": "en"})
    other.force_login(second)
    other.post("/admin/types/save", {**values(other, TYPE), "name": "第一", "do": "save", "why": "先改"})
    shown = admin.post("/admin/types/save", {**mine, "name": "第二", "do": "check"}).content.decode()
    assert "第二管理员 changed this" in shown
    form = form_of(shown)
    assert form["seen"] == mine["seen"]
    assert admin.post("/admin/types/save", {**form, "do": "save", "why": "后改"}).status_code == 409
    assert CaseType.objects.get(code="env.exposed_rubbish").name == "第一"


def test_looking_at_a_part_does_not_hide_the_change_of_another(admin: Client, second: Account) -> None:
    form = {"kind": "due", "subject_zh-hans": "超期", "seen": "0", "why": "统一"}
    other = Client(headers={"Accept-Language": "en"})
    other.force_login(second)
    assert other.post("/admin/notices/save", {**form, "do": "save"}).status_code == 302
    shown = admin.post("/admin/notices/save", {**form, "subject_zh-hans": "迟了", "do": "check"}).content.decode()
    assert "第二管理员 changed this" in shown
    assert 'name="seen" value="1"' not in shown


def test_the_code_of_a_retired_entry_leads_to_it(admin: Client) -> None:
    new = values(admin, "/admin/types/one") | {
        "code": "env.bikes", "name": "共享单车乱停", "major": "市容环境", "minor": "环境卫生", "do": "save", "why": "新增",
    }  # fmt: skip
    assert admin.post("/admin/types/save", new).status_code == 302
    address = "/admin/types/one?code=env.bikes"
    assert admin.post("/admin/types/save", {**values(admin, address), "do": "retire", "why": "停用"}).status_code == 302
    forget()
    again = admin.post("/admin/types/save", new)
    assert again.status_code == 422
    assert f'href="{address}"' in again.content.decode()
    assert admin.post("/admin/types/save", {**values(admin, address), "do": "save", "why": "恢复"}).status_code == 302
    assert CaseType.objects.get(code="env.bikes").active


def test_another_order_of_the_dispatch_rules_is_shown(admin: Client) -> None:
    content = admin.get("/admin/pack/download").content
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.namelist():
            data = source.read(entry)
            target.writestr(entry, _swapped(data.decode()) if entry.endswith("dispatch.yaml") else data)
    address = admin.post("/admin/pack/send", {"pack": SimpleUploadedFile("new.zip", out.getvalue())})["Location"]
    page = admin.get(address).content.decode()
    assert "Dispatch rules: order" in page


def _swapped(text: str) -> str:
    """The first two rules of the table change places."""
    head, *rules = text.split("\n- ")
    return "\n- ".join([head, rules[1], rules[0], *rules[2:]])


def test_mistakes_speak_the_language_of_their_reader(browser: Browser) -> None:
    admin = browser("admin")
    Account.objects.filter(username="admin").update(language="zh-hans")
    seen = Part.objects.get(city__name="hangzhou", name="parameters", active=True).version
    form = {
        "name": "brief_time",
        "value": "early",
        "since": "2099-01-01",
        "seen": str(seen),
        "why": "调整",
        "do": "save",
    }
    page = admin.post("/admin/parameters/save", form).content.decode()
    wrong = page[page.index("error-summary") :][:1500]
    assert "一天中的时刻" in wrong
    assert "such as" not in wrong


def test_only_the_newest_versions_are_listed_and_older_ones_open(admin: Client, hangzhou: City) -> None:
    first = Part.objects.get(city=hangzhou, name="escalation", active=True)
    Part.objects.bulk_create(
        Part(city=hangzhou, name="escalation", version=n, value=first.value, at=first.at, by="admin", active=False)
        for n in range(2, parts.NEWEST + 10)
    )
    page = admin.get("/admin/escalation").content.decode()
    assert page.count("?version=") == parts.NEWEST
    assert admin.get("/admin/escalation?version=1").status_code == 200
    assert admin.get("/admin/escalation?version=999").status_code == 404


def test_parameters_are_told_in_the_language_of_their_reader(browser: Browser) -> None:
    admin = browser("admin")
    Account.objects.filter(username="admin").update(language="zh-hans")
    page = admin.get("/admin/parameters").content.decode()
    heads = re.findall(r"<summary><b>(.*?)</b>", page)
    assert heads
    assert not [head for head in heads if not re.search(r"[\u4e00-\u9fff]", head)]
    assert "08:00、20:00" in page  # and not as a program writes a list
    assert "[&#39;" not in page
    assert '<span class="muted">天</span>' in page
    told = re.findall(r'<p class="small muted">(.*?)</p>', page)
    assert len(told) == len(heads)
    assert not [words for words in told if re.search(r"[a-z]{4}", words.replace("<br>", ""))], (
        "English on a Chinese page"
    )
    assert "15至60日" in page


def test_meanings_and_sources_are_edited_in_both_languages(admin: Client, hangzhou: City) -> None:
    assert _parameter(admin, source_en="a rule of the city", source="市里规定") == 302
    forget()
    entry = catalog(hangzhou.pk).parts["parameters"]["reopen_window_days"]
    assert (entry["source"], entry["source_en"]) == ("市里规定", "a rule of the city")
    assert "a rule of the city" in admin.get("/admin/parameters").content.decode()


def test_functions_have_names_in_the_language_of_their_reader(browser: Browser) -> None:
    admin = browser("admin")
    for language, name in (("zh-hans", "环境卫生"), ("en", "Sanitation")):
        Account.objects.filter(username="admin").update(language=language)
        listed = admin.get("/admin/departments?q=330106-HW").content.decode()
        assert f'{name}<span class="line"><code>sanitation</code>' in listed
        assert name in admin.get("/rules/edit").content.decode()
    Account.objects.filter(username="admin").update(language="zh-hans")
    rules = admin.get("/rules").content.decode()
    assert "负责市政设施的单位" in rules
    assert '<option value="water">供水</option>' in admin.get("/admin/departments/one").content.decode()


def test_each_line_of_a_refused_form_names_its_field_and_leads_to_it(browser: Browser) -> None:
    admin = browser("admin")
    Account.objects.filter(username="admin").update(language="zh-hans")
    form = values(admin, TYPE) | {"do": "save", "why": "调整"}
    for wrong, name, place in (
        ({"handle_amount": "3.5"}, "处置", "handle_amount"),
        ({"severity": "9"}, "严重程度", "severity"),
        ({"kind": "a kind"}, "种类", "kind"),
        ({"since": "tomorrow", "handle_amount": "6"}, "新时限起算时间", "since"),
        ({"why": " "}, "修改理由", "why"),
    ):
        answer = admin.post("/admin/types/save", {**form, **wrong})
        page = answer.content.decode()
        summary = page[page.index("error-summary") :]
        [line] = re.findall(r"<li>(.*?)</li>", summary[: summary.index("</ul>")], flags=re.S)
        assert answer.status_code == 422
        assert name in line, line
        assert f'href="#{place}"' in line
        assert f'id="{place}"' in page
        assert not re.search(r"severity |kind |_limit", re.sub(r"<[^>]+>", "", line)), line


def test_refused_words_of_a_notice_name_the_field_of_the_form(admin: Client) -> None:
    form = {"kind": "dispatch", "seen": "0", "why": "调整", "do": "save", "subject_en": "{0}", "body_en": "x"}
    page = admin.post("/admin/notices/save", form).content.decode()
    wrong = page[page.index("error-summary") :][:600]
    assert "No such placeholder" in wrong
    assert "English · Subject" in wrong
    assert "notices:" not in wrong


def test_a_change_by_a_pack_is_told_in_words(admin: Client) -> None:
    page = admin.get("/admin/changes").content.decode()
    assert "City pack loaded <code>" in page
