"""Where an administrator's day begins: what needs care, each with the list behind it and the act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.packs import care, revisions
from chengshu.packs.care import Care
from chengshu.packs.models import Revision
from chengshu.parties.roles import Role
from chengshu.web.admin.frame import READERS
from chengshu.web.pages import Request, known, page, respond


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
    tiles = [_tile(each) for each in care.of_city(city) if _sees(request, each.name)]
    return respond(
        request,
        "admin/home.html",
        HomePage(
            tiles=[tile for tile in tiles if tile.care.count],
            fine=[tile for tile in tiles if not tile.care.count],
            latest=revisions.latest(city.pk, most=8),
        ),
    )


def _sees(request: Request, name: str) -> bool:
    """People and deliveries are the administrator's; the rest everybody sees who may read the configuration."""
    people = {"proposals", "without_post", "posts_ending", "deliveries", "outbox"}
    return request.principal.role is Role.ADMINISTRATOR or name not in people


def _tile(found: Care) -> Tile:
    label, href, verb = _words(found.name)
    return Tile(care=found, label=label, href=href, verb=verb)


def _words(name: str) -> tuple[str, str, str]:
    match name:
        case "proposals":
            return _("Posts that wait for a second administrator"), reverse("admin_approvals"), _("Decide")
        case "without_post":
            return _("Accounts without a post"), f"{reverse('admin_accounts')}?show=without", _("Give a post or close")
        case "without_handler":
            return (
                _("Units with open cases for which nobody works"),
                f"{reverse('admin_departments')}?show=led",
                _("Give somebody a post"),
            )
        case "without_limit":
            return _("Case types without any limit"), f"{reverse('admin_types')}?show=no_limit", _("Set limits")
        case "idle_rules":
            return (
                _("Dispatch rules that none of the newest cases needed"),
                reverse("rules"),
                _("Look through the rules"),
            )
        case "calendar":
            return _("Years whose holidays are missing"), reverse("admin_calendar"), _("Enter the holidays")
        case "outbox":
            return (
                _("Messages that should have gone out minutes ago"),
                reverse("deliveries_all"),
                _("Look at deliveries"),
            )
        case "deliveries":
            return _("Deliveries that failed for good"), reverse("deliveries_all"), _("Send again")
        case _:
            return _("Posts that end within 14 days"), reverse("admin_accounts"), _("Prolong or hand over")
