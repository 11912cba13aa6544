"""Who somebody is today: the posts an account holds, the one it acts in, and the principal that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from chengshu.core.errors import NotAllowed
from chengshu.parties.models import Account, Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import City, Division


def posts_of(account: Account, at: datetime | None = None) -> list[Post]:
    """The posts that an account holds at a time (now), with department, division and city; those of staff first."""
    moment = at or datetime.now(UTC)
    held = Post.objects.filter(account=account).select_related("department", "division__city").order_by("pk")
    now = [post for post in held if _holds(post, _day(moment, post.division.city))]
    return sorted(now, key=lambda post: post.role not in STAFF)


def principal_of(
    account: Account, post_id: int | None = None, at: datetime | None = None, *, posts: Sequence[Post] | None = None
) -> Principal:
    """The account acting in the post it chose; in its first when it chose none, or one that it no longer holds.

    Args:
        posts: those it holds, where the caller has read them already.

    Raises:
        NotAllowed: the account is closed, or holds no post today.
    """
    if not account.is_active:
        raise NotAllowed("This account is closed.", where=account.username, remedy="Ask the administrator.")
    posts = posts_of(account, at) if posts is None else posts
    if not posts:
        raise NotAllowed(
            "This account holds no post today.", where=account.username, remedy="Ask the administrator for one."
        )
    return acting(account, next((post for post in posts if post.pk == post_id), posts[0]))


def acting(account: Account, post: Post) -> Principal:
    """The principal of an account in one of its posts; the caller has checked that the post is held."""
    return Principal(
        account=account.pk,
        username=account.username,
        name=account.name,
        post=post.pk,
        role=Role(post.role),
        city=post.division.city_id,
        division=post.division_id,
        department=post.department_id,
        language=account.language,
    )


def anybody(*, city: int, root: int, language: str, proven: bool = False, joined: str = "") -> Principal:
    """Somebody who has not signed in: may report, and sees no case (but, when proven, the one whose word was known)."""
    return Principal(
        account=None, username="", name="", post=None, role=Role.CITIZEN, city=city, division=root, department=None,
        language=language, proven=proven, joined=joined,
    )  # fmt: skip


def root_of(city: City) -> Division:
    """The division that is the whole city."""
    return Division.objects.get(city=city, parent=None, valid_to=None)


def new_citizen(*, city: City, username: str, name: str, password: str, language: str) -> Account:
    """Open a citizen's account, whose only post is that of a citizen of this city. The caller validates the password."""
    account = Account.objects.create(username=username, name=name, password=password, language=language)
    Post.objects.create(account=account, role=Role.CITIZEN, division=root_of(city))
    return account


def colleagues(principal: Principal) -> list[Account]:
    """Accounts that hold a staff post in the same city today: those who can be named as trackers."""
    day = _day(datetime.now(UTC), City.objects.get(pk=principal.city))
    held = Q(valid_from=None) | Q(valid_from__lte=day)
    held &= Q(valid_to=None) | Q(valid_to__gt=day)
    posts = Post.objects.filter(held, division__city=principal.city, role__in=STAFF)
    return list(Account.objects.filter(is_active=True, pk__in=posts.values("account")).order_by("name", "pk"))


def _day(at: datetime, city: City) -> date:
    return at.astimezone(ZoneInfo(city.timezone)).date()


def _holds(post: Post, day: date) -> bool:
    return (post.valid_from is None or post.valid_from <= day) and (post.valid_to is None or day < post.valid_to)
