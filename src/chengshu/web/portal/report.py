"""Reporting a problem: one page for everybody, with or without an account, a script, or a map."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog
from chengshu.cases.following import by_account, digest, new_word
from chengshu.cases.models import Case, CaseType
from chengshu.cases.records import NewReport
from chengshu.cases.report import POINT, report
from chengshu.cases.story import Story, story
from chengshu.cases.supporting import Alike, alike, join
from chengshu.core.errors import ChengshuError, Invalid, NotAllowed
from chengshu.parties import throttle
from chengshu.parties.roles import MAY_REPORT, STAFF, Role
from chengshu.parties.throttle import TooMany
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, number, page, respond, signed_in, text
from chengshu.web.portal import visitor
from chengshu.web.portal.photos import VALID, Photos, keep_photos, kept, received
from chengshu.web.words import local

SALT = "chengshu.web.report"
JOIN = "chengshu.web.report.join"
TRAP = "leave_empty"  # a field that people do not see, under a name that no browser fills in by itself
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
    photos: Photos


@dataclass(frozen=True, kw_only=True, slots=True)
class AlikePage:
    """Is it one of these? `found` are open cases near by, each with the word by which this form may join it."""

    form: Form
    token: str
    photos: Photos
    found: tuple[tuple[Alike, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DonePage:
    """The answer: number, the word for somebody without an account, and where the case stands; `joined` another's case.

    `first_due` is when the stage the case is in ends, which is sooner than the whole of `story.due_at`.
    """

    number: str
    word: str
    joined: bool
    story: Story | None
    first_due: datetime | None = None


@page("GET", "POST")
def new(request: Request) -> HttpResponse:
    """The form, and what becomes of it."""
    if request.principal.role not in MAY_REPORT:
        raise NotAllowed("This post does not report.", remedy="Switch to another post.")
    if request.method == "GET":
        return _form(request, Form(), _fresh())
    form = Form(values={name: text(request, name, 20_000) for name in FIELDS})
    token, nonce = _token(request, form)
    _validate(form)
    if text(request, TRAP):
        what = _("A field that must stay empty was filled in, perhaps by your browser. Send it once more.")
        form.errors.setdefault("title", what)
    if not form.ok:
        return _form(request, form, token, keep_photos(request, form))
    return _sent(request, form, token, nonce)


def _sent(request: Request, form: Form, token: str, nonce: str) -> HttpResponse:
    """What becomes of a form without mistakes: it is one of these, or a case, or shown again with what it came with."""
    photos = kept(request)
    try:
        photos = received(request)
        if found := _alike(request, form):
            shown = AlikePage(form=form, token=token, photos=photos, found=found)
            return respond(request, "portal/alike.html", shown)
        throttle.count(request.principal, request.client, own=throttle.REPORT, here=throttle.REPORT_HERE)
        return _take(request, form, _key(form, nonce + text(request, "join", 200)), photos)
    except Invalid as error:
        where = "place" if error.where == POINT else "evidence" if request.FILES else "title"
        form.errors[where] = f"{_(error.what)} {_(error.remedy) if error.remedy else ''}"
        return _form(request, form, token, photos)
    except TooMany as error:
        form.errors["title"] = f"{_(error.what)} {error.remedy}"
        response = _form(request, form, token, photos)
        response.status_code, response["Retry-After"] = error.status, str(error.seconds)
        return response


def _alike(request: Request, form: Form) -> tuple[tuple[Alike, str], ...]:
    """Open cases near by that may be the same, unless this was asked already, or nothing says where it is."""
    lon, lat = number(request, "lon"), number(request, "lat")
    if text(request, "seen") or request.principal.role in STAFF or lon is None or lat is None:
        return ()
    told = f"{form.get('title')} {form.get('description')}"
    found = alike(known(request), told, form.get("type"), lon, lat, datetime.now(UTC))
    return tuple((one, signing.dumps([str(one.id), request.principal.city], salt=JOIN)) for one in found)


def _joins(request: Request) -> UUID | None:
    """The case that the form is to join: one that this city's page offered."""
    try:
        case, city = signing.loads(text(request, "join", 200), salt=JOIN, max_age=VALID)
    except signing.BadSignature:
        return None
    return UUID(case) if city == request.principal.city else None


def _fresh() -> str:
    """A new token: what it holds makes a form that is sent twice one report."""
    return signing.dumps(get_random_string(32), salt=SALT)


def _token(request: Request, form: Form) -> tuple[str, str]:
    """The token of the form and what it holds; in the place of one that is too old a new one, and nothing."""
    token = text(request, "token", 300)
    try:
        return token, str(signing.loads(token, salt=SALT, max_age=VALID))
    except signing.BadSignature:
        form.errors["title"] = _("This form was open for too long. Send it once more.")
        return _fresh(), ""


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
    _validate_place(form)
    if form.get("phone") and not _PHONE.fullmatch(form.get("phone")):
        form.errors["phone"] = _("This does not look like a telephone number.")


def _validate_place(form: Form) -> None:
    """Words, a point, or both; a point that is none is never dropped in silence."""
    point = [form.get(name) for name in ("lon", "lat")]
    if not (form.get("place") or any(point)):
        form.errors["place"] = _("Say where it is: in words, or on the map.")
    elif any(point) and not (_degrees(point[0], 180) and _degrees(point[1], 90)):
        form.errors["place"] = _(
            "This is no point on earth: longitude and latitude are degrees, such as 120.155 and 30.274. Correct or empty both."
        )


def _degrees(text: str, most: int) -> bool:
    try:
        return abs(float(text)) <= most  # not true of NaN
    except ValueError:
        return False


def _take(request: Request, form: Form, key: str, photos: Photos) -> HttpResponse:
    """Hand the report over and answer with its number."""
    word, case = new_word(key) if request.principal.account is None else "", _joins(request)
    told = _report(request, form, key, word, photos)
    if case is not None:
        verdict = join(request.principal, told, case)
    else:
        [verdict] = report([told], city=request.principal.city, actor=request.principal)
    if not verdict.ok:
        raise ChengshuError(verdict.verdict, where=key)
    if request.principal.role in STAFF:
        return HttpResponseRedirect(reverse("case", args=[verdict.number]))
    response = HttpResponseRedirect(reverse("reported"))
    opened = verdict.verdict == "opened"
    if word and (
        opened or verdict.verdict == "joined"
    ):  # whoever sends a form again has not shown that the case is theirs
        visitor.remember(request, response, verdict.number or "", request.principal.city, opener=opened)
    visitor.keep_answer(response, {"number": verdict.number, "word": word, "joined": verdict.verdict == "joined"})
    return response


def _report(request: Request, form: Form, key: str, word: str, photos: Photos) -> NewReport:
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
        evidence=photos.ids,
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


def _form(request: Request, form: Form, token: str, photos: Photos | None = None) -> HttpResponse:
    staff = request.principal.role in STAFF
    found = ReportPage(
        form=form, token=token, types=offered(known(request)), staff=staff, photos=photos or kept(request)
    )
    return respond(request, "portal/report.html", found, status=200 if form.ok else 422)


@page()
def done(request: Request) -> HttpResponse:
    """The answer to the last report of this browser."""
    answer = visitor.answer(request)
    if not answer:
        return HttpResponseRedirect(reverse("report"))
    number = answer["number"]
    follower = by_account(request.principal, number) if signed_in(request) else visitor.follower(request, number)
    told = story(follower, number) if follower else None
    shown = DonePage(**answer, story=told, first_due=_first_due(number) if told else None)
    response = respond(request, "portal/reported.html", shown)
    response["Cache-Control"] = "no-store"
    return response


def _first_due(number: str) -> datetime | None:
    """When the clock of a case that ends first is due."""
    return Case.objects.filter(number=number).values_list("due_at", flat=True).first()
