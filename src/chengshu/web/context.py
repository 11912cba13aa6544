"""What every page knows beside its own record."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.parties.access import posts_of
from chengshu.parties.models import Account, Notice, Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.models import City

COORDINATION = frozenset({Role.OPERATOR, Role.SHIFT_LEADER, Role.DISPATCHER, Role.VERIFIER, Role.SUPERVISOR})
FIELD = frozenset({Role.HANDLER, Role.GRID_WORKER, Role.VERIFIER})
WATCHING = COORDINATION | {Role.LEADER, Role.ANALYST}
DESK = WATCHING | {Role.HANDLER, Role.GRID_WORKER}
RULES = WATCHING | {Role.ADMINISTRATOR}
SCORES = DESK | {Role.STEWARD, Role.ADMINISTRATOR}


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """An entry of the navigation."""

    name: str
    href: str
    icon: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """The head of the page: city, person, posts, where they can go."""

    city: City
    cities: list[City]
    zone: ZoneInfo
    principal: Principal
    signed_in: bool
    posts: list[Post]
    unread: int
    links: list[Link]


def page(request: HttpRequest) -> dict[str, object]:
    """Django calls this for every template; the record is made when the template first asks for it."""
    return {"site": SimpleLazyObject(lambda: _site(request))}


def _site(request: HttpRequest) -> Site:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    account = request.user if isinstance(request.user, Account) else None
    known = catalog(principal.city)
    return Site(
        city=known.city,
        cities=[] if account else list(City.objects.order_by("pk")),
        zone=known.zone,
        principal=principal,
        signed_in=account is not None,
        posts=posts_of(account) if account else [],
        unread=Notice.objects.filter(account=account, read_at=None).count() if account else 0,
        links=links(principal, request.path),
    )


def links(principal: Principal, path: str) -> list[Link]:
    """Where a post can go."""
    if principal.account is None:
        wanted = [(_("Report a problem"), "report", "message-report"), (_("Follow a case"), "follow", "search")]
    elif principal.role == Role.CITIZEN:
        wanted = [(_("Report a problem"), "report", "message-report"), (_("My reports"), "mine", "inbox")]
    else:
        wanted = _staff(principal.role)
    return [
        Link(name=name, href=reverse(route), icon=icon, current=_is_current(path, reverse(route)))
        for name, route, icon in wanted
    ]


def _is_current(path: str, href: str) -> bool:
    return path == href or path.startswith(f"{href}/")


def _staff(role: Role) -> list[tuple[str, str, str]]:
    entries = [
        (FIELD, (_("Field"), "field", "device-mobile")),
        (DESK, (_("Cases"), "desk", "inbox")),
        (WATCHING, (_("Overview"), "cockpit", "layout-dashboard")),
        (SCORES, (_("Scorecards"), "scores", "chart-bar")),
        (RULES, (_("Dispatch rules"), "rules", "route")),
    ]
    return [entry for roles, entry in entries if role in roles]


def home(principal: Principal) -> str:
    """The name of the route where a post begins its day."""
    if principal.role in {Role.HANDLER, Role.GRID_WORKER}:
        return "field"
    if principal.role in {Role.LEADER, Role.ANALYST}:
        return "cockpit"
    if principal.role == Role.ADMINISTRATOR:
        return "rules"
    if principal.role == Role.STEWARD:
        return "scores"
    return "mine" if principal.role == Role.CITIZEN else "desk"
