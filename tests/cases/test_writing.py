"""What the database itself refuses, batches with good and bad rows, and how waves are cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from chengshu.cases.advance import advance
from chengshu.cases.models import Case, Move, Report, State, Step
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.cases.writing import CHUNK, check_time, waves
from chengshu.core.errors import Invalid
from chengshu.parties.models import Access, Audit
from tests.cases.people import PHOTO_TYPE, START, STREET, UNIT, Cast, Story

NAIVE = START.replace(tzinfo=None)


def insert_step(story: Story, **changed: Any) -> None:
    """A step written behind the platform's back."""
    last = story.row.steps.latest("seq")
    move = Move.objects.get(kind=story.row.kind, code="register", active=True)
    row = {
        "case_id": story.id,
        "seq": last.seq + 1,
        "prev": last.seq,
        "move_id": move.pk,
        "from_state_id": move.from_state_id,
        "to_state_id": move.to_state_id,
        "at": START,
        "recorded_at": START,
        "role": "shift_leader",
        "note": "",
        "facts": "{}",
    } | changed
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO cases_step ({names}) VALUES ({marks})", list(row.values()))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_legal_step_fits(cast: Cast) -> None:
    story = cast.case("accepted")
    insert_step(story)
    assert story.row.steps.count() == 3


def test_an_illegal_step_cannot_be_written(cast: Cast) -> None:
    story = cast.case("accepted")
    closed = State.objects.get(kind=story.row.kind, code="closed")
    with pytest.raises(IntegrityError, match="step_is_a_move"):
        insert_step(story, to_state_id=closed.pk)


def test_a_step_begins_where_the_last_one_ended(cast: Cast) -> None:
    story = cast.case("reported")
    with pytest.raises(IntegrityError, match="step_follows"):
        insert_step(story)  # register, from accepted


@pytest.mark.parametrize(
    "changed", [{"seq": 9, "prev": 8}, {"prev": None}, {"seq": 4, "prev": 2}, {"seq": 1, "prev": None}]
)
def test_a_chain_has_no_gap_and_no_second_beginning(cast: Cast, changed: dict[str, Any]) -> None:
    story = cast.case("accepted")
    with pytest.raises(IntegrityError):
        insert_step(story, **changed)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cases_step SET note = 'x'",
        "DELETE FROM cases_step",
        "UPDATE cases_report SET origin = 'x'",
        "DELETE FROM cases_report",
        "UPDATE parties_audit SET action = 'x'",
        "DELETE FROM parties_access",
    ],
)
def test_history_stays_as_it_is(cast: Cast, statement: str) -> None:
    cast.case()
    Audit.objects.create(action="x")
    Access.objects.create(account_id=cast("operator").account, subject="x", fields=["name"], purpose="test")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_one_open_case_per_key_is_a_constraint(cast: Cast) -> None:
    one = cast.report(scene="s", key="k")
    two = cast.report(scene="s", key="other")
    with pytest.raises(IntegrityError, match="case_one_open_per_key"), transaction.atomic():
        Case.objects.filter(pk=two.case).update(key="k")
    assert Case.objects.get(pk=one.case).key == "k"


def test_the_same_case_twice_in_a_batch_goes_in_order(cast: Cast) -> None:
    story, leader = cast.case("reported"), cast("shift_leader")
    proof = cast.proof(leader)
    requests = [
        MoveRequest(case=story.id, move="accept"),
        MoveRequest(case=story.id, move="register", evidence=(proof,)),
        MoveRequest(case=story.id, move="accept"),
        MoveRequest(case=story.id, move="urge"),
    ]
    verdicts = advance(requests, actor=leader, at=START)
    assert [v.verdict for v in verdicts] == ["ok", "ok", "illegal", "ok"]
    assert story.row.seq == 4


def test_a_thousand_rows_get_a_thousand_verdicts(cast: Cast) -> None:
    citizen = cast("citizen")
    rows = [
        NewReport(
            origin="bulk",
            origin_key=str(i % 990),
            title=f"第{i}件",
            type=PHOTO_TYPE,
            division=STREET,
            occurred_at=START,
        )
        for i in range(1000)
    ]
    opened = report(rows, city=cast.city.pk, actor=citizen, at=START)
    assert [v.verdict for v in opened] == ["opened"] * 990 + ["known"] * 10
    assert [v.case for v in opened[990:]] == [v.case for v in opened[:10]]
    requests = [
        MoveRequest(
            case=uuid4() if i % 10 == 0 else v.case,
            move={1: "close", 2: "reject"}.get(i % 10, "accept"),
            version=7 if i % 10 == 3 else None,
        )
        for i, v in enumerate(opened[:990])
    ]
    verdicts = advance(requests, actor=cast("operator"), at=START)
    expected = {0: "missing", 1: "illegal", 2: "needs", 3: "conflict"}
    assert [v.verdict for v in verdicts] == [expected.get(i % 10, "ok") for i in range(990)]
    assert Case.objects.filter(state__code="accepted").count() == 594
    assert Step.objects.filter(move__code="accept").count() == 594


def test_a_batch_with_an_unknown_code_changes_nothing(cast: Cast) -> None:
    stories = [cast.case("registered"), cast.case("registered")]
    requests = [
        MoveRequest(case=stories[0].id, move="dispatch", unit=UNIT),
        MoveRequest(case=stories[1].id, move="dispatch", unit="NOBODY"),
    ]
    with pytest.raises(Invalid, match="NOBODY"):
        advance(requests, actor=cast("dispatcher"), at=START)
    assert {story.state for story in stories} == {"registered"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"note": "x" * 5001}, "note"),
        ({"note": "a\x00"}, "note"),
        ({"note": "\ud800"}, "note"),
        ({"until": NAIVE}, "until"),
        ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "until"),
        ({"severity": 5}, "Severity"),
        ({"lon": 120.0}, "lon"),
        ({"place_text": "\x00"}, "place_text"),
        ({"place_text": "x" * 501}, "place_text"),
        ({"unit": "?"}, "department"),
        ({"type": "?"}, "case type"),
        ({"division": "?"}, "division"),
        ({"lon": 220.0, "lat": 0.0}, "220"),
    ],
)
def test_what_cannot_be_a_move_is_refused_by_name(cast: Cast, fields: dict[str, Any], field: str) -> None:
    story = cast.case()
    with pytest.raises(Invalid, match=field) as refused:
        story.move("operator", "note", **({"note": "有话"} | fields))
    assert refused.value.remedy


def test_times_need_a_zone(cast: Cast) -> None:
    story = cast.case()
    with pytest.raises(Invalid, match="zone"):
        advance([MoveRequest(case=story.id, move="accept")], actor=cast("operator"), at=NAIVE)


def test_numbers_go_on_after_the_millionth(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM cases_number")
        [before] = cursor.fetchone()
        cursor.execute("SELECT setval('cases_number', 999998)")
        numbers = [str(cast.report().number).rsplit("-", 1)[1] for _ in range(3)]
        cursor.execute("SELECT setval('cases_number', %s)", [before])  # a rollback would not take it back
    assert numbers == ["999999", "1000000", "1000001"]


def test_waves_keep_order_and_hold_no_key_twice() -> None:
    rows = [1, 2, 1, 3, 2, 2, *range(10, 10 + 2 * CHUNK)]
    cut = list(waves(rows, lambda row: [row]))
    assert [row for wave in cut for row in wave] == rows
    assert all(len(set(wave)) == len(wave) <= CHUNK for wave in cut)


def test_two_cases_are_not_merged_into_each_other(cast: Cast) -> None:
    one, two = cast.case(), cast.case()
    requests = [
        MoveRequest(case=one.id, move="merge", target=two.id),
        MoveRequest(case=two.id, move="merge", target=one.id),
    ]
    verdicts = advance(requests, actor=cast("operator"), at=START)
    assert [(v.verdict, v.detail) for v in verdicts] == [("ok", ""), ("needs", "target")]
    assert two.row.closed_at is None


def test_a_version_that_was_overtaken_is_told(cast: Cast) -> None:
    story = cast.case()
    seen = story.row.version
    story.move("operator", "note", note="有人先动")
    assert story.said("operator", "accept", version=seen) == "conflict"
    assert story.said("operator", "accept", version=seen + 1) == "ok"


def test_times_of_a_replay_are_kept(cast: Cast) -> None:
    stories = [cast.case(), cast.case()]
    times = [START + timedelta(days=1), START + timedelta(days=2)]
    advance([MoveRequest(case=s.id, move="accept") for s in stories], actor=cast("operator"), at=times)
    assert [s.row.moved_at for s in stories] == times
    assert Report.objects.filter(case=stories[0].id).get().received_at == START


@pytest.mark.parametrize("hours", [16, -16, 20])
def test_an_offset_that_the_database_does_not_read_is_refused(hours: int) -> None:
    with pytest.raises(Invalid, match="offset"):
        check_time("until", datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=hours))), "x")
    check_time("until", datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=14))), "x")
