"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) on decoded JSON. Nothing that is given is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from chengshu.core.errors import Conflict, TooLarge
from chengshu.sensing.sta.body import LARGEST, Malformed, bounded

MOST: Final = 1_000  # operations
LARGEST_COPY: Final = 100_000  # bytes; copying into itself a thousand times would double as often


def merged(old: Any, new: Any) -> Any:
    """Merge Patch: what is null in `new` is taken away, what it does not name stays."""
    if not isinstance(new, dict):
        return new
    kept = old if isinstance(old, dict) else {}
    names = [*kept, *(name for name in new if name not in kept)]
    both = {name: merged(kept.get(name), new[name]) if name in new else kept[name] for name in names}
    return {name: value for name, value in both.items() if name not in new or new[name] is not None}


def patched(document: Any, operations: Any) -> Any:
    """A document after a JSON Patch. Raises `Malformed` for what cannot be done, `Conflict` where a test fails."""
    if not isinstance(operations, list) or len(operations) > MOST:
        raise Malformed("A JSON Patch is a list of operations, 1000 at most.")
    found = copy.deepcopy(document)
    for number, operation in enumerate(operations):
        where = f"operation {number}"
        if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
            raise Malformed("There is no such operation.", where=where, remedy=f"{', '.join(_OPERATIONS)}.")
        found = _OPERATIONS[operation["op"]](found, operation, where)
    if len(msgspec.json.encode(found)) > LARGEST:
        raise TooLarge("The patched entity is too large.")
    bounded(found)
    return found


def _pointer(operation: Mapping[str, Any], name: str, where: str) -> list[str]:
    """The words of a JSON Pointer (RFC 6901)."""
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise Malformed("A pointer begins with /.", where=f"{where}: {name}")
    return [word.replace("~1", "/").replace("~0", "~") for word in text.split("/")[1:]]


def _value(operation: Mapping[str, Any], where: str) -> Any:
    if "value" not in operation:
        raise Malformed("The operation has no value.", where=where)
    return copy.deepcopy(operation["value"])


def _index(word: str, length: int, where: str) -> int:
    if not (word == "0" or (word.isascii() and word.isdigit() and word[0] != "0")) or int(word[:9]) >= length:
        raise Malformed("There is nothing at this pointer.", where=f"{where}: {word[:60]}")
    return int(word[:9])


def _step(value: Any, word: str, where: str) -> Any:
    if isinstance(value, dict) and word in value:
        return value[word]
    if isinstance(value, list):
        return value[_index(word, len(value), where)]
    raise Malformed("There is nothing at this pointer.", where=f"{where}: {word[:60]}")


def _at(document: Any, words: list[str], where: str) -> Any:
    for word in words:
        document = _step(document, word, where)
    return document


def _put(document: Any, words: list[str], value: Any, where: str, *, there: bool = False) -> Any:
    """Set a value; into a list it is inserted, unless it takes the place of what is `there`."""
    if not words:
        return value
    parent, last = _at(document, words[:-1], where), words[-1]
    if there:
        _step(parent, last, where)
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and there:
        parent[int(last)] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1, where), value)
    else:
        raise Malformed("There is nothing at this pointer.", where=f"{where}: {last[:60]}")
    return document


def _taken(document: Any, words: list[str], where: str) -> Any:
    if not words:
        raise Malformed("The whole entity is not removed by a patch.", where=where)
    parent, last = _at(document, words[:-1], where), words[-1]
    _step(parent, last, where)
    del parent[last if isinstance(parent, dict) else int(last)]
    return document


def _add(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    return _put(document, _pointer(operation, "path", where), _value(operation, where), where)


def _replace(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    return _put(document, _pointer(operation, "path", where), _value(operation, where), where, there=True)


def _remove(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    return _taken(document, _pointer(operation, "path", where), where)


def _copy(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    value = copy.deepcopy(_at(document, _pointer(operation, "from", where), where))
    if len(msgspec.json.encode(value)) > LARGEST_COPY:
        raise TooLarge("The copied value is too large.", where=where)
    return _put(document, _pointer(operation, "path", where), value, where)


def _move(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    source, target = _pointer(operation, "from", where), _pointer(operation, "path", where)
    if target[: len(source)] == source and target != source:
        raise Malformed("A value is not moved into itself.", where=where)
    value = _at(document, source, where)
    return _put(_taken(document, source, where), target, value, where)


def _test(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    if not same(_at(document, _pointer(operation, "path", where), where), _value(operation, where)):
        raise Conflict("The entity is not as the patch expects.", where=where, remedy="Read it again.")
    return document


def same(one: Any, other: Any) -> bool:
    """Whether JSON values are equal; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


_OPERATIONS: Final[Mapping[str, Callable[[Any, Mapping[str, Any], str], Any]]] = {
    "add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test,
}  # fmt: skip
