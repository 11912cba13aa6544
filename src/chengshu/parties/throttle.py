"""Limits on how often something may be tried, counted in the database so that all web processes count together."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import ngettext

from chengshu.core.errors import ChengshuError
from chengshu.parties.models import Attempt
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF

LONG = 90  # seconds; a longer wait is told in minutes
KEPT = 86_400  # seconds for which old windows are kept before `sweep` drops them


class TooMany(ChengshuError):
    """It was tried too often; `seconds` tells when to try again, `first` whether this is the first try too many."""

    status = 429

    def __init__(self, what: str, *, seconds: int, where: str = "", remedy: str = "", first: bool = False) -> None:
        self.seconds, self.first = seconds, first
        super().__init__(what, where=where, remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """At most `count` tries within a window of `seconds`; windows begin at multiples of their length."""

    name: str
    count: int
    seconds: int

    def __post_init__(self) -> None:
        _limits.append(self)


_limits: list[Limit] = []  # all there are, wherever they are written, for `sweep`

# A stranger can use up the first limit only for his own address, so nobody is locked out by another; the others bound
# what a guesser with many addresses, or with many names, can try.
LOGIN_HERE = Limit(name="login-here", count=6, seconds=900)
LOGIN_ADDRESS = Limit(name="login-address", count=120, seconds=900)
LOGIN_NAME = Limit(name="login-name", count=200, seconds=3600)
REPORT = Limit(name="report", count=30, seconds=3600)
REPORT_HERE = Limit(name="report-here", count=300, seconds=3600)  # of an address, which a mobile network gives to many
REGISTER = Limit(name="register", count=20, seconds=3600)
FOLLOW_CASE = Limit(name="follow-case", count=20, seconds=3600)
FOLLOW_ADDRESS = Limit(name="follow-address", count=60, seconds=900)
FOLLOW_MOVE = Limit(name="follow-move", count=60, seconds=3600)
EVIDENCE = Limit(name="evidence", count=60, seconds=3600)
EVIDENCE_HERE = Limit(name="evidence-here", count=300, seconds=3600)
PASSWORD = Limit(name="password", count=10, seconds=3600)

_HIT = """
    INSERT INTO parties_attempt (key, "window", count) VALUES (%s, %s, 1)
    ON CONFLICT (key, "window") DO UPDATE SET count = parties_attempt.count + 1 RETURNING count
"""


def hit(limit: Limit, *who: object) -> None:
    """Count one try of `who`. Raise TooMany when it is more than the limit allows in this window."""
    now = int(time.time())
    window = now // limit.seconds
    with connection.cursor() as cursor:
        cursor.execute(_HIT, [_key(limit, who), window])
        [tries] = cursor.fetchone()
    if tries > limit.count:
        left = (window + 1) * limit.seconds - now
        first = tries == limit.count + 1
        raise TooMany("That was tried too often.", seconds=left, remedy=told_wait(left), first=first)


def count(principal: Principal, client: str, *, own: Limit, here: Limit) -> None:
    """Count a try of a citizen by account, of a visitor by address, and of staff, who work in their own name, not at all."""
    if principal.account is None:
        hit(here, client)
    elif principal.role not in STAFF:
        hit(own, principal.account)


def told_wait(seconds: int) -> str:
    """When to try again, in words."""
    if seconds <= LONG:
        return ngettext("Try again in %(n)d second.", "Try again in %(n)d seconds.", seconds) % {"n": seconds}
    minutes = -(-seconds // 60)
    return ngettext("Try again in %(n)d minute.", "Try again in %(n)d minutes.", minutes) % {"n": minutes}


def forget(limit: Limit, *who: object) -> None:
    """Drop what was counted for `who`, after a try that was right."""
    Attempt.objects.filter(key=_key(limit, who)).delete()


def sweep() -> int:
    """Drop windows that ended long ago; how many. The worker calls this now and then."""
    now = int(time.time())
    return sum(
        Attempt.objects.filter(key__startswith=f"{each.name}|", window__lt=(now - KEPT) // each.seconds).delete()[0]
        for each in _limits
    )


def _key(limit: Limit, who: tuple[object, ...]) -> str:
    return "|".join([limit.name, *(str(part)[:150] for part in who)])
