"""`chengshu user` as people type it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from click.testing import Result
from typer.testing import CliRunner

from chengshu.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from chengshu.parties.cli import app
from chengshu.parties.models import Account, Audit, Notice, Post, Token
from chengshu.parties.tokens import principal_of_token
from chengshu.places.models import City

PHRASE = "three grey herons\n"


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=typed)


@pytest.fixture
def wang(hangzhou: City) -> Account:
    assert run("create", "wang", "--name", "王芳", "--password-stdin", typed=PHRASE).exit_code == 0
    return Account.objects.get(username="wang")


def test_create(wang: Account) -> None:
    assert wang.check_password("three grey herons")
    assert (wang.name, wang.demo) == ("王芳", False)
    assert Audit.objects.filter(action="user.created", facts__username="wang").exists()
    assert isinstance(run("create", "wang", "--password-stdin", typed=PHRASE).exception, Conflict)


def test_a_password_is_asked_for_twice(hangzhou: City) -> None:
    assert run("create", "li", typed=PHRASE * 2).exit_code == 0
    assert Account.objects.get(username="li").check_password("three grey herons")


def test_a_weak_password_is_refused(wang: Account) -> None:
    assert isinstance(run("password", "wang", "--password-stdin", typed="12345\n").exception, Invalid)
    assert run("password", "wang", "--password-stdin", typed="four white egrets\n").exit_code == 0
    wang.refresh_from_db()
    assert wang.check_password("four white egrets")


def test_a_new_password_ends_what_the_old_one_had_opened(wang: Account) -> None:
    assert run("post", "wang", "leader", "--city", "hangzhou").exit_code == 0
    word = run("token", "wang", "--name", "x").stdout.strip()
    Authenticator.objects.create(user=wang, type="webauthn", data={})
    assert principal_of_token(word).username == "wang"
    assert run("password", "wang", "--password-stdin", typed="four white egrets\n").exit_code == 0
    with pytest.raises(NotSignedIn):
        principal_of_token(word)
    assert not Authenticator.objects.exists()


def test_posts(wang: Account) -> None:
    words = ("post", "wang", "handler", "--city", "hangzhou", "--division", "330106")
    assert isinstance(run(*words).exception, Invalid)
    assert run(*words, "--department", "330106-CGJ").exit_code == 0
    assert run(*words, "--department", "330106-CGJ", "--until", "2027-01-01").exit_code == 0
    post = Post.objects.get(account=wang)
    assert (post.division.name, str(post.valid_to)) == ("西湖区", "2027-01-01")
    assert run("post", "wang", "leader", "--city", "hangzhou").exit_code == 0
    assert Post.objects.get(account=wang, role="leader").division.name == "杭州市"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("post", "nobody", "leader", "--city", "hangzhou"), NotFound),
        (("post", "wang", "leader", "--city", "atlantis"), NotFound),
        (("post", "wang", "leader", "--city", "hangzhou", "--division", "9"), NotFound),
        (("post", "wang", "leader", "--city", "hangzhou", "--department", "9"), NotFound),
        (("post", "wang", "leader", "--city", "hangzhou", "--until", "soon"), Invalid),
        (("post", "wang", "system", "--city", "hangzhou"), Invalid),
        (("token", "wang", "--name", "x"), Invalid),
    ],
)
def test_what_is_wrong_is_told(wang: Account, words: tuple[str, ...], error: type[Exception]) -> None:
    assert isinstance(run(*words).exception, error)


def test_a_token_acts_as_its_post(wang: Account) -> None:
    run("post", "wang", "leader", "--city", "hangzhou")
    word = run("token", "wang", "--name", "report", "--days", "30").stdout.strip()
    assert principal_of_token(word).role == "leader"
    expires = Token.objects.get(name="report").expires_at
    assert expires is not None
    assert abs(expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    run("post", "wang", "analyst", "--city", "hangzhou")
    assert isinstance(run("token", "wang", "--name", "y").exception, Invalid)


def test_list(wang: Account) -> None:
    assert "wang" in run("list").stdout
    assert "wang" not in run("list", "--city", "hangzhou").stdout
    assert "shift" in run("list", "--city", "hangzhou").stdout


def test_second_factors_of_somebody_who_lost_them_are_removed(wang: Account) -> None:
    Authenticator.objects.create(user=wang, type="totp", data={})
    assert run("remove-factors", "wang").exit_code == 0
    assert not Authenticator.objects.filter(user=wang).exists()
    assert Audit.objects.filter(action="factor.removed", facts__username="wang").exists()
    assert Notice.objects.get(account=wang).params == {"change": "removed"}
