"""The sessions of those who are signed in: ended in other browsers, and dropped when they are over."""

from __future__ import annotations

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from chengshu.parties.models import Account


def end(account: Account, *, but: str | None = None) -> int:
    """End the sessions of an account, but the one of this key; how many."""
    found = UserSession.objects.filter(user=account).exclude(session_key=but or "")
    keys = list(found.values_list("session_key", flat=True))
    Session.objects.filter(pk__in=keys).delete()
    found.filter(session_key__in=keys).delete()
    return len(keys)


def sweep(now: datetime) -> int:
    """Drop sessions that have expired, and what was noted of sessions that are no more; how many sessions."""
    dropped, _kinds = Session.objects.filter(expire_date__lt=now).delete()
    UserSession.objects.filter(~Exists(Session.objects.filter(pk=OuterRef("session_key")))).delete()
    return dropped
