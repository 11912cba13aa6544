"""A ticket says who may hear what; a forged or old one is worth nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from django.core import signing

from chengshu.core.errors import NotSignedIn
from chengshu.live import tickets
from chengshu.live.tickets import Ticket

TICKET = Ticket(7, 70, "王五", "dispatcher", "area", 1, 3, None, "5e55")


def test_a_ticket_comes_back_as_it_was() -> None:
    assert tickets.read(tickets.issue(TICKET)) == TICKET


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "a:b:c", tickets.issue(TICKET)[:-1], tickets.issue(TICKET)[1:], f"{tickets.issue(TICKET)}x",
        signing.dumps([7, 70], salt=tickets.SALT),
        signing.dumps("words", salt=tickets.SALT),
        signing.dumps([7, 70, "王五", "dispatcher", "area", 1, 3, None, "5e55"], salt="another purpose"),
        signing.dumps([7, 70, "王五", "dispatcher", "area", 1, 3, None, "5e55"], salt=tickets.SALT, key="another key"),
    ],
    ids=["empty", "short", "parts", "cut", "beheaded", "longer", "two", "words", "purpose", "key"],
)  # fmt: skip
def test_what_was_not_issued_here_is_refused(text: str) -> None:
    with pytest.raises(NotSignedIn):
        tickets.read(text)


def test_an_old_ticket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text, now = tickets.issue(TICKET), time.time()
    monkeypatch.setattr(time, "time", lambda: now + tickets.VALID - 5)
    assert tickets.read(text) == TICKET
    monkeypatch.setattr(time, "time", lambda: now + tickets.VALID + 5)
    with pytest.raises(NotSignedIn):
        tickets.read(text)


def test_a_session_is_told_by_a_digest_under_the_key() -> None:
    key = "session-key-of-somebody"
    told = tickets.session_digest(key)
    assert told == tickets.session_digest(key) != tickets.session_digest("another")
    assert key not in tickets.issue(replace(TICKET, session=told))
