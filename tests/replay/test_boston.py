"""The replay of Boston: the scorecard of every department equals a count made from the CSV alone."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from chengshu.cases.check import check_all
from chengshu.cases.models import Case, Clock, Report, Step
from chengshu.core.errors import NotFound
from chengshu.packs.apply import load_city
from chengshu.replay import feed
from chengshu.replay.boston import Outcome, load, play_all, play_live
from chengshu.replay.cli import app
from tests.cases.town import CITIES

pytestmark = pytest.mark.django_db
SHIPPED = CITIES / "boston" / "data" / "requests_2015_h1.csv.gz"
ZONE = ZoneInfo("America/New_York")
Rows = list[dict[str, str]]


@pytest.fixture
def boston(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path / "home"
    load_city("boston", yes=True, echo=lambda *_: None)


def _every(step: int) -> Rows:
    with gzip.open(SHIPPED, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))[::step]


def _write(path: Path, rows: Rows) -> Path:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Every ninetieth row of the shipped register, and one of a department and a type that the pack does not know."""
    rows = _every(90)
    return _write(
        tmp_path / "sample.csv",
        [*rows, rows[0] | {"CASE_ENQUIRY_ID": "x", "Department": "NEW_", "QUEUE": "NEW_q", "TYPE": "New"}],
    )


def _play(file: Path, **options: Any) -> Outcome:
    return play_all(load("boston", file), **options)


def _time(text: str) -> datetime | None:
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=ZONE).astimezone(UTC) if text else None


def _by_hand(rows: Rows) -> dict[str, dict[str, int]]:
    """The scorecard of every department, from the text of the CSV."""
    times = [[_time(row[name]) for name in ("OPEN_DT", "TARGET_DT", "CLOSED_DT")] for row in rows]
    missed = [
        t for row, (_, t, c) in zip(rows, times, strict=True) if t and not c and row["OnTime_Status"] == "OVERDUE"
    ]
    as_of = max([t for o, _, c in times for t in (o, c) if t] + missed)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row, (_, target, closed) in zip(rows, times, strict=True):
        own = found[row["Department"]]
        own["opened"] += 1
        own["closed"] += closed is not None
        if target is None:
            continue
        late = (closed or as_of) > target
        own["with_target"] += 1
        own["overdue"] += late
        own["on_time"] += not late
        own["due"] += target <= as_of
        own["in_time"] += target <= as_of and closed is not None and closed <= target
        own["open_overdue"] += closed is None and target < as_of
    return found


def test_scorecards_equal_those_counted_from_the_csv(boston: None, sample: Path) -> None:
    outcome = _play(sample)
    with sample.open(encoding="utf-8", newline="") as file:
        expected = _by_hand(list(csv.DictReader(file)))
    assert outcome.scorecard.keys() == expected.keys()
    for department, figures in expected.items():
        shown = outcome.scorecard[department]
        assert {name: shown[name] for name in figures} == figures, department
    assert sum(each["opened"] for each in outcome.scorecard.values()) == outcome.rows


def test_our_judgement_is_the_citys(boston: None, sample: Path) -> None:
    outcome = _play(sample)
    assert outcome.rows == outcome.accepted + outcome.known + sum(outcome.quarantined.values())
    assert outcome.with_target == outcome.agree + sum(outcome.disagree.values())
    assert outcome.agree / outcome.with_target >= 0.995
    assert outcome.refused_moves == {}


def test_what_is_stored_follows_from_its_steps_in_true_time(boston: None, sample: Path) -> None:
    _play(sample)
    assert list(check_all()) == []
    row = _every(90)[5]
    case = Case.objects.get(reports__origin_key=row["CASE_ENQUIRY_ID"])
    assert [case.opened_at, case.closed_at] == [_time(row["OPEN_DT"]), _time(row["CLOSED_DT"])]
    assert [step.move.code for step in Step.objects.filter(case=case).order_by("seq").select_related("move")] == [
        "open", "assign", "close",
    ]  # fmt: skip
    payload = Report.objects.get(case=case).payload
    outcome = {"CLOSED_DT", "OnTime_Status", "CASE_STATUS", "CLOSURE_REASON"}
    assert payload == {name: value for name, value in row.items() if name not in outcome}, (
        "as it came in, not as it ended"
    )
    assert Step.objects.get(case=case, move__code="close").note == row["CLOSURE_REASON"].strip()


def test_a_second_run_adds_nothing_and_says_the_same(boston: None, sample: Path) -> None:
    first, second = _play(sample), _play(sample)
    assert (second.accepted, second.known) == (0, first.accepted)
    same = {name: value for name, value in first.as_dict().items() if name not in {"accepted", "known", "seconds"}}
    assert same == {name: second.as_dict()[name] for name in same}


def test_a_run_that_was_killed_is_taken_up(boston: None, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW", 150)

    def die(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _play(sample, told=die)
    begun = Case.objects.count()
    outcome = _play(sample)
    assert 0 < begun == outcome.known < outcome.rows
    assert outcome.agree / outcome.with_target >= 0.995
    assert list(check_all()) == []


def test_events_are_brought_in_by_time(boston: None, sample: Path) -> None:
    source = load("boston", sample)
    events = source.feed("test").events()
    assert [event.at for event in events] == sorted(event.at for event in events)
    acts: dict[int, list[int]] = defaultdict(list)
    for event in events:
        acts[event.index].append(event.act)
    assert all(each == sorted(each) for each in acts.values())


def test_bad_rows_are_counted_and_kept_in_a_file(boston: None, tmp_path: Path) -> None:
    rows = _every(3000)
    bad = [rows[0] | {"CASE_ENQUIRY_ID": ""}, rows[1] | {"CASE_ENQUIRY_ID": "new", "OPEN_DT": "soon"}, rows[2]]
    outcome = _play(_write(tmp_path / "bad.csv", [*rows, *bad]))
    assert outcome.quarantined == {"bad_opened": 1, "duplicate_id": 1, "missing_id": 1}
    assert outcome.quarantine_file is not None
    kept = [json.loads(line) for line in Path(outcome.quarantine_file).read_text(encoding="utf-8").splitlines()]
    assert [row["line"] for row in kept] == [len(rows) + 2, len(rows) + 3, len(rows) + 4]
    assert all(row["remedy"] and row["content"] for row in kept)


def test_the_packs_own_clock_predicts_the_citys_targets(boston: None, sample: Path) -> None:
    outcome = _play(sample, clock="own").as_dict()
    assert outcome["same_day"] / outcome["with_target"] >= 0.85
    assert outcome["same_minute"] <= outcome["same_day"]
    assert outcome["same_day"] + sum(outcome["off"].values()) == outcome["with_target"]
    assert not Clock.objects.filter(limit="given").exists()


def test_both_clocks_may_be_tried_in_one_city(boston: None, sample: Path) -> None:
    _play(sample, clock="own")
    outcome = _play(sample)
    assert outcome.accepted == outcome.rows
    assert outcome.agree / outcome.with_target >= 0.995


def test_a_live_replay_happens_now_and_goes_on_where_it_was_left(boston: None, sample: Path) -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    seconds = iter(range(10_000))

    def clock() -> datetime:
        return now + timedelta(seconds=next(seconds))

    def run(ticks: int) -> None:
        left = iter(range(ticks))
        play_live(load("boston", sample), 86_400, lambda _s: next(left, None) is None, now=clock)

    run(5)
    begun = Case.objects.count()
    first = Case.objects.order_by("opened_at").select_related("kind")[0]
    assert begun > 0
    assert now - timedelta(days=36) < first.opened_at < now
    true = datetime.strptime(Report.objects.get(case=first).payload["OPEN_DT"], "%m/%d/%Y %I:%M:%S %p").replace(
        tzinfo=ZONE
    )
    local = first.opened_at.astimezone(ZONE)
    assert (local.weekday(), (first.opened_at - true) % timedelta(weeks=1)) == (true.weekday(), timedelta())
    run(10)
    assert Case.objects.count() > begun
    assert Case.objects.order_by("-opened_at")[0].opened_at <= now + timedelta(hours=3)
    assert len(set(Report.objects.values_list("origin", flat=True))) == 1


def test_the_command_prints_one_object(boston: None, tmp_path: Path) -> None:
    file = _write(tmp_path / "few.csv", _every(3000))
    result = CliRunner().invoke(app, ["boston", "--all", "--json", "--file", str(file), "--limit-rows", "10"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["rows"] == 10
    assert {"accepted", "quarantined", "with_target", "agree", "disagree", "seconds", "scorecard"} <= content.keys()
    words = CliRunner().invoke(app, ["boston", "--all", "--file", str(file)])
    assert words.exit_code == 0
    assert words.stdout.startswith("20 ")


def test_a_city_that_is_not_there(db: None) -> None:
    with pytest.raises(NotFound, match="load-city"):
        load("atlantis")
