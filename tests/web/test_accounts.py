"""Signing in, posts, language, password, tokens, and opening an account."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from chengshu.core.errors import NotSignedIn
from chengshu.parties import throttle
from chengshu.parties.models import Account, Audit, Post
from chengshu.parties.tokens import principal_of_token
from chengshu.places.models import City
from tests.web.conftest import Browser

WORD = "a-long-enough-word-7"


@pytest.fixture
def known(hangzhou: City) -> Account:
    """The account of several posts, with a password that the test knows."""
    account = Account.objects.get(username="multi")
    account.set_password(WORD)
    account.save()
    return account


def plain(page: str) -> str:
    """The words of a page, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def sign_in(client: Client, username: str, password: str, **more: str) -> object:
    return client.post("/login", {"username": username, "password": password, **more})


def test_signing_in_leads_to_where_one_wanted(browser: Browser, known: Account) -> None:
    assert sign_in(browser(""), "multi", WORD, next="/desk?view=open")["Location"] == "/desk?view=open"  # type: ignore[index]
    assert sign_in(browser(""), "multi", WORD, next="https://elsewhere.example/")["Location"] == "/"  # type: ignore[index]
    assert sign_in(browser(""), "multi", WORD, next="//elsewhere.example")["Location"] == "/"  # type: ignore[index]
    assert Audit.objects.filter(action="login.done").count() == 3


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(browser: Browser, known: Account) -> None:
    client = browser("")
    wrong = [client.post("/login", {"username": name, "password": "nonsense"}) for name in ("multi", "nobody-at-all")]
    assert [answer.status_code for answer in wrong] == [422, 422]
    texts = [re.findall(r'class="error-text"[^>]*>([^<]+)<', answer.content.decode()) for answer in wrong]
    assert texts[0] == texts[1]
    closed = Account.objects.get(username="operator")
    closed.set_password(WORD)
    closed.is_active = False
    closed.save()
    assert client.post("/login", {"username": "operator", "password": WORD}).status_code == 422


def test_guessing_is_held_off_here_without_locking_the_owner_out(browser: Browser, known: Account) -> None:
    guesser = Client(REMOTE_ADDR="192.0.2.7")
    answers = [
        guesser.post("/login", {"username": "multi", "password": f"guess-{i}"})
        for i in range(throttle.LOGIN_HERE.count + 1)
    ]
    assert [a.status_code for a in answers] == [422] * throttle.LOGIN_HERE.count + [429]
    assert guesser.post("/login", {"username": "MULTI", "password": WORD}).status_code == 429
    owner = Client(REMOTE_ADDR="192.0.2.8")
    assert owner.post("/login", {"username": "multi", "password": WORD}).status_code == 302


def test_the_post_in_use_decides(browser: Browser, known: Account) -> None:
    client = browser("multi")
    handler = Post.objects.get(account=known, role="handler")
    assert client.get("/")["Location"] == "/desk"
    client.post("/post", {"post": handler.pk})
    assert client.get("/")["Location"] == "/field"
    assert client.get("/cockpit").status_code == 403
    assert Audit.objects.filter(action="post.chosen", facts__post=handler.pk).exists()
    other = Post.objects.get(account__username="admin")
    assert client.post("/post", {"post": other.pk}).status_code == 403
    Post.objects.filter(pk=handler.pk).update(valid_to="2020-01-01")
    assert client.get("/")["Location"] == "/desk"


def test_an_account_without_a_post_can_do_what_anybody_can(browser: Browser, known: Account) -> None:
    client = browser("multi")
    Account.objects.filter(pk=known.pk).update(language="en")
    Post.objects.filter(account=known).update(valid_to="2020-01-01")
    for path in ("/desk", "/account"):  # neither to the login page and back, nor a word short
        refused = client.get(path)
        assert refused.status_code == 403
        assert "This account holds no post today. Ask the administrator for one." in plain(refused.content.decode())
    assert client.get("/report").status_code == 200
    fresh = browser("")
    assert sign_in(fresh, "multi", WORD)["Location"] == "/"  # type: ignore[index]
    assert "This account holds no post today." in fresh.get("/").content.decode()


def test_the_language_is_kept_by_browser_and_account(browser: Browser, known: Account) -> None:
    client = browser("multi")
    client.post("/language", {"language": "en", "next": "/account"})
    assert 'lang="en"' in client.get("/account").content.decode()
    known.refresh_from_db()
    assert known.language == "en"
    stranger = browser("")
    stranger.post("/language", {"language": "zh-hans"})
    assert 'lang="zh-Hans"' in stranger.get("/").content.decode()
    stranger.post("/language", {"language": "../../etc"})
    assert stranger.get("/").status_code == 200


def test_a_password_is_changed_by_who_knows_the_old_one(known: Account, browser: Browser) -> None:
    client, elsewhere = browser("multi"), browser("multi")
    new = {"password": "another-good-word-8", "again": "another-good-word-8"}
    assert client.post("/account/password", {"old": "wrong", **new}).status_code == 422
    assert client.post("/account/password", {"old": WORD, "password": "short", "again": "short"}).status_code == 422
    assert client.post("/account/password", {"old": WORD, **new, "again": "different-word-9"}).status_code == 422
    assert client.post("/account/password", {"old": WORD, **new}).status_code == 302
    assert client.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302


def test_a_token_is_shown_once_acts_as_its_post_and_is_revoked(browser: Browser, known: Account) -> None:
    stolen = browser("multi")  # a session, but nobody who just showed who they are
    assert stolen.post("/account/tokens", {"name": "报表"})["Location"].startswith("/account/again")
    client = browser("")
    sign_in(client, "multi", WORD)
    page = client.post("/account/tokens", {"name": "报表"}).content.decode()
    word = re.search(r"cs_[\w-]{40,}", page)
    assert word
    assert principal_of_token(word[0]).username == "multi"
    assert word[0] not in client.get("/account").content.decode()
    token = re.search(r'name="token" value="(\d+)"', page)
    assert token
    browser("operator").post("/account/tokens/revoke", {"token": token[1]})
    principal_of_token(word[0])
    client.post("/account/tokens/revoke", {"token": token[1]})
    with pytest.raises(NotSignedIn):
        principal_of_token(word[0])


def test_a_citizen_opens_an_account(browser: Browser) -> None:
    client = browser("")
    fields = {"username": "xiaowang", "name": "小王", "password": WORD, "again": WORD}
    assert client.post("/register", {**fields, "username": "a b"}).status_code == 422
    assert client.post("/register", {**fields, "password": "short", "again": "short"}).status_code == 422
    assert client.post("/register", {**fields, "username": "operator"}).status_code == 422
    alike = client.post(
        "/register", {**fields, "username": "xiaowang1980", "password": "xiaowang1980", "again": "xiaowang1980"}
    )
    assert "The password resembles the user name" in alike.content.decode()
    assert client.post("/register", fields)["Location"] == "/mine"
    assert client.get("/mine").status_code == 200
    assert ">Posts" not in client.get("/account").content.decode()  # a citizen has one and thinks of none
    assert client.get("/desk").status_code == 403
    assert Post.objects.get(account__username="xiaowang").role == "citizen"


def test_signing_out_ends_the_session(browser: Browser) -> None:
    client = browser("operator")
    assert client.get("/logout").status_code == 405
    client.post("/logout")
    assert client.get("/desk").status_code == 302
