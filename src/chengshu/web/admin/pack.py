"""The city pack: taken out of the living city, sent in, planned and applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, Invalid
from chengshu.packs import editing, export, uploads
from chengshu.packs.archive import LARGEST_ZIP
from chengshu.packs.models import Upload
from chengshu.packs.plan import Action
from chengshu.packs.uploads import Sent
from chengshu.parties import audit
from chengshu.places.models import City
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import ADMIN, Difference, Wrong, told, whole_city, why
from chengshu.web.pages import Request, known, page, respond, text

SHOWN = 200  # changes that are listed one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class PackPage:
    """The pack of the living city, and packs that were sent in and wait."""

    city: City
    waiting: Sequence[Upload]
    wrong: Wrong = field(default_factory=Wrong)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One change of a plan in words."""

    table: str
    action: str
    key: str
    note: str
    differences: Sequence[Difference]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanPage:
    """What a pack that was sent in would change."""

    sent: Sent
    counts: Sequence[tuple[str, str, int]]
    lines: Sequence[Line]
    more: int
    why: str = ""
    wrong: Wrong = field(default_factory=Wrong)


@page(roles=ADMIN)
@whole_city
def show(request: Request) -> HttpResponse:
    """The page of the city pack."""
    return _show(request, Wrong())


def _show(request: Request, wrong: Wrong) -> HttpResponse:
    city = known(request).city
    waiting = Upload.objects.filter(city=city).select_related("account").defer("content").order_by("-pk")
    status = wrong.status if wrong else 200
    return respond(request, "admin/pack.html", PackPage(city=city, waiting=list(waiting), wrong=wrong), status=status)


@page(roles=ADMIN)
def download(request: Request) -> HttpResponse:
    """The pack of the living city as a zip."""
    city = editing.editor(request.principal)
    content = export.pack_zip(city.name)
    audit.record("pack.exported", request.principal, bytes=len(content))
    name = f"{city.name}-v{city.version}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(content, content_type="application/zip", headers=headers)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Take a pack in, if it has no mistake, and show its plan."""
    try:
        editing.editor(request.principal)
        file = request.FILES.get("pack")
        if file is None:
            raise Invalid(_("No file was chosen."), where="pack", remedy=_("Choose the zip of a city pack."))
        upload = uploads.keep(request.principal, file.name or "", file.read(LARGEST_ZIP + 1))
    except ChengshuError as error:
        return _show(request, Wrong.of(error))
    return HttpResponseRedirect(f"{reverse('admin_plan')}?number={upload.pk}")


@page("GET", "POST", roles=ADMIN)
def plan(request: Request) -> HttpResponse:
    """The plan of a pack that was sent in; POST applies it."""
    number = text(request, "number", 18)
    found = uploads.sent(request.principal, int(number) if number.isdecimal() else 0)
    if request.method == "GET":
        return respond(request, "admin/plan.html", _plan(found))
    try:
        version = text(request, "seen", 9)
        done = uploads.carry_out(
            request.principal, found, why=why(request), version=int(version) if version.isdecimal() else -1
        )
    except ChengshuError as error:
        wrong = Wrong.of(error)
        return respond(request, "admin/plan.html", _plan(found, why(request), wrong), status=wrong.status)
    messages.success(request, _("The pack is applied."))
    return HttpResponseRedirect(f"{reverse('admin_change')}?number={done.pk}" if done else reverse("admin_pack"))


def _plan(found: Sent, why: str = "", wrong: Wrong | None = None) -> PlanPage:
    changes = [c for c in found.plan.changes if c.action is not Action.KEEP]
    return PlanPage(
        sent=found,
        counts=[(_table(t), _action(a), n) for (t, a), n in found.plan.counts().items()],
        lines=[
            Line(
                table=_table(c.table), action=_action(c.action), key=c.key, note=c.note, differences=told(c.fields)[:30]
            )
            for c in changes[:SHOWN]
        ],
        more=max(0, len(changes) - SHOWN),
        why=why,
        wrong=wrong or Wrong(),
    )


def _table(name: str) -> str:
    return field_words.word(field_words.TABLES, name)


def _action(name: str) -> str:
    return field_words.word(field_words.ACTIONS, name)
