"""A small scene made of files, for trying what the loader refuses: counters at doors, alarmed above a limit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from chengshu.brain.files import ABILITIES, RULES
from chengshu.scene import Column, Decoded, Detector, Finding, Indicator, Rehearsal, Scene, Seen, Source, Window

TYPE = "crowd.station.warning"
PERIOD = timedelta(minutes=10)
FILES = {
    "sources.py": "",
    "detect.py": "",
    "indicators.py": "",
    "scene.py": "from chengshu.scene import Scene\n",
    "params.yaml": """
        limit: {unit: "{person}", meaning: most, source: practice, values: {2019-01-01: 10, 2020-01-01: 20}}
        """,
    "moves.yaml": f"""
        {TYPE}:
          - {{move: accept}}
          - {{move: dispatch, unit: rule}}
        """,
    "strings.yaml": """
        full: {zh: "{thing}满", en: "{thing} is full"}
        scene: {zh: 门, en: Doors}
        indicator.total.label: {zh: 总数, en: Total}
        indicator.total.unit: {zh: 人, en: people}
        indicator.total.definition: {zh: 总数, en: All}
        indicator.total.owner: {zh: 甲, en: A}
        indicator.total.verb: {zh: 看, en: Look}
        """,
    "quality.yaml": "\n".join(["grade: test", "rules:", *(f"  {rule}: {{status: done}}" for rule in RULES)]),
    "README.md": "# x\n\n## Owner\n\na\n\n## Limits\n\nb\n\n## Data rights\n\nc\n\n## How good it is\n\nd\n",
    "payloads/one.csv": "a\n",
    "cases/one.yaml": f"""
        - name: it is full
          given: {{}}
          when: {{day: 2019-01-02, counts: [5, 11]}}
          then:
            - {{at: "08:20", type: {TYPE}}}
        """,
}
assert set(ABILITIES) < set(RULES)


def detect(window: Window) -> Seen:
    """Everything above the limit is a finding; the state counts the slots seen."""
    high = window.frame.filter(pl.col("count") > window.params["limit"])
    findings = tuple(
        Finding(
            scene="doors",
            key=row["thing"],
            type=TYPE,
            title=window.say("full", thing=row["thing"]),
            description="",
            severity=2,
            occurred_at=row["at"] + PERIOD,
            place="door",
            division="330106",
            facts={"count": row["count"]},
        )
        for row in high.iter_rows(named=True)
    )
    return Seen(findings=findings, state={"slots": window.state.get("slots", 0) + window.frame["at"].n_unique()})


def frame(
    counts: list[int], begin: datetime = datetime(2019, 1, 2, 0, 0, tzinfo=UTC), thing: str = "a"
) -> pl.DataFrame:
    rows = [(thing, begin + i * PERIOD, count) for i, count in enumerate(counts)]
    return pl.DataFrame(
        rows, schema={"thing": pl.String, "at": pl.Datetime("us", "UTC"), "count": pl.Int64}, orient="row"
    )


def rehearse(given: Mapping[str, Any], when: Mapping[str, Any], zone: ZoneInfo) -> Rehearsal:
    return Rehearsal(taught=pl.DataFrame(), things=pl.DataFrame(), frame=frame(when["counts"]))


def decode(content: bytes, options: Mapping[str, Any]) -> Decoded:
    return Decoded(frame=frame([len(content)]))


def total(window: Window) -> pl.DataFrame:
    return window.frame.select(pl.col("count").sum().alias("value"))


def scene_in(folder: Path, *, files: Mapping[str, str | None] | None = None, **changes: Any) -> Scene:
    """The scene in a folder; `files` replaces some, None leaves one out; `changes` are fields of the Scene."""
    for name, content in {**FILES, **(files or {})}.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content), encoding="utf-8")
    scene = Scene(
        name="doors",
        folder=folder,
        sources=(
            Source(
                name="doors",
                kind="doors",
                decode=decode,
                period=PERIOD,
                columns={"count": Column(dtype=pl.Int64(), unit="{person}", meaning="people")},
            ),
        ),
        detectors=(Detector(name="full", source="doors", types=(TYPE,), detect=detect),),
        indicators=(Indicator(name="total", source="doors", unit="{person}", compute=total),),
        rehearse=rehearse,
    )
    return replace(scene, **changes)
