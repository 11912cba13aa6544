"""Limits on tries: told in words, in seconds or minutes, without the names of our limits."""

from __future__ import annotations

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import translation

from chengshu.parties.throttle import Limit, TooMany, hit

pytestmark = pytest.mark.django_db


def refused(monkeypatch: pytest.MonkeyPatch, left: int) -> TooMany:
    limit = Limit(name="secret-name", count=1, seconds=900)
    monkeypatch.setattr("time.time", lambda: 900.0 * 1000 + 900 - left)
    hit(limit, "x")
    with pytest.raises(TooMany) as found:
        hit(limit, "x")
    return found.value


@pytest.mark.parametrize(
    ("left", "chinese", "english"),
    [
        (45, "45 秒", "45 seconds"),
        (90, "90 秒", "90 seconds"),
        (91, "2 分钟", "2 minutes"),
        (448, "8 分钟", "8 minutes"),
    ],
)
def test_the_wait_is_told_in_words(monkeypatch: pytest.MonkeyPatch, left: int, chinese: str, english: str) -> None:
    with translation.override("zh-hans"):
        error = refused(monkeypatch, left)
    assert chinese in error.remedy
    assert (error.where, error.seconds) == ("", left)
    with translation.override("en"), pytest.raises(TooMany) as found:
        hit(Limit(name="secret-name", count=1, seconds=900), "x")
    assert english in found.value.remedy


def test_a_short_password_is_refused_in_the_readers_language() -> None:
    with translation.override("zh-hans"), pytest.raises(ValidationError) as found:
        validate_password("kurz7")
    assert any("10 个字符" in message for message in found.value.messages)
