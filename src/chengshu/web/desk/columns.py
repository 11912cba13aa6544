"""Which columns the list of the desk has: chosen once, kept for the account. The case itself always stands first.

A telephone shows the list in its own way: there a column that was left out stands as ever, and one that was added does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.parties.models import Account
from chengshu.web.context import DESK
from chengshu.web.pages import Request, back, page, text

USUAL = {
    "state": gettext_noop("State"),
    "due": gettext_noop("Due"),
    "unit": gettext_noop("Unit"),
    "place": gettext_noop("Place"),
    "opened": gettext_noop("Reported"),
}
MORE = {
    "major": gettext_noop("Class"),
    "moved": gettext_noop("Last step"),
    "closed": gettext_noop("Ended at"),
}
_HIDDEN = "d-md-none"  # on screens that are wider than a telephone


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a list: which of the usual ones, and which others."""

    chosen: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.chosen

    def style(self, name: str) -> str:
        """The class of a usual column that a telephone shows in any case."""
        return "" if name in self.chosen else _HIDDEN

    @property
    def usual(self) -> Sequence[tuple[str, str]]:
        return [(name, _(label)) for name, label in USUAL.items()]

    @property
    def more(self) -> Sequence[tuple[str, str]]:
        return [(name, _(label)) for name, label in MORE.items()]

    @property
    def added(self) -> tuple[str, ...]:
        """Those beside the usual ones that were chosen, in their order."""
        return tuple(name for name in MORE if name in self.chosen)


def columns(account: object) -> Columns:
    """What an account chose, or the usual columns."""
    own = account.columns if isinstance(account, Account) else None
    return Columns(chosen=frozenset(USUAL if own is None else own))


@page("POST", roles=DESK)
def choose(request: Request) -> HttpResponse:
    """Keep the columns that were chosen; the usual ones are kept as no choice, so that they may change one day."""
    given = set(request.POST.getlist("column"))
    chosen = [name for name in (*USUAL, *MORE) if name in given]
    usual = bool(text(request, "usual", 5)) or chosen == list(USUAL)
    account = request.principal.account
    assert account is not None, "the desk is for accounts"
    Account.objects.filter(pk=account).update(columns=None if usual else chosen)
    messages.success(request, _("The list shows the columns you chose."))
    return back(request, reverse("desk"))
