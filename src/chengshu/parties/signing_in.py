"""How often somebody may try to sign in: guessing is held off, and nobody can lock another out.

A stranger's tries are counted by (address, name), with waits that grow from minutes to a day, by address, and by name over
all addresses. The last would let a guesser with many addresses lock the owner out; so a browser in which the owner has
signed in before carries a device cookie, as OWASP describes it, and is counted for itself alone. A passkey and single
sign-on are not counted by name at all: there is nothing to guess.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.core import signing

from chengshu.parties import throttle
from chengshu.parties.throttle import Limit

# Each wait begins when the one before has been used up: 15 minutes, two hours, a day.
HERE = (
    throttle.LOGIN_HERE,
    Limit(name="login-here-2h", count=12, seconds=7_200),
    Limit(name="login-here-day", count=20, seconds=86_400),
)
DEVICE = (
    Limit(name="login-device", count=10, seconds=900),
    Limit(name="login-device-day", count=40, seconds=86_400),
)
# A second factor is asked for after the password was right: who comes so far is counted by account.
FACTOR = (
    Limit(name="factor", count=6, seconds=300),
    Limit(name="factor-2h", count=15, seconds=7_200),
    Limit(name="factor-day", count=30, seconds=86_400),
)
PASSKEY = Limit(name="login-passkey", count=60, seconds=900)
SINGLE_SIGN_ON = Limit(name="login-sso", count=60, seconds=900)  # each asks the provider
COOKIE = "device"
COOKIE_AGE = 180 * 86_400  # seconds
SALT = "chengshu.parties.signing_in.device"
MOST = 8  # accounts that share one browser


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A browser in which these accounts have signed in; `nonce` tells it from others."""

    nonce: str
    accounts: tuple[int, ...]

    @classmethod
    def read(cls, cookie: str | None) -> Device:
        """The device of a cookie; a new one when there is none, or it is not ours, or too old."""
        try:
            nonce, accounts = signing.loads(cookie or "", salt=SALT, max_age=COOKIE_AGE)
            return cls(nonce=str(nonce), accounts=tuple(int(each) for each in accounts))
        except (signing.BadSignature, ValueError, TypeError):
            return cls(nonce=secrets.token_urlsafe(12), accounts=())

    def with_account(self, account: int) -> str:
        """The cookie after this account has signed in here too."""
        known = [account, *(each for each in self.accounts if each != account)]
        return signing.dumps([self.nonce, known[:MOST]], salt=SALT)


def count_password(client: str, name: str, account: int | None, device: Device) -> None:
    """Count a try with a password.

    Raises:
        TooMany: no more for now, here or anywhere.
    """
    throttle.hit(throttle.LOGIN_ADDRESS, client)
    if account is not None and account in device.accounts:
        _hit(DEVICE, device.nonce, account)
        return
    _hit(HERE, client, name)
    throttle.hit(throttle.LOGIN_NAME, name)


def forget_password(client: str, name: str, account: int, device: Device) -> None:
    """Forget the tries before one that was right."""
    for limit in HERE:
        throttle.forget(limit, client, name)
    for limit in DEVICE:
        throttle.forget(limit, device.nonce, account)


def count_factor(account: int) -> None:
    """Count a try with a code of a second factor."""
    _hit(FACTOR, account)


def forget_factor(account: int) -> None:
    for limit in FACTOR:
        throttle.forget(limit, account)


def count_passkey(client: str) -> None:
    """Count a try with a passkey, by address alone."""
    throttle.hit(PASSKEY, client)


def count_single_sign_on(client: str) -> None:
    """Count a way to the provider of single sign-on or back, by address."""
    throttle.hit(SINGLE_SIGN_ON, client)


def _hit(limits: tuple[Limit, ...], *who: object) -> None:
    for limit in limits:
        throttle.hit(limit, *who)
