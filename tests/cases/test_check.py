"""`chengshu check` agrees with both writers, finds what was tampered with, and mends it from the steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from django.db import connection

from chengshu.cases import check, evidence
from chengshu.cases.advance import advance
from chengshu.cases.check import check_all, damaged, main, waiting
from chengshu.cases.importing import import_history
from chengshu.cases.models import Case, Clock, Evidence, Task
from chengshu.cases.projection import Difference, Rules, differences
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.core.ids import new_id
from chengshu.parties.models import Audit
from tests.cases.histories import START, histories
from tests.cases.town import Town, build

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> Town:
    made = build()
    import_history(histories(made, 60, seed=3), city=made.city.pk, actor=made.system)
    return made


def _found() -> list[str]:
    return [str(each) for each in check_all()]


def test_nothing_differs_after_an_import(town: Town) -> None:
    assert _found() == []


def _act(town: Town, who: str, case: Any, move: str, hours: float, **more: Any) -> None:
    request = MoveRequest(case=case, move=move, note="because so", **more)
    [verdict] = advance([request], actor=town.people[who], at=START + timedelta(hours=hours))
    assert verdict.ok, (move, verdict)


def _proof(town: Town, who: str) -> tuple[Any]:
    made = Evidence.objects.create(
        id=new_id(), digest="0" * 64, media_type="image/png", size=1, account_id=town.people[who].account, at=START
    )
    return (made.pk,)


def _through(town: Town) -> Any:
    """One case through nearly everything that can happen to it."""
    new = NewReport(
        origin="test", origin_key="x", title="A lamp is out", occurred_at=START, type="urban-plain", lon=120.0, lat=30.0
    )
    [verdict] = report([new], city=town.city.pk, actor=town.people["operator"], at=START)
    case = verdict.case
    day = 24
    _act(town, "operator", case, "accept", 1)
    _act(town, "shift_leader", case, "register", 2)
    _act(town, "dispatcher", case, "dispatch", 3, unit="U1")
    _act(town, "handler-U1", case, "return", 4)
    _act(town, "dispatcher", case, "dispatch", 5, unit="U2")
    _act(town, "supervisor", case, "supervise", 6)
    _act(town, "dispatcher", case, "redispatch", 7, unit="U1")
    _act(town, "handler-U1", case, "receive", 8)
    _act(town, "shift_leader", case, "track", 8.5, tracker=town.people["supervisor"].account)
    _act(town, "dispatcher", case, "split", 9, unit="U2")
    _act(town, "dispatcher", case, "extend", 9.5, until=START + timedelta(days=12))
    _act(town, "dispatcher", case, "suspend", 10, until=START + timedelta(days=9))
    _act(town, "dispatcher", case, "resume", 6 * day)
    _act(town, "handler-U2", case, "task_done", 6 * day + 1)
    _act(town, "handler-U1", case, "handle", 6 * day + 2, evidence=_proof(town, "handler-U1"))
    _act(town, "verifier", case, "rework", 6 * day + 3)
    _act(town, "handler-U1", case, "handle", 6 * day + 4, evidence=_proof(town, "handler-U1"))
    _act(town, "verifier", case, "verify", 6 * day + 5)
    _act(town, "shift_leader", case, "close", 6 * day + 6)
    _act(town, "shift_leader", case, "reopen", 6 * day + 7)
    _act(town, "dispatcher", case, "dispatch", 6 * day + 8, unit="U2")
    return case


def test_nothing_differs_after_the_living_verbs(town: Town) -> None:
    case = Case.objects.get(pk=_through(town))
    assert (case.returns, case.reworks, case.reopens, case.seq) == (1, 1, 1, 22)
    assert _found() == []


TAMPERED: dict[str, str] = {
    "state": "UPDATE cases_case SET state_id = (SELECT id FROM cases_state WHERE code = 'rated' LIMIT 1) WHERE id = %s",
    "closed": "UPDATE cases_case SET closed_at = now(), due_at = NULL WHERE id = %s",
    "counters": "UPDATE cases_case SET returns = 9, urges = 7 WHERE id = %s",
    "unit": "UPDATE cases_case SET unit_id = NULL WHERE id = %s",
    "due": "UPDATE cases_case SET due_at = due_at + interval '1 day' WHERE id = %s",
    "places": "UPDATE cases_case SET places = '{}' WHERE id = %s",
    "version": "UPDATE cases_case SET version = 1 WHERE id = %s",
    "clock due": "UPDATE cases_clock SET due_at = due_at + interval '1 hour' WHERE case_id = %s AND stage = 'handle'",
    "clock stopped": "UPDATE cases_clock SET stopped_at = now(), stopped_seq = 2 WHERE case_id = %s AND stopped_at IS NULL",
    "clock missing": "DELETE FROM cases_clock WHERE case_id = %s AND stopped_at IS NULL",
    "clock restarted": "UPDATE cases_clock SET stopped_at = NULL, stopped_seq = NULL WHERE case_id = %s AND stage = 'accept'",
    "task ended": "UPDATE cases_task SET state = 'done' WHERE case_id = %s AND state = 'open'",
    "task missing": "DELETE FROM cases_task WHERE case_id = %s AND NOT lead",
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_found_and_mended(town: Town, name: str) -> None:
    case = _through(town)
    with connection.cursor() as cursor:
        cursor.execute(TAMPERED[name], [case])
        assert cursor.rowcount
    number = Case.objects.get(pk=case).number
    found = _found()
    assert found
    assert all(line.startswith(number) for line in found)
    assert [str(each) for each in check_all(rebuild=True)] == found
    assert _found() == []
    assert [row.facts["case"] for row in Audit.objects.filter(action="case.rebuild")] == [number]


def test_a_stranger_among_the_tasks_and_clocks_is_removed(town: Town) -> None:
    case = Case.objects.get(pk=_through(town))
    Task.objects.create(case=case, unit=town.units["C"], lead=False, state="done", opened_seq=3, opened_at=START)
    Clock.objects.create(
        case=case, stage="verify", limit="1h", started_seq=2, started_at=START, due_at=START, stopped_at=START
    )
    assert len(_found()) == 2
    list(check_all(rebuild=True))
    assert _found() == []


def _ends_with(code: int, **options: bool) -> None:
    if code == 0:
        main(**options)
        return
    with pytest.raises(typer.Exit) as stopped:
        main(**options)
    assert stopped.value.exit_code == code


def test_the_command_tells_scripts_how_it_went(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    _ends_with(0)
    assert "60" in capsys.readouterr().out
    chosen = Case.objects.order_by("pk")[0]
    Case.objects.filter(pk=chosen.pk).update(urges=40)
    _ends_with(1)
    assert chosen.number in capsys.readouterr().err
    with pytest.raises(typer.Exit) as stopped:
        main(rebuild=True)
    assert stopped.value.exit_code == 0
    _ends_with(0)


def test_what_moves_while_it_is_looked_at_is_no_difference(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _through(town)

    def late(rules: Rules, cases: Any) -> list[Difference]:
        monkeypatch.setattr(check, "differences", differences)
        number = Case.objects.get(pk=case).number
        return [Difference(case=case, number=number, what="seq", stored=2, told=3)]

    monkeypatch.setattr(check, "differences", late)
    assert _found() == []


def test_what_waits_for_the_worker_is_told(town: Town) -> None:
    _through(town)
    behind = waiting(datetime.now(UTC))
    assert behind.outbox > 20
    late = Clock.objects.filter(
        stopped_at=None, paused_at=None, due_at__lt=datetime.now(UTC) - timedelta(hours=1)
    ).count()
    assert behind.unfired == late > 0


def _digests(found: Iterable[Any]) -> list[str]:
    return [each.stored for each in found]


def test_damaged_evidence_is_found(town: Town) -> None:
    _through(town)
    assert _digests(damaged()) == ["no file", "no file"]
    path = evidence.path_of("0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"something else")
    assert all(len(digest) == 64 for digest in _digests(damaged()))
