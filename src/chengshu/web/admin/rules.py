"""The dispatch rules: read aloud, edited, tried on past cases, saved with a reason, and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import rules as table
from chengshu.core.errors import ChengshuError, Invalid, Mistake, Mistakes
from chengshu.packs.editing import save_rules
from chengshu.parties.roles import EDITS_RULES
from chengshu.places.models import Part
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import whole_city
from chengshu.web.admin.rule_words import LONGEST, Sentence, read, sentences, written
from chengshu.web.context import RULES
from chengshu.web.doors import opens
from chengshu.web.pages import Request, known, page, respond, text

DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesPage:
    """A version of the table in words, and all versions with who saved them and why."""

    shown: Part
    newest: int
    rules: Sequence[Sentence]
    history: Sequence[Part]
    may_edit: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EditPage:
    """The table as text, what is wrong with it, and what it would have done with last month's cases."""

    text: str
    seen: int
    why: str
    mistakes: Sequence[Mistake]
    error: str
    tried: table.Simulation | None
    days: int
    functions: Mapping[str, str]


@page(roles=RULES)
def show(request: Request) -> HttpResponse:
    """The table in force, or an earlier version."""
    history = table.history(request.principal.city)
    wanted = text(request, "version", 10)
    shown = next((part for part in history if (str(part.version) == wanted if wanted else part.active)), None)
    if shown is None:
        raise Http404
    page = RulesPage(
        shown=shown,
        newest=history[0].version,
        rules=sentences(known(request), shown.value.get("rules", [])),
        history=history,
        may_edit=opens(request.principal, "rules_edit"),
    )
    return respond(request, "admin/rules.html", page)


@page("GET", "POST", roles=EDITS_RULES)
@whole_city
def edit(request: Request) -> HttpResponse:
    """The table as text: try it, then save it."""
    if request.method == "GET":
        newest = table.history(request.principal.city)[0]
        return _form(request, written(known(request).parts["dispatch"]["rules"]), newest.version)
    body, seen, why = text(request, "rules", LONGEST + 1), _seen(request), text(request, "why", 500)
    try:
        rules = read(body)
        if text(request, "do", 10) != "save":
            return _form(request, body, seen, why, tried=table.simulate(request.principal, rules, days=DAYS))
        return _save(request, rules, why, seen)
    except Mistakes as error:
        return _form(request, body, seen, why, mistakes=error.mistakes)
    except ChengshuError as error:
        words = " ".join(filter(None, (_(error.what), error.remedy and _(error.remedy))))
        return _form(request, body, seen, why, error=words)


def _form(
    request: Request,
    body: str,
    seen: int,
    why: str = "",
    *,
    mistakes: Sequence[Mistake] = (),
    error: str = "",
    tried: table.Simulation | None = None,
) -> HttpResponse:
    functions = field_words.functions(known(request))
    page = EditPage(
        text=body, seen=seen, why=why, mistakes=mistakes, error=error, tried=tried, days=DAYS, functions=functions
    )
    return respond(request, "admin/rules_edit.html", page, status=422 if mistakes or error else 200)


def _seen(request: Request) -> int:
    seen = text(request, "seen", 9)
    if not (seen.isascii() and seen.isdecimal()):
        raise Invalid(
            _("The form does not say which version it started from."), where="seen", remedy=_("Open it again.")
        )
    return int(seen)


def _save(request: Request, rules: Sequence[Mapping[str, Any]], why: str, seen: int) -> HttpResponse:
    part = save_rules(request.principal, rules, why=why, seen=seen)
    messages.success(request, _("Version %(version)s of the rules is in force.") % {"version": part.version})
    return HttpResponseRedirect(reverse("rules"))


@page("POST", roles=EDITS_RULES)
@whole_city
def restore(request: Request) -> HttpResponse:
    """Put an earlier version into force again, as a new one, with a reason."""
    wanted = text(request, "version", 10)
    earlier = next((p for p in table.history(request.principal.city) if str(p.version) == wanted), None)
    if earlier is None:
        raise Http404
    return _save(request, earlier.value["rules"], text(request, "why", 500), _seen(request))
