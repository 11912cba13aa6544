"""API tokens: words that act as one post. Only their digest is stored, so a token is shown once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q

from chengshu import database
from chengshu.core.errors import NotAllowed, NotSignedIn
from chengshu.parties.models import Account, Post, Token
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

LIFE = timedelta(days=365)  # of a token made on the account page
PREFIX = "cs_"  # tells scanners for leaked secrets what they found
_PRINCIPAL = ("account", "username", "name", "language", "post", "city", "division", "department")
_BEARER = """
    SELECT a.id, a.username, a.name, a.language, p.id, d.city_id, d.id, p.department_id,
           p.role, a.is_active, c.timezone, p.valid_from, p.valid_to
    FROM parties_token t
    JOIN parties_post p ON p.id = t.post_id
    JOIN parties_account a ON a.id = p.account_id
    JOIN places_division d ON d.id = p.division_id
    JOIN places_city c ON c.id = d.city_id
    WHERE t.digest = %s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > %s)
"""


def issue(post: Post, name: str, expires_at: datetime | None = None) -> str:
    """Make a token of a post and return it; it cannot be read again."""
    word = PREFIX + secrets.token_urlsafe(32)
    Token.objects.create(post=post, digest=digest(word), name=name, expires_at=expires_at)
    return word


def digest(word: str) -> str:
    """What is stored of a token: SHA-256 in hexadecimal. Tokens are random, so no slow hash is needed."""
    return hashlib.sha256(word.encode()).hexdigest()


def living(now: datetime) -> Q:
    """The tokens that work at a time."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))


def principal_of_token(word: str) -> Principal:
    """The principal that a token acts as.

    Raises:
        NotSignedIn: there is no such token, it was revoked, or it expired.
        NotAllowed: the account is closed, or the post is not held today.
    """
    now = datetime.now(UTC)
    found = database.rows(_BEARER, [digest(word), now])
    if not found:
        raise NotSignedIn(
            "The token is unknown, revoked or expired.",
            where="Authorization",
            remedy="Make a new one on the account page.",
        )
    *fields, role, active, zone, start, end = found[0]
    day = now.astimezone(ZoneInfo(zone)).date()
    if not active or (start is not None and day < start) or (end is not None and day >= end):
        raise NotAllowed(
            "The post of this token is no longer held.", where="Authorization", remedy="Make one for another post."
        )
    return Principal(role=Role(role), **dict(zip(_PRINCIPAL, fields, strict=True)))


def revoke_all(account: Account) -> int:
    """End all tokens of an account; how many."""
    return Token.objects.filter(post__account=account, revoked_at=None).update(revoked_at=datetime.now(UTC))


def revoke(post_ids: list[int], token: int) -> bool:
    """End one of the tokens of these posts; whether there was one."""
    found = Token.objects.filter(pk=token, post__in=post_ids, revoked_at=None)
    return bool(found.update(revoked_at=datetime.now(UTC)))
