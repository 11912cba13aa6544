"""The people of a city as its administrator sees them: who holds which post today, and the first word of an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from allauth.mfa.base.internal.flows import delete_dangling_recovery_codes
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from chengshu.parties import audit, notices, sessions, tokens
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import City

MOST = 200  # accounts in one list
ENDING = timedelta(days=14)  # in which a post ends that is soon to be prolonged or handed over


class _Words(PasswordResetTokenGenerator):
    """Words that let their account choose a password, once: with the password they lose their meaning."""

    key_salt = "chengshu.parties.staff"


_words = _Words()


def today(city: City) -> date:
    """The day it is in a city."""
    return datetime.now(UTC).astimezone(ZoneInfo(city.timezone)).date()


def holding(posts: QuerySet[Post], city: City) -> QuerySet[Post]:
    """Of these posts those that are held today by an account that is not closed."""
    day = today(city)
    begun, lasts = Q(valid_from=None) | Q(valid_from__lte=day), Q(valid_to=None) | Q(valid_to__gt=day)
    return posts.filter(begun, lasts, account__is_active=True)


def ending(held: QuerySet[Post], city: City) -> QuerySet[Post]:
    """Of the posts that are held those that soon end."""
    return held.filter(valid_to__lte=today(city) + ENDING)


def of_city(city: City) -> QuerySet[Account]:
    """Those who hold or held a staff post in a city, and those who were made in it and never held a post anywhere.

    Citizens are nobody's business.
    """
    here = Post.objects.filter(account=OuterRef("pk"), division__city=city, role__in=STAFF)
    anywhere = Post.objects.filter(account=OuterRef("pk"))
    posts = Post.objects.select_related("department", "division__city").order_by("pk")
    found = Account.objects.filter(Exists(here) | (Q(city=city) & ~Exists(anywhere)))
    return found.prefetch_related(Prefetch("posts", queryset=posts)).order_by("username")


def search(city: City, words: str = "", show: str = "", role: str = "") -> list[Account]:
    """Accounts of a city by login or name; `show` is open, closed, without (a post), ending (a post of theirs) or demo."""
    found = of_city(city)
    if words:
        found = found.filter(Q(username__icontains=words) | Q(name__icontains=words))
    held = holding(Post.objects.filter(account=OuterRef("pk"), division__city=city), city)
    if role:
        found = found.filter(Exists(held.filter(role=role)))
    match show:
        case "closed":
            found = found.filter(is_active=False)
        case "without":
            found = found.filter(~Exists(held), is_active=True)
        case "ending":
            found = found.filter(Exists(ending(held, city)))
        case "demo":
            found = found.filter(demo=True)
        case _:
            pass
    return list(found[:MOST])


def handlers(city: City) -> dict[int, int]:
    """How many people hold a post in each department today."""
    held = holding(Post.objects.filter(department__city=city), city)
    counted = held.order_by().values_list("department").annotate(n=Count("account", distinct=True))
    return {department: n for department, n in counted if department is not None}


def departments(
    city: City, words: str = "", level: int | None = None, show: str = "", people: Mapping[int, int] | None = None
) -> list[Department]:
    """Departments by code or name; `show` is retired, or nobody: units that nobody of `people` works for."""
    found = Department.objects.filter(city=city, active=show != "retired").select_related("division", "parent")
    if words:
        found = found.filter(Q(code__icontains=words) | Q(name__icontains=words) | Q(name_en__icontains=words))
    if level is not None:
        found = found.filter(level=level)
    if show == "nobody":
        found = found.exclude(kind="office").exclude(pk__in=list(people or {}))
    return list(found.order_by("level", "code"))


def administrators(city: City, besides: int | None = None) -> list[Account]:
    """Who administers a city today, without the account `besides`."""
    posts = holding(Post.objects.filter(division__city=city, division__parent=None, role=Role.ADMINISTRATOR), city)
    return list(Account.objects.filter(pk__in=posts.values("account")).exclude(pk=besides or 0).order_by("pk"))


def first_word(account: Account) -> str:
    """A word with which the account's owner chooses a password, once and within three days."""
    return _words.make_token(account)


def word_fits(account: Account, word: str) -> bool:
    return account.is_active and _words.check_token(account, word)


@transaction.atomic
def choose_password(account: Account, word: str, password: str) -> None:
    """Set the password that the owner chose with the first word.

    Raises:
        ValidationError: the password is too weak, or the word is used up by now.
    """
    locked = Account.objects.select_for_update().get(pk=account.pk)
    validate_password(password, locked)
    if not word_fits(locked, word):
        raise ValidationError("used")
    locked.set_password(password)
    locked.save(update_fields=["password"])
    audit.record("password.chosen", username=locked.username)


def without_password(account: Account) -> int:
    """Take an account's password away, and end its sessions and all else that opens it; how many tokens that were.

    A passkey and a link to single sign-on open an account by themselves: whoever had got into it may have added one. The
    codes of a telephone stay, for they are asked for besides the password.
    """
    account.set_unusable_password()
    account.save(update_fields=["password"])
    sessions.end(account)
    SocialAccount.objects.filter(user=account).delete()
    Authenticator.objects.filter(user=account, type=Authenticator.Type.WEBAUTHN).delete()
    delete_dangling_recovery_codes(account)
    return tokens.revoke_all(account)


@transaction.atomic
def remove_factors(account: Account, principal: Principal | None = None, **facts: object) -> int:
    """Remove second factors, passkeys and recovery codes of somebody who has lost them; how many.

    The password alone opens the account again. Its owner is told; `facts`, such as why, go into the trace.
    """
    removed: int = Authenticator.objects.filter(user=account).delete()[0]
    audit.record("factor.removed", principal, username=account.username, count=removed, **facts)
    notices.tell_security(account, "removed")
    return removed


def post_facts(post: Post) -> dict[str, Any]:
    """A post as the audit keeps it."""
    return {
        "username": post.account.username,
        "post": post.pk,
        "role": post.role,
        "department": post.department.code if post.department else "",
        "division": post.division.code,
        "from": str(post.valid_from or ""),
        "to": str(post.valid_to or ""),
    }
