"""The YAML files of a scene: read, checked by their schema, every mistake with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chengshu.core.errors import Mistake

SCHEMAS = Path(__file__).parent / "schemas"


def read_yaml(path: Path, schema: str) -> tuple[Any, list[Mistake]]:
    """The content of a file as plain values (dates as ISO strings) with its mistakes; None when it cannot be read."""
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, [
            Mistake(where=path.name, what="The file is missing.", remedy="Add it; every scene has the same files.")
        ]
    except UnicodeDecodeError as error:
        return None, [Mistake(where=path.name, what=f"It is not UTF-8 ({error.reason}).", remedy="Save it as UTF-8.")]
    except YAMLError as error:
        return None, [Mistake(where=f"{path.name}:{_line(error)}", what=_problem(error), remedy="Mend the YAML.")]
    except ValueError as error:  # a date that the calendar does not have
        return None, [Mistake(where=path.name, what=f"A value cannot be read ({error}).", remedy="Mend the date.")]
    content = _plain(tree if tree is not None else {})
    return content, [_mistake(path, tree, error) for error in _validator(schema).iter_errors(content)]


def line_of(tree: Any, path: Sequence[str | int]) -> int:
    """The line, from 1, on which the element at `path` of a round-trip tree begins, or the nearest one around it."""
    line = 1
    for step in path:
        if not isinstance(tree, CommentedBase):
            break
        key = _written(tree, step) if isinstance(tree, CommentedMap) else step
        line = _place(tree, key, line)
        tree = tree[key]  # type: ignore[index]
    return line


def _written(tree: CommentedMap, name: str | int) -> Any:
    """The key as YAML read it: a date may stand where we say its ISO text."""
    return next((key for key in tree if _key(key) == name), name)


def _place(tree: CommentedBase, step: Any, otherwise: int) -> int:
    try:
        place = tree.lc.key(step) if isinstance(tree, CommentedMap) else tree.lc.item(step)
    except (KeyError, TypeError, AttributeError):
        return otherwise
    return int(place[0]) + 1 if place else otherwise


@cache
def _validator(schema: str) -> Draft202012Validator:
    rules = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(rules, format_checker=FormatChecker(["date"]))


def _mistake(path: Path, tree: Any, error: ValidationError) -> Mistake:
    place = list(error.absolute_path)
    name = ".".join(map(str, place))
    what = f"{name}: {error.message}" if name else error.message
    return Mistake(
        where=f"{path.name}:{line_of(tree, place)}",
        what=what,
        remedy=f"See “{path.stem}” in docs/how-to/write-a-scene.md.",
    )


def _plain(value: Any) -> Any:
    """Plain dicts, lists and scalars; keys and dates as text."""
    if isinstance(value, dict):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return _scalar(value)


def _key(key: Any) -> str:
    return key.isoformat() if isinstance(key, date) else str(key)


def _scalar(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _line(error: YAMLError) -> int:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return mark.line + 1 if mark else 1


def _problem(error: YAMLError) -> str:
    return str(error.problem) if isinstance(error, MarkedYAMLError) and error.problem else str(error)


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder, by name."""
    yield from sorted(folder.glob("*.yaml"))
