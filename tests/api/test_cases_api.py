"""The API of cases: versions, keys, pages, refusals in one shape, batches, tokens, contacts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from chengshu.api import auth
from chengshu.cases.models import Case, Report, Step
from chengshu.parties import throttle, tokens
from chengshu.parties.models import Access, Post, Token
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from tests.cases.people import EAST, PHOTO_TYPE, STREET, UNIT, WEST, Cast, picture

Caller = Callable[..., HttpResponse]
REPORT = {"title": "文三路路面有暴露垃圾", "type": PHOTO_TYPE, "division": STREET, "place_text": "文三路100号"}
PROBLEM = {"type", "title", "status", "detail", "instance", "remedy", "errors"}


@pytest.fixture
def cast(hangzhou: City) -> Cast:
    return Cast(city=hangzhou)


@pytest.fixture
def call(cast: Cast) -> Caller:
    """Call the API as somebody: call(who, "POST", "/cases", {...}, idempotency_key="1")."""
    words: dict[int | None, str] = {}

    def send(who: str | Principal | None, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        actor = cast(who) if isinstance(who, str) else who
        if actor is not None:
            if actor.post not in words:
                words[actor.post] = tokens.issue(Post.objects.get(pk=actor.post), "test")
            headers = {"authorization": f"Bearer {words[actor.post]}", **headers}
        data = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else ""
        return Client().generic(method, f"/api{path}", data, content_type="application/json", headers=headers)  # type: ignore[return-value]

    return send


def read(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return json.loads(response.content)


def refused(response: Any, status: int) -> dict[str, Any]:
    found = read(response, status)
    assert response["Content-Type"] == "application/problem+json"
    assert (
        set(found) == PROBLEM and found["status"] == status and found["title"] and found["detail"] and found["remedy"]
    )
    assert isinstance(found["errors"], list)
    return dict(found)


def test_the_four_calls_of_a_complaint(cast: Cast, call: Caller) -> None:
    made = call("citizen", "POST", "/cases", REPORT)
    case = read(made, 201)
    assert made["Location"] == f"/api/cases/{case['number']}" and made["ETag"] == '"1"'
    moved = call("operator", "POST", f"/cases/{case['number']}/moves", {"move": "accept"}, if_match=made["ETag"])
    assert read(moved)["state"]["code"] == "accepted" and moved["ETag"] == '"2"'
    found = read(call("operator", "GET", "/cases?q=暴露垃圾"))
    assert [c["id"] for c in found["cases"]] == [case["id"]] and found["next"] is None
    by_id, by_number = (call("citizen", "GET", f"/cases/{ref}") for ref in (case["id"], case["number"]))
    assert read(by_id) == read(by_number) and by_id["ETag"] == '"2"'


def test_a_report_with_a_key_is_taken_once(call: Caller) -> None:
    first = read(call("citizen", "POST", "/cases", {**REPORT, "key": "K1"}), 201)
    second = read(call("citizen", "POST", "/cases", {**REPORT, "key": "K1", "title": "别的"}), 200)
    assert second["id"] == first["id"] and second["title"] == first["title"]
    assert Case.objects.count() == 1


def test_an_idempotency_key_gives_the_first_answer_again(call: Caller) -> None:
    first = call("citizen", "POST", "/cases", REPORT, idempotency_key="a")
    again = call("citizen", "POST", "/cases", REPORT, idempotency_key="a")
    assert again.content == first.content and again.status_code == first.status_code == 201
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert Case.objects.count() == 1
    told = refused(call("citizen", "POST", "/cases", {**REPORT, "title": "别的"}, idempotency_key="a"), 409)
    assert told["instance"] == "Idempotency-Key"
    read(call("operator", "POST", "/cases", REPORT, idempotency_key="a"), 201)
    refused(call("citizen", "POST", "/cases", REPORT, idempotency_key="x" * 201), 422)


def test_a_refusal_is_not_kept_under_its_key(call: Caller) -> None:
    refused(call("citizen", "POST", "/cases", {**REPORT, "type": "no.such"}, idempotency_key="b"), 422)
    read(call("citizen", "POST", "/cases", REPORT, idempotency_key="b"), 201)


def test_moves_with_a_key_are_made_once(cast: Cast, call: Caller) -> None:
    story = cast.case("dispatched")
    for _ in range(2):
        read(call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "urge"}, idempotency_key="u"))
    assert story.row.urges == 1


def test_a_citizens_moves_are_limited_as_on_the_pages(
    cast: Cast, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FOLLOW_MOVE", throttle.Limit(name="moves-test", count=3, seconds=3600))
    story, body = cast.case("dispatched"), {"move": "note", "note": "看过了"}
    batch = {"moves": [{"case": str(story.id), **body}] * 2}
    read(call("citizen", "POST", "/moves", batch))
    call("citizen", "POST", f"/cases/{story.id}/moves", body)
    told = call("citizen", "POST", f"/cases/{story.id}/moves", body)
    assert refused(told, 429) and int(told["Retry-After"]) > 0
    refused(call("citizen", "POST", "/moves", batch), 429)
    for _ in range(5):
        read(call("dispatcher", "POST", f"/cases/{story.id}/moves", body))


def test_a_citizen_urges_once_in_a_while(cast: Cast, call: Caller) -> None:
    story = cast.case("dispatched")
    twice = {"moves": [{"case": str(story.id), "move": "urge"}] * 2}
    refused(call("citizen", "POST", "/moves", twice), 429)
    refused(call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "urge"}, if_match='"1"'), 409)
    read(call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "urge"}))  # what was refused does not count
    told = refused(call("citizen", "POST", f"/cases/{story.id}/moves", {"move": "urge"}), 429)
    assert "4" in told["detail"]
    assert story.row.urges == 1
    for _ in range(2):
        read(call("supervisor", "POST", f"/cases/{story.id}/moves", {"move": "urge"}))
    Case.objects.filter(pk=story.id).update(urges=1_000)
    refused(call("supervisor", "POST", f"/cases/{story.id}/moves", {"move": "urge"}), 409)


def test_an_overtaken_version_is_told_what_happened(cast: Cast, call: Caller) -> None:
    story = cast.case()
    story.move("operator", "accept")
    told = refused(
        call("operator", "POST", f"/cases/{story.id}/moves", {"move": "reject", "note": "不实"}, if_match='"1"'), 409
    )
    assert "受理" in told["detail"] and told["instance"] == story.row.number
    for header in ('"2"', 'W/"2"', "2", "*"):
        answer = call(
            "operator", "POST", f"/cases/{story.id}/moves", {"move": "note", "note": "记一笔"}, if_match=header
        )
        assert answer.status_code in (200, 409)
    for header in ("x", '"²"', "-1", "9" * 30):
        refused(call("operator", "POST", f"/cases/{story.id}/moves", {"move": "urge"}, if_match=header), 422)


def test_every_refused_move_has_its_status(cast: Cast, call: Caller) -> None:
    story = cast.case("accepted")
    path = f"/cases/{story.row.number}/moves"
    refused(call("operator", "POST", path, {"move": "close"}), 409)
    told = refused(call("operator", "POST", path, {"move": "register"}), 403)
    assert "Shift leader" in told["detail"] or "值班长" in told["detail"]
    refused(call("shift_leader", "POST", path, {"move": "register"}), 422)
    refused(call("operator", "POST", path, {"move": "note"}), 422)
    refused(call("citizen", "POST", path, {"move": "urge", "severity": 1}), 403)
    refused(call(cast("operator", division=EAST), "POST", path, {"move": "note", "note": "不该"}), 404)
    other = refused(call(cast("operator", division=EAST), "POST", f"/cases/{story.id}/moves", {"move": "urge"}), 404)
    assert str(story.row.number) not in json.dumps(other), "whoever may not see it does not learn its number"
    refused(call("operator", "POST", f"/cases/{uuid4()}/moves", {"move": "urge"}), 404)
    refused(call("steward", "POST", "/cases", REPORT), 403)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({**REPORT, "title": "x" * 201}, "title"),
        ({**REPORT, "colour": "red"}, "colour"),
        ({**REPORT, "severity": 9}, "severity"),
        ({**REPORT, "lon": 999, "lat": 0}, "lon"),
        ({**REPORT, "source": "A b"}, "source"),
        ({**REPORT, "occurred_at": "2026-03-01T10:00:00"}, "occurred_at"),
        ({**REPORT, "evidence": ["x"]}, "evidence"),
    ],
)
def test_every_wrong_field_is_named(call: Caller, body: dict[str, Any], field: str) -> None:
    told = refused(call("citizen", "POST", "/cases", body), 422)
    assert any(field in each["where"] for each in told["errors"])


@pytest.mark.parametrize(
    "body",
    [
        {**REPORT, "title": " "},
        {**REPORT, "lon": 120.1},
        {**REPORT, "title": "a\x00b"},
        {**REPORT, "contact_name": "a\x00b"},
        {**REPORT, "occurred_at": "2999-01-01T00:00:00Z"},
        {**REPORT, "occurred_at": "0001-01-01T00:00:00+14:00"},
        {**REPORT, "type": "\x00"},
        {**REPORT, "division": "0"},
        {"title": "无类型"},
    ],
)
def test_what_only_the_city_knows_is_refused_in_words(call: Caller, body: dict[str, Any]) -> None:
    refused(call("citizen", "POST", "/cases", body), 422)
    assert not Case.objects.exists()


def test_nobody_and_unknown_callers(call: Caller) -> None:
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer cs_no"},
        {"authorization": "Basic eDp5"},
    ):
        answer = call(None, "GET", "/cases", **headers)
        refused(answer, 401)
        assert answer["WWW-Authenticate"] == "Bearer"


def test_unknown_addresses_and_methods_have_the_same_shape(call: Caller) -> None:
    refused(call("operator", "GET", "/nothing"), 404)
    refused(call("operator", "DELETE", "/cases"), 405)


def test_a_token_that_ended_does_not_work(cast: Cast, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post.objects.get(pk=cast("operator").post)
    word = tokens.issue(post, "short", datetime.now(UTC) + timedelta(minutes=5))
    header = {"authorization": f"Bearer {word}"}
    read(call(None, "GET", "/cases", **header))
    Token.objects.filter(post=post).update(expires_at=datetime.now(UTC))
    monkeypatch.setattr(auth, "FRESH", 0.0)  # a process trusts what it read of a token for this long
    refused(call(None, "GET", "/cases", **header), 401)
    Token.objects.filter(post=post).update(expires_at=None)
    read(call(None, "GET", "/cases", **header))
    assert tokens.revoke([post.pk], Token.objects.get(post=post).pk)
    refused(call(None, "GET", "/cases", **header), 401)


def test_pages_by_cursor(cast: Cast, call: Caller) -> None:
    for i in range(5):
        cast.report(at=datetime(2026, 3, 2, 1, i, tzinfo=UTC))
    seen, path = [], "/cases?size=2&order=old"
    while True:
        found = read(call("operator", "GET", path))
        seen += [c["number"] for c in found["cases"]]
        if found["next"] is None:
            break
        path = f"/cases?size=2&order=old&cursor={found['next']}"
    assert seen == sorted(seen) and len(set(seen)) == 5
    refused(call("operator", "GET", "/cases?cursor=x"), 422)
    refused(call("operator", "GET", "/cases?size=201"), 422)
    refused(call("operator", "GET", "/cases?q=%00"), 422)


def test_batches_of_reports_and_moves(cast: Cast, call: Caller) -> None:
    bodies = [{**REPORT, "key": str(i % 3)} for i in range(4)]
    verdicts = read(call("operator", "POST", "/reports", {"reports": bodies}))["verdicts"]
    assert [v["verdict"] for v in verdicts] == ["opened", "opened", "opened", "known"]
    ids = [v["case"] for v in verdicts[:3]]
    moves = [
        {"case": ids[0], "move": "accept"},
        {"case": ids[1], "move": "reject"},
        {"case": ids[2], "move": "accept", "version": 9},
        {"case": str(uuid4()), "move": "accept"},
        {"case": ids[0], "move": "accept"},
    ]
    verdicts = read(call("operator", "POST", "/moves", {"moves": moves}))["verdicts"]
    told = [(v["verdict"], v["detail"]) for v in verdicts]
    assert told == [("ok", ""), ("needs", "note"), ("conflict", ""), ("missing", ""), ("illegal", "")]
    for path, name in (("/reports", "reports"), ("/moves", "moves")):
        refused(call("operator", "POST", path, {name: []}), 422)
        refused(call("operator", "POST", path, {name: [bodies[0]] * 501}), 422)


def test_a_batch_does_not_tell_the_numbers_of_cases_unseen(cast: Cast, call: Caller) -> None:
    story = cast.case()
    moves = [{"case": str(story.id), "move": "accept"}]
    [verdict] = read(call(cast("operator", division=EAST), "POST", "/moves", {"moves": moves}))["verdicts"]
    assert (verdict["verdict"], verdict["number"], verdict["version"]) == ("missing", None, None)


def test_the_story_tells_what_may_be_done(cast: Cast, call: Caller) -> None:
    story = cast.case("handling")
    found = read(call("handler", "GET", f"/cases/{story.id}/story"))
    acts = {act["move"]: act for act in found["acts"]}
    assert acts["handle"]["allowed"] and set(acts["handle"]["fields"]) == {"note", "evidence"}
    assert not acts["suspend"]["allowed"] and acts["suspend"]["why_not"]
    assert "escalate" not in acts
    assert [step["move"]["code"] for step in found["steps"]] == ["open", "accept", "register", "dispatch", "receive"]
    assert found["tasks"][0]["unit"]["code"] == UNIT and len(found["evidence"]) == 1


def test_a_contact_needs_a_purpose_and_leaves_a_trace(cast: Cast, call: Caller) -> None:
    body = {**REPORT, "contact_name": "王芳", "contact_phone": "13800000000"}
    case = read(call("citizen", "POST", "/cases", body), 201)
    path = f"/cases/{case['number']}/contact"
    assert "13800000000" not in json.dumps(Report.objects.get().payload)
    for purpose in ("", "   ", "     ", "a\x00bcd"):
        refused(call("operator", "POST", path, {"purpose": purpose}), 422)
    for who in (cast("leader"), cast("analyst"), cast("citizen"), cast("operator", division=EAST)):
        refused(call(who, "POST", path, {"purpose": "想看看电话"}), 404)
    assert not Access.objects.exists()
    [told] = read(call("operator", "POST", path, {"purpose": "回访核实"}))
    assert (told["name"], told["phone"]) == ("王芳", "13800000000")
    trace = Access.objects.get()
    assert (trace.account_id, trace.subject, trace.purpose) == (
        cast("operator").account,
        f"case:{case['id']}",
        "回访核实",
    )
    assert trace.fields == ["name", "phone"]
    story = json.dumps(read(call("operator", "GET", f"/cases/{case['number']}/story")), ensure_ascii=False)
    assert "王芳" not in story and "13800000000" not in story


def test_evidence_goes_up_and_comes_down(cast: Cast, call: Caller) -> None:
    word = tokens.issue(Post.objects.get(pk=cast("citizen").post), "test")
    header = {"authorization": f"Bearer {word}"}
    sent = Client().post("/api/evidence", {"file": SimpleUploadedFile("a.png", picture())}, headers=header)
    made = read(sent, 201)
    assert made["media_type"] == "image/jpeg" and "digest" not in made
    case = read(call("citizen", "POST", "/cases", {**REPORT, "evidence": [made["id"]]}), 201)
    down = Client().get(f"/api/evidence/{made['id']}", headers=header)
    assert down.status_code == 200 and down["Content-Type"] == "image/jpeg"
    assert b"".join(down.streaming_content)[:2] == b"\xff\xd8"  # type: ignore[attr-defined]
    refused(call(cast("citizen", name="other"), "GET", f"/evidence/{made['id']}"), 404)
    shown = call("operator", "GET", f"/evidence/{made['id']}")
    assert shown.status_code == 200
    assert b"".join(shown.streaming_content)  # type: ignore[attr-defined]
    assert len(read(call("operator", "GET", f"/cases/{case['id']}/story"))["evidence"]) == 1
    bad = Client().post("/api/evidence", {"file": SimpleUploadedFile("a.png", b"<svg/>")}, headers=header)
    refused(bad, 422)


def test_suggestions_come_with_reasons(cast: Cast, call: Caller) -> None:
    one, two = (read(call("citizen", "POST", "/cases", REPORT), 201) for _ in range(2))
    found = read(call("operator", "GET", f"/cases/{one['number']}/suggestions"))
    assert found["types"][0]["type"]["code"] == PHOTO_TYPE and found["types"][0]["because"]
    assert found["unit"]["rule"] == "cleanliness" and found["unit"]["because"]
    assert {limit["stage"] for limit in found["limits"]} >= {"handle", "total"}
    assert [d["number"] for d in found["duplicates"]] == [two["number"]] and found["duplicates"][0]["because"]


def test_rules_over_http(cast: Cast, call: Caller) -> None:
    table = read(call("administrator", "GET", "/rules"))
    refused(call("citizen", "GET", "/rules"), 403)
    new = [{"id": "all", "when": {}, "unit": "HZ-YX", "because": "演练"}]
    body = {"rules": new, "why": "演练：全部由市中心处置", "seen": table["version"]}
    refused(call("operator", "PUT", "/rules", body), 403)
    refused(call("administrator", "PUT", "/rules", {**body, "why": ""}), 422)
    refused(call("administrator", "PUT", "/rules", {**body, "seen": 0}), 409)
    told = refused(
        call("administrator", "PUT", "/rules", {**body, "rules": [{"id": "x", "unit": "no", "when": {"hours": 3}}]}),
        422,
    )
    assert len(told["errors"]) >= 3 and all(each["where"] and each["remedy"] for each in told["errors"])
    tried = read(call("shift_leader", "POST", "/rules/simulate", {"rules": new}))
    assert tried["cases"] == 0
    assert read(call("administrator", "PUT", "/rules", body))["version"] == table["version"] + 1


def test_who_i_am_and_what_the_city_knows(cast: Cast, call: Caller) -> None:
    me = read(call(cast("dispatcher", division=WEST), "GET", "/me"))
    assert (me["role"], me["division"]["code"]) == ("dispatcher", WEST)
    kinds = read(call("citizen", "GET", "/kinds"))
    assert {kind["code"] for kind in kinds} == {"urban", "appeal", "incident"}
    assert all(move["why"] and move["roles"] for kind in kinds for move in kind["moves"])
    assert PHOTO_TYPE in {type["code"] for type in read(call("citizen", "GET", "/types"))}
    assert Step.objects.count() == 0
