"""Write docs/reference/ from the code, or with --check tell which page no longer says what the code says.

python tools/docs.py [--check]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
os.environ["CHENGSHU_LANGUAGE"] = "en"

import django

django.setup()

import typer
from django.utils import translation
from typer.cli import get_docs_for_click

from chengshu import cli as commands
from chengshu.api.urls import api
from chengshu.evaluation.measures import MEASURES, Measure
from chengshu.packs.read import read_pack
from chengshu.parties.roles import EDITS_RULES, LABELS, READS_CONTACT, SCOPES, Role
from chengshu.web.help.texts import GROUPS, glossary

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
CITIES = ("hangzhou", "boston")
SCOPE_WORDS = {
    "area": "every case in its jurisdiction",
    "unit": "cases that its department leads or has a task in",
    "own": "what it reported itself",
    "none": "no case",
    "all": "every case of its city",
}


def table(head: list[str], rows: Iterator[list[Any]]) -> str:
    """A Markdown table; cells lose line breaks and bars."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return str(value).replace("\n", " ").replace("|", "\\|")


def cli() -> str:
    """The command line, as Typer describes it."""
    group = typer.main.get_command(commands.app)
    context = typer.Context(group, info_name="chengshu")
    parts = [
        "# Command line\n\nExit codes: 0 done, 1 failed, 2 wrong input, 3 cannot start here, 4 `load-city`: there are changes that were not made, 130 interrupted.\n"
    ]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        real = command._real() if isinstance(command, commands.LazyCommand) else command
        parts.append(get_docs_for_click(obj=real, ctx=context, name=name, call_prefix="chengshu", indent=1))
    return "\n".join(parts)


def http() -> str:
    """The API, operation by operation."""
    schema = api.get_openapi_schema()
    rows = (
        [
            f"`{method.upper()} {path}`",
            operation.get("summary", ""),
            (operation.get("description") or "").split("\n\n")[0],
        ]
        for path, operations in sorted(schema["paths"].items())
        for method, operation in operations.items()
    )
    return (
        "# HTTP API\n\nThe full description with all schemas is served at `/api/openapi.json` (OpenAPI 3.1). Send"
        " `Authorization: Bearer TOKEN`; make a token with `chengshu user token`. Every refusal is an RFC 9457 problem with"
        " `detail` (what), `instance` (where) and `remedy`. A write with `Idempotency-Key` is done once; `If-Match` with a case's"
        " ETag refuses a move on a case that somebody moved meanwhile.\n\n" + table(["operation", "", ""], rows)
    )


def roles() -> str:
    """Roles: what each sees and may do besides the moves."""
    rows = (
        [f"`{role.value}`", LABELS[role], _chinese(LABELS[role]), SCOPE_WORDS[SCOPES[role].value],
         "yes" if role in READS_CONTACT else "", "yes" if role in EDITS_RULES else ""]
        for role in Role
    )  # fmt: skip
    head = ["role", "English", "中文", "sees", "reads contacts (logged)", "edits rules"]
    return (
        "# Roles\n\nA post is a role in a department for a jurisdiction. Which moves a role makes stands in the pages of moves.\n\n"
        + table(head, rows)
    )


def _chinese(label: Any) -> str:
    with translation.override("zh-hans"):
        return str(label)


def moves(city: str) -> Callable[[], str]:
    """The life of every kind of case in a city."""

    def page() -> str:
        pack = read_pack(ROOT / "cities" / city)
        parts = [f"# Moves: {pack.city.label_en}\n\nFrom `cities/{city}/moves.yaml`. `→ same` keeps the state."]
        for kind in pack.kinds:
            parts.append(f"## {kind.label_en} ({kind.label}, `{kind.code}`)")
            if kind.limits:
                limits = ", ".join(f"{stage} {limit}" for stage, limit in kind.limits.items())
                parts.append(f"Limits while a case has no type: {limits}.")
            parts.append(table(["move", "from → to", "who", "needs", "clocks", "why"], _moves(pack, kind.code)))
        return "\n\n".join(parts)

    return page


def _moves(pack: Any, kind: str) -> Iterator[list[str]]:
    """One line for a move, with all states from which it leads."""
    grouped: dict[str, list[Any]] = {}
    for move in pack.moves:
        if move.kind == kind:
            grouped.setdefault(move.code, []).append(move)
    for code, same in grouped.items():
        first = same[0]
        ends = [m.from_state if m.from_state != m.to_state else f"{m.from_state} (same)" for m in same]
        target = "same" if first.from_state == first.to_state else first.to_state
        clocks = [f"stop {'+'.join(first.clocks_stop)}" * bool(first.clocks_stop), f"start {'+'.join(first.clocks_start)}" * bool(first.clocks_start),
                  "pause" * first.clocks_pause, "resume" * first.clocks_resume]  # fmt: skip
        who = "any" if len(first.roles) > 8 else ", ".join(first.roles)
        needs = ", ".join([*first.needs, *(f"not by who made {m}" for m in first.not_who)])
        starts = ", ".join(e.removesuffix(" (same)") for e in ends)
        yield [
            f"{first.label_en} {first.label} `{code}`",
            f"{starts} → {target}",
            who,
            needs,
            "; ".join(filter(None, clocks)),
            first.why_en or first.why,
        ]


def case_types(city: str) -> Callable[[], str]:
    """The case types of a city with their limits."""

    def page() -> str:
        pack = read_pack(ROOT / "cities" / city)
        rows = (
            [f"`{t.code}`", t.name, t.name_en if t.name_en != t.name else "", t.kind, t.major, t.minor,
             ", ".join(f"{stage} {limit}" for stage, limit in t.limits.items()), "urgent" if t.urgent else t.severity]
            for t in pack.types
        )  # fmt: skip
        head = ["code", "name", "English", "kind", "major class", "minor class", "limits", "severity"]
        return (
            f"# Case types: {pack.city.label_en}\n\nFrom `cities/{city}/case_types.csv`; limits as in [city pack](city-pack.md).\n\n"
            + table(head, rows)
        )

    return page


SCORES = """\
# Scorecards

Every number is defined once, and the page, the CSV and the list of cases behind it use that definition. A measure
counts rows (clocks, cases or assignments) that were *due* in a period, and how many of them were *good*; the rate is
their share. The period runs from its first day until before its end in the city's time zone and is judged at a moment
(`as_of`, normally now): what falls due after that moment is not due yet, and what was done after it is not done.
Whether a case rests, was rejected or merged is judged as it stands today.

| subject | a row belongs to it when |
|---|---|
| `department` | its clock or assignment is the department's; its case is in the department's hands |
| `department_tree` | the same, for the department or any that stands under it |
| `district`, `street`, `community`, `grid` | its case lies there |
| `person` | the person stopped its clock; what nobody has done yet counts for departments and areas only |

A clock belongs to the unit that held the case when the clock stopped, or that holds it now: when a running case is sent
on, its clock goes along. A rate over nothing is empty, neither 0 nor 100 %. A post sees the figures of the cases that
it may see. The parts behind a figure are `denominator` (all that were due), `numerator` (the good ones) and `missed`
(the others); a case that was due twice is counted, and listed, twice.
"""


def scorecards() -> str:
    """The measures, from their registry."""
    return "\n".join([SCORES, *(line for measure in MEASURES for line in _section(measure))])


def _section(measure: Measure) -> Iterator[str]:
    yield f"## {measure.label.zh} · {measure.label.en} (`{measure.name}`)\n"
    yield f"{measure.definition.zh}\n"
    yield f"{measure.definition.en}\n"
    yield "| | |\n|---|---|"
    yield f"| denominator | {measure.due_label.zh} · {measure.due_label.en} |"
    if measure.good_label is not None:
        yield f"| numerator | {measure.good_label.zh} · {measure.good_label.en} |"
    yield f"| unit | {measure.unit}{', less is better' if measure.low else ''} |"
    yield f"| for | {', '.join(f'`{kind}`' for kind in sorted(measure.kinds))} |"
    yield f"| source | {measure.source.zh} · {measure.source.en} |\n"


GLOSSARY = """\
# Glossary

Words of the trade, as Chinese city management uses them, and the identifiers they have in code, packs and interfaces. Chinese terms follow
GB/T 30428 (数字化城市管理信息系统) and the practice of the 12345 hotline; one word has one meaning everywhere. The pages show them from
the same source, `src/chengshu/web/help/glossary.yaml`.
"""
DUE = "Every share is taken of what was **due** in the period, so that nobody looks better by leaving things open.\n\n"


def words_of_trade() -> str:
    """The glossary, group by group."""
    return "\n".join([GLOSSARY, *(_words(group) for group in GROUPS)])


def _words(group: str) -> str:
    terms = [term for term in glossary().values() if term.group == group]
    columns = {"identifier": "code", "phase": "phase", "from → to": "road"}
    shown = {head: name for head, name in columns.items() if any(getattr(term, name) for term in terms)}
    rows = (
        [term.name.zh, term.name.en, *(getattr(term, name) for name in shown.values()), term.means.en, term.means.zh]
        for term in terms
    )
    head = ["Chinese", "English", *shown, "meaning", "释义"]
    return f"## {group.capitalize()}\n\n{DUE if group == 'scorecards' else ''}{table(head, rows)}\n"


PAGES: dict[str, Callable[[], str]] = {
    "../glossary.md": words_of_trade,
    "cli.md": cli,
    "api.md": http,
    "roles.md": roles,
    "scorecards.md": scorecards,
    **{f"moves-{city}.md": moves(city) for city in CITIES},
    **{f"case-types-{city}.md": case_types(city) for city in CITIES},
}
HEAD = "<!-- Written by tools/docs.py from the code; edit the code. -->\n\n"


def main() -> int:
    translation.activate("en")
    stale = []
    for name, page in PAGES.items():
        text = HEAD + page().rstrip() + "\n"
        file = REFERENCE / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                file.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"Stale: {', '.join(stale)} in docs/reference. Run: python tools/docs.py", file=sys.stderr)
        return 1
    print(
        f"docs/reference: {len(PAGES)} pages "
        + ("are fresh" if "--check" in sys.argv else f"written, {len(stale)} changed")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
