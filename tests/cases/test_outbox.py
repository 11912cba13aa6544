"""What follows a change: notices to those concerned, once, and a tracker for urgent cases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chengshu.cases.due import fire
from chengshu.cases.models import Case, Outbox
from chengshu.cases.outbox import drain
from chengshu.parties.models import Account, Notice, Post
from tests.cases.people import HELPER, INCIDENT_TYPE, UNIT, WEST, Cast, Story


def work_off() -> None:
    while drain():
        pass


def kinds(story: Story, account: int | None) -> list[str]:
    return list(Notice.objects.filter(account=account, case=story.id).order_by("pk").values_list("kind", flat=True))


def test_those_concerned_are_told(cast: Cast) -> None:
    handler, helper, citizen = cast("handler"), cast("handler", division=WEST, unit=HELPER), cast("citizen")
    story = cast.case("dispatched")
    work_off()
    assert kinds(story, handler.account) == ["dispatch"]
    story.move("dispatcher", "split", unit=HELPER)
    story.move("citizen", "urge")
    work_off()
    assert kinds(story, handler.account) == ["dispatch", "split", "urge"]
    assert kinds(story, helper.account) == ["split", "urge"]
    assert kinds(story, citizen.account) == []


def test_the_reporter_hears_once_that_it_is_over(cast: Cast) -> None:
    story = cast.case("closed")
    story.move("citizen", "rate", rating=4)
    work_off()
    assert kinds(story, cast("citizen").account) == ["closed"]


@pytest.mark.parametrize(("move", "fields"), [("reject", {"note": "不属实"}), ("withdraw", {})])
def test_every_end_is_told(cast: Cast, move: str, fields: dict[str, str]) -> None:
    story = cast.case("accepted")
    story.move("operator" if move == "reject" else "citizen", move, **fields)
    work_off()
    assert kinds(story, cast("citizen").account) == ["closed"]


def test_the_outbox_is_worked_off_once(cast: Cast) -> None:
    story = cast.case("dispatched")
    assert Outbox.objects.filter(case=story.id).count() == 4
    work_off()
    told = Notice.objects.count()
    assert not Outbox.objects.filter(case=story.id).exists()
    assert drain() == 0
    assert Notice.objects.count() == told


def test_a_row_of_a_case_that_is_gone_harms_nobody(cast: Cast) -> None:
    story = cast.case()
    Outbox.objects.create(
        topic="step", case="00000000-0000-7000-8000-000000000000", facts={"move": "x", "seq": 1}, at=story.now
    )
    work_off()
    assert Outbox.objects.count() == 0


def test_an_urgent_case_gets_a_tracker_from_the_first_minute(cast: Cast) -> None:
    leader = cast("shift_leader", division=WEST)
    story = cast.case("reported", type=INCIDENT_TYPE)
    work_off()
    assert story.row.tracker_id == leader.account, "the one of the district, not of the city"
    assert kinds(story, leader.account) == ["track"]
    assert list(story.row.steps.values_list("move__code", flat=True)) == ["open", "track"]
    story.move("operator", "accept")
    work_off()
    assert story.row.seq == 3, "named once"


def test_a_case_that_is_not_urgent_has_no_tracker(cast: Cast) -> None:
    cast("shift_leader", division=WEST)
    story = cast.case("accepted")
    work_off()
    assert story.row.tracker_id is None


def test_escalations_climb(cast: Cast) -> None:
    handler, dispatcher, supervisor = cast("handler"), cast("dispatcher", division=WEST), cast("supervisor")
    stranger = cast("dispatcher", division="330109")
    story = cast.case("dispatched")
    due = story.clock("handle").due_at
    fire(due + timedelta(minutes=31))
    work_off()
    assert "escalated" in kinds(story, handler.account)
    assert kinds(story, dispatcher.account) == ["escalated"]
    assert kinds(story, supervisor.account) == kinds(story, stranger.account) == []
    fire(due + timedelta(days=2))
    work_off()
    assert kinds(story, supervisor.account) == ["escalated"]


def test_a_closed_account_and_a_post_of_the_past_are_not_told(cast: Cast) -> None:
    handler = cast("handler")
    gone, past = (
        cast("handler", division=WEST, unit=UNIT, name="gone"),
        cast("handler", division=WEST, unit=UNIT, name="past"),
    )
    Account.objects.filter(pk=gone.account).update(is_active=False)
    Post.objects.filter(pk=past.post).update(valid_to="2020-01-01")
    story = cast.case("dispatched")
    work_off()
    assert kinds(story, gone.account) == kinds(story, past.account) == []
    assert kinds(story, handler.account) == ["dispatch"]


def test_who_is_told_stands_in_the_notice(cast: Cast) -> None:
    handler = cast("handler")
    story = cast.case("dispatched")
    work_off()
    notice = Notice.objects.get(account=handler.account, case=story.id)
    assert notice.params["number"] == Case.objects.get(pk=story.id).number
    assert notice.params["move"] == "dispatch"
