"""Bulk import writes what the living verbs would have written, once, and nothing that cannot have happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from chengshu.cases.advance import advance
from chengshu.cases.importing import import_history
from chengshu.cases.models import Case, CaseText, Clock, Outbox, Report, Step, Task
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.cases.rows import History, PastMove
from chengshu.core.text import serial_term
from tests.cases.histories import START, histories
from tests.cases.town import Town, build

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
ROAD = (
    PastMove(move="assign", at=START + HOUR, unit="U1", role="system"),
    PastMove(move="close", at=START + 30 * HOUR, note="Mended,\tas \\asked\nfor", role="system"),
)
LAMP = History(
    origin="old", origin_key="1", title="A lamp\tis \\out", description="路灯不亮 since\nMonday", opened_at=START,
    type="request", moves=ROAD, place_text="Main street 5", division="A1", payload={"a": "b\\c\td"},
)  # fmt: skip


@pytest.fixture
def town() -> Town:
    return build(kinds=("urban", "request"))


def _rows(model: Any, case: Case, *skipped: str) -> list[dict[str, Any]]:
    names = [
        f.attname for f in model._meta.concrete_fields if f.attname not in {"id", "case_id", "recorded_at", *skipped}
    ]
    order = {Step: "seq", Clock: "started_seq", Task: "opened_seq"}.get(model, "case")
    return list(model.objects.filter(case=case).order_by(order, *(["stage"] if model is Clock else [])).values(*names))


def _terms(case: Case) -> str:
    """Under which words a case is found, without that of its own number."""
    own = serial_term(case.number.rpartition("-")[2])
    terms = str(CaseText.objects.get(case=case).terms)
    assert f"'{own}'" in terms
    return terms.replace(f"'{own}'", "")


@pytest.mark.parametrize("due", [None, START + timedelta(days=2)])
def test_the_rows_are_those_of_report_and_advance(town: Town, due: datetime | None) -> None:
    import_history([replace(LAMP, due_at=due)], city=town.city.pk, actor=town.system)
    new = NewReport(
        origin="new", origin_key="1", title=LAMP.title, description=LAMP.description, occurred_at=START, type="request",
        place_text=LAMP.place_text, division="A1", payload=dict(LAMP.payload), due_at=due, due_given=due is not None,
    )  # fmt: skip
    [opened] = report([new], city=town.city.pk, actor=town.system, at=START)
    for past in ROAD:
        request = MoveRequest(case=opened.case, move=past.move, unit=past.unit, note=past.note)
        [verdict] = advance([request], actor=town.system, at=past.at)
        assert verdict.ok
    imported, living = Case.objects.get(reports__origin="old"), Case.objects.get(pk=opened.case)
    same = [f.attname for f in Case._meta.concrete_fields if f.attname not in {"id", "number"}]
    assert [getattr(imported, name) for name in same] == [getattr(living, name) for name in same]
    for model, skipped in ((Step, []), (Clock, []), (Task, []), (Report, ["origin"])):
        assert _rows(model, imported, *skipped) == _rows(model, living, *skipped), model
    assert _terms(imported) == _terms(living)
    assert imported.number.rpartition("-")[0] == living.number.rpartition("-")[0]


def test_a_second_import_adds_nothing(town: Town) -> None:
    first = import_history(histories(town, 50, seed=1), city=town.city.pk, actor=town.system)
    again = import_history(histories(town, 60, seed=1), city=town.city.pk, actor=town.system)
    assert (first.accepted, first.known, first.quarantined) == (50, 0, ())
    assert (again.accepted, again.known) == (10, 50)
    assert Case.objects.count() == 60
    assert not Outbox.objects.exists()


def test_a_key_twice_in_one_import_is_taken_once(town: Town) -> None:
    result = import_history([LAMP, LAMP], city=town.city.pk, actor=town.system)
    assert (result.accepted, result.known) == (1, 1)


def _moves(*moves: PastMove) -> History:
    return replace(LAMP, moves=moves)


REFUSED = {
    "does not lead on": _moves(ROAD[1]),
    "dated before": _moves(ROAD[0], replace(ROAD[1], at=START)),
    "lacks what it needs: unit": _moves(replace(ROAD[0], unit=None)),
    "lacks what it needs: note": _moves(ROAD[0], replace(ROAD[1], note=" ")),
    "lacks what it needs: rating": _moves(*ROAD, PastMove(move="rate", at=START + 40 * HOUR, facts={"rating": 6})),
    "a role among": _moves(replace(ROAD[0], role="citizen")),
    "No department": _moves(replace(ROAD[0], unit="U9")),
    "No case type": replace(LAMP, type="unheard-of"),
    "No case kind": replace(LAMP, type=None),
    "No division": replace(LAMP, division="X"),
    "lacks a title": replace(LAMP, title=" "),
    "has no zone": replace(LAMP, opened_at=START.replace(tzinfo=None)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_have_happened_is_set_aside(town: Town, reason: str) -> None:
    good = replace(LAMP, origin_key="2")
    result = import_history([REFUSED[reason], good], city=town.city.pk, actor=town.system)
    assert (result.accepted, result.known) == (1, 0)
    [refused] = result.quarantined
    assert (refused.origin, refused.origin_key) == ("old", "1")
    assert reason in refused.reason
    assert refused.remedy


def test_whoever_handled_does_not_verify_in_the_past_either(town: Town) -> None:
    names = ("accept", "register", "dispatch", "receive", "handle", "verify")
    moves = tuple(
        PastMove(move=name, at=START + i * HOUR, note="done so", unit="U1" if name == "dispatch" else None,
                 account=town.people["handler-U1"].account if name in ("handle", "verify") else None)
        for i, name in enumerate(names, 1)
    )  # fmt: skip
    result = import_history([replace(LAMP, type="urban", moves=moves)], city=town.city.pk, actor=town.system)
    assert "another person" in result.quarantined[0].reason


def test_the_guards_of_the_tables_stay_on(town: Town) -> None:
    import_history([LAMP], city=town.city.pk, actor=town.system)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cases_step SET note = 'changed'")
