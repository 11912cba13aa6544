"""What every page knows beside its own record."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.parties.models import Account, Notice, Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.cities import cities
from chengshu.places.models import City
from chengshu.web import live
from chengshu.web.doors import opens
from chengshu.web.help import texts
from chengshu.web.help.texts import Tour
from chengshu.web.jinja import address

COORDINATION = frozenset({Role.OPERATOR, Role.SHIFT_LEADER, Role.DISPATCHER, Role.VERIFIER, Role.SUPERVISOR})
FIELD = frozenset({Role.HANDLER, Role.GRID_WORKER, Role.VERIFIER})
WATCHING = COORDINATION | {Role.LEADER, Role.ANALYST}
DESK = WATCHING | {Role.HANDLER, Role.GRID_WORKER}
RULES = WATCHING | {Role.ADMINISTRATOR}
SCORES = DESK  # stewards and administrators see no case, and so no number of one
CSRF = '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
SHOWN = 6  # links beside each other; more go into a menu


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """An entry of the navigation."""

    name: str
    href: str
    icon: str
    current: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """The head of the page: city, person, posts, where they can go, the help of this page, a tour not yet seen, and for whom
    the browser may keep pages (`owner`)."""

    city: City
    cities: list[City]
    zone: ZoneInfo
    principal: Principal
    signed_in: bool
    posts: list[Post]
    unread: int
    links: list[Link]
    more: list[Link]
    live: str
    help: str
    tour: Tour | None
    owner: str


def page(request: HttpRequest) -> dict[str, object]:
    """Django calls this for every template; the record is made when the template first asks for it.

    The whole page carries one token: Django would make another for each form.
    """
    token = SimpleLazyObject(lambda: get_token(request))
    return {
        "site": SimpleLazyObject(lambda: _site(request)),
        "csrf_input": SimpleLazyObject(lambda: format_html(CSRF, token)),
        "csrf_token": token,
    }


def _site(request: HttpRequest) -> Site:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    account = request.user if isinstance(request.user, Account) else None
    known = catalog(principal.city)
    places = links(principal, request.path)
    shown = len(places) if len(places) <= SHOWN else SHOWN - 1
    return Site(
        city=known.city,
        cities=[] if account else cities(),
        zone=known.zone,
        principal=principal,
        signed_in=account is not None,
        posts=request.posts if account else [],  # type: ignore[attr-defined]  # by the middleware, with the principal
        unread=Notice.objects.filter(account=account, read_at=None).count() if account else 0,
        links=places[:shown],
        more=places[shown:],
        live=live.stream(request, principal, known.root),
        help=_help(request),
        tour=_tour(request, account, principal),
        owner=owner(principal),
    )


def owner(principal: Principal) -> str:
    """For whom a browser may keep pages and unsent work: an account in one of its posts; empty for a visitor."""
    return f"{principal.account}-{principal.post}" if principal.account is not None else ""


def _help(request: HttpRequest) -> str:
    """The name of the help of this page, if it has one."""
    match = request.resolver_match
    return match.url_name if match and match.url_name in texts.pages() else ""


def _tour(request: HttpRequest, account: Account | None, principal: Principal) -> Tour | None:
    """The tour of a role, where its day begins, until the account has seen it."""
    if account is None or principal.role in account.tours or request.path != reverse(home(principal)):
        return None
    return texts.tours().get(principal.role)


def links(principal: Principal, path: str) -> list[Link]:
    """Where a post can go."""
    if principal.account is None:
        wanted = [
            (_("Report a problem"), "report", "message-report"),
            (_("Follow a case"), "follow", "search"),
            *_public(),
        ]
    elif principal.role == Role.CITIZEN:
        wanted = [(_("Report a problem"), "report", "message-report"), (_("My reports"), "mine", "inbox"), *_public()]
    else:
        wanted = _staff(principal)
    return [
        Link(name=name, href=address(route), icon=icon, current=_is_current(path, address(route)))
        for name, route, icon in wanted
    ]


def _public() -> list[tuple[str, str, str]]:
    return [(_("Near me"), "near", "map-pin"), (_("Statistics"), "statistics", "chart-bar")]


def _is_current(path: str, href: str) -> bool:
    return path == href or path.startswith(f"{href}/")


def _staff(principal: Principal) -> list[tuple[str, str, str]]:
    """What the staff use most comes first: what does not fit beside each other goes into the menu More."""
    entries = [
        (_("Field"), "field", "device-mobile"),
        (_("Cases"), "desk", "inbox"),
        (_("Overview"), "cockpit", "layout-dashboard"),
        (_("Vital signs"), "vitals", "device-desktop"),
        (_("Scorecards"), "scores", "chart-bar"),
        (_("Dispatch rules"), "rules", "route"),
        (_("Administration"), "admin", "settings"),
        *([(_("Audit"), "admin_audit", "shield-check")] if principal.role is Role.LEADER else []),
    ]
    return [entry for entry in entries if opens(principal, entry[1])]


def home(principal: Principal) -> str:
    """The name of the route where a post begins its day."""
    if principal.role in {Role.HANDLER, Role.GRID_WORKER}:
        return "field"
    if principal.role in {Role.LEADER, Role.ANALYST}:
        return "cockpit"
    if principal.role in {Role.ADMINISTRATOR, Role.STEWARD}:
        return "admin"
    if principal.role is Role.GATEWAY:
        return "account"  # a machine; whoever looks after it finds its tokens there
    return "mine" if principal.role == Role.CITIZEN else "desk"
