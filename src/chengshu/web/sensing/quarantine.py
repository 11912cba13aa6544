"""The quarantine: rows that could not be taken, why, and the acts: mend and send, send again as they stand, give up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from chengshu.core.errors import ChengshuError
from chengshu.sensing import quarantine
from chengshu.sensing.models import Quarantined
from chengshu.sensing.sources.feeds import EDITORS
from chengshu.web.admin.field_words import word
from chengshu.web.admin.frame import Wrong
from chengshu.web.pages import Request, page, respond, text

SHOWN: Final = 50
AT_ONCE: Final = 500  # rows sent again by one press
STATES: Final = {
    "open": gettext_noop("Waiting"),
    "repaired": gettext_noop("Mended"),
    "dropped": gettext_noop("Given up"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinePage:
    """Rows of one state and reason, the newest first; `counts` of all reasons in that state."""

    state: str
    states: Mapping[str, str]
    reason: str
    counts: Sequence[tuple[str, Any, int]]
    rows: Sequence[tuple[Quarantined, str]]
    more: bool
    mended: str = ""
    mending: int = 0
    reasons: Mapping[Any, Any] = field(default_factory=lambda: quarantine.REASONS)
    wrong: Wrong = field(default_factory=Wrong)


@page(roles=EDITORS)
def show(request: Request) -> HttpResponse:
    """The list."""
    return respond(request, "sensing/quarantine.html", _page(request))


def _page(request: Request, **more: Any) -> QuarantinePage:
    state = text(request, "state", 20)
    state = state if state in STATES else "open"
    reason = text(request, "reason", 20)
    mine = quarantine.seen(request.principal).filter(state=state)
    counts = dict(mine.values_list("reason").annotate(n=Count("pk")).order_by("reason"))
    reason = reason if reason in counts else ""
    rows = _chosen(request, state, reason)[: SHOWN + 1]
    return QuarantinePage(
        state=state,
        states={code: word(STATES, code) for code in STATES},
        reason=reason,
        counts=[(code, quarantine.REASONS[code][0], n) for code, n in counts.items()],
        rows=[(row, quarantine.line_of(row)) for row in rows[:SHOWN]],
        more=len(rows) > SHOWN,
        **more,
    )


def _chosen(request: Request, state: str, reason: str) -> Any:
    rows = quarantine.seen(request.principal).filter(state=state).select_related("datastream", "delivery", "by")
    return (rows.filter(reason=reason) if reason else rows).order_by("-pk")


@page("POST", roles=EDITORS)
def act(request: Request) -> HttpResponse:
    """Mend a row and send it, give it up, or send those of a reason again as they stand."""
    match text(request, "do", 10):
        case "repair":
            return _repair(request)
        case "drop":
            quarantine.drop(request.principal, _number(request), at=datetime.now(UTC))
            messages.success(request, _("The row was given up. It stays in sight as such."))
        case "again":
            _again(request)
    return _back(request)


def _number(request: Request) -> int:
    given = text(request, "row", 18)
    return int(given) if given.isascii() and given.isdecimal() else 0


def _repair(request: Request) -> HttpResponse:
    mended = text(request, "line", 20_000)
    try:
        quarantine.repair(request.principal, _number(request), mended, at=datetime.now(UTC))
    except ChengshuError as error:
        if error.status == 404:
            raise
        found = _page(request, mended=mended, mending=_number(request), wrong=Wrong.of(error))
        return respond(request, "sensing/quarantine.html", found, status=error.status)
    messages.success(request, _("The row was taken."))
    return _back(request)


def _again(request: Request) -> None:
    rows = list(_chosen(request, "open", text(request, "reason", 20))[:AT_ONCE])
    done = quarantine.again(request.principal, rows, at=datetime.now(UTC))
    taken = ngettext("%(n)d row was taken", "%(n)d rows were taken", done.taken) % {"n": done.taken}
    still = ngettext("%(n)d is refused still", "%(n)d are refused still", done.still) % {"n": done.still}
    messages.success(request, _("%(taken)s, %(still)s.") % {"taken": taken, "still": still})


def _back(request: Request) -> HttpResponse:
    asked = {name: value for name in ("state", "reason") if (value := text(request, name, 20))}
    return HttpResponseRedirect(reverse("quarantine") + (f"?{urlencode(asked)}" if asked else ""))
