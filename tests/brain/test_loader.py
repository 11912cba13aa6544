"""What the loader refuses, and that it says everything at once with place and remedy."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chengshu.brain import loader
from chengshu.brain.loader import Refused, check_city, examine, load, scenes
from chengshu.brain.yaml_cases import try_sentence
from chengshu.cases.catalog import catalog
from chengshu.core.errors import NotFound
from chengshu.places.models import City
from chengshu.scene import Detector, Indicator
from tests.brain.scene_folder import FILES, TYPE, detect, scene_in, total


def refusal(folder: Path, files: dict[str, str | None] | None = None, **changes: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        examine(scene_in(folder, files=files, **changes), package="")
    assert all(mistake.remedy for mistake in caught.value.mistakes)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_whole_scene_is_accepted_and_its_sentence_holds(tmp_path: Path) -> None:
    loaded = examine(scene_in(tmp_path), package="")
    assert loaded.moves[TYPE][1].unit == "rule"
    assert loaded.say("zh-hans", "full", thing="甲") == "甲满"
    assert loaded.say("en", "full", thing="A") == "A is full"
    [sentence] = loaded.sentences
    assert try_sentence(loaded, sentence, zone=ZoneInfo("Asia/Shanghai"), working=lambda _: True).holds


def test_parameters_of_a_day_are_those_that_held_then(tmp_path: Path) -> None:
    loaded = examine(scene_in(tmp_path), package="")
    outcome = try_sentence(
        loaded,
        loaded.sentences[0].__class__(
            file="x", name="next year", given={}, when={"day": "2020-01-02", "counts": [11]}, then=()
        ),
        zone=ZoneInfo("Asia/Shanghai"),
        working=lambda _: True,
    )
    assert outcome.mismatches == ("expected nothing; found 08:10 " + TYPE,)  # the rehearsal is always of 2019
    from datetime import date

    assert [loaded.params.at(date(year, 6, 1))["limit"] for year in (2018, 2019, 2020, 2026)] == [10, 10, 20, 20]


@pytest.mark.parametrize("name", ["sources.py", "detect.py", "indicators.py", "params.yaml", "moves.yaml", "README.md"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert any(text.startswith(f"doors/{name}: The file is missing") for text in refusal(tmp_path, {name: None}))


@pytest.mark.parametrize("field", ["unit", "source", "meaning", "values"])
def test_a_parameter_without_unit_source_meaning_or_date_is_refused(tmp_path: Path, field: str) -> None:
    entry = {"unit": '"1"', "meaning": "x", "source": "y", "values": "{2019-01-01: 1}"}
    del entry[field]
    lines = [
        "a: {unit: '1', meaning: m, source: s, values: {2019-01-01: 1}}",
        "b:",
        *(f"  {k}: {v}" for k, v in entry.items()),
    ]
    [text] = refusal(tmp_path, {"params.yaml": "\n".join(lines)})
    assert text.startswith("doors/params.yaml:2: b: ")
    assert field in text


@pytest.mark.parametrize("values", ["{soon: 1}", "{2019-02-30: 1}", "{2019-01-01: many}", "{}"])
def test_a_value_needs_a_date_and_a_number(tmp_path: Path, values: str) -> None:
    assert refusal(tmp_path, {"params.yaml": f"a: {{unit: '1', meaning: m, source: s, values: {values}}}"})


@pytest.mark.parametrize("word", ["label", "definition", "owner", "verb"])
def test_an_indicator_without_a_word_is_refused(tmp_path: Path, word: str) -> None:
    strings = "\n".join(line for line in FILES["strings.yaml"].splitlines() if f"total.{word}" not in line)
    assert refusal(tmp_path, {"strings.yaml": strings}) == [
        f"doors/strings.yaml: Indicator total has no {word}. → Add indicator.total.{word} in zh and en."
    ]


def test_an_indicator_without_unit_is_refused(tmp_path: Path) -> None:
    bare = Indicator(name="total", source="doors", unit="", compute=total)
    assert "has no unit" in refusal(tmp_path, indicators=(bare,))[0]


def test_findings_that_lead_to_no_case_are_refused(tmp_path: Path) -> None:
    mute = Detector(name="full", source="doors", types=(), detect=detect)
    found = refusal(tmp_path, detectors=(mute,))
    assert "Its findings lead to no case" in found[0]
    assert any("No detector finds 'crowd.station.warning'" in text for text in found)  # moves.yaml and the sentence
    assert "leads to no case" in refusal(tmp_path, detectors=())[0]


def test_languages_must_agree_in_what_they_fill_in(tmp_path: Path) -> None:
    strings = FILES["strings.yaml"].replace("{thing} is full", "{name} is full")
    assert "the two languages fill in different words" in refusal(tmp_path, {"strings.yaml": strings})[0]


def test_claims_must_be_borne_out(tmp_path: Path) -> None:
    found = refusal(tmp_path, {"cases/one.yaml": None, "payloads/one.csv": None, "README.md": "# x\n\n## Owner\n\n"})
    for rule in ("tested_cases", "captured_payloads", "limits_told", "data_rights_told", "measured"):
        assert any(f"{rule} is claimed, but" in text for text in found)


def test_quality_speaks_of_every_rule_and_an_exemption_needs_a_reason(tmp_path: Path) -> None:
    short = "grade: x\nrules:\n  tested_cases: {status: done}\n  magic: {status: done}\n"
    found = refusal(tmp_path, {"quality.yaml": short})
    assert any("It does not speak of measured" in text for text in found)
    assert any("No rule is called magic" in text for text in found)
    lazy = FILES["quality.yaml"].replace("  measured: {status: done}", "  measured: {status: exempt}")
    assert "doors/quality.yaml:" in refusal(tmp_path, {"quality.yaml": lazy})[0]


@pytest.mark.parametrize(
    "line",
    [
        "import django",
        "from chengshu import cases",
        "from chengshu.scenes.crowd import detect",
        "import chengshu.brain.look",
    ],
)
def test_a_scene_sees_only_core_and_the_public_face(tmp_path: Path, line: str) -> None:
    assert refusal(tmp_path, {"detect.py": f"\n{line}\n"})[0].startswith("doors/detect.py:2: It imports ")


@pytest.mark.parametrize(
    "line",
    [
        "from chengshu.core.errors import Invalid",
        "from chengshu.detectors import threshold",
        "from chengshu.scene import Window",
        "from chengshu import detectors",
    ],
)
def test_core_the_public_face_and_the_detectors_are_open_to_a_scene(tmp_path: Path, line: str) -> None:
    """A scene with that line and one mistake elsewhere has that one mistake only."""
    found = refusal(tmp_path, {"detect.py": f"\n{line}\n", "params.yaml": "a: ["})
    assert not [text for text in found if "detect.py" in text]


def test_broken_files_are_mistakes_not_crashes(tmp_path: Path) -> None:
    found = refusal(tmp_path, {"params.yaml": "a: [", "cases/one.yaml": "- {name: 1", "detect.py": "def"})
    assert {text.split(": ")[0].split(":")[0] for text in found} == {
        "doors/params.yaml",
        "doors/one.yaml",
        "doors/detect.py",
    }


def test_all_reasons_come_at_once(tmp_path: Path) -> None:
    twice = (Detector(name="full", source="nowhere", types=(TYPE,), detect=detect),) * 2
    found = refusal(tmp_path, {"params.yaml": "a: 1", "README.md": None, "strings.yaml": "x: {zh: y}"}, detectors=twice)
    for part in ("No source 'nowhere'", "Two detectors are called 'full'", "params.yaml", "README.md", "strings.yaml"):
        assert any(part in text for text in found)


def test_a_long_scene_is_warned_not_refused(tmp_path: Path) -> None:
    [warning] = examine(scene_in(tmp_path, files={"detect.py": "X = 1\n" * 901}), package="").warnings
    assert "902 lines" in warning


def test_one_refused_scene_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(name="crowd", value="chengshu.scenes.crowd.scene:SCENE", group=loader.GROUP),
        EntryPoint(name="gone", value="chengshu.scenes.gone:SCENE", group=loader.GROUP),
        EntryPoint(name="odd", value="chengshu.scenes.crowd.scene:NAME", group=loader.GROUP),
    ]
    monkeypatch.setattr(loader, "entry_points", lambda group: points)
    load.cache_clear()
    found = {listing.name: listing for listing in scenes()}
    load.cache_clear()
    assert found["crowd"].loaded is not None
    assert "cannot be imported" in found["gone"].mistakes[0].what
    assert "not a Scene" in found["odd"].mistakes[0].what


def test_an_unknown_scene_is_told_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="crowd"):
        load("croud")


def test_a_city_without_the_case_type_or_the_right_is_told(tmp_path: Path, hangzhou: City) -> None:
    known = catalog(hangzhou.pk)
    files = {
        "moves.yaml": f"{TYPE}:\n  - {{move: close}}\n  - {{move: split, unit: {{function: nobody}}}}\n",
        "cases/one.yaml": FILES["cases/one.yaml"],
    }
    both = (Detector(name="full", source="doors", types=(TYPE, "no.such.type"), detect=detect),)
    found = [
        mistake.what
        for mistake in check_city(examine(scene_in(tmp_path, files=files, detectors=both), package=""), known)
    ]
    assert found == [
        f"The system may not make the move close on a case of type {TYPE}.",
        "No department has the function nobody.",
        "Findings of type no.such.type lead to no case: the city has no such type.",
    ]
