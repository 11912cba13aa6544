"""The Chinese translation of every string that people see: --check it, bring the file up to date (--update), --compile it.

Strings are found in calls of gettext and its kin, in the templates, in the descriptions of the schemas of city packs, and in the
sentences of errors (the first argument and the remedy of a ChengshuError), which the pages translate when they show them. A sentence with values in it is made by gettext with
placeholders; --check refuses f-strings there, for no catalogue can hold them.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "chengshu"
FOLDER = PACKAGE / "locale" / "zh_Hans" / "LC_MESSAGES"
PO, MO = FOLDER / "django.po", FOLDER / "django.mo"
METHODS = [("**/migrations/**.py", "ignore"), ("**.py", "python"), ("web/templates/**.html", "jinja2")]
OPTIONS = {
    "web/templates/**.html": {
        "trimmed": "true", "silent": "false", "newstyle_gettext": "true", "extensions": "jinja2.ext.do",
    }
}  # fmt: skip
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_noop": None, "gettext_lazy": None, "ngettext_lazy": (1, 2)}
ERRORS = {"NotSignedIn", "NotAllowed", "NotFound", "Conflict", "Invalid", "TooMany"}
GETTEXT = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext"}
AUTHORS = "The chengshu authors"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = (
    "# Chinese of the pages, the command line and the errors. Licence: Apache-2.0, as the project.\n"
    "# Written by tools/translations.py --update; the translations are by hand."
)
HOLES = re.compile(r"%\(\w+\)[.\d]*[sdf]|\{\w+\}")
TOLD = ("cases", "core", "evaluation", "packs", "parties", "places", "replay", "web", "urls.py")
SHOWN = ("cases", "core", "evaluation", "parties", "places", "web", "urls.py")  # whose errors reach the pages


def extracted() -> Catalog:
    """All strings of the source tree, with the files they stand in (no lines, so that the file changes only with the strings)."""
    catalog = _empty()
    found = extract_from_dir(str(PACKAGE), METHODS, OPTIONS, KEYWORDS, comment_tags=("Translators:",))
    for name, _line, message, comments, context in sorted(found, key=lambda row: row[:2]):
        catalog.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    for name, sentence in (*sentences(), *descriptions()):
        catalog.add(sentence, locations=[(name, 0)])
    return catalog


def _empty() -> Catalog:
    """A catalog whose head never changes, so that the file changes only with its strings."""
    return Catalog(
        locale="zh_Hans", domain="django", project="chengshu", version="1", header_comment=HEAD, fuzzy=False, charset="utf-8",
        msgid_bugs_address="the project's issues", last_translator=AUTHORS, language_team=AUTHORS, creation_date=SINCE,
        revision_date=SINCE,
    )  # fmt: skip


def sentences() -> Iterator[tuple[str, str]]:
    """(file, sentence) for the sentences of errors: those without values in them."""
    for path in sorted(p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] in SHOWN):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in ERRORS:
                words = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "remedy")]
                for word in words:
                    if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value:
                        yield str(path.relative_to(PACKAGE)), word.value


def descriptions() -> Iterator[tuple[str, str]]:
    """(file, words) for what the schemas of city packs say would be right; of a list of codes the program makes the words."""
    for path in sorted((PACKAGE / "packs" / "schemas").glob("*.json")):
        yield from ((str(path.relative_to(PACKAGE)), words) for words in _described(json.loads(path.read_text())))


def _described(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(words := schema.get("description"), str) and "enum" not in schema:
            yield words
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _described(part)


def unspeakable() -> Iterator[str]:
    """Where an f-string stands as the sentence of an error, or within gettext: it would stay English on a Chinese page."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name, tree = path.relative_to(PACKAGE), ast.parse(path.read_text())
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        lines = {line for scope in (tree, *functions) for line in _f_sentences(scope, errors=name.parts[0] in TOLD)}
        yield from (f"f-string in a sentence: {name}:{line}" for line in sorted(lines))


def _f_sentences(scope: ast.AST, *, errors: bool) -> Iterator[int]:
    """Lines of the calls in a module or function whose sentence is an f-string, there or, in a function, by a name given to it."""
    made = _f_strings(scope) if isinstance(scope, ast.FunctionDef) else set()
    for node in (n for n in ast.walk(scope) if isinstance(n, ast.Call)):
        words = node.args[:2] if _name(node.func) in GETTEXT else []
        if errors and _name(node.func) in ERRORS | {"Mistake"}:
            words = [*node.args[:1], *(k.value for k in node.keywords if k.arg in {"what", "remedy"})]
        if any(isinstance(word, ast.JoinedStr) or (isinstance(word, ast.Name) and word.id in made) for word in words):
            yield node.lineno


def _f_strings(function: ast.FunctionDef) -> set[str]:
    """The names to which a function gives an f-string."""
    given = (n for n in ast.walk(function) if isinstance(n, ast.Assign) and isinstance(n.value, ast.JoinedStr))
    return {target.id for node in given for target in node.targets if isinstance(target, ast.Name)}


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def translated() -> Catalog:
    """The translation as it is in the repository."""
    if not PO.exists():
        return _empty()
    with PO.open("rb") as file:
        return read_po(file, locale="zh_Hans", domain="django")


def wanting(source: Catalog, done: Catalog) -> list[str]:
    """What is not as it should be: missing, unsure, unused, or with other placeholders than the original."""
    found = []
    for message in source:
        if not message.id:
            continue
        own = done.get(message.id, message.context)
        if own is None or not _full(own.string):
            found.append(f"not translated: {message.id!r} ({_files(message)})")
        elif own.fuzzy:
            found.append(f"unsure (fuzzy): {message.id!r}")
        else:
            found += [f"other placeholders: {message.id!r}"] * (_holes(message.id) != _holes(own.string))
    used = {message.id for message in source}
    return found + [f"no longer used: {message.id!r}" for message in done if message.id and message.id not in used]


def _full(string: Any) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


def _holes(string: Any) -> set[str]:
    """The placeholders of a string; of a plural those of all its forms."""
    return set(HOLES.findall(" ".join(string) if isinstance(string, tuple | list) else string))


def _files(message: Any) -> str:
    return ", ".join(sorted({name for name, _line in message.locations}))


def update() -> None:
    """Bring the file up to date: keep translations, add what is new without one, drop what is gone."""
    source, done = extracted(), translated()
    for message in source:
        own = done.get(message.id, message.context) if message.id else None
        if own is not None:
            message.string = own.string
    FOLDER.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, source, width=0, sort_output=True, omit_header=False, include_lineno=False, ignore_obsolete=True)


def compile_catalogs() -> None:
    """Write the binary file that gettext reads, beside the text that people read."""
    if MO.exists() and PO.exists() and MO.stat().st_mtime >= PO.stat().st_mtime:
        return
    half = MO.with_suffix(".new")
    with half.open("wb") as file:
        write_mo(file, translated())
    half.replace(MO)


def check() -> int:
    problems = [*wanting(extracted(), translated()), *unspeakable()]
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        print(
            f"{len(problems)} strings: run `python tools/translations.py --update`, then translate {PO}",
            file=sys.stderr,
        )
    return 1 if problems else 0


def main() -> int:
    """Do what the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    for name in ("check", "update", "compile"):
        group.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    if options.check:
        return check()
    update() if options.update else compile_catalogs()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
