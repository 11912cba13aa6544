"""Notices: what somebody should act on, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from chengshu.parties.models import Notice
from chengshu.web.pages import Request, page, respond, text

SIZE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticesPage:
    """One page of notices; `before` leads to earlier ones."""

    notices: Sequence[Notice]
    before: int | None


@page(account=True)
def show(request: Request) -> HttpResponse:
    """The newest notices, or those before one."""
    found = Notice.objects.filter(account=request.principal.account).order_by("-pk")
    before = text(request, "before", 18)
    if before.isdecimal():
        found = found.filter(pk__lt=int(before))
    rows = list(found[: SIZE + 1])
    page = NoticesPage(notices=rows[:SIZE], before=rows[SIZE - 1].pk if len(rows) > SIZE else None)
    return respond(request, "account/notices.html", page)


@page("POST", account=True)
def read(request: Request) -> HttpResponse:
    """Mark one notice as read, or all; the one opens its case."""
    mine = Notice.objects.filter(account=request.principal.account)
    chosen = text(request, "notice", 18)
    unread = mine.filter(read_at=None, **({"pk": int(chosen)} if chosen.isdecimal() else {}))
    unread.update(read_at=datetime.now(UTC))
    notice = mine.filter(pk=int(chosen)).first() if chosen.isdecimal() else None
    number = notice.params.get("number") if notice else None
    return HttpResponseRedirect(reverse("case", args=[number]) if number else reverse("notices"))
