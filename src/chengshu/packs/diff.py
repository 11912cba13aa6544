"""Differences between two values, field by field, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chengshu.packs.records import Row

LABELS = (
    "id",
    "date",
    "name",
    "level",
    "what",
    "valid_from",
)  # by the first of these that tells all items of a list apart, they are called
SHOWN = 60  # characters of a value
NOTHING = "–"  # what an empty value is shown as


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """One value that changes; None where there was or will be none."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name}: {_short(self.old)} → {_short(self.new)}"


def _short(value: Any) -> str:
    if value is None or value in ("", (), [], {}):
        return NOTHING
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def field_changes(old: Row, new: Row) -> tuple[FieldChange, ...]:
    """The fields in which two rows differ; within mappings and lists of them, the entries."""
    before, after = old.facts(), new.facts()
    found: list[FieldChange] = []
    for name, value in after.items():
        if before[name] == value:
            continue
        if isinstance(value, Mapping):
            found += differences({name: dict(before[name])}, {name: dict(value)})
        elif isinstance(value, tuple) and any(isinstance(item, Mapping) for item in (*before[name], *value)):
            found += differences({name: list(before[name])}, {name: list(value)})
        else:
            found.append(FieldChange(name=name, old=before[name], new=value))
    return tuple(found)


def differences(old: Any, new: Any) -> tuple[FieldChange, ...]:
    """The places in which two JSON values differ, such as `rules.17.unit`."""
    before, after = dict(_flat("", old)), dict(_flat("", new))
    names = list(dict.fromkeys([*after, *before]))
    return tuple(
        FieldChange(name=name, old=before.get(name), new=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every text and number with its path. A list of objects is named by their ids, and its order is a value of its own."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(_join(path, key), item)
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        labels = _labels(value)
        yield _join(path, "order"), labels
        for label, item in zip(labels, value, strict=True):
            yield from _flat(_join(path, label), item)
    else:
        yield path, value


def _join(path: str, step: object) -> str:
    return f"{path}.{step}" if path else str(step)


def _labels(items: Sequence[Any]) -> list[str]:
    for name in LABELS:
        labels = [str(item[name] or NOTHING) for item in items if isinstance(item, Mapping) and name in item]
        if len(set(labels)) == len(items):
            return labels
    return [str(i) for i in range(1, len(items) + 1)]
