"""What a stranger may not do: fill the disk, the memory, or the road of another city."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from chengshu.cases import evidence, worker
from chengshu.cases.models import Case, Evidence
from chengshu.packs.apply import load_city
from chengshu.parties import throttle
from chengshu.web.middleware import LARGEST_BODY, small_bodies
from tests.web.conftest import Browser, photo, upload
from tests.web.test_report import answered, fill


def test_a_form_mended_after_going_back_is_a_second_case(browser: Browser) -> None:
    client = browser("")
    fields = fill(client)
    client.post("/report", fields)
    first = answered(client)
    client.post("/report", {**fields, "title": "井盖丢失"})
    second = answered(client)
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert set(Case.objects.values_list("title", flat=True)) == {"路灯不亮", "井盖丢失"}
    assert client.post("/follow", {"number": second[0], "word": second[1]}).status_code == 302


def test_only_the_session_that_opened_a_case_follows_it_at_once(browser: Browser) -> None:
    client, other = browser(""), browser("")
    fields = fill(client)
    client.post("/report", fields)
    other.post("/report", fields)
    number, _word = answered(client)
    assert client.get(f"/follow/{number}").status_code == 200
    assert other.get(f"/follow/{number}").status_code == 302


def test_a_case_of_another_city_is_followed_from_a_browser_in_this_one(browser: Browser) -> None:
    load_city("boston", yes=True, echo=lambda *_: None)
    client = browser("")
    client.cookies["city"] = "boston"
    client.post("/report", fill(client, title="Pothole", place="1 City Hall Square", lon="-71.06", lat="42.36"))
    number, _word = answered(client)
    made = Case.objects.select_related("kind__city").get(number=number)
    assert made.kind.city.name == "boston"
    client.cookies["city"] = "hangzhou"
    assert client.get(f"/follow/{number}").status_code == 200
    assert client.post(f"/follow/{number}", {"move": "withdraw", "version": made.version}).status_code == 302


def test_no_file_of_an_impossible_move_is_kept(browser: Browser, case: Callable[..., Case]) -> None:
    made, client = case(0), browser("citizen")
    fields = {"version": made.version, "note": "x"}
    assert client.post(f"/follow/{made.number}", {**fields, "move": "rate", "evidence": [upload()]}).status_code >= 400
    assert not Evidence.objects.exists()
    assert (
        client.post(f"/follow/{made.number}", {**fields, "move": "attach", "evidence": [upload()]}).status_code == 302
    )
    assert Evidence.objects.get().case_id == made.pk


def test_moves_of_a_reporter_are_limited(
    browser: Browser, case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FOLLOW_MOVE", throttle.Limit(name="follow-move", count=1, seconds=3600))
    made, client = case(0), browser("citizen")
    answers = [client.post(f"/follow/{made.number}", {"move": "none"}).status_code for _ in range(2)]
    assert answers[0] != 429
    assert answers[1] == 429


def test_uploads_of_a_citizen_are_limited(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "EVIDENCE", throttle.Limit(name="evidence", count=1, seconds=3600))
    client = browser("citizen")
    answers = [client.post("/api/evidence", {"file": upload()}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1]["Content-Type"] == "application/problem+json"
    assert int(answers[1]["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"CONTENT_LENGTH": str(LARGEST_BODY)}, 200),
        ({"CONTENT_LENGTH": ""}, 200),
        ({"CONTENT_LENGTH": str(LARGEST_BODY + 1)}, 413),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
    ],
)
def test_a_body_is_refused_before_it_is_read(headers: dict[str, str], status: int) -> None:
    request = RequestFactory().post("/report", **headers)  # type: ignore[arg-type]
    assert small_bodies(lambda _: HttpResponse())(request).status_code == status


def test_a_large_body_is_refused_in_the_shape_of_the_api(browser: Browser) -> None:
    answer = browser("").post("/api/cases", CONTENT_LENGTH=str(LARGEST_BODY + 1))
    assert answer.status_code == 413
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["remedy"]


def test_files_that_no_case_uses_are_swept(case: Callable[..., Case]) -> None:
    made = case(0)
    old = datetime.now(UTC) - timedelta(days=2)
    used, twin, lost, young = (evidence.store(photo(c)) for c in ("red", "red", "blue", "green"))
    Evidence.objects.exclude(pk=young.pk).update(at=old)
    Evidence.objects.filter(pk=used.pk).update(case=made)
    worker.sweep()
    assert set(Evidence.objects.values_list("pk", flat=True)) == {used.pk, young.pk}
    assert evidence.path_of(twin.digest).exists()
    assert evidence.path_of(young.digest).exists()
    assert not evidence.path_of(lost.digest).exists()
