"""What should follow from steps and clocks and is late or was set aside: the list behind the numbers of the overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import stuck
from chengshu.cases.models import Outbox
from chengshu.packs import editing
from chengshu.parties import audit
from chengshu.web.admin import frame
from chengshu.web.admin.field_words import word
from chengshu.web.admin.frame import ADMIN
from chengshu.web.pages import Request, page, respond, text

MOST = 200
TOPICS = {
    "clock": gettext_noop("a clock"),
    "step": gettext_noop("a step"),
    "report": gettext_noop("a report"),
    "orphaned": gettext_noop("a unit that was retired"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxPage:
    """The oldest of what is late, or of what was set aside: each with what it follows from."""

    rows: Sequence[tuple[Outbox, str]]
    count: int
    failed: bool


@page(roles=ADMIN)
@frame.whole_city
def show(request: Request) -> HttpResponse:
    """What was set aside, or what is late."""
    city = editing.editor(request.principal)
    failed = text(request, "show", 10) != "late"
    found = stuck.failed(city) if failed else stuck.late(city)
    rows = [(row, word(TOPICS, str(row.facts.get("topic", row.topic)))) for row in found[:MOST]]
    return respond(request, "admin/outbox.html", OutboxPage(rows=rows, count=found.count(), failed=failed))


@page("POST", roles=ADMIN)
def again(request: Request) -> HttpResponse:
    """Give one of what was set aside back to the worker."""
    city, number = editing.editor(request.principal), text(request, "number", 18)
    stuck.try_again(city, int(number) if number.isdecimal() else 0)
    audit.record("outbox.again", request.principal, number=number)
    messages.success(request, _("It will be tried again at once."))
    return HttpResponseRedirect(reverse("admin_outbox"))
