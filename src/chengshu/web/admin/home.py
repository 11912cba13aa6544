"""Where an administrator's day begins: what needs care, each with the list behind it and the act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.packs import care, revisions
from chengshu.packs.care import Care
from chengshu.packs.models import Revision
from chengshu.web.admin.frame import READERS
from chengshu.web.doors import opens
from chengshu.web.pages import Request, known, page, respond

TILES = {  # of each number its label, the list behind it, and what to do there
    "proposals": (
        gettext_noop("Posts that wait for a second administrator"), "admin_approvals", "", gettext_noop("Decide"),
    ),
    "without_post": (
        gettext_noop("Accounts without a post"), "admin_accounts", "?show=without", gettext_noop("Give a post or close"),
    ),
    "posts_ending": (
        gettext_noop("Posts that end within 14 days"), "admin_accounts", "?show=ending",
        gettext_noop("Prolong or hand over"),
    ),
    "without_handler": (
        gettext_noop("Units with open cases for which nobody works"), "admin_departments", "?show=led",
        gettext_noop("Give somebody a post"),
    ),
    "without_limit": (
        gettext_noop("Case types without any limit"), "admin_types", "?show=no_limit", gettext_noop("Set limits"),
    ),
    "idle_rules": (
        gettext_noop("Dispatch rules that none of the newest cases needed"), "rules", "",
        gettext_noop("Look through the rules"),
    ),
    "calendar": (
        gettext_noop("Years whose holidays are missing"), "admin_calendar", "", gettext_noop("Enter the holidays"),
    ),
    "late": (
        gettext_noop("Messages that should have gone out minutes ago"), "admin_outbox", "?show=late",
        gettext_noop("Look at the worker"),
    ),
    "failed": (
        gettext_noop("Messages that were set aside"), "admin_outbox", "?show=failed", gettext_noop("Try again"),
    ),
    "deliveries": (
        gettext_noop("Deliveries that failed for good"), "deliveries_all", "?state=dead", gettext_noop("Send again"),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """A number that needs care: what it counts, where the list is, and what to do there."""

    care: Care
    label: str
    href: str
    verb: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage:
    """What needs care, what is in order, and the last changes."""

    tiles: Sequence[Tile]
    fine: Sequence[Tile]
    latest: Sequence[Revision]


@page(roles=READERS)
def show(request: Request) -> HttpResponse:
    """The overview of administration."""
    city = known(request).city
    found = [(each, *TILES[each.name]) for each in care.of_city(city)]
    tiles = [
        Tile(care=each, label=_(label), href=f"{reverse(route)}{query}", verb=_(verb))
        for each, label, route, query, verb in found
        if opens(request.principal, route)
    ]
    return respond(
        request,
        "admin/home.html",
        HomePage(
            tiles=[tile for tile in tiles if tile.care.count],
            fine=[tile for tile in tiles if not tile.care.count],
            latest=revisions.latest(city.pk, most=8),
        ),
    )
