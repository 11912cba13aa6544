"""Both detectors: what must hold for any readings, and what the README says of real ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chengshu.detectors import Watch
from chengshu.scene import Finding
from chengshu.scenes.devices.detect import JUMP, STUCK
from chengshu.scenes.devices.scene import SCENE
from chengshu.scenes.devices.sources import decode
from tests.scenes.devices import world
from tests.scenes.devices.world import DAY, SLOT, SPEEDS, window

START = datetime(2026, 11, 1, 16, tzinfo=UTC)  # midnight in Hangzhou


def series(values: list[float], thing: str = "WL-1/1", begin: datetime = START, step: timedelta = SLOT) -> pl.DataFrame:
    rows = [(thing, begin + i * step, value) for i, value in enumerate(values)]
    schema = pl.Schema({"thing": pl.String(), "at": pl.Datetime("us", "UTC"), "value": pl.Float64()})
    return pl.DataFrame(rows, schema=schema, orient="row")


def taught(watch: Watch, values: list[float], thing: str = "WL-1/1", step: timedelta = SLOT) -> pl.DataFrame:
    begin = START - 3 * DAY
    return watch.teach(window(series(values, thing, begin, step), begin, START))


def waves(count: int = 432, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(v) for v in np.round(np.sin(np.arange(count) / 20) + random.normal(0, 0.1, count) + 5, 3)]


def test_what_is_taught_of_standing_still() -> None:
    values = [1.0, 2.0, *[3.0] * 7, 2.5, *[0.0] * 100, 4.0, 4.0]
    assert taught(STUCK, values).row(0, named=True) == {
        "thing": "WL-1/1",
        "longest": 3600.0,  # the hour at 3; the hundred at 0 are rest
        "moves": 5,
        "low": 0.0,
        "high": 4.0,
    }


def test_lines_across_things_and_gaps_teach_nothing() -> None:
    rows = pl.concat(
        [
            series([1, 2, 2, 2], "A", START - DAY),
            series([2, 2], "B", START - DAY),
            series([2, 2], "B", START - DAY + timedelta(hours=9)),
        ]
    ).sort("at", "thing")
    lessons = STUCK.teach(window(rows, START - DAY, START))
    assert dict(lessons.select("thing", "longest").iter_rows()) == {"A": 1200.0, "B": 600.0}


def test_what_is_taught_of_changes_is_nearly_the_greatest() -> None:
    values = waves()
    lesson = taught(JUMP, values).row(0, named=True)
    assert lesson == {"thing": "WL-1/1", "spread": np.abs(np.diff(values)).max(), "changes": 431}


def test_a_line_that_lasts_over_midnight_is_found_though_it_is_taught() -> None:
    """The day before teaches the beginning of the very line; it must not hide the rest of it."""
    ago = waves(420)
    rows = series([*ago, *[ago[-1]] * 12], begin=START - 3 * DAY)
    lesson = STUCK.teach(window(rows, START - 3 * DAY, START))
    before = STUCK.notice(window(rows, START - DAY, START, taught=taught(STUCK, waves())))
    assert before[0].is_empty()
    today = series([ago[-1]] * 30)
    found, _state = STUCK.notice(window(today, START, START + DAY, taught=lesson, state=before[1]))
    assert found["at"].to_list() == [START + timedelta(hours=3, minutes=10)]


def test_a_line_that_began_long_ago_goes_on_being_judged_after_midnight_without_being_told_anew() -> None:
    rows = series([*waves(432), *[5.0] * 60], begin=START - 3 * DAY)
    first = START + timedelta(hours=10)
    found, state = STUCK.notice(window(rows, START, first, taught=taught(STUCK, waves())))
    assert found.height == 1
    lesson = STUCK.teach(window(rows, START - 2 * DAY, first))
    later = series([5.0] * 20, begin=first)
    after, state = STUCK.notice(window(later, first, first + 20 * SLOT, taught=lesson, state=state))
    assert after.is_empty() and state["held"] == 1


@given(
    values=st.lists(st.sampled_from([0.0, 4.9, 5.0, 5.1, 9.0]) | st.none(), min_size=1, max_size=60),
    runs=st.lists(st.integers(1, 30), min_size=60, max_size=60),
    cuts=st.lists(st.integers(1, 200), max_size=8, unique=True),
)
@settings(max_examples=50, deadline=None)
def test_findings_do_not_depend_on_how_the_stream_is_cut(
    values: list[float | None], runs: list[int], cuts: list[int]
) -> None:
    long = [value for value, times in zip(values, runs, strict=False) for _ in range(times)]
    rows = pl.concat([series([v if v is not None else np.nan for v in long], thing) for thing in ("WL-1/1", "B/2")])
    rows = rows.sort("at", "thing")
    end = START + len(long) * SLOT
    for watch in (STUCK, JUMP):
        lesson = taught(watch, waves())
        whole = watch(window(rows, START, end, taught=lesson))
        edges = [START, *sorted(START + cut * SLOT for cut in cuts if cut < len(long)), end]
        state: dict[str, object] = {}
        found: list[Finding] = []
        for begin, stop in pairwise(edges):
            seen = watch(window(rows, begin, stop, taught=lesson, state=state))
            found += seen.findings
            state = json.loads(json.dumps(seen.state))  # as the database keeps it
        assert found == list(whole.findings)
        assert state == json.loads(json.dumps(whole.state))


@given(unit=st.sampled_from([1e-6, 0.01, 1.0, 1000.0, 1e6]), shift=st.sampled_from([0.0, 7.0]))
@settings(max_examples=20, deadline=None)
def test_findings_do_not_depend_on_the_unit(unit: float, shift: float) -> None:
    def said(values: list[float]) -> list[float]:
        return [unit * (value + shift) for value in values]

    today = [*waves(20, seed=3), 12.0, 5.0, *waves(10, seed=4), *[5.5] * 30]
    for watch, times in ((STUCK, 1), (JUMP, 1)):
        found, _state = watch.notice(
            window(series(said(today)), START, START + DAY, taught=taught(watch, said(waves())))
        )
        assert found.height == times


def test_findings_carry_their_numbers_and_speak_both_languages() -> None:
    today = series([*waves(20, seed=3), 12.0, 5.0, *waves(10, seed=4), *[5.5] * 30])
    for language, words in (("zh-hans", ("停在5.5", "跳到12")), ("en", ("said 5.5", "to 12"))):
        for watch, word in zip((STUCK, JUMP), words, strict=True):
            [finding] = watch(
                window(today, START, START + DAY, taught=taught(watch, waves()), language=language)
            ).findings
            assert word in finding.title + finding.description
            assert "{" not in finding.title + finding.description
            assert (finding.key, finding.facts["thing"]) == (f"WL-1/1:{watch.prefix}", "WL-1/1")
            assert json.loads(json.dumps(dict(finding.facts))) == finding.facts


def test_a_payload_holds_a_line_that_a_detector_really_sent() -> None:
    frame = decode((SCENE.folder / "payloads" / "loop_speeds_two_detectors.csv").read_bytes(), {}).frame
    begin, end = frame["at"][0], frame["at"][-1] + SLOT
    habits = pl.concat([taught(STUCK, waves(), thing) for thing in ("772669", "717488")])
    [finding] = STUCK(window(frame, begin, end, taught=habits)).findings
    assert (finding.facts["thing"], finding.facts["flat"]) in {("772669", 70.0), ("717488", 70.0)}


def test_the_city_pack_carries_readings_in_which_nothing_is_found() -> None:
    for watch in (STUCK, JUMP):
        assert world.noticed(world.inflow, watch).is_empty()


@pytest.mark.skipif(not SPEEDS.is_file(), reason=f"the loop detectors' speeds are not here ({SPEEDS})")
def test_numbers_of_the_readme_are_those_measured_here() -> None:
    readme = (SCENE.folder / "README.md").read_text(encoding="utf-8")
    for table in world.table():
        assert table in readme
