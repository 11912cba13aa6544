"""Moves on several cases at once: looked at before, made, and taken back while that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chengshu.cases import search
from chengshu.cases.advance import UNDO, advance, foresee
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest, Verdict
from chengshu.web import batch
from chengshu.web.context import DESK
from chengshu.web.pages import Request, back, known, page, respond, text
from chengshu.web.words import local

MOST = 200  # cases moved at once
SESSION = "undo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    """What was done last at this desk and can still be taken back."""

    words: str
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """What a move would do with one of the chosen cases: where it would go, or why it stays."""

    case: Case
    ok: bool
    unit: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewPage:
    """A move on several cases before it is made; `values` are what the form sends when it is confirmed."""

    move: str
    label: str
    rows: Sequence[Foreseen]
    chosen: Sequence[str]
    note: str
    unit: str
    next: str

    @property
    def good(self) -> int:
        return sum(row.ok for row in self.rows)

    @property
    def bad(self) -> Sequence[Foreseen]:
        return [row for row in self.rows if not row.ok]


@page("POST", roles=DESK)
def preview(request: Request) -> HttpResponse:
    """Which of the chosen cases the move can be made on, where they would go, and why the others stay."""
    code, requests = _requests(request)
    if not requests:
        messages.warning(request, _("Choose cases and a move."))
        return back(request, reverse("desk"))
    catalog = known(request)
    foreseen = foresee(requests, actor=request.principal, at=datetime.now(UTC))
    cases = {case.pk: case for case in _cases(request, requests)}
    page = PreviewPage(
        move=code,
        label=batch.label(catalog, code),
        rows=[_row(catalog, cases[v.case], v, unit) for v, unit in foreseen if v.case in cases],
        chosen=request.POST.getlist("case")[:MOST],
        note=text(request, "note"),
        unit=text(request, "unit", 100),
        next=text(request, "next", 4_000),
    )
    return respond(request, "desk/preview_part.html" if request.htmx else "desk/preview.html", page)


def _cases(request: Request, requests: Sequence[MoveRequest]) -> Sequence[Case]:
    wanted = search.Filters(ids=tuple(one.case for one in requests))
    return search.page(request.principal, wanted, now=datetime.now(UTC), size=MOST).cases


def _row(catalog: Catalog, case: Case, verdict: Verdict, unit: int | None) -> Foreseen:
    department = catalog.departments.get(unit or 0)
    return Foreseen(
        case=case,
        ok=verdict.verdict == "ok",
        unit=local(department, "name") if department else "",
        why="" if verdict.verdict == "ok" else batch.why(verdict.verdict, verdict.detail),
    )


@page("POST", roles=DESK)
def move(request: Request) -> HttpResponse:
    """Make one move on all cases chosen, and tell what became of each."""
    code, requests = _requests(request)
    if not requests:
        messages.warning(request, _("Choose cases and a move."))
        return back(request, reverse("desk"))
    verdicts = advance(requests, actor=request.principal)
    batch.tell(request, code, verdicts)
    _remember(request, code, verdicts)
    return back(request, reverse("desk"))


@page("POST", roles=DESK)
def undo(request: Request) -> HttpResponse:
    """Take back what was done last on several cases, where nobody has acted since."""
    done = request.session.pop(SESSION, None)
    if not done:
        messages.warning(request, _("There is nothing to take back."))
        return HttpResponseRedirect(reverse("desk"))
    requests = [MoveRequest(case=UUID(case), version=version, move=done["move"]) for case, version in done["cases"]]
    batch.tell(request, done["move"], advance(requests, actor=request.principal))
    return back(request, reverse("desk"))


def undoable(request: Request, now: datetime) -> Undo | None:
    """What this session did last, while it can be taken back."""
    done = request.session.get(SESSION)
    until = datetime.fromisoformat(done["at"]) + UNDO if done else now
    return Undo(words=done["words"], until=until) if done and until > now else None


def _remember(request: Request, code: str, verdicts: Sequence[Verdict]) -> None:
    """Keep what was done for taking it back, if there is a move for that."""
    back_by = f"undo_{code}"
    done = [(str(verdict.case), verdict.version) for verdict in verdicts if verdict.ok]
    if not done or back_by not in known(request).undoes:
        request.session.pop(SESSION, None)
        return
    words = ngettext("%(move)s: %(n)s case.", "%(move)s: %(n)s cases.", len(done))
    request.session[SESSION] = {
        "move": back_by,
        "cases": done,
        "words": words % {"move": batch.label(known(request), code), "n": len(done)},
        "at": datetime.now(UTC).isoformat(),
    }


def _requests(request: Request) -> tuple[str, list[MoveRequest]]:
    """The move, and what is asked of each row chosen."""
    code = text(request, "move", 50)
    return code, batch.chosen(request, code, MOST) if code else []
