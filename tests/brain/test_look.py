"""look(): findings, state and cases together or not at all, and the same batch never twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction

from chengshu.brain import look as module
from chengshu.brain.loader import examine
from chengshu.brain.look import look
from chengshu.brain.models import SceneState
from chengshu.brain.records import AutoMove, Batch, Knowledge, Loaded, LookResult, ReplayLabel
from chengshu.cases.models import Case, Report, Task
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.places.models import City
from chengshu.scene import Detector, Finding, Seen, Window
from tests.brain.scene_folder import PERIOD, TYPE, frame, scene_in

BEGIN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return examine(scene_in(tmp_path), package="")


def batch(counts: list[int], begin: datetime = BEGIN) -> Batch:
    return Batch(source="doors", frame=frame(counts, begin), start=begin, end=begin + len(counts) * PERIOD)


def see(loaded: Loaded, city: City, what: Batch, **options: object) -> LookResult:
    return look(loaded, what, city=city.pk, at=what.end, knowledge=Knowledge(), **options)  # type: ignore[arg-type]


def state() -> SceneState:
    return SceneState.objects.get(scene="doors")


def test_a_finding_opens_a_case_that_is_dispatched_by_rule(loaded: Loaded, hangzhou: City) -> None:
    result = see(loaded, hangzhou, batch([5, 30]))
    [verdict] = result.verdicts
    assert verdict.verdict == "opened"
    case = Case.objects.select_related("state", "unit", "division").get(pk=verdict.case)
    assert (case.state.code, case.type and case.type.code) == ("dispatched", TYPE)
    assert case.unit is not None
    assert case.unit.function == "metro"
    assert case.division.code == "330106"
    assert case.key == "hangzhou/a"
    assert [act.move for act in result.acted if act.ok] == ["accept", "dispatch"]
    steps = case.steps.select_related("move").order_by("seq")
    assert [(step.move.code, step.role) for step in steps] == [
        (code, "system") for code in ("open", "accept", "dispatch")
    ]
    report = Report.objects.get(case=case)
    assert report.payload == {"key": "a", "count": 30}


def test_the_same_batch_again_finds_nothing_new(loaded: Loaded, hangzhou: City) -> None:
    see(loaded, hangzhou, batch([30, 5, 30]))
    before = state()
    again = see(loaded, hangzhou, batch([30, 5, 30]))
    assert again == LookResult(skipped=("full",))
    assert Report.objects.filter(origin="scene:doors").count() == 2
    assert (state().state, state().seen_until) == (before.state, before.seen_until)


def test_what_was_seen_of_a_longer_batch_is_left_out(loaded: Loaded, hangzhou: City) -> None:
    see(loaded, hangzhou, batch([30, 5]))
    longer = see(loaded, hangzhou, batch([30, 5, 40]))
    assert [finding.facts["count"] for finding in longer.findings] == [40]
    assert [verdict.verdict for verdict in longer.verdicts] == ["joined"]
    assert state().state == {"slots": 3}
    assert state().seen_until == BEGIN + 3 * PERIOD


def test_a_lost_state_gives_the_same_findings_which_are_known(loaded: Loaded, hangzhou: City) -> None:
    first = see(loaded, hangzhou, batch([30, 5, 30]))
    SceneState.objects.filter(scene="doors").delete()
    second = see(loaded, hangzhou, batch([30, 5, 30]))
    assert second.findings == first.findings
    assert [verdict.verdict for verdict in second.verdicts] == ["known", "known"]
    assert Case.objects.filter(scene="doors").count() == 1


def test_all_or_nothing(loaded: Loaded, hangzhou: City, monkeypatch: pytest.MonkeyPatch) -> None:
    see(loaded, hangzhou, batch([5]))

    def die(*_args: object, **_named: object) -> None:
        raise RuntimeError("killed after the cases were written")

    with monkeypatch.context() as broken, pytest.raises(RuntimeError), transaction.atomic():
        broken.setattr(module, "act", die)
        see(loaded, hangzhou, batch([30], BEGIN + PERIOD))
    assert not Case.objects.filter(scene="doors").exists()
    assert state().seen_until == BEGIN + PERIOD
    assert see(loaded, hangzhou, batch([30], BEGIN + PERIOD)).opened == 1


def test_streams_and_cities_do_not_share_cases_or_states(loaded: Loaded, hangzhou: City) -> None:
    see(loaded, hangzhou, batch([30]))
    see(loaded, hangzhou, batch([30]), stream="live-1")
    assert set(Case.objects.filter(scene="doors").values_list("key", flat=True)) == {"hangzhou/a", "hangzhou/live-1/a"}
    assert SceneState.objects.filter(scene="doors").count() == 2


def test_a_replay_says_so_and_occurs_now(loaded: Loaded, hangzhou: City) -> None:
    now = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
    label = ReplayLabel(mark="[R] ", sentence="long ago")
    options = {"city": hangzhou.pk, "knowledge": Knowledge(), "stream": "live-1", "replay_of": label}
    [finding] = look(loaded, batch([30]), at=now, **options).findings  # type: ignore[arg-type]
    assert finding.title.startswith("[R] ")
    assert finding.description.endswith("long ago")
    assert finding.occurred_at == now
    assert finding.facts["true_time"] == (BEGIN + PERIOD).isoformat()
    report = Report.objects.get(origin="scene:doors")
    assert report.occurred_at == now
    assert report.origin_key.endswith((BEGIN + PERIOD).isoformat())


def test_a_refused_move_leaves_the_case_to_a_person(loaded: Loaded, hangzhou: City) -> None:
    chain = (
        AutoMove(move="accept"),
        AutoMove(move="close"),
        AutoMove(move="verify"),
        AutoMove(move="dispatch", unit="rule"),
    )
    result = see(replace(loaded, moves={TYPE: chain}), hangzhou, batch([30]))
    assert [(act.move, act.verdict) for act in result.acted] == [
        ("accept", "ok"),
        ("close", "illegal"),  # passed over: it does not fit the state
        ("verify", "illegal"),
        ("dispatch", "ok"),
    ]
    forbidden = replace(loaded, moves={TYPE: (AutoMove(move="reject"), AutoMove(move="accept"))})
    result = see(forbidden, hangzhou, batch([30], BEGIN + timedelta(days=1)), stream="other")
    assert [(act.move, act.verdict) for act in result.acted] == [("reject", "forbidden")]
    assert Case.objects.get(key="hangzhou/other/a").state.code == "reported"


def test_a_unit_that_nobody_is_does_not_undo_the_report(loaded: Loaded, hangzhou: City) -> None:
    chain = (AutoMove(move="dispatch", unit={"function": "nobody"}), AutoMove(move="accept"))
    result = see(replace(loaded, moves={TYPE: chain}), hangzhou, batch([30]))
    assert [(act.move, act.verdict) for act in result.acted] == [("dispatch", "needs")]
    assert Case.objects.filter(scene="doors").count() == 1
    assert not Task.objects.filter(case__scene="doors").exists()


def test_an_undeclared_type_is_refused_whole(loaded: Loaded, hangzhou: City) -> None:
    other = Detector(
        name="full", source="doors", types=("crowd.station.alarm",), detect=loaded.scene.detectors[0].detect
    )
    with pytest.raises(Invalid, match="does not declare"), transaction.atomic():
        see(replace(loaded, scene=replace(loaded.scene, detectors=(other,))), hangzhou, batch([30]))
    assert not SceneState.objects.filter(scene="doors").exists()


def test_parameters_are_those_of_the_day(loaded: Loaded, hangzhou: City) -> None:
    early = datetime(2019, 6, 3, 1, 0, tzinfo=UTC)
    assert see(loaded, hangzhou, batch([15], early)).opened == 1  # the limit was 10 then
    assert see(loaded, hangzhou, batch([15])).opened == 0  # and is 20 now


def test_times_without_a_zone_are_refused(loaded: Loaded, hangzhou: City) -> None:
    with pytest.raises(Invalid, match="time zone"):
        look(loaded, batch([1]), city=hangzhou.pk, at=datetime(2026, 1, 1), knowledge=Knowledge())  # noqa: DTZ001
    with pytest.raises(ChengshuError):
        Batch(source="doors", frame=frame([1]), start=BEGIN, end=BEGIN)


def test_two_detectors_of_a_source_keep_states_of_their_own(loaded: Loaded, hangzhou: City) -> None:
    def quiet(window: Window) -> Seen:
        return Seen(findings=(), state={"quiet": True})

    two = replace(
        loaded.scene,
        detectors=(*loaded.scene.detectors, Detector(name="quiet", source="doors", types=(TYPE,), detect=quiet)),
    )
    see(replace(loaded, scene=two), hangzhou, batch([30]))
    states = dict(SceneState.objects.filter(scene="doors").values_list("detector", "state"))
    assert states == {"full": {"slots": 1}, "quiet": {"quiet": True}}


def test_a_severity_outside_the_scale_is_refused() -> None:
    with pytest.raises(Invalid, match="Severity 5"):
        Finding(scene="x", key="k", type=TYPE, title="t", description="", severity=5, occurred_at=BEGIN)
