"""Demo accounts: how they get their password, and what is shown of them at the start of the city."""

from __future__ import annotations

import os
import secrets
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.utils.translation import gettext as _

from chengshu.embedded.home import Home
from chengshu.parties.models import Account, Post
from chengshu.parties.roles import LABELS, Role


def password() -> str:
    """CHENGSHU_DEMO_PASSWORD, or a random one kept in `demo_password` of CHENGSHU_HOME (mode 0600)."""
    settings.HOME.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("CHENGSHU_DEMO_PASSWORD")
    return given or Home(folder=settings.HOME).private_text("demo_password", lambda: secrets.token_urlsafe(9))


def encoded_password() -> str:
    """The password as it is stored; one encoding serves all accounts of a load, for it is the same known word."""
    return make_password(password())


def accounts() -> list[tuple[str, str, str]]:
    """Login, password and who, of every demo account that is open; a password that was changed is not known."""
    known = cache(lambda encoded: check_password(password(), encoded))
    found = Account.objects.filter(demo=True, is_active=True).order_by("pk")
    posts = _posts()
    return [
        (a.username, password() if known(a.password) else _("(another)"), ", ".join([a.name, *posts.get(a.pk, [])]))
        for a in found
    ]


def _posts() -> dict[int, list[str]]:
    """Roles with their jurisdictions, by account."""
    posts: dict[int, list[str]] = {}
    held = (
        Post.objects.filter(account__demo=True, valid_to=None).select_related("division", "department").order_by("pk")
    )
    for post in held:
        place = post.department.name if post.department else post.division.name
        posts.setdefault(post.account_id, []).append(f"{LABELS[Role(post.role)]} {place}")
    return posts
