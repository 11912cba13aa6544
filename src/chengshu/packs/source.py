"""The files of a pack as data that remembers its lines: CSV, YAML and GeoJSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chengshu.cases.writing import check_text
from chengshu.core.errors import Invalid, Mistake

_FEATURE = re.compile(r'"type"\s*:\s*"Feature"')
_MOST = 5_000_000  # entries and characters of a YAML file once its aliases are written out


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One line of a CSV or one feature: its content and where it stands."""

    where: str
    content: dict[str, Any]


@dataclass(slots=True)
class Mend:
    """The mistakes found so far. `broken` holds the files that could not be read wholly: what refers to them is not judged."""

    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def wrong(self, where: str, what: str, remedy: str = "") -> None:
        self.mistakes.append(Mistake(where=where, what=what, remedy=remedy))

    def breaks(self, name: str, where: str, what: str, remedy: str = "") -> None:
        """A mistake after which the content of file `name` is not complete."""
        self.broken.add(name)
        self.wrong(where, what, remedy)

    def judges(self, *names: str) -> bool:
        """Whether all these files were read wholly, so that a missing code is a mistake of whoever names it."""
        return self.broken.isdisjoint(names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A YAML file: its plain content, and the line of any part of it."""

    name: str
    where: str
    content: Any
    marked: Any

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the deepest part of `path` that has one."""
        node, line = self.marked, 1
        for step in path:
            found = _step(node, step)
            if found is None:
                return line
            node, line = found
        return line

    def at(self, *path: str | int) -> str:
        """`file:line` of a part."""
        return f"{self.where}:{self.line(path)}"


def _step(node: Any, step: str | int) -> tuple[Any, int] | None:
    """One step down, and the line of what is there."""
    if isinstance(node, CommentedMap):
        key = next((k for k in node if str(k) == str(step)), None)
        return None if key is None else (node[key], node.lc.key(key)[0] + 1)
    if isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
        return node[step], node.lc.item(step)[0] + 1
    return None


class _Constructor(RoundTripConstructor):
    """Leaves dates as they are written, so that a wrong one is told with its place."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _self, node: node.value)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    return yaml


@dataclass(slots=True)
class _Plain:
    """YAML as JSON has it: text, numbers, lists and objects; dates are text. A few aliases can stand for any amount of it."""

    left: int = _MOST

    def of(self, node: Any) -> Any:
        self._take(1)
        match node:
            case dict():
                return {self._text(key): self.of(value) for key, value in node.items()}
            case list():
                return [self.of(item) for item in node]
            case None | bool():
                return node
            case int():
                return int(node)
            case float():
                return _finite(float(node))
            case _:
                return self._text(node)

    def _text(self, node: Any) -> str:
        text = str(node)
        self._take(len(text))
        return text

    def _take(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise ValueError(_("it unfolds to too much"))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(_("it holds a number that is none"))
    return number


def read_text(path: Path, where: str, mend: Mend) -> str | None:
    """The text of a file, or None and a mistake when it is not UTF-8 or holds what no database keeps."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        mend.breaks(path.name, f"{where}:{line}", _("this is not UTF-8."), _("Save the file as UTF-8."))
        return None
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        mend.breaks(path.name, f"{where}:{line}", _("this holds a NUL character."), _("Remove it."))
        return None
    return text


def read_yaml(path: Path, where: str, mend: Mend) -> Document | None:
    """A YAML 1.2 file; None and a mistake when it cannot be parsed."""
    text = read_text(path, where, mend)
    if text is None:
        return None
    try:
        marked = _yaml().load(text)
        content = _Plain().of(marked)
        check_text(_("The file"), content, where)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line = mark.line + 1 if mark else 1
        what = _("this is not YAML: {problem}.").format(problem=_problem(error))
        mend.breaks(path.name, f"{where}:{line}", what, _("Mend the line, or the one before it."))
        return None
    except Invalid as error:
        mend.breaks(path.name, where, error.what, _(error.remedy))
        return None
    return Document(name=path.name, where=where, content=content, marked=marked)


def _problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return _("it is nested too deeply, or within itself")
    found = (error.problem if isinstance(error, MarkedYAMLError) else None) or str(error)
    return next(iter(found.splitlines()), type(error).__name__)


def read_csv(path: Path, where: str, columns: Mapping[str, bool], mend: Mend) -> list[Record]:
    """The rows of a CSV with a header; `columns` are the allowed ones and whether each is required."""
    text = read_text(path, where, mend)
    if text is None:
        return []
    reader, records = csv.reader(io.StringIO(text, newline=""), strict=True), list[Record]()
    try:
        header = next(reader, [])
        if _good_header(path.name, header, columns, where, mend):
            for record in _rows(path.name, reader, header, where, mend):
                records.append(record)  # those before a broken line are judged as well
    except csv.Error as error:
        what = _("this is not CSV: {problem}.").format(problem=error)
        mend.breaks(path.name, f"{where}:{reader.line_num}", what, _("Mend the quotes of the line."))
    return records


def _good_header(name: str, header: list[str], columns: Mapping[str, bool], where: str, mend: Mend) -> bool:
    missing = [column for column, required in columns.items() if required and column not in header]
    strange = [column for column in header if column not in columns]
    if missing:
        what = _("the header lacks {columns}.").format(columns=", ".join(missing))
        mend.breaks(name, f"{where}:1", what, _("Add the column, if only empty."))
    if strange:
        what = _("the header names unknown {columns}.").format(columns=", ".join(repr(column) for column in strange))
        mend.breaks(name, f"{where}:1", what, _("The columns are {columns}.").format(columns=", ".join(columns)))
    if len(set(header)) < len(header):
        mend.breaks(name, f"{where}:1", _("the header names a column twice."), _("Keep one of them."))
    return not missing and not strange and len(set(header)) == len(header)


def _rows(name: str, reader: Any, header: list[str], where: str, mend: Mend) -> Iterator[Record]:
    line = reader.line_num + 1
    for values in reader:
        place, line = f"{where}:{line}", reader.line_num + 1
        if not values:
            continue
        if len(values) == len(header):
            content = {key: value.strip() for key, value in zip(header, values, strict=True)}
            yield Record(where=place, content=content)
            continue
        what = _("this row has {n} fields, the header {m}.").format(n=len(values), m=len(header))
        mend.breaks(name, place, what, _('Put fields that hold a comma into "quotes".'))


def read_features(path: Path, where: str, mend: Mend) -> Document | None:
    """A GeoJSON file; `marked` holds the line of each feature."""
    text = read_text(path, where, mend)
    if text is None:
        return None
    try:
        content = json.loads(text, parse_constant=lambda word: _finite(float(word)))
        check_text(_("The file"), content, where)
    except (ValueError, RecursionError, Invalid) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        problem = error.msg if isinstance(error, json.JSONDecodeError) else _problem(error)
        what = _("this is not JSON: {problem}.").format(problem=problem)
        mend.breaks(path.name, f"{where}:{line}", what, _("Write the file anew with a GeoJSON tool."))
        return None
    lines = [text.count("\n", 0, found.start()) + 1 for found in _FEATURE.finditer(text)]
    return Document(name=path.name, where=where, content=content, marked=lines)
