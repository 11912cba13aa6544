"""Administration: every change is checked, shown, kept with its reason, and can be taken back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chengshu.cases.catalog import catalog, forget
from chengshu.cases.models import CaseType, Clock
from chengshu.packs.apply import load_city
from chengshu.packs.models import Alteration, Proposal, Revision
from chengshu.parties.models import Account, Audit, Notice, Post
from chengshu.places.models import City, Part
from tests.web.forms import form_of as _form
from tests.web.forms import values as _values

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
PAGES = (
    "/admin", "/admin/departments", "/admin/departments?show=led", "/admin/departments/one",
    "/admin/departments/one?code=330106-CGJ", "/admin/types", "/admin/types?show=no_limit", "/admin/types/one",
    "/admin/types/one?code=env.exposed_rubbish", "/admin/moves", "/admin/moves?kind=appeal",
    "/admin/moves?kind=incident", "/admin/calendar", "/admin/calendar?year=2027&first=2027-01-01",
    "/admin/parameters", "/admin/parameters?name=reopen_window_days", "/admin/escalation", "/admin/notices",
    "/admin/accounts", "/admin/accounts?show=without", "/admin/accounts/new",
    "/admin/accounts/one?login=dispatcher", "/admin/accounts/one?login=admin", "/admin/approvals", "/admin/pack",
    "/admin/changes", "/admin/changes?table=types", "/admin/audit", "/admin/audit?of=readings",
)  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_every_page_opens(admin: Client, address: str) -> None:
    assert admin.get(address).status_code == 200, address


def test_a_limit_changes_from_a_moment_and_running_clocks_keep_theirs(
    admin: Client, case: Callable[..., object]
) -> None:
    case(3)
    before = set(Clock.objects.values_list("stage", "limit"))
    form = _values(admin, "/admin/types/one?code=env.exposed_rubbish") | {"handle_amount": "6"}
    shown = admin.post("/admin/types/save", {**form, "do": "check"}).content.decode()
    assert "6 working hours" in shown
    assert "Open cases of this type: 1" in shown
    assert CaseType.objects.get(code="env.exposed_rubbish").limits["handle"] == "4wh"
    answer = admin.post("/admin/types/save", {**form, "do": "save", "why": "市里新规"})
    assert answer.status_code == 302
    changed = CaseType.objects.get(code="env.exposed_rubbish")
    assert changed.limits["handle"] == "6wh"
    assert [d["limits"] for d in changed.dated_limits] == [{"handle": "4wh"}, {"handle": "6wh"}]
    assert set(Clock.objects.values_list("stage", "limit")) == before
    revision = Revision.objects.latest("pk")
    assert (revision.why, revision.how, revision.account.username) == ("市里新规", "edit", "admin")  # type: ignore[union-attr]
    change = revision.alterations.get()
    assert (change.before["limits"]["handle"], change.after["limits"]["handle"]) == ("4wh", "6wh")
    assert "市里新规" in admin.get("/admin/types/one?code=env.exposed_rubbish").content.decode()


def test_an_earlier_version_comes_back_as_the_newest(admin: Client) -> None:
    address = "/admin/types/one?code=env.exposed_rubbish"
    admin.post("/admin/types/save", {**_values(admin, address), "name": "乱堆垃圾", "do": "save", "why": "改名"})
    number = Alteration.objects.latest("pk").pk
    form = _values(admin, f"{address}&version={number}")
    assert form["name"] == "暴露垃圾"
    admin.post("/admin/types/save", {**form, "do": "save", "why": "改错了，改回"})
    assert CaseType.objects.get(code="env.exposed_rubbish").name == "暴露垃圾"
    assert Revision.objects.latest("pk").how == "return"


def test_the_second_of_two_editors_is_told_and_loses_nothing(admin: Client, second: Account) -> None:
    address = "/admin/departments/one?code=330106-CGJ"
    mine = _values(admin, address)
    other = Client(headers={"Accept-Language": "en"})
    other.force_login(second)
    other.post("/admin/departments/save", {**_values(other, address), "name_en": "First", "do": "save", "why": "first"})
    answer = admin.post("/admin/departments/save", {**mine, "name_en": "Second", "do": "save", "why": "second"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "第二管理员" in text
    assert 'value="Second"' in text
    again = _form(text) | {"do": "save", "why": "second"}
    assert admin.post("/admin/departments/save", again).status_code == 302


def test_a_change_needs_a_reason(admin: Client) -> None:
    form = _values(admin, "/admin/types/one?code=env.exposed_rubbish") | {"name": "x", "do": "save", "why": " "}
    assert admin.post("/admin/types/save", form).status_code == 422
    assert not Revision.objects.filter(how="edit").exists()


def test_what_rules_name_cannot_be_retired(admin: Client) -> None:
    form = _values(admin, "/admin/types/one?code=emerg.fire") | {"do": "retire", "why": "不再使用"}
    answer = admin.post("/admin/types/save", form)
    assert answer.status_code == 422
    assert "emerg.fire" in answer.content.decode()
    assert CaseType.objects.get(code="emerg.fire").active


def test_a_department_with_people_is_not_retired(admin: Client) -> None:
    form = _values(admin, "/admin/departments/one?code=330106-CGJ") | {"do": "retire", "why": "机构改革"}
    answer = admin.post("/admin/departments/save", form)
    assert answer.status_code == 422
    assert "演示·处置人员" in answer.content.decode()


def test_a_new_type_can_be_used_at_once(admin: Client, hangzhou: City) -> None:
    form = _values(admin, "/admin/types/one") | {
        "code": "env.bikes", "name": "共享单车乱停", "name_en": "Parked bicycles", "major": "市容环境", "minor": "环境卫生",
        "handle_amount": "4", "handle_unit": "wh", "do": "save", "why": "新增类型",
    }  # fmt: skip
    assert admin.post("/admin/types/save", form).status_code == 302
    forget()
    assert catalog(hangzhou.pk).type("env.bikes").limits == {"handle": "4wh"}


def test_a_holiday_moves_due_times_that_begin_later(admin: Client) -> None:
    days = {
        "seen": _values(admin, "/admin/calendar")["seen"], "first": "2027-01-01", "last": "2027-01-03", "sort": "holidays",
        "name": "元旦", "start": "2026-12-31T10:00", "why": "国办通知",
    }  # fmt: skip
    shown = admin.post("/admin/calendar/save", {**days, "do": "check"}).content.decode()
    assert "2027-01-01" in shown
    assert "2027-01-04 17:30" in shown  # one working day after 31 December
    assert admin.post("/admin/calendar/save", {**days, "do": "save"}).status_code == 302
    listed = Part.objects.get(name="calendar", city__name="hangzhou", active=True)
    assert {"date": "2027-01-01", "name": "元旦"} in listed.value["holidays"]
    assert (listed.by, listed.why, listed.version) == ("admin", "国办通知", 2)
    back = {"seen": "2", "how": "return", "version": "1", "do": "return", "why": "误填"}
    assert admin.post("/admin/calendar/save", back).status_code == 302
    first, third = (Part.objects.get(name="calendar", city__name="hangzhou", version=n) for n in (1, 3))
    assert third.active
    assert third.value == first.value


def test_a_parameter_gets_a_value_from_a_day_on(admin: Client, hangzhou: City) -> None:
    form = {"name": "reopen_window_days", "value": "45", "since": "2099-01-01", "seen": "1", "why": "放宽重开"}
    assert admin.post("/admin/parameters/save", {**form, "do": "save"}).status_code == 302
    forget()
    known = catalog(hangzhou.pk)
    assert known.parts["parameters"]["reopen_window_days"]["values"] == {"2019-01-01": 30, "2099-01-01": 45}
    wrong = admin.post("/admin/parameters/save", {**form, "seen": "2", "value": "many", "do": "save"})
    assert wrong.status_code == 422
    drop = {"name": "reopen_window_days", "drop": "2099-01-01", "seen": "2", "why": "撤回", "do": "save"}
    assert admin.post("/admin/parameters/save", drop).status_code == 302
    assert Revision.objects.filter(how="edit").count() == 2


def test_escalation_and_words_of_notices_are_saved(admin: Client) -> None:
    form = {
        "warn_percent": "80",
        "amount_0": "0",
        "unit_0": "m",
        "at_0": "unit",
        "because_0": "到期",
        "notify_0": "handler",
    }
    assert admin.post("/admin/escalation/save", {**form, "seen": "1", "why": "简化", "do": "save"}).status_code == 302
    part = Part.objects.get(name="escalation", city__name="hangzhou", active=True)
    assert part.value["levels"] == [{"level": 1, "after": "0m", "notify": ["handler"], "at": "unit", "because": "到期"}]
    words = {"kind": "due", "subject_zh-hans": "【超期】{number}", "seen": "0", "why": "统一用语", "do": "save"}
    assert admin.post("/admin/notices/save", words).status_code == 302
    assert "【超期】HZ-" in admin.get("/admin/notices").content.decode()
    wrong = admin.post("/admin/notices/save", {**words, "seen": "1", "subject_zh-hans": "{telephone}"})
    assert wrong.status_code == 422
    assert "telephone" in wrong.content.decode()


def test_the_pack_that_is_taken_out_changes_nothing_when_it_is_sent_in(admin: Client) -> None:
    content = admin.get("/admin/pack/download").content
    file = SimpleUploadedFile("hangzhou.zip", content, "application/zip")
    answer = admin.post("/admin/pack/send", {"pack": file})
    assert answer.status_code == 302
    assert "Nothing to change" in admin.get(answer["Location"]).content.decode()


def test_a_changed_pack_is_planned_and_applied_but_gives_no_posts(admin: Client) -> None:
    content = _changed(admin.get("/admin/pack/download").content, "case_types.csv", "暴露垃圾", "裸露垃圾")
    content = _changed(content, "posts.yaml", "role: operator", "role: administrator")
    address = admin.post("/admin/pack/send", {"pack": SimpleUploadedFile("new.zip", content)})["Location"]
    shown = admin.get(address).content.decode()
    assert "裸露垃圾" in shown
    form = _form(shown) | {"why": "年度修订"}
    assert admin.post("/admin/pack/plan", {**form, "seen": "999"}).status_code == 409
    assert admin.post("/admin/pack/plan", {**form, "why": ""}).status_code == 422
    assert admin.post("/admin/pack/plan", form).status_code == 302
    assert CaseType.objects.get(code="env.exposed_rubbish").name == "裸露垃圾"
    assert not Post.objects.filter(account__username="operator", role="administrator").exists()
    assert Revision.objects.latest("pk").how == "upload"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "hangzhou/../../x", "C:/x"])
def test_a_zip_that_leads_elsewhere_is_refused(admin: Client, name: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    answer = admin.post("/admin/pack/send", {"pack": SimpleUploadedFile("x.zip", out.getvalue())})
    assert answer.status_code == 422


def test_a_pack_of_the_command_line_leaves_edits_alone(admin: Client) -> None:
    address = "/admin/types/one?code=env.exposed_rubbish"
    admin.post("/admin/types/save", {**_values(admin, address), "name": "乱堆垃圾", "do": "save", "why": "改名"})
    City.objects.filter(name="hangzhou").update(digest="")
    plan = load_city("hangzhou", yes=True, echo=lambda _line: None)
    assert [change.action for change in plan.of("types", *{c.action for c in plan.changes})] == ["keep"]
    assert CaseType.objects.get(code="env.exposed_rubbish").name == "乱堆垃圾"
    load_city("hangzhou", yes=True, overwrite_edited=True, echo=lambda _line: None)
    assert CaseType.objects.get(code="env.exposed_rubbish").name == "暴露垃圾"


def test_an_account_is_made_and_its_owner_alone_knows_the_password(admin: Client, browser: Browser) -> None:
    form = {"name": "李四", "username": "lisi", "language": "zh-hans", "why": "新入职"}
    shown = admin.post("/admin/accounts/new", form).content.decode()
    link = shown.split('data-copy="')[1].split('"')[0].replace("&amp;", "&").removeprefix("http://testserver")
    stranger = browser("")
    assert "lisi" in stranger.get(link).content.decode()
    fields = dict(part.split("=") for part in link.partition("?")[2].split("&"))
    weak = stranger.post("/welcome", {**fields, "password": "12345", "again": "12345"})
    assert weak.status_code == 422
    good = {**fields, "password": "a long phrase of mine", "again": "a long phrase of mine"}
    assert stranger.post("/welcome", good)["Location"] == "/login"
    assert stranger.get(link).status_code == 404
    assert Account.objects.get(username="lisi").check_password("a long phrase of mine")
    assert Audit.objects.filter(action="account.made", facts__why="新入职").exists()


def test_a_post_is_given_and_ended_but_never_deleted(admin: Client, second: Account) -> None:
    give = {"login": "analyst", "role": "handler", "department": "330106-CGJ", "do": "give", "why": "支援"}
    assert admin.post("/admin/accounts/act", give).status_code == 302
    post = Post.objects.get(account__username="analyst", role="handler")
    assert post.division.code == "330106"
    assert Notice.objects.filter(account=second, kind="administration").exists()
    end = {"login": "analyst", "post": post.pk, "do": "end", "why": "支援结束"}
    assert admin.post("/admin/accounts/act", end).status_code == 302
    post.refresh_from_db()
    assert post.valid_to is not None
    no_unit = admin.post("/admin/accounts/act", {**give, "department": ""})
    assert no_unit.status_code == 422


def test_nobody_gives_themself_a_post(admin: Client, browser: Browser, second: Account) -> None:
    ask = {"login": "admin", "role": "dispatcher", "department": "HZ-YX", "do": "give", "why": "夜班缺人"}
    assert admin.post("/admin/accounts/act", ask).status_code == 302
    asked = Proposal.objects.get()
    assert not Post.objects.filter(account__username="admin", role="dispatcher").exists()
    assert admin.post("/admin/approvals/decide", {"number": asked.pk, "do": "agree"}).status_code == 403
    other = Client()
    other.force_login(second)
    other.post("/admin/approvals/decide", {"number": asked.pk, "do": "agree"})
    assert Post.objects.filter(account__username="admin", role="dispatcher").exists()
    assert Audit.objects.filter(action="post.given", account=second).exists()


def test_the_only_administrator_stays(admin: Client, second: Account) -> None:
    alone = {"login": "admin", "role": "dispatcher", "do": "give", "why": "夜班缺人"}
    Post.objects.filter(account=second).delete()
    assert admin.post("/admin/accounts/act", alone).status_code == 409
    mine = Post.objects.get(account__username="admin", role="administrator")
    end = {"login": "admin", "post": mine.pk, "do": "end", "why": "离任"}
    assert admin.post("/admin/accounts/act", end).status_code == 409


def test_a_closed_account_is_out_at_once(admin: Client, browser: Browser) -> None:
    dispatcher = browser("dispatcher")
    assert dispatcher.get("/desk").status_code == 200
    admin.post("/admin/accounts/act", {"login": "dispatcher", "do": "close", "why": "离职"})
    assert dispatcher.get("/desk").status_code == 302


def test_an_administrator_of_another_city_reaches_nobody_here(admin: Client, hangzhou: City) -> None:
    load_city("boston", yes=True, echo=lambda _line: None)
    stranger = Client(headers={"Accept-Language": "en"})
    foreign = Post.objects.filter(division__city__name="boston", role="administrator")[0].account
    Account.objects.filter(pk=foreign.pk).update(language="en")
    foreign.posts.exclude(division__city__name="boston").delete()
    stranger.force_login(foreign)
    assert stranger.get("/admin/accounts/one?login=dispatcher").status_code == 404
    reset = stranger.post("/admin/accounts/act", {"login": "dispatcher", "do": "reset", "why": "接管"})
    assert reset.status_code == 404
    assert "暴露垃圾" not in stranger.get("/admin/types").content.decode()


def test_the_audit_shows_and_gives_out(admin: Client, browser: Browser) -> None:
    admin.post("/admin/accounts/act", {"login": "dispatcher", "do": "reset", "why": "忘记密码"})
    browser("").post("/login", {"username": "dispatcher", "password": "wrong"})
    page = admin.get("/admin/audit?who=dispatcher").content.decode()
    assert "忘记密码" in page
    assert "refused" in page
    Account.objects.filter(username="admin").update(language="zh-hans")
    told = admin.get("/admin/audit?who=dispatcher").content.decode()
    assert "理由：忘记密码" in told
    assert "地址：127.0.0.1" in told
    assert "client:" not in told
    answer = admin.get("/admin/audit.csv?who=dispatcher")
    assert "account.password_reset" in answer.content.decode()
    assert Audit.objects.filter(action="audit.exported").exists()


def test_readers_see_and_change_nothing(browser: Browser) -> None:
    analyst = browser("analyst")
    page = analyst.get("/admin/types/one?code=env.exposed_rubbish").content.decode()
    assert 'value="save"' not in page
    assert analyst.post("/admin/types/save", {"do": "save"}).status_code == 403


def _changed(content: bytes, name: str, old: str, new: str) -> bytes:
    """A zip with a text of one file replaced once."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.namelist():
            data = source.read(entry)
            if entry.endswith(name):
                data = data.decode().replace(old, new, 1).encode()
            target.writestr(entry, data)
    return out.getvalue()
