"""Figures equal the lists behind them and an independent count."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from chengshu.cases.catalog import catalog
from chengshu.cases.importing import import_history
from chengshu.cases.models import Case, Clock, Step, Task
from chengshu.core.errors import Invalid, NotAllowed, NotFound
from chengshu.evaluation.measures import MEASURES, Kind, Part, Period, measure, of_kind
from chengshu.evaluation.scorecards import (
    EVERYBODY,
    Figure,
    Row,
    cases_behind,
    label_of,
    scorecard,
    to_csv,
    worst_first,
)
from chengshu.parties.models import Access
from tests.cases.histories import histories
from tests.cases.town import Town, build

pytestmark = pytest.mark.django_db
MARCH = Period(
    start=datetime(2024, 3, 10, tzinfo=UTC),
    end=datetime(2024, 4, 20, tzinfo=UTC),
    as_of=datetime(2024, 4, 15, tzinfo=UTC),
)
PERIODS = [
    MARCH,
    Period(start=MARCH.start, end=MARCH.end),
    Period(start=MARCH.start, end=datetime(2027, 1, 1, tzinfo=UTC)),
]


@pytest.fixture
def town() -> Town:
    made = build()
    result = import_history(histories(made, 400, seed=7), city=made.city.pk, actor=made.system)
    assert result.accepted == 400, result.quarantined[:3]
    return made


@pytest.mark.parametrize("period", PERIODS, ids=["as_of", "now", "open end"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_figure_equals_the_list_behind_it(town: Town, kind: Kind, period: Period) -> None:
    card = scorecard(town.system, kind, period)
    assert {m.name for m in card.measures} == {m.name for m in MEASURES if kind in m.kinds}
    for row in card.rows:
        for each in card.measures:
            counts = {part: cases_behind(town.system, each, part, kind, row.subject, period).count() for part in Part}
            figure = row.figures[each.name]
            good = figure.due if figure.good is None else figure.good
            assert counts == {Part.DENOMINATOR: figure.due, Part.NUMERATOR: good, Part.MISSED: figure.due - good}, (
                each.name
            )


@pytest.mark.parametrize("kind", list(Kind))
def test_the_totals_have_their_lists_too(town: Town, kind: Kind) -> None:
    card = scorecard(town.system, kind, MARCH)
    for each in card.measures:
        counts = [cases_behind(town.system, each, part, kind, EVERYBODY, MARCH).count() for part in Part]
        total = card.total[each.name]
        good = total.due if total.good is None else total.good
        assert counts == [total.due, good, total.due - good], each.name


def test_the_worst_stand_first(town: Town) -> None:
    rows = scorecard(town.system, Kind.GRID, MARCH).rows
    by_time = [row.figures["handle"] for row in worst_first(rows, measure("handle"))]
    missed = [figure.due - (figure.good or 0) for figure in by_time]
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > missed[-1]
    returned = [row.figures["return"].good or 0 for row in worst_first(rows, measure("return"))]
    assert returned == sorted(returned, reverse=True)
    late = [row.figures["overdue_open"].due for row in worst_first(rows, measure("overdue_open"))]
    assert late == sorted(late, reverse=True)


def test_looking_behind_a_persons_number_leaves_a_trace(town: Town) -> None:
    judge, handler = town.people["leader-A"], town.people["handler-U1"]
    behind = [judge, measure("handle"), Part.MISSED, Kind.PERSON, handler.account, MARCH]
    cases_behind(*behind)  # type: ignore[arg-type]
    trace = Access.objects.get()
    assert (trace.account_id, trace.fields) == (judge.account, ["handle"])
    assert trace.subject == f"scorecard:person:{handler.account}:2024-03-10/2024-04-20"
    cases_behind(handler, *behind[1:])  # type: ignore[arg-type]  # one's own
    cases_behind(judge, measure("handle"), Part.MISSED, Kind.DEPARTMENT, town.units["U1"].pk, MARCH)
    assert Access.objects.count() == 1


def test_the_name_of_a_person_is_told_only_with_figures(town: Town) -> None:
    judge, handled = town.people["leader-A"], measure("handle")
    person = next(row for row in scorecard(judge, Kind.PERSON, MARCH).rows if row.figures["handle"].due)
    assert label_of(judge, Kind.PERSON, person.subject, handled, MARCH) == (person.label, person.label_en)
    citizen = town.people["citizen"].account
    assert label_of(judge, Kind.PERSON, citizen, handled, MARCH) == ("", "")
    assert label_of(judge, Kind.DISTRICT, EVERYBODY, handled, MARCH) == ("", "")


def test_the_histories_fill_every_measure(town: Town) -> None:
    for kind in Kind:
        card = scorecard(town.system, kind, MARCH)
        assert all(card.total[m.name].due for m in card.measures), kind
        rated = [m for m in card.measures if m.good]
        assert any(0 < (card.total[m.name].good or 0) < card.total[m.name].due for m in rated), kind


@pytest.mark.parametrize("period", PERIODS, ids=["as_of", "now", "open end"])
def test_handled_in_time_counted_by_hand(town: Town, period: Period) -> None:
    card = scorecard(town.system, Kind.DEPARTMENT, period)
    now, expected = period.judged_at, dict[int | None, list[int]]()
    dead = set(Case.objects.filter(state__phase="dead").values_list("pk", flat=True))
    for clock in Clock.objects.filter(stage="handle"):
        if not (period.start <= clock.due_at < period.end and clock.due_at <= now) or clock.case_id in dead:
            continue
        if clock.stopped_at is None and clock.paused_at and clock.paused_at <= now:
            continue
        step = Step.objects.filter(case=clock.case_id, seq=clock.stopped_seq or 0).select_related("move").first()
        if step and step.move.code == "return":
            continue
        own = expected.setdefault(clock.unit_id, [0, 0])
        own[0] += 1
        own[1] += bool(clock.stopped_at and clock.stopped_at <= min(clock.due_at, now))
    shown = {row.subject: [row.figures["handle"].due, row.figures["handle"].good] for row in card.rows}
    assert {subject: counts for subject, counts in shown.items() if counts[0]} == expected


def test_counts_of_cases_and_tasks_by_hand(town: Town) -> None:
    card = scorecard(town.system, Kind.DEPARTMENT, PERIODS[1])
    cases = Case.objects.select_related("state")
    closed = [c for c in cases if c.closed_at and MARCH.start <= c.closed_at < MARCH.end and c.state.phase == "done"]
    tasks = [t for t in Task.objects.all() if t.lead and MARCH.start <= t.opened_at < MARCH.end]
    rated = [c for c in closed if c.rating]
    assert card.total["closed"] == Figure(due=len(closed))
    assert card.total["rework"] == Figure(due=len(closed), good=sum(c.reworks > 0 for c in closed))
    assert card.total["satisfaction"] == Figure(due=len(rated), good=sum((c.rating or 0) >= 4 for c in rated))
    assert card.total["return"] == Figure(due=len(tasks), good=sum(t.state == "returned" for t in tasks))
    assert card.total["opened"].due == sum(MARCH.start <= c.opened_at < MARCH.end for c in cases)


def _by_code(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {row.code: row for row in rows}


def test_a_tree_of_departments_and_areas_add_up(town: Town) -> None:
    single = _by_code(scorecard(town.system, Kind.DEPARTMENT, MARCH).rows)
    tree = _by_code(scorecard(town.system, Kind.DEPARTMENT_TREE, MARCH).rows)
    parts = [single[code].figures["handle"] for code in ("U1", "U2")]
    assert tree["U0"].figures["handle"] == parts[0].plus(parts[1])
    for kind in (Kind.DISTRICT, Kind.STREET, Kind.GRID):
        card = scorecard(town.system, kind, MARCH)
        assert sum(row.figures["total"].due for row in card.rows) == card.total["total"].due


def test_a_post_counts_its_jurisdiction_only(town: Town) -> None:
    leader = scorecard(town.people["leader-A"], Kind.DISTRICT, MARCH)
    everything = _by_code(scorecard(town.system, Kind.DISTRICT, MARCH).rows)
    assert [row.code for row in leader.rows] == ["A"]
    assert leader.rows[0].figures == everything["A"].figures
    handler = scorecard(town.people["handler-U1"], Kind.DEPARTMENT, MARCH)
    own = _by_code(handler.rows)["U1"].figures["closed"]
    assert own == _by_code(scorecard(town.system, Kind.DEPARTMENT, MARCH).rows)["U1"].figures["closed"]
    behind = cases_behind(
        town.people["leader-A"], measure("total"), Part.DENOMINATOR, Kind.DISTRICT, town.divisions["B"].pk, MARCH
    )
    assert not behind.exists()


def test_citizens_read_no_scorecards(town: Town) -> None:
    with pytest.raises(NotAllowed):
        scorecard(town.people["citizen"], Kind.DEPARTMENT, MARCH)


def test_only_some_cases(town: Town) -> None:
    chosen = Case.objects.filter(title__endswith="3")
    card = scorecard(town.system, Kind.DEPARTMENT, MARCH, only=chosen)
    assert card.total["opened"].due == chosen.filter(opened_at__gte=MARCH.start, opened_at__lt=MARCH.as_of).count()


def test_csv_opens_in_a_spreadsheet(town: Town) -> None:
    card = scorecard(town.system, Kind.DEPARTMENT, MARCH)
    content = to_csv(card, "zh-hans")
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert rows[0][:5] == ["编码", "名称", "应处置数", "按期处置数", "按期处置率 (%)"]
    assert rows[-1][0:3] == ["", "合计", str(card.total["handle"].due)]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert to_csv(card, "en").decode("utf-8-sig").startswith("code,name,Due to be handled")


def test_few_queries_however_many_cases(town: Town, django_assert_max_num_queries: object) -> None:
    catalog(town.city.pk)
    with django_assert_max_num_queries(len(of_kind(Kind.DEPARTMENT)) + 2):  # type: ignore[operator]
        scorecard(town.system, Kind.DEPARTMENT, MARCH)


def test_wrong_questions_are_answered_with_a_remedy() -> None:
    with pytest.raises(NotFound, match="The measures are"):
        measure("happiness")
    with pytest.raises(Invalid):
        Period(start=MARCH.end, end=MARCH.start)
    with pytest.raises(Invalid):
        Period(start=datetime(2024, 1, 1), end=MARCH.end)  # noqa: DTZ001
    assert Period(start=MARCH.start, end=MARCH.start + timedelta(days=1)).judged_at > MARCH.end
