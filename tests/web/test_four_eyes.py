"""People and posts: what one administrator alone cannot do, and what administrators of other cities do not see."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chengshu.packs.apply import load_city
from chengshu.packs.models import Proposal
from chengshu.parties import staff
from chengshu.parties.models import Account, Audit, Notice, Post
from chengshu.places.models import City

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
ADMINISTRATOR = {"login": "dispatcher", "role": "administrator", "do": "give", "why": "接任"}


def _client(account: Account | str) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(Account.objects.get(username=account) if isinstance(account, str) else account)
    return client


def _act(client: Client, login: str, do: str, **more: object) -> int:
    answer = client.post("/admin/accounts/act", {"login": login, "do": do, "why": "工作需要", **more})
    return answer.status_code


def _decide(client: Client, asked: Proposal) -> int:
    return client.post("/admin/approvals/decide", {"number": asked.pk, "do": "agree"}).status_code


def test_a_new_administrator_needs_two_who_are_there(admin: Client, second: Account) -> None:
    assert admin.post("/admin/accounts/act", ADMINISTRATOR).status_code == 302
    asked = Proposal.objects.get()
    assert not Post.objects.filter(account__username="dispatcher", role="administrator").exists()
    assert _decide(admin, asked) == 403  # who asks does not agree
    page = _client(second).get("/admin/approvals").content.decode()
    assert "Asked for by" in page
    assert 'value="agree"' in page
    assert 'value="agree"' not in admin.get("/admin/approvals").content.decode()
    assert _decide(_client(second), asked) == 302
    given = Post.objects.get(account__username="dispatcher", role="administrator")
    assert Audit.objects.get(action="post.given", facts__post=given.pk).facts["proposal"] == asked.pk


def test_who_asked_for_another_may_take_it_back(admin: Client, second: Account) -> None:
    for _time in range(2):
        assert admin.post("/admin/accounts/act", ADMINISTRATOR).status_code == 302
    mine, other = Proposal.objects.order_by("pk")
    page = admin.get("/admin/approvals").content.decode()
    assert ('value="agree"' in page, page.count('value="refuse"')) == (False, 2)
    for client, asked in ((admin, mine), (_client(second), other)):
        refused = client.post("/admin/approvals/decide", {"number": asked.pk, "do": "refuse"})
        assert refused.status_code == 302
    assert not Post.objects.filter(account__username="dispatcher", role="administrator").exists()
    assert not Proposal.objects.filter(agreed=None).exists()


def test_an_administrator_of_ones_own_making_is_no_second_pair_of_eyes(admin: Client, second: Account) -> None:
    Post.objects.filter(account=second).delete()  # one administrator is left, who makes another
    form = {"name": "木偶", "username": "puppet", "language": "en", "why": "新人"}
    assert admin.post("/admin/accounts/new", form).status_code == 200
    assert _act(admin, "puppet", "give", role="administrator") == 302
    assert staff.administrators(City.objects.get(name="hangzhou"))[-1].username == "puppet"
    answer = admin.post("/admin/accounts/act", ADMINISTRATOR)
    assert answer.status_code == 409
    assert "second administrator" in answer.content.decode()
    assert not Proposal.objects.exists()
    # The other may ask, and the first agrees: two people have looked on.
    assert _client("puppet").post("/admin/accounts/act", ADMINISTRATOR).status_code == 302
    assert _decide(admin, Proposal.objects.get()) == 302


def test_who_holds_the_word_of_an_account_does_not_agree_by_it(admin: Client, second: Account) -> None:
    third = Account.objects.create(username="third", name="第三人", password="x", language="en")
    Post.objects.create(account=third, role="administrator", division=second.posts.get().division)
    admin.post("/admin/accounts/act", ADMINISTRATOR)
    asked = Proposal.objects.get()
    assert _act(admin, "second", "reset") == 200
    assert _decide(_client("second"), asked) == 403
    assert _decide(_client(third), asked) == 302


def test_ending_a_post_never_makes_it_longer(admin: Client, hangzhou: City) -> None:
    post = Post.objects.get(account__username="dispatcher", role="dispatcher")
    mine = Post.objects.create(account=Account.objects.get(username="admin"), role="analyst", division=post.division)
    Post.objects.filter(pk=mine.pk).update(valid_to="2020-01-01")
    assert _act(admin, "admin", "end", post=mine.pk, valid_to="2099-01-01") == 409  # it is not held any more
    Post.objects.filter(pk=mine.pk).update(valid_to="2098-01-01")
    assert _act(admin, "admin", "end", post=mine.pk, valid_to="2099-01-01") == 409
    assert _act(admin, "admin", "end", post=mine.pk, valid_to="2097-01-01") == 302
    mine.refresh_from_db()
    assert str(mine.valid_to) == "2097-01-01"


def test_an_account_without_a_post_is_seen_where_it_was_made(admin: Client, hangzhou: City) -> None:
    load_city("boston", yes=True, echo=lambda _line: None)
    boston = City.objects.get(name="boston")
    theirs = Account.objects.create(username="bostonian", name="B", password="x", city=boston)
    Account.objects.create(username="nobody", name="N", password="x")
    admin.post("/admin/accounts/new", {"name": "李四", "username": "lisi", "language": "zh-hans", "why": "新入职"})
    seen = {account.username for account in staff.search(hangzhou, show="without")}
    assert "lisi" in seen
    assert not seen & {"bostonian", "nobody"}
    assert _act(admin, "bostonian", "reset") == 404
    assert _act(admin, "bostonian", "give", role="analyst") == 404
    assert [account.pk for account in staff.of_city(boston).filter(pk=theirs.pk)] == [theirs.pk]


def test_opening_what_is_open_gives_no_word(admin: Client) -> None:
    answer = admin.post("/admin/accounts/act", {"login": "dispatcher", "do": "open", "why": "试试"})
    assert answer.status_code == 409
    assert "/welcome?" not in answer.content.decode()
    assert _act(admin, "dispatcher", "close") == 302
    assert "/welcome?" in admin.post(
        "/admin/accounts/act", {"login": "dispatcher", "do": "open", "why": "返岗"}
    ).content.decode()  # fmt: skip


def test_second_factors_are_removed_with_a_reason_and_a_trace(admin: Client, second: Account) -> None:
    account = Account.objects.get(username="dispatcher")
    assert 'value="factors"' not in admin.get("/admin/accounts/one?login=dispatcher").content.decode()
    Authenticator.objects.create(user=account, type=Authenticator.Type.WEBAUTHN, data={"name": "x"})
    assert 'value="factors"' in admin.get("/admin/accounts/one?login=dispatcher").content.decode()
    assert _act(admin, "dispatcher", "factors") == 302
    assert not Authenticator.objects.filter(user=account).exists()
    assert Audit.objects.get(action="factor.removed").facts["why"] == "工作需要"
    assert Notice.objects.filter(account=second, kind="administration").exists()


@pytest.mark.parametrize("do", ["close", "end"])
def test_whoever_takes_an_administrator_away_waits_for_who_does_the_same(
    admin: Client, second: Account, do: str
) -> None:
    post = second.posts.get()
    with CaptureQueriesContext(
        connection,
    ) as done:
        assert _act(admin, "second", do, post=post.pk) == 302
    told = [query["sql"] for query in done]
    lock = next(i for i, sql in enumerate(told) if re.search(r"places_city.*FOR UPDATE", sql))
    left = [
        i
        for i, sql in enumerate(told)
        if "parties_post" in sql and "'administrator'" in sql and "parties_account" in sql
    ]
    assert lock < min(i for i in left if i > lock), "who is left is counted after the lock"
    writes = [
        i for i, sql in enumerate(told) if sql.startswith("UPDATE") and ("parties_post" in sql or "is_active" in sql)
    ]
    assert lock < min(writes)


def test_citizens_sign_in_unseen(admin: Client, browser: Browser) -> None:
    citizen = Account.objects.get(username="citizen")
    citizen.set_password("a-long-enough-word-7")
    citizen.save()
    for word in ("wrong", "a-long-enough-word-7"):
        browser("").post("/login", {"username": "citizen", "password": word})
    assert (
        Audit.objects.filter(action__startswith="login.", facts__username="citizen").exists()
        or Audit.objects.filter(action="login.done", account=citizen).exists()
    )
    assert "<td>citizen" not in admin.get("/admin/audit").content.decode()
    assert citizen.name not in admin.get("/admin/audit.csv").content.decode()
    assert "citizen" not in admin.get("/admin/audit.csv?action=login").content.decode()
