"""Reading the traces that people leave in a city: acts on the system, and readings of personal data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Model, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from chengshu.parties.models import Access, Account, Audit, Post
from chengshu.parties.roles import STAFF
from chengshu.places.models import City

GROUPS = ("login", "logout", "password", "factor", "account", "post", "token", "rules", "pack", "thing", "user")
T = TypeVar("T", bound=Model)
MOST = 10_000  # rows of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is looked for: a login, the first word of an action, days of the city (both included)."""

    who: str = ""
    action: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One trace: `what` is the action or what was read, `facts` what is known of it."""

    number: int
    at: datetime
    username: str
    name: str
    role: str
    what: str
    facts: dict[str, Any]


def acts(city: City, asked: Asked, *, before: int | None = None, most: int = 100) -> list[Trace]:
    """Acts on the system by people of the city, newest first; refused sign-ins of their logins among them."""
    found = _when(Audit.objects.alias(login=KeyTextTransform("username", "facts")).filter(_of_city(city)), city, asked)
    if asked.who:
        found = found.filter(Q(account__username=asked.who) | Q(login=asked.who))
    if asked.action:
        found = found.filter(action__startswith=f"{asked.action}.")
    rows = _page(found.select_related("account", "post"), before, most)
    return [
        Trace(
            number=row.pk, at=row.at, username=row.account.username if row.account else str(row.facts.get("username", "")),
            name=row.account.name if row.account else "", role=row.post.role if row.post else "", what=row.action,
            facts=row.facts,
        )
        for row in rows
    ]  # fmt: skip


def readings(city: City, asked: Asked, *, before: int | None = None, most: int = 100) -> list[Trace]:
    """Readings of personal data in posts of the city, newest first, each with its purpose."""
    found = _when(Access.objects.filter(post__division__city=city), city, asked)
    if asked.who:
        found = found.filter(account__username=asked.who)
    rows = _page(found.select_related("account", "post"), before, most)
    return [
        Trace(
            number=row.pk, at=row.at, username=row.account.username, name=row.account.name,
            role=row.post.role if row.post else "", what=row.subject,
            facts={"fields": row.fields, "purpose": row.purpose},
        )
        for row in rows
    ]  # fmt: skip


def _of_city(city: City) -> Q:
    """Whose acts they are: made in a staff post of the city, by an account that has one, or on the login of such an account.

    When and from where citizens sign in is nobody's business.
    """
    posts = Post.objects.filter(division__city=city, role__in=STAFF)
    people = Account.objects.filter(pk__in=posts.values("account"))
    return (
        Q(post__division__city=city, post__role__in=STAFF)
        | Q(post=None, account__in=people.values("pk"))
        | Q(post=None, account=None, login__in=people.values_list("username", flat=True))
    )


def _when(found: QuerySet[T], city: City, asked: Asked) -> QuerySet[T]:
    zone = ZoneInfo(city.timezone)
    if asked.first:
        found = found.filter(at__gte=datetime.combine(asked.first, time(), zone).astimezone(UTC))
    if asked.last:
        found = found.filter(at__lt=datetime.combine(asked.last + timedelta(days=1), time(), zone).astimezone(UTC))
    return found


def _page(found: QuerySet[T], before: int | None, most: int) -> QuerySet[T]:
    newest = found.order_by("-pk")
    return (newest.filter(pk__lt=before) if before else newest)[:most]
