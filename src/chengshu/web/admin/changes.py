"""All changes of the configuration: who, when, why, and each row before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.http import Http404, HttpResponse
from django.urls import reverse

from chengshu.packs import revisions
from chengshu.packs.models import Alteration, Revision
from chengshu.packs.records import TABLES
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import READERS, Past, past
from chengshu.web.pages import Request, known, page, respond, text

MOST = 100
ADDRESSES = {"types": "admin_type", "departments": "admin_department"}
LIFE = frozenset({"kinds", "states", "moves"})
PARTS = {
    "dispatch": "rules",
    "escalation": "admin_escalation",
    "calendar": "admin_calendar",
    "parameters": "admin_parameters",
    "notices": "admin_notices",
    "thing_types": "admin_thing_types",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangesPage:
    """The newest changes, of one table if asked."""

    revisions: Sequence[Revision]
    tables: Sequence[tuple[str, str]]
    table: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a change, where it is edited, and what it was."""

    table: str
    key: str
    action: str
    href: str
    past: Past


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePage:
    """One change with its rows."""

    revision: Revision
    how: str
    counts: Mapping[str, int]
    rows: Sequence[Row]


@page(roles=READERS)
def show(request: Request) -> HttpResponse:
    """The changes of the city's configuration."""
    wanted = text(request, "table", 20)
    names = ("city", *TABLES, "parts")
    return respond(
        request,
        "admin/changes.html",
        ChangesPage(
            revisions=revisions.latest(known(request).city.pk, table=wanted if wanted in names else "", most=MOST),
            tables=[(name, field_words.word(field_words.TABLES, name)) for name in names],
            table=wanted,
        ),
    )


@page(roles=READERS)
def show_one(request: Request) -> HttpResponse:
    """One change, row by row."""
    number = text(request, "number", 18)
    found = Revision.objects.filter(city=known(request).city, pk=int(number) if number.isdecimal() else 0)
    revision = found.select_related("account", "post__department", "post__division").first()
    if revision is None:
        raise Http404
    rows = [_row(a) for a in revisions.alterations(revision)]
    how = field_words.word(field_words.HOW, revision.how)
    page = ChangePage(revision=revision, how=how, counts=_counts(revision.counts), rows=rows)
    return respond(request, "admin/change.html", page)


def _counts(counts: Mapping[str, Any]) -> dict[str, int]:
    """`types change` in words."""
    named = {}
    for key, n in counts.items():
        table, _space, action = key.partition(" ")
        words = field_words.word(field_words.TABLES, table), field_words.word(field_words.ACTIONS, action)
        named[" · ".join(words)] = int(n)
    return named


def _row(alteration: Alteration) -> Row:
    table, key = alteration.table, alteration.key
    name = field_words.word(field_words.PARTS, key) if table == "parts" else key
    href = ""
    if table in ADDRESSES:
        href = f"{reverse(ADDRESSES[table])}?code={quote(key)}"
    elif table in LIFE:
        href = f"{reverse('admin_moves')}?kind={quote(key.partition('/')[0])}"
    elif table == "parts" and key in PARTS:
        href = f"{reverse(PARTS[key])}?version={(alteration.after or {}).get('version', '')}"
    return Row(
        table=field_words.word(field_words.TABLES, table),
        key=name,
        action=field_words.word(field_words.ACTIONS, alteration.action),
        href=href,
        past=past([alteration])[0],
    )
