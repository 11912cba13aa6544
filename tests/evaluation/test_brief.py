"""The brief of the morning: told once a day to leaders, and what it says is what the lists hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from chengshu.cases.catalog import catalog
from chengshu.evaluation.brief import brief, tell_all
from chengshu.evaluation.counts import count_all
from chengshu.evaluation.shifts import earlier, shift_at
from chengshu.parties.models import Notice, Post
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from tests.web.conftest import case  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
SHANGHAI = timezone.get_fixed_timezone(480)


def test_leaders_are_told_once_a_day_after_the_time(hangzhou: City, who: Who) -> None:
    morning = datetime(2026, 3, 3, 7, 29, tzinfo=SHANGHAI)
    assert tell_all(morning) == 0
    assert tell_all(morning + timedelta(minutes=1)) == 1
    assert tell_all(morning + timedelta(hours=3)) == 0
    assert tell_all(morning + timedelta(days=1, minutes=1)) == 1
    told = Notice.objects.filter(kind="brief").order_by("at")
    assert [(n.account_id, n.params["day"]) for n in told] == [
        (who("leader").account, "2026-03-02"),
        (who("leader").account, "2026-03-03"),
    ]


def test_who_becomes_a_leader_in_the_morning_is_told_then(hangzhou: City, who: Who) -> None:
    morning = datetime(2026, 3, 3, 8, 0, tzinfo=SHANGHAI)
    assert tell_all(morning) == 1
    own = Post.objects.get(pk=who("leader").post)
    Post.objects.create(account_id=who("supervisor").account, role=own.role, division=own.division)
    assert [tell_all(morning + timedelta(minutes=n)) for n in (1, 2)] == [1, 0]
    assert Notice.objects.filter(kind="brief").count() == 2


def test_the_day_is_told_for_the_own_district(hangzhou: City, who: Who, case: Callable[..., object]) -> None:  # noqa: F811
    case(0), case(7)
    now = datetime.now(UTC)
    count_all(now)
    today = now.astimezone(SHANGHAI).date()
    leader = who("leader")
    told = brief(leader, leader.division, today, now)
    numbers = {figure.indicator.name: figure.count for figure in told.figures}
    assert (numbers["reported"], numbers["closed"]) == (2, 1)
    assert [(top.thing.code, top.count) for top in told.types] == [("env.exposed_rubbish", 2)]
    assert [(top.thing, top.count) for top in told.places] == [(None, 2)]  # no street is known of them


def test_shifts_follow_each_other_without_gap(hangzhou: City) -> None:
    known = catalog(hangzhou.pk)
    night = shift_at(known, datetime(2026, 3, 3, 3, 0, tzinfo=SHANGHAI))
    assert (night.start.astimezone(SHANGHAI).hour, night.end.astimezone(SHANGHAI).hour) == (20, 8)
    before = earlier(known, night, 3)
    assert [shift.end for shift in before] == [night.start, before[0].start, before[1].start]
    assert shift_at(known, night.end).start == night.end
