"""The one door: once per origin key, joining, reopening, staleness, places, clocks, contacts, evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chengshu.cases.models import Case, Clock, Contact, Evidence, Report
from chengshu.cases.records import NewReport
from chengshu.cases.report import report
from chengshu.core.errors import ChengshuError, Invalid
from tests.cases.people import INCIDENT_TYPE, PHOTO_TYPE, POINT, START, STREET, UNIT, WEST, Cast, Story

HOUR = timedelta(hours=1)
NAIVE = START.replace(tzinfo=None)


def find(cast: Cast, at: datetime, occurred: datetime | None = None, **more: Any) -> str:
    """Report a finding of one station; the verdict."""
    fields = {
        "scene": "crowd",
        "key": "station/15",
        "type": INCIDENT_TYPE,
        "place_text": "15号站",
        "occurred_at": occurred or at,
    }
    return cast.report(cast.system, at=at, **(fields | more)).verdict


def the_case(cast: Cast) -> Case:
    return Case.objects.filter(kind__city=cast.city, scene="crowd").latest("opened_at")


def test_an_origin_key_is_taken_once(cast: Cast) -> None:
    first = cast.report(origin="hotline", origin_key="A1")
    again = cast.report(origin="hotline", origin_key="A1", title="又打来一次", type=None, kind="appeal")
    other = cast.report(origin="portal", origin_key="A1")
    assert (first.verdict, again.verdict, other.verdict) == ("opened", "known", "opened")
    assert (again.case, again.number, again.version) == (first.case, first.number, 1)
    assert Report.objects.filter(case=first.case).count() == 1
    assert other.case != first.case


def test_the_same_key_twice_in_one_batch(cast: Cast) -> None:
    new = NewReport(origin="o", origin_key="1", title="坑", type=PHOTO_TYPE, occurred_at=START)
    verdicts = report([new, new], city=cast.city.pk, actor=cast.system, at=START)
    assert [v.verdict for v in verdicts] == ["opened", "known"]
    assert verdicts[0].case == verdicts[1].case


def test_findings_join_the_open_case_and_stay_with_it(cast: Cast) -> None:
    assert [find(cast, START + i * HOUR) for i in range(3)] == ["opened", "joined", "joined"]
    case = the_case(cast)
    assert list(case.reports.order_by("received_at").values_list("verdict", flat=True)) == [
        "opened",
        "joined",
        "joined",
    ]
    assert (case.seq, case.version) == (1, 3)
    assert find(cast, START, key="station/78") == "opened"


def test_a_finding_reopens_what_came_back_and_never_what_is_older(cast: Cast) -> None:
    find(cast, START)
    story = cast_story(cast)
    story.move("shift_leader", "stand_down", note="已疏散", at=START + 2 * HOUR)
    assert find(cast, START + 3 * HOUR, occurred=START + 2 * HOUR) == "stale"
    assert story.row.closed_at is not None
    assert find(cast, START + 4 * HOUR, title="挤") == "reopened"
    case = story.row
    assert (case.state.code, case.reopens, case.closed_at) == ("registered", 1, None)
    step = case.steps.select_related("move").latest("seq")
    assert (step.move.code, step.role) == ("reopen", "system") and "挤" in step.note
    assert find(cast, START + 5 * HOUR) == "joined"


def test_after_the_window_a_finding_is_a_new_case(cast: Cast) -> None:
    find(cast, START)
    story = cast_story(cast)
    story.move("shift_leader", "stand_down", note="已疏散", at=START + HOUR)
    late = START + HOUR + timedelta(days=30)
    assert find(cast, late + timedelta(seconds=1), occurred=START) == "stale", "old news stays old news"
    assert find(cast, late + timedelta(seconds=1), occurred=late - timedelta(minutes=1)) == "opened"
    assert the_case(cast).pk != story.id


def test_a_false_alarm_does_not_silence_the_next_one(cast: Cast) -> None:
    find(cast, START)
    story = cast_story(cast)
    story.move("operator", "reject", note="误报", at=START + HOUR)
    assert find(cast, START + 2 * HOUR) == "opened"
    assert the_case(cast).pk != story.id


def test_a_finding_of_a_merged_case_goes_where_the_case_went(cast: Cast) -> None:
    find(cast, START)
    story, target = cast_story(cast), cast.case(type=INCIDENT_TYPE)
    story.move("operator", "merge", target=target.id, at=START + HOUR)
    assert find(cast, START + 2 * HOUR) == "joined"
    assert target.row.reports.count() == 2


def cast_story(cast: Cast) -> Story:
    return Story(cast=cast, id=the_case(cast).pk)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"description": "x" * 20_001}, "description"),
        ({"place_text": "x" * 501}, "place_text"),
        ({"origin": ""}, "origin"),
        ({"origin_key": "x" * 301}, "origin_key"),
        ({"scene": "s"}, "scene"),
        ({"key": "k"}, "scene"),
        ({"severity": 0}, "Severity"),
        ({"lon": 120.0}, "lon"),
        ({"lon": 181.0, "lat": 0.0}, "no point on earth"),
        ({"lon": float("nan"), "lat": 0.0}, "no point on earth"),
        ({"type": "no.such"}, "case type"),
        ({"type": None}, "kind"),
        ({"type": None, "kind": "no"}, "case kind"),
        ({"unit": "no"}, "department"),
        ({"division": "no"}, "division"),
        ({"occurred_at": START + HOUR}, "occurred_at"),
        ({"occurred_at": NAIVE}, "occurred_at"),
        ({"due_at": NAIVE}, "due_at"),
        ({"occurred_at": datetime(1, 1, 2, tzinfo=UTC)}, "occurred_at"),
        ({"due_at": datetime(9999, 12, 31, tzinfo=UTC)}, "due_at"),
        ({"payload": {"a": ["\x00"]}}, "payload"),
        ({"contact": {"name": "\x00"}}, "contact"),
        ({"source": "\x00"}, "source"),
    ],
)
def test_what_cannot_be_a_report_is_refused_by_name(cast: Cast, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=field) as refused:
        cast.report(**fields)
    assert isinstance(refused.value, ChengshuError) and refused.value.remedy
    assert not Case.objects.exists()


def test_a_backslash_is_no_nul(cast: Cast) -> None:
    verdict = cast.report(payload={"path": "C:\\u0000", "quote": '"\\'}, title="路径 \\u0000")
    assert Report.objects.get(case=verdict.case).payload == {"path": "C:\\u0000", "quote": '"\\'}


def test_a_point_finds_its_district(cast: Cast) -> None:
    case = Case.objects.get(pk=cast.report(division=None, lon=POINT[0], lat=POINT[1]).case)
    assert case.division.code == WEST
    assert case.cell is not None and case.places == [*case.places[:1], case.division_id]


def test_a_point_outside_every_known_outline_is_the_citys(cast: Cast) -> None:
    case = Case.objects.get(pk=cast.report(cast.system, division=None, lon=2.35, lat=48.86).case)
    assert case.division.code == "3301" and (case.lon, case.lat) == (2.35, 48.86)


def test_a_given_division_wins_over_the_point(cast: Cast) -> None:
    assert Case.objects.get(pk=cast.report(division=STREET, lon=119.28, lat=29.47).case).division.code == STREET


def test_the_clocks_of_a_type_start_with_the_case(cast: Cast) -> None:
    case = Case.objects.get(pk=cast.report().case)
    clocks = {clock.stage: clock for clock in case.clocks.all()}
    assert {stage: clock.limit for stage, clock in clocks.items()} == {"accept": "1wh", "total": "2wd"}
    assert case.due_at == clocks["accept"].due_at == START + HOUR
    assert clocks["accept"].next_at == clocks["accept"].warn_at == START + 0.75 * HOUR


def test_a_due_time_of_the_origin_replaces_the_limit(cast: Cast) -> None:
    due = START + timedelta(days=40)
    given = cast.report(due_at=due, due_given=True)
    total = Clock.objects.get(case=given.case, stage="total")
    assert (total.limit, total.due_at) == ("given", due)
    none = cast.report(due_given=True)
    assert not Clock.objects.filter(case=none.case, stage="total").exists()


def test_a_due_time_that_has_passed_is_overdue_from_the_start(cast: Cast) -> None:
    clock = Clock.objects.get(case=cast.report(due_at=START - HOUR, due_given=True).case, stage="total")
    assert clock.next_at is not None and clock.next_at <= START


def test_who_reported_is_kept_apart_from_what(cast: Cast) -> None:
    contact = {"name": "王芳", "phone": "13800000000", "secret": "d" * 64}
    kept = Report.objects.get(case=cast.report(contact=contact, payload={"channel": "12345"}).case)
    assert "王芳" not in str(kept.payload) and "13800000000" not in str(kept.payload)
    own = Contact.objects.get(report=kept)
    assert (own.name, own.phone, own.secret) == ("王芳", "13800000000", "d" * 64)
    assert not Contact.objects.filter(report__case=cast.report().case).exists()


def test_evidence_goes_with_one_report_and_only_its_senders(cast: Cast) -> None:
    citizen, other = cast("citizen"), cast("citizen", name="other")
    own, foreign = cast.proof(citizen), cast.proof(other)
    first = cast.report(citizen, evidence=(own, foreign))
    second = cast.report(citizen, evidence=(own,))
    assert Evidence.objects.get(pk=own).case_id == first.case != second.case
    assert Evidence.objects.get(pk=foreign).case_id is None


def test_a_report_knows_its_unit_and_severity(cast: Cast) -> None:
    case = Case.objects.get(pk=cast.report(unit=UNIT, severity=1).case)
    assert case.unit is not None and (case.unit.code, case.severity) == (UNIT, 1)
    assert Case.objects.get(pk=cast.report().case).severity == 3


def test_one_bad_report_refuses_the_batch_and_says_which(cast: Cast) -> None:
    good = NewReport(origin="o", origin_key="good", title="坑", type=PHOTO_TYPE, occurred_at=START)
    bad = NewReport(origin="o", origin_key="bad one", title="", type=PHOTO_TYPE, occurred_at=START)
    with pytest.raises(Invalid) as refused:
        report([good, bad], city=cast.city.pk, actor=cast.system, at=START)
    assert refused.value.where == "bad one"
    assert not Case.objects.exists()


def test_numbers_carry_the_day_of_the_city(cast: Cast) -> None:
    late = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # half past midnight in Hangzhou
    assert str(cast.report(at=late).number).startswith("HZ-20260303-")
