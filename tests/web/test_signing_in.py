"""Signing in beyond the password: second factors, recovery, sessions, devices, what a city demands, single sign-on."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings as live_settings
from django.contrib.sessions.models import Session
from django.test import Client
from oidc_provider_mock import run_server_in_thread

from benchmarks.city import free_port
from chengshu.cases import catalog, worker
from chengshu.parties import signing_in, staff, throttle
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account, Audit, Notice, Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City, Part
from tests.web.conftest import Browser

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")  # of the provider
WORD = "a-long-enough-word-7"
ADDRESS = {"REMOTE_ADDR": "192.0.2.10"}


@pytest.fixture
def known(hangzhou: City) -> Account:
    """An account with a password that the test knows."""
    account = Account.objects.get(username="multi")
    account.set_password(WORD)
    account.save()
    return account


def signed_in(username: str = "multi", agent: str = "", **more: Any) -> Client:
    client = Client(headers={"Accept-Language": "en", "User-Agent": agent}, **more)
    assert client.post("/login", {"username": username, "password": WORD}).status_code == 302
    return client


def code(secret: str, steps: int = 0) -> str:
    """What a telephone shows now, or so many steps later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def with_totp() -> tuple[Client, str, list[str]]:
    """Set the codes of a telephone up as a person does: the client, the secret, and the recovery codes."""
    client = signed_in()
    page = client.get("/account/totp").content.decode()
    found = re.search(r"<code[^>]*>([A-Z2-7]{16,})</code>", page)
    assert found
    done = client.post("/account/totp", {"code": code(found[1])}, follow=True)
    codes = re.findall(r"<li><code>(\d{8})</code>", done.content.decode())
    assert len(codes) == 10
    return client, found[1], codes


def in_use(client: Client) -> bool:
    return "sessionid" in client.cookies and client.get("/account").status_code == 200


def test_a_second_factor_is_asked_for_after_the_password(known: Account) -> None:
    _client, secret, codes = with_totp()
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in stored  # encrypted with the city's key
    client = Client()
    answer = client.post("/login", {"username": "multi", "password": WORD, "next": "/desk?view=open"})
    assert answer["Location"].startswith("/login/second")
    assert not in_use(client)
    page = client.get("/login/second")
    assert page.status_code == 200
    wrong = client.post("/login/second", {"code": "000000"})
    assert 'id="code-error"' in wrong.content.decode()
    assert not in_use(client)
    assert client.post("/login/second", {"code": code(secret, 1)})["Location"] == "/desk?view=open"
    assert in_use(client)
    last = Audit.objects.filter(action="login.done").order_by("-pk")[0]
    assert last.facts["by"] == ["password", "totp"]
    other = Client()
    other.post("/login", {"username": "multi", "password": WORD})
    other.post("/login/second", {"code": codes[0]})
    assert in_use(other)
    third = Client()
    third.post("/login", {"username": "multi", "password": WORD})
    third.post("/login/second", {"code": codes[0]})
    assert not in_use(third)  # a recovery code works once


def test_a_code_works_once(known: Account) -> None:
    _client, secret, _codes = with_totp()
    shown = code(secret, 1)
    for expected in (True, False):
        client = Client()
        client.post("/login", {"username": "multi", "password": WORD})
        client.post("/login/second", {"code": shown})
        assert in_use(client) is expected


def test_codes_are_not_guessed(known: Account) -> None:
    _client, secret, _codes = with_totp()
    client = Client()
    client.post("/login", {"username": "multi", "password": WORD})
    statuses = [client.post("/login/second", {"code": "000000"}).status_code for _each in range(7)]
    assert statuses == [200] * 6 + [429]
    assert client.post("/login/second", {"code": code(secret, 1)}).status_code == 429
    other = Client(**ADDRESS)
    other.post("/login", {"username": "multi", "password": WORD})
    assert other.post("/login/second", {"code": "000000"}).status_code == 429


def test_what_only_looks_like_success_does_not_make_tries_forgotten(known: Account) -> None:
    """Pages that lead on without a right code: a passkey page without a passkey, and setting up what is set up."""
    client, secret, _codes = with_totp()
    for _round in range(3):
        client.post("/account/again/code", {"code": "000000"})
        client.post("/account/again/code", {"code": "000000"})
        client.post("/account/again/passkey", {"credential": "rubbish"})
        client.post("/account/totp", {"code": "000000"})
    assert client.post("/account/again/code", {"code": code(secret, 1)}).status_code == 429


def test_a_right_code_makes_the_tries_before_it_forgotten(known: Account) -> None:
    client, secret, codes = with_totp()
    for word in (code(secret, 1), codes[0]):
        for _try in range(5):
            client.post("/account/again/code", {"code": "000000"})
        assert client.post("/account/again/code", {"code": word}).status_code == 302


def test_ways_of_signing_in_are_changed_only_by_who_shows_again_who_they_are(browser: Browser, known: Account) -> None:
    stolen = browser("multi")
    for address in ("/account/totp", "/account/passkeys/add"):
        assert stolen.get(address)["Location"].startswith("/account/again")
    assert stolen.post("/account/again?next=/account/totp", {"password": "nonsense"}).status_code == 200
    assert stolen.get("/account/totp").status_code == 302
    answer = stolen.post("/account/again", {"password": WORD, "next": "/account/totp"})
    assert answer["Location"] == "/account/totp"
    assert stolen.get("/account/totp").status_code == 200


def test_showing_again_who_one_is_is_limited(browser: Browser, known: Account) -> None:
    stolen = browser("multi")
    for _guess in range(throttle.PASSWORD.count):
        stolen.post("/account/again", {"password": "nonsense"})
    assert stolen.post("/account/again", {"password": WORD}).status_code == 429


def test_the_person_is_told_of_changes_and_can_undo_them(
    known: Account, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        client, _secret, codes = with_totp()
    assert Notice.objects.get(account=known, kind="security").params == {"change": "totp_on"}
    assert Audit.objects.filter(action="factor.totp_on").exists()
    assert "/account/recovery" in client.get("/account/security").content.decode()
    anew = client.post("/account/recovery/anew", follow=True).content.decode()
    assert codes[0] not in anew
    client.post("/account/totp/remove")
    assert not Authenticator.objects.exists()  # recovery codes alone open nothing
    assert in_use(signed_in())


def test_a_password_taken_away_takes_all_else_that_opens_the_account(known: Account) -> None:
    client, _secret, _codes = with_totp()
    Authenticator.objects.create(user=known, type="webauthn", data={})
    SocialAccount.objects.create(user=known, provider="city", uid="subject-1")
    issue(Post.objects.filter(account=known)[0], "x")
    assert staff.without_password(known) == 1
    assert not in_use(client)
    assert sorted(Authenticator.objects.values_list("type", flat=True)) == [
        "recovery_codes",
        "totp",
    ]  # asked for besides
    assert not SocialAccount.objects.exists()
    assert not UserSession.objects.exists()


def test_a_passkey_taken_away_leaves_no_recovery_codes_alone(known: Account) -> None:
    for kind in ("webauthn", "recovery_codes"):
        Authenticator.objects.create(user=known, type=kind, data={})
    staff.without_password(known)
    assert not Authenticator.objects.exists()


def test_second_factors_are_removed_with_a_trace_and_the_person_is_told(known: Account) -> None:
    with_totp()
    admin = principal_of(Account.objects.get(username="admin"))
    assert staff.remove_factors(known, admin, why="手机丢失") == 2
    trace = Audit.objects.get(action="factor.removed")
    assert (trace.account_id, trace.facts) == (admin.account, {"username": "multi", "count": 2, "why": "手机丢失"})
    assert Notice.objects.filter(account=known, kind="security", params={"change": "removed"}).exists()
    assert in_use(signed_in())


def test_sessions_are_listed_and_ended(known: Account) -> None:
    here, there = signed_in(), signed_in(agent="Mozilla/5.0 (iPhone) Safari/605", **ADDRESS)
    page = here.get("/account/security").content.decode()
    assert "Safari · iPhone" in page
    assert "192.0.2.10" in page
    other = UserSession.objects.exclude(session_key=here.session.session_key).get()
    stranger = Client()
    stranger.force_login(Account.objects.get(username="operator"))
    assert stranger.post("/account/sessions/end", {"session": other.pk}).status_code == 404
    assert in_use(there)
    here.post("/account/sessions/end", {"session": other.pk})
    assert there.get("/account").status_code == 302
    assert in_use(here)
    third = signed_in(**ADDRESS)
    here.post("/account/sessions/end", {"session": "others"})
    assert third.get("/account").status_code == 302
    assert in_use(here)


def test_after_a_change_of_password_only_this_session_is_left(known: Account) -> None:
    here, there = signed_in(), signed_in(**ADDRESS)
    new = {"old": WORD, "password": "another-good-word-8", "again": "another-good-word-8"}
    here.post("/account/password", new)
    assert there.get("/account").status_code == 302
    page = here.get("/account/security").content.decode()
    assert page.count("tag-open") == 1
    assert [each.session_key for each in UserSession.objects.all()] == [here.session.session_key]
    assert list(Session.objects.values_list("pk", flat=True)) == [here.session.session_key]


def test_sessions_that_are_over_are_dropped(known: Account) -> None:
    here, there, third = signed_in(), signed_in(**ADDRESS), signed_in()
    Session.objects.filter(pk=there.session.session_key).update(expire_date=datetime.now(UTC) - timedelta(seconds=1))
    third.post("/logout")
    assert UserSession.objects.count() == 3
    worker.sweep()
    assert list(Session.objects.values_list("pk", flat=True)) == [here.session.session_key]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [here.session.session_key]
    assert in_use(here)


def test_the_owner_comes_in_where_they_came_in_before_whatever_others_try(known: Account, monkeypatch: Any) -> None:
    """Guessers with many addresses use up what an account has in all; the owner's own browser is not counted there."""
    owner = signed_in(**ADDRESS)
    owner.post("/logout")
    monkeypatch.setattr(throttle, "LOGIN_NAME", throttle.Limit(name="login-name", count=3, seconds=3600))
    statuses = [
        Client(REMOTE_ADDR=f"192.0.2.{n}").post("/login", {"username": "multi", "password": "x"}).status_code
        for n in range(20, 26)
    ]
    assert statuses[-1] == 429
    assert Client(REMOTE_ADDR="192.0.2.99").post("/login", {"username": "multi", "password": WORD}).status_code == 429
    assert owner.post("/login", {"username": "multi", "password": WORD}).status_code == 302


def test_a_device_cookie_serves_its_account_only_and_is_limited_too(known: Account) -> None:
    owner = signed_in(**ADDRESS)
    owner.post("/logout")
    device = signing_in.Device.read(owner.cookies[signing_in.COOKIE].value)
    assert device.accounts == (known.pk,)
    assert signing_in.Device.read(owner.cookies[signing_in.COOKIE].value + "x").accounts == ()
    statuses = [owner.post("/login", {"username": "multi", "password": "x"}).status_code for _each in range(11)]
    assert statuses == [422] * 10 + [429]
    here = [owner.post("/login", {"username": "operator", "password": "x"}).status_code for _each in range(7)]
    assert here == [422] * 6 + [429]


def test_waits_grow(known: Account, monkeypatch: Any) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr(throttle.time, "time", lambda: clock[0])
    tried = 0
    for _window in range(30):
        answers = [Client(**ADDRESS).post("/login", {"username": "multi", "password": "x"}) for _each in range(7)]
        tried += sum(answer.status_code == 422 for answer in answers)
        clock[0] += 900
    assert tried <= 24  # of 210: six hours and more of trying without a pause


def demand(city: City, *roles: str) -> None:
    """The city asks these roles for a second factor."""
    part = Part.objects.get(city=city, name="parameters", active=True)
    part.value["second_factor_roles"] = {"unit": "1", "meaning": "x", "source": "test", "values": {"2019-01-01": roles}}
    part.save()
    catalog.forget()


def test_a_city_may_demand_a_second_factor_of_roles(known: Account, hangzhou: City) -> None:
    roles = list(Post.objects.filter(account=known).values_list("role", flat=True))
    client = signed_in()
    assert client.get("/notices").status_code == 200
    demand(hangzhou, *roles)
    assert client.get("/notices")["Location"] == "/account/security"
    told = client.get("/api/cases")
    assert (told.status_code, told["Content-Type"]) == (403, "application/problem+json")
    assert {"type", "title", "status", "detail", "instance", "remedy", "errors"} == set(told.json())
    assert "/account/security" in told.json()["remedy"]
    assert client.post("/account/tokens", {"name": "x"})["Location"] == "/account/security"
    assert client.get("/account").status_code == 200
    assert "alert-warning" in client.get("/account/security").content.decode()
    page = client.get("/account/totp").content.decode()
    secret = re.search(r"<code[^>]*>([A-Z2-7]{16,})</code>", page)
    assert secret
    client.post("/account/totp", {"code": code(secret[1])})
    assert client.get("/notices").status_code == 200
    citizen = Client()
    citizen.force_login(Account.objects.get(username="citizen"))
    assert citizen.get("/mine").status_code == 200


def application(url: str) -> dict[str, Any]:
    """How allauth is told of a provider, as in the settings."""
    return {"provider_id": "city", "name": "x", "client_id": "c", "secret": "s", "settings": {"server_url": url}}


@pytest.fixture
def provider(settings: Any) -> Iterator[str]:
    """A real OpenID Connect provider, small, in a thread; the settings name it."""
    with run_server_in_thread(issue_refresh_token=False) as server:
        url = f"http://localhost:{server.server_port}"
        settings.OIDC_URL, settings.OIDC_NAME = url, "City Login"
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [application(url)]}}
        yield url


def through(client: Client, provider: str, subject: str, **claims: str) -> Any:
    """Sign in there as `subject` and come back, as a browser does."""
    assert requests.put(f"{provider}/users/{subject}", json=claims, timeout=5).ok
    away = client.get("/oidc/city/login?next=/notices")
    assert away["Location"].startswith(provider)
    back = requests.post(away["Location"], data={"sub": subject}, allow_redirects=False, timeout=5)
    address = back.headers["Location"].removeprefix("http://testserver")
    return client.get(address)


def test_single_sign_on_knows_people_by_a_claim_and_opens_no_account(known: Account, provider: str) -> None:
    assert "City Login" in Client(headers={"Accept-Language": "en"}).get("/login").content.decode()
    client = Client()
    assert through(client, provider, "subject-1", preferred_username="multi")["Location"] == "/notices"
    assert in_use(client)
    assert Audit.objects.filter(action="login.done", facts__by=["socialaccount"]).exists()
    again = Client()
    assert through(again, provider, "subject-1", preferred_username="changed")["Location"] == "/notices"
    assert again.session["_auth_user_id"] == str(known.pk)  # known by the subject from now on
    stranger = Client()
    assert through(stranger, provider, "subject-2", preferred_username="nobody").status_code == 403
    assert not in_use(stranger)
    assert not Account.objects.filter(username="nobody").exists()


def test_single_sign_on_takes_over_no_account_that_a_citizen_named(known: Account, provider: str) -> None:
    client = Client()
    assert through(client, provider, "subject-3", preferred_username="citizen").status_code == 403
    assert not in_use(client)


def test_single_sign_on_asks_for_the_second_factor_too(known: Account, provider: str) -> None:
    with_totp()
    client = Client()
    assert through(client, provider, "subject-1", preferred_username="multi")["Location"].startswith("/login/second")
    assert not in_use(client)


def test_single_sign_on_opens_citizens_accounts_where_that_is_allowed(
    hangzhou: City, provider: str, settings: Any
) -> None:
    settings.OIDC_OPEN = True
    client = Client()
    assert through(client, provider, "subject-9", preferred_username="new-one").status_code == 302
    account = Account.objects.get(username__startswith="sso-")
    assert list(account.posts.values_list("role", flat=True)) == ["citizen"]
    assert not account.has_usable_password()


def test_single_sign_on_takes_no_account_that_somebody_opened_beforehand(
    hangzhou: City, provider: str, settings: Any
) -> None:
    settings.OIDC_OPEN = True
    fields = {"name": "x", "password": WORD, "again": WORD}
    for name in ("sso-" + hashlib.sha256(b"subject-9").hexdigest()[:16], "SSO-x1"):
        answer = Client(headers={"Accept-Language": "en"}).post("/register", {**fields, "username": name})
        assert answer.status_code == 422
        assert "single sign-on" in answer.content.decode()
    before = Account.objects.create(
        username="sso-" + hashlib.sha256(b"subject-9").hexdigest()[:16], name="x", password=WORD
    )
    client = Client()
    assert through(client, provider, "subject-9", preferred_username="new-one").status_code == 302
    assert client.session["_auth_user_id"] != str(before.pk)


def test_a_forged_answer_of_single_sign_on_is_refused(hangzhou: City, provider: str) -> None:
    client = Client()
    answer = client.get("/oidc/city/callback?code=x&state=y")
    assert answer.status_code == 403
    assert not in_use(client)


def test_a_provider_that_is_away_is_said_so(hangzhou: City, provider: str, settings: Any) -> None:
    away = application(f"http://127.0.0.1:{free_port()}")
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [away]}}
    assert Client().get("/oidc/city/login").status_code == 502


def test_codes_are_shared_by_all_processes() -> None:
    assert live_settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
