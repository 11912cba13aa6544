"""A part of the configuration as a form (escalation, calendar, parameters, notices): checked, saved, taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, NotFound
from chengshu.packs import editing, revisions
from chengshu.packs.diff import differences
from chengshu.places.models import Part
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import Difference, Wrong, changed_wrong, may_edit, told, why
from chengshu.web.pages import Request, known, respond, text

MOST = 40  # differences of one version that are listed
NEWEST = 20  # versions that are listed, each with what it changed; older ones open by their address


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version of a part: who saved it, why, and what it changed."""

    part: Part
    differences: Sequence[Difference]
    more: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PartPage:
    """A part as it stands, as an earlier version had it, or as a refused form wants it; `more` belongs to the one part."""

    name: str
    value: Any
    seen: str
    may_edit: bool
    how: str = revisions.EDIT
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)
    differences: Sequence[Difference] | None = None
    notes: Sequence[str] = ()
    history: Sequence[Version] = ()
    more: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """How one part is edited: its address and template, how a form becomes a value, what its page shows beside."""

    name: str
    route: str
    template: str
    read: Callable[[Request, Any], Any]
    more: Callable[[Request, Any, Any], object]
    empty: Any = None


def show(request: Request, kind: Kind) -> HttpResponse:
    """The part in force, or an earlier version in the form."""
    page = _page(request, kind)
    wanted = text(request, "version", 10)
    if wanted:
        part = _earlier(request, kind, wanted)
        page = replace(page, value=part.value, how=revisions.EDIT if part.active else revisions.RETURN)
    return _respond(request, kind, page)


def _page(request: Request, kind: Kind) -> PartPage:
    city = known(request).city
    versions = list(Part.objects.filter(city=city, name=kind.name).order_by("-version")[: NEWEST + 1])
    active = next((part for part in versions if part.active), None)
    return PartPage(
        name=kind.name,
        value=active.value if active else deepcopy(kind.empty),
        seen=str(active.version if active else 0),
        may_edit=may_edit(request),
        history=_history(versions)[:NEWEST],
    )


def _history(versions: Sequence[Part]) -> list[Version]:
    """Newest first, each with what it changed against the one before it."""
    pairs = [*pairwise(versions), *([(versions[-1], None)] if versions else [])]
    return [_version(part, before) for part, before in pairs]


def _version(part: Part, before: Part | None) -> Version:
    changed = told(differences(before.value, part.value)) if before else []
    return Version(part=part, differences=changed[:MOST], more=max(0, len(changed) - MOST))


def _respond(request: Request, kind: Kind, page: PartPage, status: int = 200) -> HttpResponse:
    now = known(request).parts.get(kind.name, kind.empty)
    return respond(request, kind.template, replace(page, more=kind.more(request, page.value, now)), status=status)


def send(request: Request, kind: Kind) -> HttpResponse:
    """Check or save what the form makes of the part."""
    city, seen = editing.editor(request.principal), text(request, "seen", 10)
    page = replace(_page(request, kind), why=why(request))
    try:
        page = replace(page, value=_value(request, kind, page))
        page = replace(page, how=revisions.RETURN if text(request, "how", 10) == revisions.RETURN else page.how)
        proposal = editing.propose_part(city, kind.name, page.value)
        if text(request, "do", 10) == "check":
            notes = [] if proposal.plan.changes else [_("Nothing would change.")]
            wrong = changed_wrong(city, proposal, seen)
            differences = told(proposal.fields)[:MOST]
            return _respond(request, kind, replace(page, seen=seen, wrong=wrong, differences=differences, notes=notes))
        saved = editing.save(request.principal, proposal, why=page.why, seen=seen, how=page.how)
    except ChengshuError as error:
        wrong = Wrong.of(error, field_words.field)
        return _respond(request, kind, replace(page, wrong=wrong), status=error.status)
    if saved:
        messages.success(request, _("Saved: it counts from now on."))
    else:
        messages.info(request, _("Nothing was changed: it is so already."))
    return HttpResponseRedirect(reverse(kind.route))


def _value(request: Request, kind: Kind, page: PartPage) -> Any:
    """What the form asks for: an earlier version as a whole, or the value in force with what the form changes."""
    wanted = text(request, "version", 10)
    if text(request, "do", 10) == "return" or (wanted and text(request, "how", 10) == revisions.RETURN):
        return _earlier(request, kind, wanted).value
    return kind.read(request, deepcopy(page.value))


def _earlier(request: Request, kind: Kind, wanted: str) -> Part:
    """A version of the part, however old."""
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() else -1
    part = Part.objects.filter(city=known(request).city, name=kind.name, version=number).first()
    if part is None:
        raise NotFound(_("There is no such version."), where=wanted, remedy=_("Choose one of the history."))
    return part
