"""The fixed files of a scene, read into records with all their mistakes."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from chengshu.brain.records import AutoMove, Expected, Loaded, Sentence
from chengshu.brain.yaml_files import read_yaml, yaml_files
from chengshu.core.errors import Mistake
from chengshu.scene import Params, Scene

FILES: Final = (
    "scene.py",
    "sources.py",
    "detect.py",
    "indicators.py",
    "params.yaml",
    "moves.yaml",
    "strings.yaml",
    "quality.yaml",
    "README.md",
)
LONG: Final = 900  # lines of code of a scene beyond which its author is warned
ABILITIES: Final = ("visible", "verifiable", "diagnosable", "predictable", "learnable", "decidable", "interactive")
WORDS_OF_AN_INDICATOR: Final = ("label", "unit", "definition", "owner", "verb")
_HEADINGS: Final = {
    "owner_named": "Owner",
    "limits_told": "Limits",
    "data_rights_told": "Data rights",
    "measured": "How good it is",
}
RULES: Final = (
    "tested_cases",
    "captured_payloads",
    "sourced_params",
    "bilingual",
    *_HEADINGS,
    "quarantine",
    "vectorised",
    *ABILITIES,
)


def read(scene: Scene) -> tuple[Loaded | None, list[Mistake]]:
    """The scene with its files, or None when one of them cannot be used; and all mistakes."""
    folder = scene.folder
    missing = [
        Mistake(where=name, what="The file is missing.", remedy="Add it; every scene has the same files.")
        for name in FILES
        if not (folder / name).is_file() and not name.endswith(".yaml")
    ]
    contents = {name: read_yaml(folder / f"{name}.yaml", name) for name in ("params", "strings", "moves", "quality")}
    sentences, wrong = _sentences(folder / "cases")
    mistakes = missing + [mistake for _, found in contents.values() for mistake in found] + wrong
    if any(found for _, found in contents.values()):
        return None, mistakes
    loaded = Loaded(
        scene=scene,
        params=Params.from_dict(contents["params"][0]),
        strings=contents["strings"][0],
        moves={type: tuple(AutoMove(**auto) for auto in chain) for type, chain in contents["moves"][0].items()},
        sentences=sentences,
        quality=contents["quality"][0],
        warnings=tuple(_long(folder)),
    )
    return loaded, mistakes + list(_agreement(loaded)) + list(_claims(loaded))


def _sentences(folder: Path) -> tuple[tuple[Sentence, ...], list[Mistake]]:
    sentences: list[Sentence] = []
    mistakes: list[Mistake] = []
    for path in yaml_files(folder):
        content, wrong = read_yaml(path, "cases")
        mistakes += wrong
        if not wrong:
            sentences += [_sentence(path.name, entry) for entry in content]
    return tuple(sentences), mistakes


def _sentence(file: str, entry: Mapping[str, Any]) -> Sentence:
    then = tuple(Expected(**expected) for expected in entry["then"])
    return Sentence(file=file, name=entry["name"], given=entry["given"], when=entry["when"], then=then)


def _long(folder: Path) -> Iterator[str]:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))
    if lines > LONG:
        yield f"The scene has {lines} lines of code, more than {LONG}: is it two scenes?"


def _agreement(loaded: Loaded) -> Iterator[Mistake]:
    """What the declaration and the files must say of each other."""
    types = {type for detector in loaded.scene.detectors for type in detector.types}
    for type in sorted(loaded.moves.keys() - types):
        yield Mistake(
            where="moves.yaml", what=f"No detector finds {type!r}.", remedy="Use a type that scene.py declares."
        )
    for sentence in loaded.sentences:
        for expected in sentence.then:
            if expected.type not in types:
                where = f"cases/{sentence.file}: {sentence.name}"
                yield Mistake(
                    where=where, what=f"No detector finds {expected.type!r}.", remedy="Declare it in scene.py."
                )
    if "scene" not in loaded.strings:
        yield Mistake(where="strings.yaml", what="The scene has no label.", remedy="Add scene in zh and en.")
    for indicator in loaded.scene.indicators:
        if not indicator.unit:
            what = f"Indicator {indicator.name} has no unit."
            yield Mistake(where="indicators.py", what=what, remedy="Give its UCUM unit; “1” for a plain number.")
        for word in WORDS_OF_AN_INDICATOR:
            if f"indicator.{indicator.name}.{word}" not in loaded.strings:
                what = f"Indicator {indicator.name} has no {word}."
                yield Mistake(
                    where="strings.yaml", what=what, remedy=f"Add indicator.{indicator.name}.{word} in zh and en."
                )
    for key, text in loaded.strings.items():
        if _placeholders(text["zh"]) != _placeholders(text["en"]):
            what = f"{key}: the two languages fill in different words."
            yield Mistake(where="strings.yaml", what=what, remedy="Use the same {words} in both.")


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _claims(loaded: Loaded) -> Iterator[Mistake]:
    """Rules of quality.yaml that are missing, unknown, or claimed and not borne out by the files."""
    rules = loaded.quality["rules"]
    for name in sorted(set(RULES) - rules.keys()):
        yield Mistake(where="quality.yaml", what=f"It does not speak of {name}.", remedy="Say done, todo or exempt.")
    for name in sorted(rules.keys() - set(RULES)):
        yield Mistake(
            where="quality.yaml", what=f"No rule is called {name}.", remedy=f"The rules are {', '.join(RULES)}."
        )
    for name, what in _unproven(loaded):
        if rules.get(name, {}).get("status") == "done":
            yield Mistake(where="quality.yaml", what=f"{name} is claimed, but {what}.", remedy="Add it, or say todo.")


def _unproven(loaded: Loaded) -> Iterator[tuple[str, str]]:
    folder = loaded.scene.folder
    if not loaded.sentences:
        yield "tested_cases", "cases/ holds no sentence"
    if not any(path.is_file() for path in (folder / "payloads").glob("*")):
        yield "captured_payloads", "payloads/ is empty"
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    for rule, heading in _HEADINGS.items():
        if not re.search(rf"^#+ {heading}\s*$\s+\S", text, re.MULTILINE):
            yield rule, f"README.md has nothing under “{heading}”"
    if not loaded.scene.indicators:
        yield "visible", "there is no indicator"
    if not loaded.moves:
        yield "decidable", "moves.yaml decides nothing"
