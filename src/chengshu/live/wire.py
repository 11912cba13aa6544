"""What the writers tell the live process by NOTIFY: the cases that something happened to, the accounts that got notices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")
CHANNEL = "chengshu_live"
CASES = 120  # in one message: with ACCOUNTS, 7 500 bytes at most of the 8 000 that PostgreSQL carries
ACCOUNTS = 150


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """One message."""

    cases: tuple[UUID, ...] = ()
    accounts: tuple[int, ...] = ()


def messages(cases: Iterable[UUID] = (), accounts: Iterable[int] = ()) -> list[str]:
    """The texts to send, each small enough for a NOTIFY; every case and account stands in one of them once."""
    whose = _parts(sorted({case.hex for case in cases}), CASES)
    whom = _parts(sorted(set(accounts)), ACCOUNTS)
    return [json.dumps([a, b], separators=(",", ":")) for a, b in zip_longest(whose, whom, fillvalue=())]


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def parsed(text: str) -> News:
    """What a message says; ValueError when it is none of ours."""
    try:
        cases, accounts = json.loads(text)
        return News(cases=tuple(map(UUID, cases)), accounts=tuple(map(int, accounts)))
    except (TypeError, AttributeError) as error:
        raise ValueError(text[:100]) from error
