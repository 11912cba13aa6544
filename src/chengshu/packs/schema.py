"""The JSON Schemas of a pack's files, and what is wrong by them in words.

A schema's `description` says what would be right; it is a sentence of the catalogue of translations like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from chengshu.packs.source import Document, Mend, Record

SHOWN = 60  # characters of a wrong value that a message repeats
TYPES = {
    "string": gettext_noop("a text"),
    "number": gettext_noop("a number"),
    "integer": gettext_noop("a whole number"),
    "boolean": gettext_noop("yes or no"),
    "array": gettext_noop("a list"),
    "object": gettext_noop("names with their values"),
}


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a file of the pack, by its name without ending."""
    text = files("chengshu.packs").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text), format_checker=Draft202012Validator.FORMAT_CHECKER)


def columns(name: str) -> dict[str, bool]:
    """The columns of a CSV and whether each must be there."""
    schema: Any = validator(name).schema
    required = set(schema["required"])
    return {column: column in required for column in schema["properties"]}


def good_records(name: str, file: str, records: Iterable[Record], mend: Mend) -> list[Record]:
    """The records that fit the schema; of the others every mistake is noted."""
    check = validator(name)
    good = []
    for record in records:
        errors = list(check.iter_errors(record.content))
        for error in errors:
            mend.breaks(file, record.where, *words(error))
        if not errors:
            good.append(record)
    return good


def good_form(name: str, content: Mapping[str, str], mend: Mend) -> bool:
    """Whether a form fits the schema of a row; the `where` of each mistake is the field, so that a page can name it."""
    errors = list(validator(name).iter_errors(content))
    for error in errors:
        mend.wrong(str(next(iter(error.absolute_path), "")), *words(error, _("this")))
    return not errors


def good_document(name: str, document: Document, mend: Mend) -> bool:
    """Whether a YAML file fits its schema; every mistake is noted with its own line."""
    errors = list(_leaves(validator(name).iter_errors(document.content)))
    for error in errors:
        mend.breaks(document.name, document.at(*_path(error)), *words(error))
    return not errors


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _path(error: ValidationError) -> list[str | int]:
    """The path of the wrong thing; for an unknown key or a wrong name, the key itself."""
    path: list[str | int] = list(error.absolute_path)
    if error.validator == "additionalProperties":
        return [*path, _unknown(error)[0]]
    return [*path, str(error.instance)] if _is_name(error) else path


def _is_name(error: ValidationError) -> bool:
    return "propertyNames" in error.absolute_schema_path


def _unknown(error: ValidationError) -> list[str]:
    known: Any = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    return [key for key in instance if key not in known]


def words(error: ValidationError, name: str = "") -> tuple[str, str]:
    """What is wrong, and what to write instead; the wrong thing is called `name`, or by its path."""
    name = name or ".".join(str(step) for step in error.absolute_path) or _("this")
    schema: Any = error.schema
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in _mapping(error.instance)]
        return _("{name} lacks {keys}.").format(name=name, keys=", ".join(missing)), _("Add it.")
    if error.validator == "additionalProperties":
        what = _("{name} has unknown {keys}.").format(name=name, keys=", ".join(_unknown(error)))
        return what, _("The keys are {keys}.").format(keys=", ".join(schema.get("properties", {})))
    what = _("{name} is {value}.").format(name=name, value=_short(error.instance))
    return what, _("Write {right}.").format(right=_right(schema))


def _right(schema: dict[str, Any]) -> str:
    """What a schema asks for, in the reader's language."""
    if "enum" in schema:
        return _("one of {words}").format(words=", ".join(map(str, schema["enum"])))
    if words := schema.get("description"):
        return _(words)
    types = schema.get("type", "object")
    return str(_(TYPES[types if isinstance(types, str) else types[0]]))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
