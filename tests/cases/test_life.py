"""The whole life of a case of each kind, and every guard on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chengshu.cases.models import Case, Evidence, Step
from chengshu.core.errors import NotAllowed
from chengshu.parties.models import Post
from tests.cases.people import APPEAL_TYPE, CENTRE, EAST, HELPER, INCIDENT_TYPE, START, UNIT, WEST, Cast


def test_an_urban_case_goes_through_many_hands(cast: Cast) -> None:
    story = cast.case("closed")
    assert story.said("citizen", "rate", rating=5) == "ok"
    case = story.row
    assert (case.state.code, case.rating, case.seq, case.version) == ("rated", 5, 9, 9)
    assert case.unit is not None and case.unit.code == UNIT
    assert case.closed_at is not None and case.due_at is None
    steps = list(Step.objects.filter(case=case).order_by("seq").values_list("move__code", "role"))
    assert steps == [
        ("open", "citizen"),
        ("accept", "operator"),
        ("register", "shift_leader"),
        ("dispatch", "dispatcher"),
        ("receive", "handler"),
        ("handle", "handler"),
        ("verify", "verifier"),
        ("close", "shift_leader"),
        ("rate", "citizen"),
    ]
    stopped = dict(case.clocks.values_list("stage", "stopped_at"))
    assert set(stopped) == {"accept", "register", "dispatch", "handle", "verify", "close", "total"}
    assert all(stopped.values())
    assert story.tasks() == [(UNIT, True, "done")]


def test_an_appeal_can_be_answered_at_once(cast: Cast) -> None:
    story = cast.case("accepted", type=APPEAL_TYPE)
    assert story.said("operator", "answer") == "needs:note"
    assert story.said("operator", "answer", note="已解释政策") == "ok"
    assert story.row.closed_at is not None


def test_an_incident_may_be_dispatched_before_the_paper(cast: Cast) -> None:
    story = cast.case("reported", type=INCIDENT_TYPE, place_text="文三路")
    assert story.said("dispatcher", "dispatch", unit=UNIT) == "ok"
    running = set(story.row.clocks.filter(stopped_at=None).values_list("stage", flat=True))
    assert running == {"handle", "total"}
    assert story.clock("handle").limit == "4h"
    assert story.said("shift_leader", "stand_down", note="误报") == "ok"
    assert story.tasks() == [(UNIT, True, "cancelled")]


@pytest.mark.parametrize(
    ("state", "who", "move", "fields", "lacking"),
    [
        ("reported", "operator", "reject", {}, "note"),
        ("reported", "operator", "reject", {"note": " x "}, "note"),
        ("reported", "grid_worker", "inspect", {"note": "已看"}, "evidence"),
        ("accepted", "shift_leader", "register", {}, "type_evidence"),
        ("dispatched", "dispatcher", "redispatch", {"unit": HELPER}, "note"),
        ("dispatched", "dispatcher", "split", {}, "unit"),
        ("dispatched", "handler", "return", {}, "note"),
        ("handling", "handler", "handle", {"note": "好了"}, "evidence"),
        ("handling", "handler", "task_done", {"note": "好了"}, "task"),
        ("handling", "dispatcher", "suspend", {"note": "等配件"}, "until"),
        ("handling", "dispatcher", "suspend", {"note": "等配件", "until": START}, "until"),
        ("handling", "dispatcher", "extend", {"note": "等配件"}, "until"),
        ("closed", "citizen", "rate", {}, "rating"),
        ("closed", "citizen", "rate", {"rating": 6}, "rating"),
        ("closed", "citizen", "rate", {"rating": 0}, "rating"),
        ("closed", "citizen", "reopen", {}, "note"),
        ("reported", "shift_leader", "track", {}, "tracker"),
        ("reported", "shift_leader", "track", {"tracker": 2**40}, "tracker"),
        ("reported", "operator", "merge", {}, "target"),
    ],
)
def test_a_move_says_what_it_needs(
    cast: Cast, state: str, who: str, move: str, fields: dict[str, object], lacking: str
) -> None:
    story = cast.case(state)
    before = story.row.version
    assert story.said(who, move, **fields) == f"needs:{lacking}"
    assert story.row.version == before


def test_a_case_without_a_type_cannot_be_registered(cast: Cast) -> None:
    story = cast.case("accepted", type=None, kind="urban")
    assert story.said("shift_leader", "register", proof=True) == "needs:type"
    assert story.said("shift_leader", "register", proof=True, type=APPEAL_TYPE) == "needs:type"
    assert story.said("shift_leader", "register", proof=True, type="env.exposed_rubbish") == "ok"
    case = story.row
    assert case.type is not None and case.type.code == "env.exposed_rubbish"
    assert story.clock("total").stopped_at is None, "the whole case is timed as soon as its type is known"


def test_a_citizen_is_no_tracker(cast: Cast) -> None:
    story = cast.case()
    assert story.said("shift_leader", "track", tracker=cast("citizen").account) == "needs:tracker"
    assert story.said("shift_leader", "track", tracker=cast("supervisor").account) == "ok"
    assert story.row.tracker_id == cast("supervisor").account


def test_a_tracker_holds_a_post_that_day_by_the_citys_clock(cast: Cast) -> None:
    tracker, story = cast("verifier"), cast.case()
    post = Post.objects.filter(pk=tracker.post)
    wanted: dict[str, Any] = {"tracker": tracker.account}
    late = START.replace(hour=16, minute=30)  # half past midnight in Hangzhou, of the day after
    today, after = START.date(), START.date() + timedelta(days=1)
    for more, at, said in (
        ({"valid_from": None, "valid_to": today}, START, "needs:tracker"),
        ({"valid_from": after, "valid_to": None}, START, "needs:tracker"),
        ({"valid_from": today, "valid_to": after}, late, "needs:tracker"),
        ({"valid_from": today, "valid_to": after}, START, "ok"),
        ({"valid_from": after, "valid_to": None}, late, "ok"),
    ):
        post.update(**more)
        assert story.said("shift_leader", "track", at=at, **wanted) == said, more


def test_what_came_with_a_later_report_is_no_step_and_proves_none(cast: Cast) -> None:
    story, handler = cast.case("handling"), cast("handler")
    sent = cast.proof(handler)
    cast.report(handler, joins=story.id, evidence=(sent,))
    kept = Evidence.objects.get(pk=sent)
    assert (kept.case_id, kept.seq) == (story.id, None)
    assert story.said("handler", "handle", note="已清理", evidence=(sent,)) == "needs:evidence"
    assert story.said("handler", "handle", note="已清理", proof=True) == "ok"


def test_a_file_proves_one_thing_once(cast: Cast) -> None:
    story = cast.case("handling")
    handler = cast("handler")
    used = cast.proof(handler)
    assert story.said(handler, "attach", evidence=(used,)) == "ok"
    assert story.said(handler, "handle", note="已清理", evidence=(used,)) == "needs:evidence"
    foreign = cast.proof(cast("dispatcher"))
    assert story.said(handler, "handle", note="已清理", evidence=(foreign,)) == "needs:evidence"
    assert story.said(handler, "handle", note="已清理", evidence=(story.id,)) == "needs:evidence"
    assert story.said(handler, "handle", note="已清理", proof=True) == "ok"
    assert Evidence.objects.get(pk=used).seq == 6
    assert Evidence.objects.get(pk=foreign).case_id is None


def test_illegal_moves_are_refused_in_every_state(cast: Cast) -> None:
    story = cast.case("accepted")
    for move in ("accept", "dispatch", "receive", "handle", "verify", "close", "rate", "resume", "nonsense"):
        assert story.said("shift_leader", move) == "illegal"


def test_only_the_roles_of_a_move_make_it(cast: Cast) -> None:
    story = cast.case("accepted")
    for role in ("operator", "dispatcher", "verifier", "supervisor", "leader", "citizen", "grid_worker"):
        assert story.said(role, "register", proof=True) == "forbidden"


def test_who_may_not_see_a_case_learns_nothing_of_it(cast: Cast) -> None:
    story = cast.case("registered")
    others = [
        cast("dispatcher", division=EAST),
        cast("handler"),
        cast("citizen", name="other"),
        cast("administrator"),
        cast("steward"),
    ]
    for other in others:
        for move in ("dispatch", "note", "urge", "attach", "nonsense"):
            assert story.said(other, move, note="不该", proof=True) == "missing", (other.role, move)
    assert story.said(cast("dispatcher", division=WEST), "dispatch") == "ok"


def test_a_case_of_nobody_is_not_everybodys(cast: Cast) -> None:
    story = cast.case(who=cast.system, type=None, kind="urban")
    assert story.row.reporter_id is None
    assert story.said("citizen", "urge") == "missing"
    assert story.said("citizen", "withdraw") == "missing"
    assert story.said("handler", "note", note="不该") == "missing"


def test_whoever_handled_does_not_judge(cast: Cast) -> None:
    story = cast.case("handled")
    handler = cast("handler")
    verifier, leader = cast.second(handler, "verifier"), cast.second(handler, "shift_leader")
    for who, move in ((verifier, "verify"), (verifier, "rework"), (leader, "rework")):
        assert story.said(who, move, note="自查") == "separation"
    assert story.said("verifier", "verify", note="已看") == "ok"
    assert story.said(leader, "close") == "separation"


def test_whoever_reported_does_not_register(cast: Cast) -> None:
    leader = cast("shift_leader")
    story = cast.case("accepted", who=leader)
    assert story.said(leader, "register", proof=True) == "separation"
    assert story.said(cast("shift_leader", name="other"), "register", proof=True) == "ok"


def test_a_grid_worker_settles_a_small_thing_and_another_verifies(cast: Cast) -> None:
    worker = cast("grid_worker")
    story = cast.case(who=worker)
    assert story.said(worker, "self_handle", note="已捡走", proof=True) == "ok"
    assert story.said(cast.second(worker, "verifier"), "verify", note="自查") == "separation"
    assert story.said("verifier", "refuse", note="仍有残留") == "ok"
    assert story.state == "registered"


def test_only_the_lead_unit_brings_the_case_on(cast: Cast) -> None:
    story = cast.case("handling")
    helper = cast("handler", division=WEST, unit=HELPER)
    assert story.said(helper, "note", note="先看看") == "missing"
    assert story.said("dispatcher", "split", unit=HELPER, note="协助清运") == "ok"
    assert story.said("dispatcher", "split", unit=HELPER) == "needs:other_unit"
    assert story.said("dispatcher", "split", unit=UNIT) == "needs:other_unit"
    assert story.said(helper, "handle", note="我来", proof=True) == "lead"
    assert story.said("handler", "handle", note="好了", proof=True) == "needs:tasks_done"
    assert story.said("handler", "task_done", note="好了") == "needs:task"
    assert story.said(helper, "task_done", note="清运完") == "ok"
    assert story.said("handler", "handle", note="好了", proof=True) == "ok"
    assert story.tasks() == [(UNIT, True, "done"), (HELPER, False, "done")]
    assert story.said(cast.second(helper, "verifier"), "verify", note="自查") == "separation"


def test_a_case_sent_back_twice_stays_with_the_districts_centre(cast: Cast) -> None:
    story = cast.case("dispatched")
    assert story.said("handler", "return", note="不属于本单位") == "ok"
    case = story.row
    assert (case.state.code, case.unit, case.returns) == ("registered", None, 1)
    assert story.said("handler", "note", note="还想说") == "missing", "the unit has no part in it any more"
    assert story.said("dispatcher", "dispatch", unit=UNIT) == "ok"
    second = story.move("handler", "return", note="仍不属于本单位")
    assert (second.verdict, second.detail) == ("ok", "last_resort")
    case = story.row
    assert case.unit is not None
    assert (case.state.code, case.unit.code, case.returns) == ("dispatched", CENTRE, 2)
    assert (second.version, second.seq) == (case.version, case.seq)
    centre = cast("handler", division=WEST, unit=CENTRE)
    assert story.said(centre, "return", note="也不属于我们") == "returns"
    assert story.said(centre, "receive") == "ok"


def test_redispatch_keeps_the_handling_clock(cast: Cast) -> None:
    story = cast.case("dispatched")
    due = story.clock("handle").due_at
    assert story.said("dispatcher", "redispatch", unit=HELPER, note="派错了") == "ok"
    assert story.clock("handle").due_at == due
    assert story.clock("handle").unit_id == story.row.unit_id
    assert story.tasks() == [(UNIT, True, "cancelled"), (HELPER, True, "open")]


def test_rework_goes_back_to_the_unit_that_handled(cast: Cast) -> None:
    story = cast.case("registered")
    story.move("dispatcher", "dispatch", unit=HELPER)
    helper = cast("handler", division=WEST, unit=HELPER)
    story.move(helper, "receive")
    story.move(helper, "handle", note="好了", proof=True)
    assert story.said("verifier", "rework", note="还有垃圾") == "ok"
    case = story.row
    assert case.unit is not None
    assert (case.state.code, case.unit.code, case.reworks) == ("handling", HELPER, 1)
    assert story.tasks() == [(HELPER, True, "done"), (HELPER, True, "open")]
    assert story.said(helper, "handle", note="真好了", proof=True) == "ok"


def test_what_a_move_does_not_ask_for_is_not_taken(cast: Cast) -> None:
    story = cast.case("handling")
    assert (
        story.said(
            "handler", "note", note="自评满分", rating=5, tracker=1, unit=HELPER, until=START + timedelta(days=9)
        )
        == "ok"
    )
    case = story.row
    assert case.rating is None and case.tracker_id is None and case.unit is not None and case.unit.code == UNIT
    assert case.steps.latest("seq").facts == {}
    assert case.steps.latest("seq").unit_id is None


def test_reopening_within_the_window(cast: Cast) -> None:
    story = cast.case("closed")
    closed = story.row.closed_at
    assert closed is not None
    late = closed + timedelta(days=30, seconds=1)
    assert story.said("citizen", "reopen", note="又脏了", at=late) == "needs:window"
    assert story.said("citizen", "reopen", note="又脏了", at=late - timedelta(seconds=1)) == "ok"
    case = story.row
    assert (case.state.code, case.closed_at, case.reopens) == ("registered", None, 1)
    assert story.clock("total").started_at == case.moved_at


def test_merging(cast: Cast) -> None:
    target, twin, other_kind = cast.case("handling"), cast.case("dispatched"), cast.case(type=APPEAL_TYPE)
    assert twin.said("dispatcher", "merge", target=twin.id) == "needs:target"
    assert twin.said("dispatcher", "merge", target=other_kind.id) == "needs:target"
    assert twin.said("dispatcher", "merge", target=target.id) == "ok"
    case = twin.row
    assert (case.state.code, case.merged_into_id) == ("merged", target.id)
    assert twin.tasks() == [(UNIT, True, "cancelled")]
    third = cast.case()
    assert third.said("operator", "merge", target=twin.id) == "needs:target", "an ended case takes nothing in"


def test_urging_supervising_and_tracking_count(cast: Cast) -> None:
    story = cast.case("dispatched")
    assert story.said("citizen", "urge") == "ok"
    assert story.said("supervisor", "supervise") == "needs:note"
    assert story.said("leader", "supervise", note="三日内办结") == "ok"
    assert story.said("shift_leader", "escalate") == "forbidden"
    assert story.row.urges == 2


def test_only_those_who_work_on_it_correct_a_case(cast: Cast) -> None:
    story = cast.case("dispatched")
    for who in ("citizen", "handler", "supervisor"):
        with pytest.raises(NotAllowed, match="severity"):
            story.move(who, "urge", severity=1)
    assert story.said("dispatcher", "note", note="更正地点", division=EAST, severity=2) == "ok"
    case = story.row
    assert (case.division.code, case.severity) == (EAST, 2)
    assert story.said(cast("dispatcher", division=WEST), "note", note="还在吗") == "missing"
    assert story.said(cast("dispatcher", division=EAST), "note", note="归我们了") == "ok"


def test_a_withdrawn_case_is_over(cast: Cast) -> None:
    story = cast.case("accepted")
    assert story.said(cast("citizen", name="other"), "withdraw") == "missing"
    assert story.said("citizen", "withdraw") == "ok"
    assert Case.objects.get(pk=story.id).due_at is None
    assert story.said("citizen", "urge") == "illegal"
