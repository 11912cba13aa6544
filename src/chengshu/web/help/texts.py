"""The texts of help, read once from the YAML files of this folder; a mistake in one is found by the first who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chengshu.core.errors import CannotStart
from chengshu.parties.roles import Role
from chengshu.web import words

FOLDER = Path(__file__).parent
GROUPS = ("things", "roles", "states", "moves", "clocks", "scorecards")


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """A text in both languages."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.en if words.language().startswith("en") else self.zh


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word of the trade: what people call it, its identifiers, and what it means."""

    key: str
    group: str
    name: Both
    means: Both
    code: str = ""
    road: str = ""
    phase: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key of the keyboard and what it does."""

    keys: tuple[str, ...]
    does: Both


@dataclass(frozen=True, kw_only=True, slots=True)
class PageHelp:
    """What a page is for, what to do there, its keys. `name` is that of its address."""

    name: str
    room: str
    title: Both
    purpose: Both
    todo: tuple[Both, ...]
    keys: tuple[Key, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step of a tour: the part of the page that it points at (CSS), and what it says."""

    at: str
    title: Both
    text: Both


@dataclass(frozen=True, kw_only=True, slots=True)
class Tour:
    """The first walk of a role, on the page where its day begins."""

    role: Role
    steps: tuple[Step, ...]


def both(value: Mapping[str, str]) -> Both:
    return Both(zh=value["zh"], en=value["en"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise CannotStart(
            "A file of help is missing.", where=str(path), remedy="Install a complete chengshu."
        ) from error


@cache
def glossary() -> dict[str, Term]:
    """All words by key, in the order of the file."""
    found = _read(FOLDER / "glossary.yaml")
    return {key: _term(key, group, entry) for group in GROUPS for key, entry in found[group].items()}


def _term(key: str, group: str, entry: Mapping[str, Any]) -> Term:
    more = {name: str(entry[name]) for name in ("code", "road", "phase") if name in entry}
    return Term(key=key, group=group, name=both(entry), means=both(entry["means"]), **more)


@cache
def pages() -> dict[str, PageHelp]:
    """Help by the name of the page's address, room by room."""
    found: dict[str, PageHelp] = {}
    for file in sorted((FOLDER / "pages").glob("*.yaml")):
        found |= {name: _page(name, file.stem, entry) for name, entry in _read(file).items()}
    return found


def _page(name: str, room: str, entry: Mapping[str, Any]) -> PageHelp:
    return PageHelp(
        name=name,
        room=room,
        title=both(entry["title"]),
        purpose=both(entry["for"]),
        todo=tuple(both(line) for line in entry.get("do", ())),
        keys=tuple(Key(keys=tuple(str(line["keys"]).split()), does=both(line)) for line in entry.get("keys", ())),
    )


@cache
def tours() -> dict[Role, Tour]:
    """The tour of each role that has one: those that all share come before and after its own steps."""
    found = _read(FOLDER / "tours.yaml")
    first, last = ([_step(step) for step in found[name]] for name in ("before", "after"))
    return {
        Role(role): Tour(role=Role(role), steps=(*first, *map(_step, own), *last))
        for role, own in found["roles"].items()
    }


def _step(entry: Mapping[str, Any]) -> Step:
    return Step(at=str(entry["at"]), title=both(entry["title"]), text=both(entry["text"]))
