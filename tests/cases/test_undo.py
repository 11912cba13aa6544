"""Taking back the last step: who may, for how long, and that the case is as if it had not been made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chengshu.cases import evidence
from chengshu.cases.advance import UNDO, advance
from chengshu.cases.check import check_all
from chengshu.cases.detail import detail
from chengshu.cases.models import Case, Clock, Step, Task
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.report import report
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from tests.cases.people import picture

Who = Callable[[str], Principal]
AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning there
LATER = timedelta(minutes=2)


@pytest.fixture
def registered(who: Who) -> UUID:
    """A case that is registered and waits for its unit."""
    new = NewReport(
        origin="test",
        origin_key="undo",
        title="文三路暴露垃圾",
        type="env.exposed_rubbish",
        occurred_at=AT,
        division="330106",
        place_text="文三路90号",
    )
    [made] = report([new], city=who("citizen").city, actor=who("citizen"), at=AT)
    for name, move in (("operator", "accept"), ("shift", "register")):
        assert _move(who, name, made.case, move, AT).ok
    return made.case


def _move(who: Who, name: str, case: UUID, move: str, at: datetime) -> Verdict:
    proof = (evidence.store(picture(), account=who(name).account).pk,) if move == "register" else ()
    unit = "330106-CGJ" if move == "dispatch" else None
    [verdict] = advance([MoveRequest(case=case, move=move, unit=unit, evidence=proof)], actor=who(name), at=at)
    return verdict


def _whole(case: UUID) -> dict[str, object]:
    """All that is stored of a case, but what tells how often and when it was touched."""
    row = Case.objects.filter(pk=case).values().get()
    for name in ("version", "seq", "moved_at"):
        row.pop(name)
    clocks = Clock.objects.filter(case=case).order_by("pk").values()
    tasks = Task.objects.filter(case=case, state="open").values("unit", "lead")
    return row | {"clocks": list(clocks), "tasks": list(tasks)}


def test_a_step_taken_back_leaves_the_case_as_it_was(who: Who, registered: UUID) -> None:
    before = _whole(registered)
    assert _move(who, "dispatcher", registered, "dispatch", AT + LATER).ok
    assert _whole(registered) != before
    back = _move(who, "dispatcher", registered, "undo_dispatch", AT + 2 * LATER)
    assert back.ok
    assert _whole(registered) == before
    assert Case.objects.get(pk=registered).version == back.version
    assert [step.move.code for step in Step.objects.filter(case=registered).order_by("seq")][-2:] == [
        "dispatch", "undo_dispatch",
    ]  # fmt: skip


def test_what_follows_counts_as_if_the_slip_had_not_been(who: Who, registered: UUID) -> None:
    for move in ("dispatch", "undo_dispatch", "dispatch"):
        assert _move(who, "dispatcher", registered, move, AT + LATER).ok
    assert _move(who, "handler", registered, "receive", AT + 2 * LATER).ok
    assert not list(check_all())


@pytest.mark.parametrize(
    ("name", "after", "why"),
    [("shift", LATER, "forbidden"), ("dispatcher", UNDO + LATER, "undo"), ("multi", LATER, "undo")],
)
def test_only_the_same_person_and_only_at_once(
    who: Who, registered: UUID, name: str, after: timedelta, why: str
) -> None:
    assert _move(who, "dispatcher", registered, "dispatch", AT).ok
    actor = replace(who(name), role=Role.DISPATCHER) if name == "multi" else who(name)
    [verdict] = advance([MoveRequest(case=registered, move="undo_dispatch")], actor=actor, at=AT + after)
    assert verdict.verdict == why


def test_not_after_somebody_else_acted(who: Who, registered: UUID) -> None:
    assert _move(who, "dispatcher", registered, "dispatch", AT).ok
    note = MoveRequest(case=registered, move="note", note="已电话通知")
    assert advance([note], actor=who("shift"), at=AT + LATER)[0].ok
    assert _move(who, "dispatcher", registered, "undo_dispatch", AT + LATER).verdict == "undo"


def test_it_is_offered_while_it_is_granted_and_never_among_the_refused(who: Who, registered: UUID) -> None:
    assert _move(who, "dispatcher", registered, "dispatch", AT).ok
    number = str(Case.objects.get(pk=registered).number)
    now = detail(who("dispatcher"), number, now=AT + LATER)
    assert now.undo is not None
    assert now.undo.move.code == "undo_dispatch"
    assert now.undo_until == AT + UNDO
    later = detail(who("dispatcher"), number, now=AT + UNDO + LATER)
    assert later.undo is None
    assert not [act for act in (*later.refused, *later.allowed) if act.move.code.startswith("undo")]
