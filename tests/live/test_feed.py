"""The queries of the live process, and its rule of visibility against that of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.live import feed
from chengshu.live.feed import BY_ID, BY_NUMBER, HELD, SESSIONS, UNREAD
from chengshu.live.hub import Happening, sees
from chengshu.live.tickets import Ticket
from chengshu.parties.models import Account, Notice, Post
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from tests.cases.people import EAST, HELPER, STREET, UNIT, WEST, Cast

WORD = "a-long-enough-word-7"


def asked(query: str, value: Any) -> list[Happening]:
    with connection.cursor() as cursor:
        cursor.execute(query, [value])
        names = [column.name for column in cursor.description]
        return [feed._happening(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def ticket(principal: Principal, root: int) -> Ticket:
    assert principal.account is not None and principal.post is not None
    return Ticket(
        principal.account, principal.post, principal.name, principal.role.value, principal.scope.value, root,
        principal.division, principal.department, "",
    )  # fmt: skip


def test_the_rule_is_that_of_the_pages(cast: Cast) -> None:
    west = cast.case("dispatched")
    west.move("dispatcher", "split", unit=HELPER)
    stories = [cast.case(stop) for stop in ("reported", "accepted", "dispatched", "handling", "closed")]
    stories += [
        west,
        cast.case("reported", who=cast("grid_worker", division=EAST)),
        cast.case("reported", who=cast("handler")),
    ]
    people = [
        cast(role, **where)
        for role in ("operator", "shift_leader", "dispatcher", "verifier", "supervisor", "leader", "analyst")
        for where in ({}, {"division": WEST}, {"division": STREET}, {"division": EAST})
    ]
    people += [
        cast("grid_worker", division=WEST),
        cast("grid_worker", division=EAST),
        cast("steward"),
        cast("administrator"),
    ]
    people += [cast("handler", division=WEST, unit=unit) for unit in (UNIT, HELPER)]
    root = Case.objects.get(pk=stories[0].id).places[0]
    happenings = asked(BY_ID, [story.id for story in stories])
    assert len(happenings) == len(stories)
    for who in people:
        wanted = set(visible(who).filter(pk__in=[story.id for story in stories]).values_list("pk", flat=True))
        assert {case.id for case in happenings if sees(ticket(who, root), case)} == wanted, who


def test_a_case_is_told_as_it_stands(cast: Cast) -> None:
    story = cast.case("dispatched")
    row = story.row
    [case] = asked(BY_NUMBER, row.number)
    assert (case.id, case.number, case.seq, case.state) == (row.pk, row.number, row.seq, "dispatched")
    assert (case.move, case.label, case.role, case.who) == ("dispatch", "派遣", "dispatcher", cast("dispatcher").name)
    assert (case.closed, case.units, case.left) == (False, {row.unit_id}, frozenset())


def test_a_citizen_is_not_named(cast: Cast) -> None:
    story = cast.case("dispatched")
    story.move("citizen", "urge")
    [case] = asked(BY_ID, [story.id])
    assert (case.move, case.role, case.who) == ("urge", "citizen", "")


def test_the_unit_that_gave_a_case_back_has_left_it(cast: Cast) -> None:
    story = cast.case("dispatched")
    unit = story.row.unit_id
    story.move("handler", "return", note="不属于本单位职责")
    [case] = asked(BY_ID, [story.id])
    assert (case.units, case.left) == (frozenset(), {unit})


def test_unread_notices_are_counted(cast: Cast) -> None:
    handler, other = cast("handler"), cast("operator")
    Notice.objects.create(account_id=handler.account, key="a", kind="dispatch", at=cast.case().now)
    with connection.cursor() as cursor:
        cursor.execute(UNREAD, [[handler.account, other.account]])
        assert dict(cursor.fetchall()) == {handler.account: 1, other.account: 0}


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, True),
        ({"valid_to": "2020-01-01"}, False),
        ({"valid_from": "2999-01-01"}, False),
        ({"valid_from": "2020-01-01", "valid_to": "2999-01-01"}, True),
    ],
)
def test_posts_of_today_are_held(cast: Cast, change: dict[str, str], held: bool) -> None:
    who = cast("verifier")
    Post.objects.filter(pk=who.post).update(**change)
    assert holds(who) is held


def test_a_closed_account_holds_no_post(cast: Cast) -> None:
    who = cast("verifier")
    Account.objects.filter(pk=who.account).update(is_active=False)
    assert holds(who) is False


def holds(who: Principal) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(HELD, [[who.post]])
        return cursor.fetchall() == [(who.post,)]


def test_sessions_last_until_they_end_or_expire(hangzhou: City) -> None:
    account = Account.objects.get(username="handler")
    account.set_password(WORD)
    account.save()
    clients = [Client() for _each in range(3)]
    for client in clients:
        assert client.post("/login", {"username": "handler", "password": WORD}).status_code == 302
    keys = [client.session.session_key or "" for client in clients]
    assert lasting(account) == set(keys)
    clients[0].post("/logout")
    assert lasting(account) == set(keys[1:])
    Session.objects.filter(pk=keys[1]).update(expire_date=datetime.now(UTC) - timedelta(hours=1))
    assert lasting(account) == {keys[2]}
    new = {"old": WORD, "password": f"{WORD}-8", "again": f"{WORD}-8"}
    assert clients[2].post("/account/password", new).status_code == 302
    assert lasting(account) == {clients[2].session.session_key}


def lasting(account: Account) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SESSIONS, [[account.pk]])
        return {key for (key,) in cursor.fetchall()}
