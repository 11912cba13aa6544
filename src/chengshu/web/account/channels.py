"""Channels: how one hears of what presses while away from the pages, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, Invalid
from chengshu.parties import audit
from chengshu.parties import delivery_channels as ways
from chengshu.parties.delivery_channels import WAYS, Way
from chengshu.parties.models import Channel, Quiet
from chengshu.web.forms import Form
from chengshu.web.pages import Request, page, respond, text


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelsPage:
    """One's channels, what they carry, the ways that are offered, and one's quiet hours."""

    channels: Sequence[Channel]
    ways: Sequence[Way]
    names: dict[str, Way]
    kinds: Sequence[str]
    quiet: Quiet | None
    form: Form


@page("GET", "POST", account=True)
def channels(request: Request) -> HttpResponse:
    """The list; posting adds a channel and sends its code."""
    if request.method == "GET":
        return _show(request, Form())
    form = Form(values={name: text(request, name, 600) for name in ("kind", "address")})
    if not form.require("address", _("Enter the address.")):
        return _show(request, form)
    try:
        added = ways.add(request.principal, form.get("kind"), form.get("address"), request.client)
    except (Invalid, Conflict) as error:
        form.errors["address"] = f"{error.what} {error.remedy}".strip()
        return _show(request, form)
    audit.record("channel.added", request.principal, channel=added.pk, kind=added.kind)
    messages.success(request, _("A code is on its way. Enter it below."))
    return _back()


def _show(request: Request, form: Form) -> HttpResponse:
    account = request.principal.account
    found = ChannelsPage(
        channels=list(Channel.objects.filter(account=account).order_by("pk")),
        ways=ways.offered(request.principal),
        names=WAYS,
        kinds=ways.kinds_for(request.principal),
        quiet=Quiet.objects.filter(account=account).first(),
        form=form,
    )
    return respond(request, "account/channels.html", found, status=200 if form.ok else 422)


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("channels"))


def _chosen(request: Request) -> Channel:
    return ways.own(request.principal, text(request, "channel", 18))


@page("POST", account=True)
def verify(request: Request) -> HttpResponse:
    """Enter the code that came; from then on the channel carries notices."""
    channel = _chosen(request)
    try:
        ways.verify(channel, text(request, "code", 20))
    except Invalid as error:
        return _show(request, Form(errors={f"code-{channel.pk}": f"{error.what} {error.remedy}"}))
    audit.record("channel.verified", request.principal, channel=channel.pk, kind=channel.kind)
    messages.success(request, _("This channel works. Choose what it carries."))
    return _back()


@page("POST", account=True)
def code(request: Request) -> HttpResponse:
    """Have a new code sent."""
    ways.send_code(request.principal, _chosen(request), request.client)
    messages.success(request, _("A new code is on its way."))
    return _back()


@page("POST", account=True)
def change(request: Request) -> HttpResponse:
    """Choose what a channel carries."""
    ways.change(
        request.principal, _chosen(request), kinds=request.POST.getlist("kinds"),
        only_urgent=text(request, "only_urgent", 3) == "yes", hourly=text(request, "hourly", 3) == "yes",
    )  # fmt: skip
    messages.success(request, _("Saved."))
    return _back()


@page("POST", account=True)
def remove(request: Request) -> HttpResponse:
    """Remove a channel; what waited for it is not sent."""
    channel = _chosen(request)
    audit.record("channel.removed", request.principal, channel=channel.pk, kind=channel.kind)
    channel.delete()
    messages.success(request, _("The channel was removed."))
    return _back()


@page("POST", account=True)
def quiet(request: Request) -> HttpResponse:
    """Keep quiet hours, or keep none any more."""
    try:
        ways.keep_quiet(request.principal, text(request, "begin", 20), text(request, "end", 20))
    except Invalid as error:
        return _show(request, Form(errors={"begin": error.what}))
    messages.success(request, _("Saved."))
    return _back()
