"""The detector and its profile: on the real record, and against what must hold for any record."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from chengshu.scene import Finding
from chengshu.scenes.crowd.detect import detect
from chengshu.scenes.crowd.profile import compared, day_type, teach
from chengshu.scenes.crowd.rehearse import rehearse
from chengshu.scenes.crowd.scene import SCENE
from tests.scenes.crowd.world import PLAY, TEACH, ZONE, calendar, days, table, window

STATION = {"station": 1, "usual": 100, "spread": 20, "busy": 200, "heavy": 320, "extreme": 600}


@cache
def taught() -> pl.DataFrame:
    return teach(window(days(*TEACH)))


def test_kinds_of_day_follow_the_city_calendar() -> None:
    kinds = {day: day_type(date(2019, 1, day), calendar().is_working) for day in (1, 2, 4, 5, 6, 7, 18)}
    assert kinds == {1: "rest", 2: "work", 4: "eve", 5: "rest", 6: "rest", 7: "work", 18: "eve"}


def test_profile_is_the_median_of_the_days_of_the_kind() -> None:
    frame = days(*TEACH).filter(pl.col("thing") == "15")
    local = pl.col("at").dt.convert_time_zone(ZONE.key)
    seven = frame.filter((local.dt.hour() == 7) & (local.dt.minute() == 0)).with_columns(local.dt.day().alias("d"))
    by_hand = np.median(seven.filter(pl.col("d").is_in([2, 3, 7, 8, 9, 10, 14]))["inflow"].to_numpy())
    row = taught().filter((pl.col("thing") == "15") & (pl.col("day_type") == "work") & (pl.col("minute") == 420))
    assert row["usual"].to_list() == [by_hand]
    assert row["days"].to_list() == [7]
    assert (taught()["spread"] >= 5).all()
    tiers = taught().select((pl.col("busy") <= pl.col("heavy")).all(), (pl.col("heavy") <= pl.col("extreme")).all())
    assert tiers.row(0) == (True, True)


def test_a_kind_of_day_that_was_hardly_taught_falls_back_to_working_days() -> None:
    few = teach(window(days(*(day for day in TEACH if day != 4))))  # one Friday is left
    assert set(few["day_type"]) == {"work", "rest"}
    beside = compared(window(days(18), few))
    assert beside["usual"].null_count() == 0


def test_teaching_from_nothing_judges_nothing() -> None:
    nothing = teach(window(days(99)))
    assert nothing.is_empty()
    assert detect(window(days(16), nothing)).findings == ()


@given(cuts=st.lists(st.integers(1, 107), max_size=12, unique=True), day=st.sampled_from(PLAY))
@settings(max_examples=15, deadline=None)
def test_findings_do_not_depend_on_how_the_stream_is_cut(cuts: list[int], day: int) -> None:
    whole = detect(window(days(day), taught()))
    slots = days(day).partition_by("at", maintain_order=True)
    edges = [0, *sorted(cuts), len(slots)]
    state: dict[str, object] = {}
    found: list[Finding] = []
    for begin, end in pairwise(edges):
        seen = detect(window(pl.concat(slots[begin:end]), taught(), state))
        found += seen.findings
        state = json.loads(json.dumps(seen.state))  # as the database keeps it
    assert found == list(whole.findings)
    assert state == json.loads(json.dumps(whole.state))


@given(
    inflow=st.lists(st.integers(0, 900), min_size=1, max_size=40),
    factor=st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_more_people_never_make_the_first_call_later(inflow: list[int], factor: int) -> None:
    def first(series: list[int]) -> float:
        when = {"day": "2019-01-15", "from": "08:00", "inflow": series}
        rehearsal = rehearse(STATION, when, ZONE)
        found = detect(window(rehearsal.frame, rehearsal.taught)).findings
        return found[0].occurred_at.timestamp() if found else float("inf")

    assert first([value + factor for value in inflow]) <= first(inflow)


def test_a_lower_level_is_never_called_after_a_higher_one() -> None:
    when = {"day": "2019-01-15", "from": "08:00", "inflow": [400, 400, 250, 250, 250, 400]}
    rehearsal = rehearse(STATION, when, ZONE)
    types = [finding.type for finding in detect(window(rehearsal.frame, rehearsal.taught)).findings]
    assert types == ["crowd.station.alarm"]


def test_findings_carry_their_numbers_and_speak_both_languages() -> None:
    frame = days(16)
    for language, word in (("zh-hans", "通常"), ("en", "usual")):
        warning, alarm = detect(window(frame, taught(), language=language)).findings
        assert (warning.type, alarm.type) == ("crowd.station.warning", "crowd.station.alarm")
        assert word in alarm.description
        assert "331" in alarm.title
        assert "{" not in alarm.title + alarm.description
    assert alarm.facts["inflow"] == 331
    assert alarm.facts["excess"] == alarm.facts["inflow"] - alarm.facts["usual"]
    assert alarm.facts["tier"] == "extreme"
    assert alarm.key == "78:2019-01-16:alarm"
    assert json.loads(json.dumps(dict(alarm.facts))) == alarm.facts


def test_state_stays_small_and_forgets_what_is_calm() -> None:
    seen = detect(window(days(15), taught()))
    assert len(json.dumps(dict(seen.state))) < 4_000
    state = {**seen.state, "last": None}
    calm = detect(window(days(16).filter(pl.col("at") < pl.col("at").min() + timedelta(hours=1)), taught(), state))
    assert set(calm.state) == {"last", "things"}


def test_numbers_of_the_readme_are_those_measured_here() -> None:
    readme = (SCENE.folder / "README.md").read_text(encoding="utf-8")
    assert table() in readme
