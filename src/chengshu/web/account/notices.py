"""Notices: what somebody should act on, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import NotFound
from chengshu.parties.models import Notice
from chengshu.parties.roles import Role
from chengshu.web.pages import Request, page, respond, text

SIZE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticesPage:
    """One page of notices; `before` leads to earlier ones."""

    notices: Sequence[Notice]
    before: int | None
    changes: dict[str, str]


def _changes() -> dict[str, str]:
    """What a notice of changed ways of signing in tells of."""
    return {
        "totp_on": _("The codes of a telephone were set up."),
        "totp_off": _("The codes of a telephone were removed."),
        "passkey_on": _("A passkey was added."),
        "passkey_off": _("A passkey was removed."),
        "recovery": _("New recovery codes were made."),
        "removed": _("The second factors were removed by the administrator."),
    }


@page(account=True)
def show(request: Request) -> HttpResponse:
    """The newest notices, or those before one."""
    found = Notice.objects.filter(account=request.principal.account).order_by("-pk")
    before = text(request, "before", 18)
    if before.isdecimal():
        found = found.filter(pk__lt=int(before))
    rows = list(found[: SIZE + 1])
    page = NoticesPage(notices=rows[:SIZE], before=rows[SIZE - 1].pk if len(rows) > SIZE else None, changes=_changes())
    return respond(request, "account/notices.html", page)


def _chosen(mine: QuerySet[Notice], number: str) -> Notice | None:
    """The notice that was chosen; None when none was named, which means all.

    Raises:
        NotFound: one was named, and there is no such notice.
    """
    found = mine.filter(pk=int(number)).first() if number.isdecimal() else None
    if number and found is None:
        raise NotFound(_("There is no such notice."), remedy=_("Look at your notices."))
    return found


@page("POST", account=True)
def read(request: Request) -> HttpResponse:
    """Mark one notice as read, or all; the one opens its case."""
    mine = Notice.objects.filter(account=request.principal.account)
    notice = _chosen(mine, text(request, "notice", 18))
    unread = mine.filter(read_at=None, **({"pk": notice.pk} if notice else {}))
    unread.update(read_at=datetime.now(UTC))
    if notice and notice.kind == "security":
        return HttpResponseRedirect(reverse("security"))
    if notice and notice.kind == "brief":
        return HttpResponseRedirect(f"{reverse('brief')}?{urlencode({'day': notice.params['day']})}")
    number = notice.params.get("number") if notice else None
    route = "followed" if request.principal.role == Role.CITIZEN else "case"
    return HttpResponseRedirect(reverse(route, args=[number]) if number else reverse("notices"))
