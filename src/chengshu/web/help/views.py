"""The pages of help: what each page is for, the glossary, and the tours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.core.errors import NotFound
from chengshu.parties.models import Account
from chengshu.parties.roles import Role
from chengshu.web import context, words
from chengshu.web.help.texts import PageHelp, Term, Tour, glossary, pages, tours
from chengshu.web.pages import Request, page, respond, signed_in

ROOMS = {
    "portal": gettext_noop("For everybody"),
    "account": gettext_noop("Your account"),
    "desk": gettext_noop("Desk"),
    "field": gettext_noop("Field"),
    "cockpit": gettext_noop("Cockpit"),
    "scores": gettext_noop("Scorecards"),
    "admin": gettext_noop("Administration"),
    "help": gettext_noop("Help"),
}
GROUPS = {
    "things": gettext_noop("Things"),
    "roles": gettext_noop("Roles"),
    "states": gettext_noop("States"),
    "moves": gettext_noop("Moves"),
    "clocks": gettext_noop("Clocks"),
    "scorecards": gettext_noop("Scorecards"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HelpIndex:
    """Help of all pages room by room, and the tours: one's own first."""

    rooms: Mapping[str, Sequence[PageHelp]]
    tours: Sequence[Tour]
    mine: Role | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GlossaryPage:
    """The words of the trade, group by group: key, title and words of each."""

    groups: Sequence[tuple[str, str, Sequence[Term]]]


@page()
def index(request: Request) -> HttpResponse:
    """All help at once: it needs no script."""
    mine = request.principal.role if signed_in(request) else None
    found = HelpIndex(
        rooms={_(name): [page for page in pages().values() if page.room == room] for room, name in ROOMS.items()},
        tours=sorted(tours().values(), key=lambda tour: tour.role != mine),
        mine=mine,
    )
    return respond(request, "help/index.html", found)


@page()
def one(request: Request, name: str) -> HttpResponse:
    """What a page is for, what to do there, its keys: a page, or the part that the panel shows."""
    found = pages().get(name)
    if found is None:
        raise NotFound(_("There is no help of this name."), remedy=_("See what help there is."))
    part = "help/page_part.html" if request.htmx else "help/page.html"
    return respond(request, part, found)


@page()
def words_of_trade(request: Request) -> HttpResponse:
    """The glossary."""
    found = [
        (group, _(GROUPS[group]), list(terms))
        for group, terms in groupby(glossary().values(), key=lambda term: term.group)
    ]
    return respond(request, "help/glossary.html", GlossaryPage(groups=found))


@page()
def words_for_scripts(request: Request) -> HttpResponse:
    """What scripts say, asked for when they first need it: the meaning of each word of the trade, and the words of maps."""
    found = {
        "terms": {term.key: [str(term.name), str(term.means)] for term in glossary().values()},
        "more": _("All words of the trade"),
        "map": words.map_words(),
    }
    answer = HttpResponse(json.dumps(found, ensure_ascii=False), content_type="application/json")
    answer["Cache-Control"] = "private, max-age=3600"  # the address that pages use names the language
    return answer


@page("POST", account=True)
def seen(request: Request) -> HttpResponse:
    """The tour of the post in use was seen, or skipped: it does not come by itself again."""
    _keep(_me(request), [*_me(request).tours, request.principal.role])
    return HttpResponse(status=204) if request.htmx else HttpResponseRedirect("/")


@page("POST", account=True)
def again(request: Request) -> HttpResponse:
    """Show the tour of the post in use once more, from its beginning."""
    _keep(_me(request), [role for role in _me(request).tours if role != request.principal.role])
    return HttpResponseRedirect(reverse(context.home(request.principal)))


def _me(request: Request) -> Account:
    assert isinstance(request.user, Account)
    return request.user


def _keep(account: Account, roles: Sequence[str]) -> None:
    Account.objects.filter(pk=account.pk).update(tours=sorted({str(role) for role in roles}))
