"""The field on the server: jobs, what comes next, reports from patrol, and what telephones send once they have a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chengshu.cases.advance import advance
from chengshu.cases.models import Case, Evidence, Idempotency, Step
from chengshu.cases.onsite import Onsite, metres
from chengshu.cases.projection import Rules, differences
from chengshu.cases.records import MoveRequest
from chengshu.parties.models import Account, Post
from chengshu.parties.throttle import TooMany
from chengshu.web.field.ways import ways
from tests.web.conftest import Browser, Who, photo, upload

MakeCase = Callable[..., Case]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def owner(username: str) -> str:
    post = Post.objects.filter(account__username=username).order_by("pk")[0]
    return f"{post.account_id}-{post.pk}"


def kept(case: Case, move: str, **more: Any) -> dict[str, Any]:
    """An act as a telephone keeps it."""
    case.refresh_from_db()
    fields = {"kind": "move", "owner": owner("handler"), "number": case.number, "move": move, "version": case.version}
    return {**fields, "seq": case.seq, "key": f"key-{case.number}-{move}", "done_at": _iso(), **more}


def _iso(ago: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) - ago).isoformat()


def send(client: Client, fields: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = client.post("/field/sync", fields)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.content)
    return found


def steps(case: Case, move: str) -> int:
    return Step.objects.filter(case=case, move__code=move).count()


# Jobs and what comes next, without a script


def test_a_job_shows_its_act_first_and_the_way(browser: Browser, case: MakeCase) -> None:
    made = case(4)
    page = browser("handler").get(f"/field/{made.number}").content.decode()
    main = page.index('class="act is-main"')
    assert main < page.index("timeline")
    assert 'value="handle"' in page[main : main + 2_000]
    assert 'capture="environment"' in page
    assert "geo:30.27" in page and "uri.amap.com/navigation" in page
    assert "13800000000" not in page


def test_what_follows_an_act_is_there_for_when_it_waits(browser: Browser, case: MakeCase) -> None:
    page = browser("handler").get(f"/field/{case(3).number}").content.decode()
    then = page.index('data-then="receive"')
    assert " hidden>" in page[then : then + 120]
    assert 'value="handle"' in page[then:]


def test_after_an_act_one_stays_or_the_next_job_comes_up(browser: Browser, case: MakeCase) -> None:
    first, second, third = case(3), case(4), case(4)
    client = browser("handler")

    def post(made: Case, move: str, **more: Any) -> str:
        made.refresh_from_db()
        fields = {"move": move, "version": made.version, **more}
        return str(client.post(f"/field/{made.number}/move", fields)["Location"])

    assert post(first, "receive") == f"/field/{first.number}"  # there is more to do in it
    assert post(first, "note", note="到场") == f"/field/{first.number}"
    chosen = {"note": "已清运", "evidence": upload(), "then": third.number}
    assert post(first, "handle", **chosen) == f"/field/{third.number}"
    assert post(third, "return", note="不属本单位") == f"/field/{second.number}"
    assert post(second, "return", note="不属本单位") == "/field"


def test_an_act_in_the_list_leads_back_to_the_list(browser: Browser, case: MakeCase) -> None:
    made = case(3)
    answer = browser("handler").post(
        f"/field/{made.number}/move", {"move": "receive", "version": made.version, "from": "list"}, follow=True
    )
    assert answer.redirect_chain == [("/field", 302)]
    assert "alert-success" in answer.content.decode()


def test_a_refused_act_shows_the_job_with_all_that_was_written(browser: Browser, case: MakeCase) -> None:
    made = case(4)
    client = browser("handler")
    lacking = client.post(
        f"/field/{made.number}/move", {"move": "handle", "version": made.version, "note": "已清运垃圾"}
    )
    assert lacking.status_code == 422
    assert "已清运垃圾" in lacking.content.decode() and "error-text" in lacking.content.decode()
    late = client.post(
        f"/field/{made.number}/move",
        {
            "move": "handle",
            "version": made.version - 1,
            "seq": made.seq - 1,
            "note": "已清运垃圾",
            "evidence": upload(),
        },
    )
    assert late.status_code == 409
    assert 'class="since"' in late.content.decode() and "已清运垃圾" in late.content.decode()
    assert "X-Kept-For" not in late


def test_only_what_is_due_today(browser: Browser, case: MakeCase) -> None:
    soon, later = case(3), case(3)
    Case.objects.filter(pk=soon.pk).update(due_at=datetime.now(UTC) - timedelta(hours=1))
    Case.objects.filter(pk=later.pk).update(due_at=datetime.now(UTC) + timedelta(days=2))
    page = browser("handler").get("/field?today=1").content.decode()
    assert soon.number in page and later.number not in page


def test_contacts_are_shown_for_a_purpose_and_kept_nowhere(browser: Browser, case: MakeCase) -> None:
    made, client = case(3), browser("handler")
    assert client.post(f"/field/{made.number}/contact", {"purpose": ""}).status_code == 422
    shown = client.post(f"/field/{made.number}/contact", {"purpose": "核实具体位置"})
    assert 'href="tel:13800000000"' in shown.content.decode()
    assert shown["Cache-Control"] == "no-store" and "X-Kept-For" not in shown


def test_pages_that_may_be_kept_say_for_whom(browser: Browser, case: MakeCase) -> None:
    made, client = case(3), browser("handler")
    for path in ("/field", f"/field/{made.number}", "/field/report"):
        assert client.get(path)["X-Kept-For"] == owner("handler"), path
    assert f'name="owner" content="{owner("handler")}"' in client.get("/account").content.decode()
    assert 'name="owner"' not in browser("").get("/").content.decode()


# Ways and what a telephone says


def test_ways_lead_to_the_point_or_to_the_words() -> None:
    here = ways(Case(number="X", place_text="文三路 90号", lon=120.12, lat=30.27))
    assert here.geo.startswith("geo:30.270000,120.120000?q=")
    east, north = map(float, re.findall(r"to=([\d.]+)%2C([\d.]+)", here.amap)[0])
    assert 0.004 < east - 120.12 < 0.006 and -0.003 < north - 30.27 < -0.001  # GCJ-02 lies east and south there
    assert not ways(Case(number="X", place_text="", lon=-71.06, lat=42.36)).amap
    assert ways(Case(number="X", place_text="路口")).geo == "geo:0,0?q=%E8%B7%AF%E5%8F%A3"
    assert ways(Case(number="X", place_text="")) == ways(Case(number="Y", place_text=""))


@pytest.mark.parametrize(
    ("minutes", "told"), [(-60, -60), (-1, None), (5, None), (60, None), (-3 * 24 * 60, None)]
)  # a while ago, just now, a clock a little ahead, the future, before the case
def test_a_moment_that_cannot_be_is_no_fact(minutes: int, told: int | None) -> None:
    said = Onsite(done_at=NOW + timedelta(minutes=minutes)).facts(NOW - timedelta(days=1), NOW)
    assert said == ({"done_at": NOW + timedelta(minutes=told)} if told is not None else {})


def test_how_far_a_telephone_was() -> None:
    case = Case(lon=120.12, lat=30.27)
    facts = Onsite(lon=120.12, lat=30.2709, accuracy=8).facts(NOW, NOW)
    assert metres(case, facts) == 100
    assert metres(Case(), facts) is None and metres(case, {}) is None


# What was kept and is sent


def test_an_act_is_done_once_however_often_it_comes(browser: Browser, case: MakeCase) -> None:
    made, client = case(4), browser("handler")
    fields = kept(made, "handle", note="已清运")
    first = send(client, {**fields, "evidence": SimpleUploadedFile("a.jpg", photo(), "image/jpeg")})
    again = send(client, {**fields, "evidence": SimpleUploadedFile("a.jpg", photo(), "image/jpeg")})
    assert first == again and first["verdict"] == "done"
    assert steps(made, "handle") == 1
    assert Evidence.objects.filter(case=made, seq__gt=3).count() == 1
    assert Evidence.objects.filter(case=None).count() == 0
    made.refresh_from_db()
    assert (first["version"], first["seq"]) == (made.version, made.seq)


def test_a_key_serves_one_thing(browser: Browser, case: MakeCase) -> None:
    made, client = case(4), browser("handler")
    fields = kept(made, "note", note="到场")
    send(client, fields)
    told = send(client, {**fields, "note": "又到场"}, 409)
    assert told["verdict"] == "refused" and steps(made, "note") == 1
    assert send(client, {**fields, "key": "short"}, 422)["verdict"] == "refused"


def test_acts_in_turn_go_on_with_the_version_of_the_one_before(browser: Browser, case: MakeCase) -> None:
    made, client = case(3), browser("handler")
    done = send(client, kept(made, "receive"))
    assert done["href"] == f"/field/{made.number}"
    stale = kept(made, "handle", version=made.version - 1, seq=made.seq - 1, note="已清运", evidence=upload())
    assert send(client, stale, 409)["verdict"] == "moved"
    fresh = {**stale, "version": done["version"], "seq": done["seq"], "evidence": upload()}
    assert send(client, fresh)["verdict"] == "done"


def test_a_case_that_moved_on_says_what_happened(browser: Browser, case: MakeCase, who: Who) -> None:
    made, client = case(4), browser("handler")
    fields = kept(made, "note", note="已到现场")
    [urged] = advance([MoveRequest(case=made.pk, move="urge")], actor=who("citizen"))
    assert urged.ok
    told = send(client, fields, 409)
    assert told["verdict"] == "moved" and told["possible"]
    assert len(told["since"]) == 1 and "张三丰" not in told["since"][0]
    assert Idempotency.objects.count() == 0  # a refusal is not kept: the same key may come again
    assert send(client, {**fields, "version": told["version"], "seq": told["seq"]})["verdict"] == "done"


def test_what_is_refused_says_why_and_changes_nothing(browser: Browser, case: MakeCase) -> None:
    made, client = case(4), browser("handler")
    told = send(client, kept(made, "handle", note="已清运"), 422)
    assert told["verdict"] == "refused" and told["says"]
    assert send(client, kept(made, "redispatch", note="改派", unit="330106-HW"), 403)["verdict"] == "refused"
    assert send(client, kept(made, "handle", version=""), 422)["verdict"] == "refused"
    assert send(client, kept(case(0), "note", note="看看"), 404)["verdict"] == "refused"
    assert steps(made, "handle") == 0


@pytest.mark.parametrize("username", ["handler", "grid", "dispatcher", "citizen"])
def test_what_another_wrote_is_not_sent_for_them(browser: Browser, case: MakeCase, username: str) -> None:
    made = case(4)
    fields = kept(made, "note", note="看看", owner=owner("metro" if username == "handler" else "handler"))
    assert send(browser(username), fields, 409)["verdict"] == "other"
    assert steps(made, "note") == 0


def test_who_is_not_signed_in_is_sent_to_sign_in(browser: Browser, case: MakeCase) -> None:
    answer = browser("").post("/field/sync", kept(case(4), "note", note="看看"))
    assert answer.status_code == 302 and answer["Location"].startswith("/login")


def test_the_time_is_the_servers_and_the_telephones_words_are_facts(browser: Browser, case: MakeCase) -> None:
    made, client = case(4), browser("handler")
    Case.objects.filter(pk=made.pk).update(opened_at=datetime.now(UTC) - timedelta(hours=5))
    ago = timedelta(hours=2)
    more = {"lon": "120.12", "lat": "30.2709", "accuracy": "8.4", "note": "已清运", "evidence": upload()}
    send(client, kept(made, "handle", **{**more, "done_at": _iso(ago)}))
    step = Step.objects.filter(case=made).order_by("-seq")[0]
    assert datetime.now(UTC) - step.at < timedelta(minutes=1)
    assert abs(datetime.fromisoformat(step.facts["done_at"]) - (datetime.now(UTC) - ago)) < timedelta(minutes=1)
    assert step.facts["here"] == {"lon": 120.12, "lat": 30.2709, "accuracy": 8.4}
    made.refresh_from_db()
    assert (made.lon, made.lat) == (120.12, 30.27)  # where somebody stood does not move the case
    page = browser("verifier").get(f"/cases/{made.number}").content.decode()
    assert "手机距案件地点 100 米（误差约 8 米）" in page
    assert "手机显示办理时间" in page
    assert not [each for each in differences(Rules.read(), [made.pk]) if each.what != "opened_at"]


@pytest.mark.parametrize("value", ["yesterday", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00", "nan", ""])
def test_what_no_telephone_says_is_left_out(browser: Browser, case: MakeCase, value: str) -> None:
    made, client = case(4), browser("handler")
    send(client, kept(made, "note", note="到场", done_at=value, lon=value, lat="95", accuracy=value))
    assert Step.objects.filter(case=made).order_by("-seq")[0].facts == {}


# Reports from patrol


def test_a_report_needs_a_kind_or_words_and_a_place(browser: Browser) -> None:
    client = browser("grid")
    answer = client.post("/field/report", {"description": "路边"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#title"' in page and 'href="#place"' in page and "路边" in page


def test_a_report_from_patrol_becomes_the_next_job(browser: Browser) -> None:
    client = browser("grid")
    fields = {"type": "env.exposed_rubbish", "lon": "120.144", "lat": "30.264", "accuracy": "12", "key": "k" * 20}
    answer = client.post("/field/report", {**fields, "evidence": upload()})
    made = Case.objects.get()
    assert answer["Location"] == f"/field/{made.number}"
    assert (made.title, made.source, made.lon) == ("暴露垃圾", "patrol", 120.144)
    assert made.evidence.count() == 1
    assert 'value="self_handle"' in client.get(f"/field/{made.number}").content.decode()
    again = client.post("/field/report", {**fields, "evidence": upload()})  # the same form, sent twice
    assert again["Location"] == answer["Location"] and Case.objects.count() == 1
    client.post("/field/report", {**fields, "place": "另一处", "evidence": upload()})  # mended after going back
    assert Case.objects.count() == 2


def test_a_report_that_waited_tells_when_it_was_seen(browser: Browser) -> None:
    client = browser("grid")
    fields = {
        "kind": "report", "owner": owner("grid"), "key": "report-key-1", "type": "env.exposed_rubbish", "place": "保俶路2号",
        "done_at": _iso(timedelta(hours=3)),
    }  # fmt: skip
    first, again = (send(client, {**fields, "evidence": upload()}) for _ in range(2))
    made = Case.objects.get()
    assert first == again and first["number"] == made.number and first["href"] == f"/field/{made.number}"
    occurred = made.reports.get().occurred_at
    assert timedelta(hours=2) < made.opened_at - occurred < timedelta(hours=4)
    assert made.evidence.count() == 1
    lacking = send(client, {**fields, "key": "report-key-2", "type": "", "place": ""}, 422)
    assert lacking["verdict"] == "refused" and Case.objects.count() == 1


def test_what_comes_too_often_waits_for_later(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(*_: object, **__: object) -> None:
        raise TooMany("That was tried too often.", seconds=60)

    monkeypatch.setattr("chengshu.web.field.patrol.report", too_many)
    fields = {
        "kind": "report",
        "owner": owner("grid"),
        "type": "env.exposed_rubbish",
        "place": "保俶路",
        "key": "report-key-1",
    }
    assert send(browser("grid"), fields, 429)["verdict"] == "later"


# The app


@pytest.mark.parametrize(("language", "name"), [("zh-hans", "城枢 掌上"), ("en", "chengshu Field")])
def test_the_manifest_makes_an_app(browser: Browser, language: str, name: str) -> None:
    client = browser("")
    answer = client.get("/field/app.webmanifest", headers={"Accept-Language": language})
    found = json.loads(answer.content)
    assert answer["Content-Type"] == "application/manifest+json"
    assert found["name"] == name and found["start_url"] == "/field" and found["display"] == "standalone"
    assert found["start_url"].startswith(found["scope"])
    assert {(icon["sizes"], icon["purpose"]) for icon in found["icons"]} == {
        (size, purpose) for size in ("192x192", "512x512") for purpose in ("any", "maskable")
    }


def test_the_worker_may_see_the_field_only_and_knows_its_files(browser: Browser) -> None:
    answer = browser("").get("/field/worker.js")
    script = answer.content.decode()
    assert answer["Service-Worker-Allowed"] == "/field" and answer["Cache-Control"] == "no-cache"
    assert answer["Content-Type"].startswith("text/javascript")
    files = json.loads(re.match(r"self\.FILES=(\[.*?\]);", script)[1])  # type: ignore[index]
    assert any("/main-" in name for name in files) and any("/field-" in name for name in files)
    assert not re.search(r"^\s*(import|export)\s", script, re.M)


def test_the_page_without_a_network_names_nobody(browser: Browser) -> None:
    client = browser("handler")
    name = Account.objects.get(username="handler").name
    assert name not in client.get("/field/offline").content.decode()
    assert name in client.get("/field").content.decode()
