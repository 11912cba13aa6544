"""Words for searching: Latin words as they are, Chinese by its single characters and pairs of neighbours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_RUN = re.compile(r"(?P<han>[\u3400-\u9fff\U00020000-\U0003134f]+)|(?P<word>[^\W_\u3400-\u9fff]+)")
MOST_TERMS = 600  # a longer text is searched by its beginning


def _runs(text: str) -> Iterator[tuple[bool, str]]:
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        yield (match.lastgroup == "han", match.group())


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def index_terms(*texts: str) -> list[str]:
    """The terms under which texts are found, each once: every Han character, every Han pair, every word (≤ 40 characters)."""
    terms: dict[str, None] = {}
    for text in texts:
        for han, run in _runs(text):
            terms.update(dict.fromkeys([*run, *_pairs(run)] if han else [run[:40]]))
            if len(terms) >= MOST_TERMS:
                return list(terms)[:MOST_TERMS]
    return list(terms)


def serial_term(digits: str) -> str:
    """The term of a running number, or the beginning of the terms of all that end in these digits: written backwards."""
    return f"serial{digits[::-1]}"


def place_term(division: int) -> str:
    """The term of a division, by its id: of every case that lies in it."""
    return f"division{division}"


def query_terms(text: str) -> list[str]:
    """The terms that a text must all have to match a query; a single Han character only where it stands alone."""
    terms: dict[str, None] = {}
    for han, run in _runs(text):
        terms.update(dict.fromkeys((_pairs(run) or [run]) if han else [run[:40]]))
    return list(terms)[:40]
