"""A department or a case type as a form: checked, shown with what it would change, saved with a reason, taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from chengshu.cases.touched import Touched
from chengshu.core.errors import ChengshuError, NotFound
from chengshu.packs import editing, revisions
from chengshu.packs.editing import Proposal
from chengshu.packs.plan import Action
from chengshu.places.models import City
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import Difference, Past, Wrong, changed_wrong, may_edit, past, told, why
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, respond, text
from chengshu.web.words import local


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPage:
    """The form of one row. `differences` is what saving would change, None before it was checked."""

    kind: str
    key: str
    title: str
    form: Form
    seen: str
    may_edit: bool
    active: bool = True
    how: str = revisions.EDIT
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)
    differences: Sequence[Difference] | None = None
    retiring: bool = False
    touched: Touched = field(default_factory=Touched)
    notes: Sequence[str] = ()
    history: Sequence[Past] = ()
    more: object = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """How a table of the pack is edited: its name, template, address, and how forms become rows."""

    table: str
    template: str
    address: Callable[[], str]
    columns: Sequence[str]
    empty: Mapping[str, str]
    read: Callable[[Request], dict[str, str]]
    check: Callable[[Form], None]
    propose: Callable[[Request, City, Mapping[str, str], str], Proposal]
    retire: Callable[[City, str], Proposal]
    touched: Callable[[int, str], Touched]
    more: Callable[[Request], object]


def show(request: Request, sheet: Sheet) -> HttpResponse:
    """The form as the row stands, as it stood before a change, or empty for a new one."""
    return respond(request, sheet.template, opened(request, sheet))


def opened(request: Request, sheet: Sheet) -> RowPage:
    """The page before anything was sent."""
    city, key = known(request).city, text(request, "code", 200)
    version = text(request, "version", 18)
    page = _page(request, sheet, city, key)
    if key and version.isdecimal():
        found, content = editing.earlier(city, sheet.table, int(version))
        if found != key:
            raise NotFound(_("There is no earlier version."), where=version, remedy=_("Choose one of the history."))
        return replace(page, form=Form(values=content), how=revisions.RETURN)
    return page


def _page(request: Request, sheet: Sheet, city: City, key: str) -> RowPage:
    content, seen = editing.content_of(city, sheet.table, key) if key else (dict(sheet.empty), "")
    return RowPage(
        kind=sheet.table,
        key=key,
        title=local(content, "name") if key else "",
        form=Form(values=dict(content)),
        seen=seen or revisions.fingerprint(None),
        may_edit=may_edit(request),
        active=not key or _active(request, sheet, key),
        touched=sheet.touched(city.pk, key) if key else Touched(),
        history=past(revisions.of_row(city.pk, sheet.table, key)) if key else (),
        more=sheet.more(request),
    )


def _active(request: Request, sheet: Sheet, key: str) -> bool:
    catalog = known(request)
    table = catalog.department_codes if sheet.table == "departments" else catalog.type_codes
    return key not in table or bool(table[key].active)


def send(request: Request, sheet: Sheet) -> HttpResponse:
    """Check, save or retire what the form says."""
    city = editing.editor(request.principal)
    key = text(request, "code_now", 200)
    content = sheet.read(request) | ({"code": key} if key else {})
    page = replace(
        _page(request, sheet, city, key),
        form=Form(values=content),
        why=why(request),
        how=revisions.RETURN if text(request, "how", 10) == revisions.RETURN else revisions.EDIT,
    )
    retiring = text(request, "do", 10) == "retire"
    try:
        if not retiring:
            sheet.check(page.form)
            if not page.form.ok:
                return respond(request, sheet.template, page, status=422)
        proposal = sheet.retire(city, key) if retiring else sheet.propose(request, city, content, key)
        return _answer(request, sheet, page, proposal, retiring)
    except editing.Retired as error:
        wrong = replace(Wrong.of(error), href=f"{sheet.address()}?code={quote(error.where)}")
        return respond(request, sheet.template, replace(page, wrong=wrong), status=error.status)
    except ChengshuError as error:
        wrong = Wrong.of(error, field_words.field)
        return respond(request, sheet.template, replace(page, wrong=wrong), status=error.status)


def _answer(request: Request, sheet: Sheet, page: RowPage, proposal: Proposal, retiring: bool) -> HttpResponse:
    seen = text(request, "seen", 20)
    if text(request, "do", 10) == "check":
        wrong = changed_wrong(known(request).city, proposal, seen)
        page = replace(page, seen=seen, wrong=wrong, differences=told(proposal.fields), notes=_notes(proposal))
        return respond(request, sheet.template, page)
    saved = editing.save(request.principal, proposal, why=page.why, seen=seen, how=page.how)
    if saved is None:
        messages.info(request, _("Nothing was changed: it is so already."))
    else:
        messages.success(request, _("It is no longer used.") if retiring else _("Saved: it counts from now on."))
    return HttpResponseRedirect(f"{sheet.address()}?code={quote(proposal.key)}" if not retiring else sheet.address())


def _notes(proposal: Proposal) -> list[str]:
    added = any(change.action is Action.ADD for change in proposal.plan.changes)
    first = [_("This entry is new.")] if added else []
    if not proposal.plan.changes:
        first = [_("Nothing would change.")]
    return [*first, *proposal.plan.obstacles]
