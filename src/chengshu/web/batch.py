"""Moves on many cases at once: the rows chosen as requests, and what became of each in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chengshu.cases.catalog import Catalog
from chengshu.cases.detail import explain
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.core.errors import Invalid
from chengshu.web.pages import Request, known, text
from chengshu.web.words import local

DIGITS = 9  # of a version, or of an account


def chosen(request: Request, code: str, most: int) -> list[MoveRequest]:
    """The move on each row chosen, `most` at most, with the note, unit and tracker of the form."""
    tracker = _number(text(request, "tracker", 20)) if text(request, "tracker", 20) else None
    note, unit = text(request, "note"), text(request, "unit", 100) or None
    return [
        MoveRequest(case=case, move=code, version=version, note=note, unit=unit, tracker=tracker)
        for case, version in map(_row, request.POST.getlist("case")[:most])
    ]


def _row(value: str) -> tuple[UUID, int]:
    """A row is `id:version`, so that whoever moved the case first is not overrun."""
    id, _colon, version = value.partition(":")
    try:
        return UUID(id), _number(version)
    except ValueError as error:
        raise _unreadable() from error


def _number(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= DIGITS):
        raise _unreadable()
    return int(value)


def _unreadable() -> Invalid:
    return Invalid(_("This list of cases cannot be read."), where="case", remedy=_("Open it again."))


def label(catalog: Catalog, code: str) -> str:
    """The name of a move that many kinds of cases may have."""
    return next((local(move, "label") for move in catalog.moves.values() if move.code == code), code)


def why(verdict: str, detail: str) -> str:
    """Why a move was refused: for many cases, without the posts that make it."""
    return _("Your post does not make this move.") if verdict == "forbidden" else explain(verdict, detail)


def tell(request: Request, code: str, verdicts: Sequence[Verdict]) -> None:
    """Say on the next page how many cases were moved, and which were not, and why."""
    if done := sum(verdict.ok for verdict in verdicts):
        words = ngettext("%(move)s: %(n)s case.", "%(move)s: %(n)s cases.", done)
        messages.success(request, words % {"move": label(known(request), code), "n": done})
    refused = Counter((v.verdict, v.detail) for v in verdicts if not v.ok)
    for (verdict, detail), count in refused.items():
        numbers = _(", ").join(v.number or "?" for v in verdicts if (v.verdict, v.detail) == (verdict, detail))[:200]
        words = ngettext("%(n)s case was not moved", "%(n)s cases were not moved", count) % {"n": count}
        messages.error(request, f"{words} ({numbers}): {why(verdict, detail)}")
