"""Reporting a problem: one page for everybody, with or without an account, a script, or a map."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.cases.following import digest, new_word
from chengshu.cases.models import CaseType
from chengshu.cases.records import NewReport, Verdict
from chengshu.cases.report import report
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.parties import throttle
from chengshu.parties.roles import STAFF, Role
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, number, page, respond, text
from chengshu.web.portal import visitor
from chengshu.web.uploads import uploaded
from chengshu.web.words import local

SALT = "chengshu.web.report"
VALID = 24 * 3600  # seconds for which a form may be filled in
FIELDS = ("title", "description", "type", "place", "lon", "lat", "name", "phone")
TOLD = ("title", "description", "place", "lon", "lat", "type")  # what makes a report of the same form another one
SOURCES: Mapping[Role, str] = {
    Role.CITIZEN: "citizen",
    Role.OPERATOR: "hotline",
    Role.GRID_WORKER: "patrol",
}
_PHONE = re.compile(r"[+0-9][0-9 ()-]{4,24}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportPage:
    """The form. `token` makes a form that is sent twice one case; `types` are grouped by their class."""

    form: Form
    token: str
    types: tuple[tuple[str, tuple[CaseType, ...]], ...]
    staff: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DonePage:
    """The answer: number, and the word for somebody without an account."""

    number: str
    word: str


@page("GET", "POST")
def new(request: Request) -> HttpResponse:
    """The form, and what becomes of it."""
    if request.method == "GET":
        return _form(request, Form(), signing.dumps(get_random_string(32), salt=SALT))
    token = text(request, "token", 300)
    form = Form(values={name: text(request, name, 20_000) for name in FIELDS})
    nonce = _nonce(form, token)
    _validate(form)
    if not form.ok or text(request, "website"):  # a field that people do not see
        return _form(request, form, token)
    throttle.hit(throttle.REPORT, request.client if request.principal.account is None else request.principal.account)
    try:
        return _take(request, form, _key(form, nonce))
    except Invalid as error:
        form.errors["evidence" if request.FILES else "title"] = (
            f"{_(error.what)} {_(error.remedy) if error.remedy else ''}"
        )
        return _form(request, form, token)


def _nonce(form: Form, token: str) -> str:
    try:
        return str(signing.loads(token, salt=SALT, max_age=VALID))
    except signing.BadSignature:
        form.errors["title"] = _("This form was open for too long. Open it again.")
        return ""


def _key(form: Form, nonce: str) -> str:
    """The report's own key: the same form sent twice is one report, one mended after going back is another."""
    told = "\x00".join(form.get(name) for name in TOLD)  # fields hold no NUL
    return f"{nonce}:{hashlib.sha256(told.encode()).hexdigest()}"


def _validate(form: Form) -> None:
    title = form.require("title", _("Say in a few words what is wrong."))
    if title and len(title) < 2:
        form.errors["title"] = _("Say it in at least two characters.")
    if len(title) > 100:
        form.errors["title"] = _("Use 100 characters at most; the rest goes into the details.")
    if len(form.get("description")) > 5000:
        form.errors["description"] = _("Use 5 000 characters at most.")
    if len(form.get("place")) > 300:
        form.errors["place"] = _("Use 300 characters at most.")
    if not (form.get("place") or (form.get("lon") and form.get("lat"))):
        form.errors["place"] = _("Say where it is: in words, or on the map.")
    if form.get("phone") and not _PHONE.fullmatch(form.get("phone")):
        form.errors["phone"] = _("This does not look like a telephone number.")


def _take(request: Request, form: Form, key: str) -> HttpResponse:
    """Hand the report over and answer with its number."""
    word = new_word(key) if request.principal.account is None else ""
    [verdict] = report([_report(request, form, key, word)], city=request.principal.city, actor=request.principal)
    if not verdict.ok:
        raise ChengshuError(verdict.verdict, where=key)
    if request.principal.role in STAFF:
        return HttpResponseRedirect(reverse("case", args=[verdict.number]))
    if word and verdict.verdict == "opened":  # whoever sends a form again has not shown that the case is theirs
        visitor.remember(request, verdict.case, request.principal.city)
    request.session["answer"] = _answer(verdict, word)
    return HttpResponseRedirect(reverse("reported"))


def _answer(verdict: Verdict, word: str) -> dict[str, str]:
    return {"number": verdict.number or "", "word": word}


def _report(request: Request, form: Form, key: str, word: str) -> NewReport:
    catalog, now = known(request), datetime.now(UTC)
    type = form.get("type") if any(t.code == form.get("type") for _, ts in offered(catalog) for t in ts) else None
    lon, lat = number(request, "lon"), number(request, "lat")
    return NewReport(
        origin="web",
        origin_key=key,
        title=form.get("title"),
        description=form.get("description"),
        occurred_at=now,
        kind=None if type else first_kind(catalog),
        type=type,
        source=SOURCES.get(request.principal.role, "department"),
        place_text=form.get("place"),
        lon=lon if lat is not None else None,
        lat=lat if lon is not None else None,
        contact={"name": form.get("name")[:100], "phone": form.get("phone"), "secret": digest(word) if word else ""},
        payload={name: form.get(name) for name in FIELDS if name not in {"name", "phone"}},
        evidence=uploaded(request, catalog),
    )


def first_kind(catalog: Catalog) -> str:
    """The kind of a report without a type: the first of the pack."""
    return catalog.kinds[min(catalog.kinds)].code


def offered(catalog: Catalog) -> tuple[tuple[str, tuple[CaseType, ...]], ...]:
    """The types that somebody who reports may choose, by class: those of kinds in which a citizen has a say."""
    kinds = {kind for (kind, _, _), move in catalog.moves.items() if Role.CITIZEN.value in move.roles}
    groups: dict[str, list[CaseType]] = {}
    for type in sorted(catalog.types.values(), key=lambda type: type.pk):
        if type.active and type.kind_id in kinds:
            groups.setdefault(" · ".join(filter(None, (local(type, "major"), local(type, "minor")))), []).append(type)
    return tuple((name, tuple(types)) for name, types in groups.items())


def _form(request: Request, form: Form, token: str) -> HttpResponse:
    staff = request.principal.role in STAFF
    found = ReportPage(form=form, token=token, types=offered(known(request)), staff=staff)
    return respond(request, "portal/report.html", found, status=200 if form.ok else 422)


@page()
def done(request: Request) -> HttpResponse:
    """The answer to the last report of this session."""
    answer = request.session.get("answer")
    if not answer:
        return HttpResponseRedirect(reverse("report"))
    response = respond(request, "portal/reported.html", DonePage(**answer))
    response["Cache-Control"] = "no-store"
    return response
