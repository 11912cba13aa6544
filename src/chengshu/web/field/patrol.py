"""Reporting from patrol: the photo first, the place from the telephone, the kind chosen, hardly anything typed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases.models import CaseType
from chengshu.cases.onsite import Onsite
from chengshu.cases.records import NewReport
from chengshu.cases.report import LONGEST, POINT, report
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.core.ids import new_id
from chengshu.web.context import FIELD
from chengshu.web.field import onsite
from chengshu.web.field.kept import kept
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.portal.report import SOURCES, first_kind, offered
from chengshu.web.uploads import uploaded

FIELDS = ("title", "type", "place", "description", "lon", "lat", "accuracy")
TOLD = ("title", "type", "place", "description", "lon", "lat")  # what makes a report of the same form another one
AGO = timedelta(days=7)  # a report may have waited on the telephone so long; an older moment is not believed


@dataclass(frozen=True, kw_only=True, slots=True)
class PatrolPage:
    """The form. `key` makes a form that is sent twice one case; `types` are grouped by their class."""

    form: Form
    key: str
    types: tuple[tuple[str, tuple[CaseType, ...]], ...]


@page("GET", "POST", roles=FIELD)
def new(request: Request) -> HttpResponse:
    """The form, and what becomes of it: the new case as the next job."""
    if request.method == "GET":
        return kept(request, _form(request, Form()))
    key = text(request, "key", 80)
    form, number = take(request, key or new_id().hex)
    if not number:
        return _form(request, form, key)
    messages.success(request, reported(number))
    return HttpResponseRedirect(reverse("field_job", args=[number]))


def _form(request: Request, form: Form, key: str = "") -> HttpResponse:
    found = PatrolPage(form=form, key=key or new_id().hex, types=offered(known(request)))
    return respond(request, "field/report.html", found, status=200 if form.ok else 422)


def reported(number: str) -> str:
    """What is told after a report."""
    return _("Reported: %(number)s.") % {"number": number}


def take(request: Request, key: str) -> tuple[Form, str]:
    """Hand a report over, once for each key and content; the form with its mistakes, or the number of the case."""
    form = Form(values={name: text(request, name, LONGEST["description"]) for name in FIELDS})
    place, type = onsite.read(request), _type(request, form)
    _validate(form, place, type)
    if not form.ok:
        return form, ""
    try:
        [verdict] = report(
            [_report(request, form, key, place, type)], city=request.principal.city, actor=request.principal
        )
    except Invalid as error:
        where = "place" if error.where == POINT else "evidence" if request.FILES else "title"
        form.errors[where] = f"{_(error.what)} {_(error.remedy) if error.remedy else ''}".strip()
        return form, ""
    if not verdict.ok:
        raise ChengshuError(verdict.verdict, where=key)
    return form, verdict.number or ""


def _type(request: Request, form: Form) -> CaseType | None:
    """The kind of problem that was chosen, if it is one of those offered."""
    return next((t for _, ts in offered(known(request)) for t in ts if t.code == form.get("type")), None)


def _validate(form: Form, place: Onsite, type: CaseType | None) -> None:
    if not (form.get("title") or type):
        form.errors["title"] = _("Choose what kind of problem it is, or say it in a few words.")
    if len(form.get("title")) > 100:
        form.errors["title"] = _("Use 100 characters at most; the rest goes into the details.")
    if len(form.get("description")) > 5000:
        form.errors["description"] = _("Use 5 000 characters at most.")
    if len(form.get("place")) > 300:
        form.errors["place"] = _("Use 300 characters at most.")
    if not form.get("place") and place.lon is None:
        form.errors["place"] = _("Say where it is: in words, or by the place of your telephone.")


def _report(request: Request, form: Form, key: str, place: Onsite, type: CaseType | None) -> NewReport:
    """The title is the kind of problem where nothing was typed; it happened when the telephone says that it was seen."""
    catalog, now, principal = known(request), datetime.now(UTC), request.principal
    told = hashlib.sha256("\x00".join(form.get(name) for name in TOLD).encode()).hexdigest()
    return NewReport(
        origin="web",
        origin_key=f"field:{principal.account}:{key}:{told}",
        title=form.get("title") or (type.name if type else ""),
        description=form.get("description"),
        occurred_at=place.moment(now - AGO, now) or now,
        kind=None if type else first_kind(catalog),
        type=type.code if type else None,
        source=SOURCES.get(principal.role, "department"),
        place_text=form.get("place"),
        lon=place.lon,
        lat=place.lat,
        payload={name: form.get(name) for name in FIELDS if form.get(name)},
        evidence=uploaded(request, catalog, account=principal.account),
    )
