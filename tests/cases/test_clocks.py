"""Clocks over suspensions and extensions, and the timer that warns, escalates and wakes, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError
from django.utils import translation

from chengshu.cases import due
from chengshu.cases.check import check_all
from chengshu.cases.detail import detail, explain
from chengshu.cases.due import fire
from chengshu.cases.models import Case, Clock, ClockEvent, Outbox, Step
from tests.cases.people import INCIDENT_TYPE, PHOTO_TYPE, START, UNIT, Cast, Story

MONDAY_17 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 17:00 in Hangzhou, half an hour before the offices close
TUESDAY_9 = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def work_off(now: datetime) -> None:
    while fire(now):
        pass


def names(story: Story) -> list[str]:
    """Events of the case's clocks, in order, as stage/event."""
    rows = ClockEvent.objects.filter(clock__case=story.id).select_related("clock").order_by("at", "event")
    return [f"{row.clock.stage}/{row.event.split('@')[0]}" for row in rows]


def test_working_hours_of_a_suspension_are_given_back(cast: Cast) -> None:
    story = cast.case("handling")  # received at 09:05; four working hours end at 14:34 or so
    before = story.clock("handle").due_at
    assert story.said("dispatcher", "suspend", note="等配件", until=START + timedelta(days=9), at=MONDAY_17) == "ok"
    case = story.row
    assert case.suspended and case.due_at is None and case.state.code == "suspended"
    assert story.said("handler", "resume", at=TUESDAY_9) == "ok"
    clock = story.clock("handle")
    assert clock.paused_at is None
    assert clock.due_at == before + timedelta(hours=1), "17:00–17:30 and 08:30–09:00 were lost"
    assert not story.row.suspended
    assert story.row.due_at == min(
        Clock.objects.filter(case=story.id, stopped_at=None).values_list("due_at", flat=True)
    )


def test_plain_hours_stand_still_too(cast: Cast) -> None:
    story = cast.case("reported", type=INCIDENT_TYPE)
    story.move("dispatcher", "dispatch", unit=UNIT)
    story.move("handler", "receive")
    before = story.clock("handle").due_at
    pause = story.now + timedelta(minutes=1)
    story.move("dispatcher", "suspend", note="等专家", until=pause + timedelta(days=2), at=pause)
    story.move("handler", "resume", at=pause + timedelta(hours=5, minutes=7))
    assert story.clock("handle").due_at == before + timedelta(hours=5, minutes=7)


def test_a_suspended_case_goes_on_when_its_date_comes(cast: Cast) -> None:
    story = cast.case("handling")
    until = START + timedelta(days=3)
    story.move("dispatcher", "suspend", note="等配件", until=until)
    work_off(until - timedelta(seconds=1))
    assert story.state == "suspended" and names(story) == []
    work_off(until + timedelta(hours=5))
    case = story.row
    assert (case.state.code, case.suspended) == ("handling", False)
    last = Step.objects.filter(case=case).select_related("move").latest("seq")
    assert (last.move.code, last.role, last.at) == ("resume", "system", until), "also when the timer came late"
    assert story.clock("handle").due_at > until
    steps = case.seq
    work_off(until + timedelta(hours=5))
    assert story.row.seq == steps


def test_a_rebuilt_case_still_wakes(cast: Cast) -> None:
    story = cast.case("handling")
    until = START + timedelta(days=3)
    story.move("dispatcher", "suspend", note="等配件", until=until)
    assert list(check_all()) == []
    Clock.objects.filter(case=story.id, stopped_at=None).update(next_at=until + timedelta(days=9))
    assert len(list(check_all(rebuild=True))) == 2
    work_off(until)
    assert story.state == "handling"


def test_a_case_resumed_early_is_not_woken_again(cast: Cast) -> None:
    story = cast.case("handling")
    until = START + timedelta(days=3)
    story.move("dispatcher", "suspend", note="等配件", until=until)
    story.move("handler", "resume")
    story.move("handler", "handle", note="好了", proof=True)
    seq = story.row.seq
    work_off(until + timedelta(minutes=1))
    later = Step.objects.filter(case=story.id, seq__gt=seq).values_list("move__code", flat=True)
    assert "resume" not in later


def test_an_extension_moves_only_what_falls_due_before_it(cast: Cast) -> None:
    story = cast.case("handling")
    handle, total = story.clock("handle").due_at, story.clock("total").due_at
    assert handle < total
    between = handle + (total - handle) / 2
    assert story.said("dispatcher", "extend", note="要换管", until=between) == "ok"
    assert story.clock("handle").due_at == between
    assert story.clock("total").due_at == total
    assert story.row.due_at == between
    assert story.row.steps.latest("seq").facts == {"until": between.isoformat().replace("+00:00", "Z")}


def test_an_extension_to_an_earlier_time_is_refused(cast: Cast) -> None:
    story = cast.case("handling")
    present = story.clock("handle").due_at
    assert story.said("dispatcher", "extend", note="要换管", until=present) == "needs:later"
    assert story.said("dispatcher", "extend", note="要换管", until=present - timedelta(minutes=1)) == "needs:later"
    assert story.said("dispatcher", "suspend", note="等配件", until=story.now) == "needs:until"
    assert story.clock("handle").due_at == present
    with translation.override("zh-hans"):
        assert "晚于" in explain("needs", "later")


def test_a_report_without_a_type_has_the_limits_of_its_kind(cast: Cast) -> None:
    story = Story(cast=cast, id=cast.report(type=None, kind="urban").case)
    assert (story.clock("accept").limit, story.row.due_at) == ("1wh", START + timedelta(hours=1))
    story.move("operator", "accept")
    assert story.clock("register").limit == "1wh"
    assert story.said("shift_leader", "register", type=PHOTO_TYPE, proof=True) == "ok"
    assert (story.clock("dispatch").limit, story.clock("total").limit) == ("1wh", "2wd")
    assert [str(each) for each in check_all()] == []


def test_a_suspended_case_without_a_clock_goes_on_too(cast: Cast) -> None:
    story = cast.case("handling")
    Clock.objects.filter(case=story.id).delete()
    until = START + timedelta(days=3)
    assert story.said("dispatcher", "suspend", note="等配件", until=until) == "ok"
    assert due.wake(until - timedelta(seconds=1)) == 0
    assert due.wake(until + timedelta(minutes=9)) == 1
    assert (story.state, story.row.suspended, story.row.moved_at) == ("handling", False, until)
    assert due.wake(until + timedelta(days=1)) == 0


def test_an_ended_case_cannot_be_due(cast: Cast) -> None:
    case = cast.case("closed").row
    with pytest.raises(IntegrityError):
        Case.objects.filter(pk=case.pk).update(due_at=START)


def test_events_of_a_clock_fire_once(cast: Cast) -> None:
    story = cast.case("dispatched")
    clock = story.clock("handle")
    assert clock.warn_at is not None
    work_off(clock.warn_at - timedelta(seconds=1))
    assert names(story) == []
    for _ in range(3):
        work_off(clock.warn_at)
    assert names(story) == ["handle/warn"]
    for _ in range(3):
        work_off(clock.due_at)
    assert names(story) == ["handle/warn", "handle/due", "handle/escalate:1"]
    work_off(clock.due_at + timedelta(minutes=30))
    assert story.row.escalation == 2
    work_off(clock.due_at + timedelta(days=30))
    assert [n for n in names(story) if n.startswith("handle/")] == [
        "handle/warn",
        "handle/due",
        "handle/escalate:1",
        "handle/escalate:2",
        "handle/escalate:3",
        "handle/escalate:4",
    ]
    assert story.row.escalation == 4
    assert story.clock("handle").next_at is None
    keys = list(ClockEvent.objects.filter(clock__case=story.id).values_list("clock", "event"))
    assert len(keys) == len(set(keys))
    assert Outbox.objects.filter(case=story.id, topic="clock").count() == len(keys)


def test_nothing_fires_while_suspended(cast: Cast) -> None:
    story = cast.case("handling")
    story.move("dispatcher", "suspend", note="等配件", until=START + timedelta(days=100))
    work_off(START + timedelta(days=99))
    assert names(story) == []


def test_nothing_fires_for_a_clock_that_was_stopped_in_time(cast: Cast) -> None:
    story = cast.case("closed")
    work_off(START + timedelta(days=99))
    assert names(story) == []


def test_a_warning_comes_again_after_an_extension(cast: Cast) -> None:
    story = cast.case("handling")
    first = story.clock("handle").due_at
    work_off(first)
    until = first + timedelta(days=5)
    story.move("dispatcher", "extend", note="要换管", until=until, at=first + timedelta(minutes=5))
    work_off(until)
    own = [n for n in names(story) if n.startswith("handle/")]
    assert own == ["handle/warn", "handle/due", "handle/escalate:1", "handle/warn", "handle/due", "handle/escalate:1"]


def test_an_escalation_is_a_step_of_the_story(cast: Cast) -> None:
    story = cast.case("dispatched")
    due = story.clock("handle").due_at
    work_off(due)
    step = Step.objects.filter(case=story.id).select_related("move").latest("seq")
    assert (step.move.code, step.role, step.facts["level"]) == ("escalate", "system", 1)
    assert step.note


def test_an_escalation_is_told_once_with_its_stage(cast: Cast) -> None:
    story = cast.case("dispatched")
    work_off(story.clock("handle").due_at)
    lines = detail(cast("dispatcher"), story.id).timeline
    steps = [line for line in lines if line.kind == "step" and line.what.move.code == "escalate"]
    clocks = [line.what.event.partition("@")[0] for line in lines if line.kind == "clock"]
    assert [(line.cause.event.partition("@")[0], line.cause.clock.stage) for line in steps if line.cause] == [
        ("escalate:1", "handle")
    ]
    assert len(steps) == 1
    assert clocks == ["warn", "due"], "and not the escalation again"


def test_one_batch_after_the_other(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chengshu.cases.due.BATCH", 3)
    stories = [cast.case("reported") for _ in range(4)]
    last = max(story.clock("accept").due_at for story in stories)
    assert fire(last) == 3
    work_off(last)
    assert all("accept/due" in names(story) for story in stories)
