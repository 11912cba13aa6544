"""Who somebody is today, and how often they may try."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from chengshu.cases.visibility import visible
from chengshu.core.errors import NotAllowed
from chengshu.parties import throttle
from chengshu.parties.access import anybody, colleagues, new_citizen, posts_of, principal_of, root_of
from chengshu.parties.models import Account, Attempt, Post
from chengshu.parties.roles import Role, Scope
from chengshu.places.models import City


def test_the_first_post_of_staff_is_the_default(hangzhou: City) -> None:
    account = Account.objects.get(username="multi")
    Post.objects.create(account=account, role=Role.CITIZEN, division=root_of(hangzhou))
    posts = posts_of(account)
    assert posts[-1].role == Role.CITIZEN
    assert principal_of(account).post == posts[0].pk
    assert principal_of(account, posts[2].pk).role == posts[2].role
    assert principal_of(account, 0).post == posts[0].pk


def test_posts_hold_by_the_calendar_of_their_city(hangzhou: City) -> None:
    account = Account.objects.get(username="operator")
    Post.objects.filter(account=account).update(valid_from=date(2026, 3, 1), valid_to=date(2026, 4, 1))
    midnight = datetime(2026, 2, 28, 16, tzinfo=UTC)  # of the first of March in Hangzhou
    assert principal_of(account, at=midnight).role == Role.OPERATOR
    for outside in (midnight - timedelta(seconds=1), datetime(2026, 3, 31, 16, tzinfo=UTC)):
        with pytest.raises(NotAllowed):
            principal_of(account, at=outside)


def test_a_closed_account_is_nobody(hangzhou: City) -> None:
    account = Account.objects.get(username="operator")
    account.is_active = False
    with pytest.raises(NotAllowed):
        principal_of(account)


def test_somebody_without_an_account_sees_no_case(hangzhou: City) -> None:
    stranger = anybody(city=hangzhou.pk, root=root_of(hangzhou).pk, language="en")
    assert stranger.scope == Scope.OWN
    assert not visible(stranger).exists()


def test_a_new_citizen_holds_that_post_alone(hangzhou: City) -> None:
    account = new_citizen(city=hangzhou, username="w", name="王", password="x" * 12, language="en")
    assert [post.role for post in posts_of(account)] == [Role.CITIZEN]
    assert account not in colleagues(principal_of(Account.objects.get(username="shift")))


def test_colleagues_are_the_staff_of_the_city(hangzhou: City) -> None:
    names = {account.username for account in colleagues(principal_of(Account.objects.get(username="shift")))}
    assert {"operator", "handler", "multi"} <= names
    assert "citizen" not in names


@pytest.mark.django_db
def test_tries_are_counted_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chengshu.parties.throttle.time.time", lambda: 1000.0)
    limit = throttle.Limit(name="test", count=2, seconds=60)
    throttle.hit(limit, "a", "b")
    throttle.hit(limit, "a", "b")
    throttle.hit(limit, "a", "c")
    with pytest.raises(throttle.TooMany) as refused:
        throttle.hit(limit, "a", "b")
    assert refused.value.seconds == 20
    throttle.forget(limit, "a", "b")
    throttle.hit(limit, "a", "b")
    monkeypatch.setattr("chengshu.parties.throttle.time.time", lambda: 1020.0)
    throttle.hit(limit, "a", "b")
    assert Attempt.objects.count() == 3


@pytest.mark.django_db
def test_old_tries_are_swept_away() -> None:
    throttle.hit(throttle.REPORT, "a")
    Attempt.objects.create(key="report|b", window=1, count=5)
    assert throttle.sweep() == 1
    assert Attempt.objects.get().key == "report|a"
