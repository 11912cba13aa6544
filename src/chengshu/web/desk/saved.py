"""Saved views: lists of the desk that have a name, of the account's own and of its department."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import search
from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.principal import Principal
from chengshu.web.context import DESK
from chengshu.web.desk.asked import Asked, asked, default_view
from chengshu.web.models import SavedView
from chengshu.web.pages import Request, back, known, page, text

MOST = 30  # views of one account
SHARED = 10  # of colleagues that one sees
LONGEST = 40  # characters of a name
_FIELDS = ("pk", "name", "query", "pinned", "first", "account_id", "department_id", "account__name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tab:
    """A saved view as it stands above the lists; `own` ones can be changed, those of colleagues only looked at."""

    id: int
    name: str
    asked: Asked
    pinned: bool
    first: bool
    own: bool
    shared: bool
    by: str

    @property
    def href(self) -> str:
        return self.asked.href(saved=str(self.id))


def tabs(principal: Principal, default: str) -> list[Tab]:
    """The saved views that an account sees: its own, and the newest of those that colleagues share in its department."""
    own = SavedView.objects.filter(account=principal.account).order_by("pk")
    shared = SavedView.objects.filter(department=principal.department or 0).exclude(account=principal.account)
    rows = [*own.values_list(*_FIELDS), *shared.order_by("-pk").values_list(*_FIELDS)[:SHARED]]
    return [
        Tab(
            id=id, name=name, asked=asked(query, default), pinned=pinned, first=first,
            own=account == principal.account, shared=department is not None, by=by,
        )
        for id, name, query, pinned, first, account, department, by in rows
    ]  # fmt: skip


@page("POST", roles=DESK)
def save(request: Request) -> HttpResponse:
    """Keep the list that is looked at under a name; the same name again changes what it stands for."""
    name = text(request, "name", LONGEST)
    if not name:
        raise Invalid(_("A saved view needs a name."), where="name", remedy=_("Say in a few words what it shows."))
    wanted = asked(_values(text(request, "query")), default_view(known(request), request.principal))
    account = request.principal.account
    assert account is not None, "the desk is for accounts"
    own = SavedView.objects.filter(account=account)
    if own.exclude(name=name).count() >= MOST:
        raise Invalid(
            _("There are %(n)s saved views already.") % {"n": MOST}, where="name", remedy=_("Delete one first.")
        )
    kept: dict[str, Any] = {
        "query": wanted.saved(),
        "pinned": bool(text(request, "pinned")),
        "first": bool(text(request, "first")),
    }
    kept["department_id"] = request.principal.department if text(request, "share") else None
    with transaction.atomic():
        if kept["first"]:
            own.exclude(name=name).update(first=False)
        view, _made = SavedView.objects.update_or_create(account_id=account, name=name, defaults=kept)
    messages.success(request, _("Saved as “%(name)s”.") % {"name": name})
    return HttpResponseRedirect(asked(wanted.saved(), wanted.view).href(saved=str(view.pk)))


def _values(query: str) -> dict[str, str]:
    return {name: str(value) for name, value in QueryDict(query.partition("?")[2] or query).items()}


@page("POST", roles=DESK)
def drop(request: Request, id: int) -> HttpResponse:
    """Delete one of one's own saved views."""
    deleted, _by = SavedView.objects.filter(pk=id, account=request.principal.account).delete()
    if not deleted:
        raise NotFound(
            _("There is no such saved view of yours."), where=str(id), remedy=_("Whoever saved it can delete it.")
        )
    messages.success(request, _("Deleted."))
    return back(request, reverse("desk"))


def count(principal: Principal, filters: search.Filters, now: datetime, most: int = 999) -> str:
    """How many cases a list has; beyond `most` only that."""
    found = search.matching(principal, filters, now)[: most + 1].count()
    return f"{most}+" if found > most else str(found)
