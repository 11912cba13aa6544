"""Random legal and illegal walks over the move tables: the case row is always what its steps say."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Min
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.check import check_all
from chengshu.cases.models import Case, Clock, Move, Report, Step, Task
from chengshu.cases.records import MoveRequest
from chengshu.parties.roles import Role
from tests.cases.people import APPEAL_TYPE, CENTRE, EAST, HELPER, INCIDENT_TYPE, PHOTO_TYPE, UNIT, WEST, Cast, Story

UNITS = (UNIT, HELPER, CENTRE, "330106-SZ")
# Odds: moves that end a case early are rare, or no walk would get far.
RARE = frozenset({"reject", "withdraw", "merge", "stand_down", "self_handle", "answer"})


def somebody(cast: Cast, chance: random.Random, move: Move, case: Case) -> Any:
    """A principal who may make the move, or now and then one who may not."""
    role = (
        chance.choice(move.roles)
        if chance.random() < 0.9
        else chance.choice([r.value for r in Role if r is not Role.SYSTEM])
    )
    name = chance.choice(["", "b"]) if role != Role.CITIZEN else ""
    if role == Role.SYSTEM:
        return cast.system
    if role == Role.HANDLER:
        lead = case.unit.code if case.unit else UNIT
        return cast(
            role,
            division=WEST,
            unit=lead if chance.random() < 0.8 and lead in UNITS else chance.choice(UNITS),
            name=name,
        )
    return cast(role, name=name)


def wish(cast: Cast, chance: random.Random, move: Move, story: Story, target: Story, who: Any) -> MoveRequest:
    fields: dict[str, Any] = {"note": "办理情况" if chance.random() < 0.9 else ""}
    needs = set(move.needs)
    if needs & {"evidence", "type_evidence"}:
        fields["evidence"] = (cast.proof(who),)
    if "unit" in needs:
        fields["unit"] = chance.choice([*UNITS, None])
    if "until" in needs:
        fields["until"] = story.now + timedelta(hours=chance.randint(1, 200))
    if "tracker" in needs:
        fields["tracker"] = cast("supervisor").account
    if "target" in needs:
        fields["target"] = target.id
    if "rating" in needs:
        fields["rating"] = chance.randint(0, 6)
    if who.role in (Role.SHIFT_LEADER, Role.DISPATCHER) and chance.random() < 0.1:
        fields |= {"severity": chance.randint(1, 4), "place_text": "更正的地点"}
    if who.role is Role.SYSTEM and move.code == "escalate":
        fields["level"] = chance.randint(1, 4)
    return MoveRequest(case=story.id, move=move.code, **fields)


def walk(cast: Cast, known: Catalog, story: Story, target: Story, chance: random.Random, length: int) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for _ in range(length):
        case = story.row
        ways = known.moves_from(case.kind_id, case.state_id)
        if not ways:
            break
        likely = [w for w in ways if w.code not in RARE or chance.random() < 0.05] or ways
        [move] = chance.choices(likely, [6 if w.from_state_id != w.to_state_id else 1 for w in likely])
        who = somebody(cast, chance, move, case)
        story.now += timedelta(minutes=chance.randint(0, 600))
        [verdict] = advance([wish(cast, chance, move, story, target, who)], actor=who, at=story.now)
        verdicts[verdict.verdict] += 1
        after = story.row
        if verdict.verdict == "ok":
            assert (after.version, after.seq) == (verdict.version, verdict.seq)
        else:
            assert (after.version, after.seq, after.state_id) == (case.version, case.seq, case.state_id)
    return verdicts


def retold(known: Catalog, case: Case) -> dict[str, Any]:
    """The case row told anew from its steps, in plain Python and without a look at the SQL."""
    steps = list(Step.objects.filter(case=case).select_related("move").order_by("seq"))
    told: dict[str, Any] = dict.fromkeys(("unit_id", "tracker_id", "merged_into_id", "rating", "closed_at"))
    told |= dict.fromkeys(("returns", "reworks", "urges", "reopens", "escalation"), 0) | {"suspended": False}
    told |= {name: steps[0].facts[name] for name in ("type_id", "severity", "unit_id", "division_id")}
    for step in steps[1:]:
        retell(known, told, step)
    last = steps[-1]
    return told | {
        "state_id": last.to_state_id,
        "seq": last.seq,
        "moved_at": max(s.at for s in steps),
        "opened_at": steps[0].at,
    }


def retell(known: Catalog, told: dict[str, Any], step: Step) -> None:
    ended = known.states[step.to_state_id].phase in ("done", "dead")
    does, facts = step.move.does, step.facts
    told["reopens"] += told["closed_at"] is not None and not ended
    told["closed_at"] = (told["closed_at"] or step.at) if ended else None
    told["returns"] += "count_return" in does
    told["reworks"] += "count_rework" in does
    told["urges"] += "urge" in does
    if "count_return" in does:
        told["unit_id"] = None
    if "create_task" in does:
        told["unit_id"] = step.unit_id or told["unit_id"]
    if step.move.clocks_pause:
        told["suspended"] = True
    if step.move.clocks_resume or ended:
        told["suspended"] = False
    for name in ("type_id", "severity", "division_id", "rating"):
        told[name] = facts.get(name) or told[name]
    if "track" in does:
        told["tracker_id"] = facts["tracker_id"]
    if "merge" in does:
        told["merged_into_id"] = facts["target"]
    if "escalate" in does:
        told["escalation"] = max(told["escalation"], facts.get("level", 1))


def prove(known: Catalog, case: Case) -> None:
    told = retold(known, case)
    row = {name: getattr(case, name) for name in told}
    row["merged_into_id"] = str(row["merged_into_id"]) if row["merged_into_id"] else None
    assert row == told
    running = Clock.objects.filter(case=case, stopped_at=None)
    assert case.due_at == running.filter(paused_at=None).aggregate(due=Min("due_at"))["due"]
    if case.closed_at is not None:
        assert not running.exists() and not Task.objects.filter(case=case, state="open").exists()
    if case.suspended:
        assert not running.filter(paused_at=None).exists()
    leads = Task.objects.filter(case=case, state="open", lead=True)
    assert leads.count() <= 1
    if known.states[case.state_id].code in ("dispatched", "handling", "suspended"):
        assert [task.unit_id for task in leads] == [case.unit_id]
    judges = Step.objects.filter(case=case, move__code="verify").values_list("account", flat=True)
    handlers = Step.objects.filter(case=case, move__code__in=["receive", "handle", "self_handle", "task_done"])
    for judge in judges:
        judged = Step.objects.filter(case=case, account=judge, move__code="verify").latest("seq").seq
        assert not handlers.filter(account=judge, seq__lt=judged).exists()
    assert case.returns <= 2, "a third return is never granted"


@pytest.mark.parametrize("type", [PHOTO_TYPE, APPEAL_TYPE, INCIDENT_TYPE])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_a_case_is_what_its_steps_say(cast: Cast, type: str, seed: int) -> None:
    chance = random.Random(seed)
    known = catalog(cast.city.pk)
    story, target = cast.case(type=type), cast.case(type=type)
    walk(cast, known, story, target, chance, 40)
    prove(known, story.row)
    prove(known, target.row)
    assert list(check_all()) == [], "`chengshu check` tells the same, clocks and tasks too"


def test_walks_go_far_and_meet_refusals(cast: Cast) -> None:
    """The walks of the test above are worth something: they reach the end of the road and most kinds of refusal."""
    known, seen, met = catalog(cast.city.pk), set(), Counter[str]()
    for seed in range(12):
        story, target = cast.case(), cast.case()
        met += walk(cast, known, story, target, random.Random(seed), 40)
        seen |= {known.states[pk].code for pk in Step.objects.filter(case=story.id).values_list("to_state", flat=True)}
    assert {"handled", "suspended", "registered", "handling"} <= seen
    assert {"ok", "forbidden", "missing", "needs"} <= set(met) and met["ok"] > 100
    assert Report.objects.count() == 24
    assert EAST not in {case.division.code for case in Case.objects.select_related("division")}
