"""Deliveries: what became of each message, for whom it was meant and for who keeps the installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import NotFound
from chengshu.parties import audit, delivery
from chengshu.parties.delivery_channels import WAYS, Way
from chengshu.parties.models import Delivery
from chengshu.parties.roles import Role
from chengshu.web.pages import Request, page, respond, text

SIZE = 50
STATES = ("waiting", "sent", "needless", "dead")
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveriesPage:
    """One page of deliveries; `before` leads to earlier ones. Of a whole city, addressees are named and addresses are not."""

    rows: Sequence[tuple[Delivery, str]]
    ways: dict[str, Way]
    state: str
    states: Sequence[str]
    before: str
    whole: bool


@page(account=True)
def own(request: Request) -> HttpResponse:
    """One's own deliveries."""
    return _show(request, delivery.of_account(request.principal), whole=False)


@page(roles=ADMINISTRATORS)
def whole(request: Request) -> HttpResponse:
    """Those of the whole city."""
    return _show(request, delivery.of_city(request.principal), whole=True)


def _show(request: Request, found: QuerySet[Delivery], *, whole: bool) -> HttpResponse:
    state = text(request, "state", 20)
    if state in STATES:
        found = found.filter(state=state)
    if before := _uuid(text(request, "before", 40)):
        found = found.filter(pk__lt=before)
    rows = list(found[: SIZE + 1])
    shown = DeliveriesPage(
        rows=[(row, delivery.error_text(row)) for row in rows[:SIZE]],
        ways=WAYS,
        state=state if state in STATES else "",
        states=STATES,
        before=str(rows[SIZE - 1].pk) if len(rows) > SIZE else "",
        whole=whole,
    )
    return respond(request, "account/deliveries.html", shown)


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError:
        return None


@page("POST", account=True)
def again(request: Request) -> HttpResponse:
    """Send one of one's own once more."""
    return _again(request, delivery.of_account(request.principal), "deliveries")


@page("POST", roles=ADMINISTRATORS)
def whole_again(request: Request) -> HttpResponse:
    """Send one of the city's once more."""
    return _again(request, delivery.of_city(request.principal), "deliveries_all")


def _again(request: Request, among: QuerySet[Delivery], route: str) -> HttpResponse:
    number = _uuid(text(request, "delivery", 40))
    if number is None:
        raise NotFound(_("There is no such delivery."), remedy=_("Look at the list."))
    delivery.send_again(among, number, datetime.now(UTC))
    audit.record("delivery.again", request.principal, delivery=str(number))
    messages.success(request, _("It will be tried again at once."))
    return HttpResponseRedirect(reverse(route))
