"""The sources of a city: how each is doing, what was changed on it, and the acts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ruamel.yaml import YAML

from chengshu.core.errors import ChengshuError, Invalid
from chengshu.parties.models import Department
from chengshu.sensing.models import Delivery, Feed, FeedChange, FeedKind, Quarantined
from chengshu.sensing.quarantine import REASONS
from chengshu.sensing.sources import drop, feeds
from chengshu.sensing.sources import mapping as language
from chengshu.sensing.sources.feeds import Doing, Draft
from chengshu.web.admin import frame
from chengshu.web.admin.field_words import word
from chengshu.web.admin.frame import Wrong
from chengshu.web.pages import Request, known, page, respond, text

KINDS = {
    "http": gettext_noop("Address (HTTP)"),
    "sql": gettext_noop("Database (SQL)"),
    "file": gettext_noop("Folder of files"),
    "mqtt": gettext_noop("Topics (MQTT)"),
}
STATES = {"on": gettext_noop("On"), "failing": gettext_noop("Failing"), "off": gettext_noop("Off")}
ACTS = {
    "made": gettext_noop("connected"),
    "changed": gettext_noop("changed"),
    "on": gettext_noop("switched on"),
    "off": gettext_noop("switched off"),
    "run": gettext_noop("looked at by hand"),
}
NEWEST = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcesPage:
    """Every source with its numbers; `failing` of them are."""

    rows: Sequence[tuple[Doing, str, str]]
    failing: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePage:
    """One source: its numbers, its form, what came in last, what stands in quarantine, and its history."""

    doing: Doing
    kind: str
    state: str
    folder: str
    values: Mapping[str, str]
    deliveries: Sequence[Delivery]
    quarantined: Sequence[Quarantined]
    changes: Sequence[tuple[FeedChange, str]]
    departments: Sequence[Department]
    reasons: Mapping[Any, Any] = field(default_factory=lambda: REASONS)
    wrong: Wrong = field(default_factory=Wrong)


@page(roles=feeds.EDITORS)
@frame.whole_city
def show(request: Request) -> HttpResponse:
    """The list of sources."""
    found = feeds.doing(list(feeds.seen(request.principal)[:500]), datetime.now(UTC))
    rows = [(each, word(KINDS, each.feed.kind), word(STATES, each.feed.state)) for each in found]
    failing = sum(each.feed.state == "failing" for each in found)
    return respond(request, "sensing/sources.html", SourcesPage(rows=rows, failing=failing))


@page(roles=feeds.EDITORS)
@frame.whole_city
def show_one(request: Request) -> HttpResponse:
    """One source."""
    feed = feeds.one(request.principal, text(request, "name", 60))
    return respond(request, "sensing/source.html", _page(request, feed))


def _page(request: Request, feed: Feed) -> SourcePage:
    [doing] = feeds.doing([feed], datetime.now(UTC))
    mine = Delivery.objects.filter(city=feed.city_id, door=doing.door).order_by("-pk")
    bad = Quarantined.objects.filter(city=feed.city_id, delivery__door=doing.door, state=Quarantined.State.OPEN)
    changes = FeedChange.objects.filter(feed=feed).select_related("account").order_by("-pk")[:NEWEST]
    return SourcePage(
        doing=doing,
        kind=word(KINDS, feed.kind),
        state=word(STATES, feed.state),
        folder=str(drop.folder(feed)) if feed.kind == FeedKind.FILE else "",
        values=_values(feed),
        deliveries=list(mine[:NEWEST]),
        quarantined=list(bad.order_by("-pk")[:NEWEST]),
        changes=[(change, word(ACTS, change.act)) for change in changes],
        departments=list(Department.objects.filter(city=known(request).city, active=True).order_by("code")),
    )


def _values(feed: Feed) -> dict[str, str]:
    return {
        "label": feed.label, "address": feed.address, "query": feed.query, "schedule": feed.schedule,
        "owner": feed.owner.code if feed.owner else "", "header": feed.header, "secret_name": feed.secret_name,
        "mapping": as_yaml(language.plain(language.parse(feed.mapping))), "version": str(feed.version), "why": "",
    }  # fmt: skip


def as_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as people read it."""
    file = io.StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 100
    writer.dump(dict(value), file)
    return file.getvalue()


@page("POST", roles=feeds.EDITORS)
@frame.whole_city
def act(request: Request) -> HttpResponse:
    """Switch a source on or off, have it looked at, or change it."""
    name, wanted, why = text(request, "name", 60), text(request, "do", 10), text(request, "why", 500)
    feed = feeds.one(request.principal, name)
    if wanted == "change":
        return _change(request, feed, why)
    if wanted == "run":
        feeds.run_soon(request.principal, name)
        messages.success(request, _("It is looked at within a moment."))
    elif wanted in {"on", "off"}:
        feeds.switch(request.principal, name, on=wanted == "on", why=why)
        messages.success(request, _("Switched on.") if wanted == "on" else _("Switched off."))
    else:
        raise Invalid(_("There is no such act."), where=wanted, remedy=_("Use the buttons of the page."))
    back = reverse("sources") if text(request, "back", 10) == "list" else f"{reverse('source')}?name={name}"
    return HttpResponseRedirect(back)


def _change(request: Request, feed: Feed, why: str) -> HttpResponse:
    version, secret = text(request, "version", 10), text(request, "secret", 5_000)
    given = {
        name: text(request, name, 20_000) for name in ("label", "address", "query", "schedule", "owner", "secret_name")
    }
    try:
        draft = Draft(
            name=feed.name, kind=feed.kind, mapping=language.read_text(text(request, "mapping", language.LARGEST)),
            header=text(request, "header", 60) or "Authorization",
            secret="" if text(request, "no_secret", 5) else secret or None, **given,
        )  # fmt: skip
        feeds.save(request.principal, draft, why=why, seen_version=int(version) if version.isdecimal() else 0)
    except ChengshuError as error:
        sent = {name: text(request, name, language.LARGEST) for name in (*given, "mapping", "header", "version", "why")}
        refused = replace(_page(request, feed), wrong=Wrong.of(error), values=sent)
        return respond(request, "sensing/source.html", refused, status=error.status)
    messages.success(request, _("Saved: it counts from now on."))
    return HttpResponseRedirect(f"{reverse('source')}?name={feed.name}")
