"""Texts as people type them, and words for searching: Latin words, and of Chinese single characters and pairs of neighbours."""

from __future__ import annotations

import re
import unicodedata

_RUN = re.compile(r"([\u3400-\u9fff\U00020000-\U0003134f]+)|([^\W_\u3400-\u9fff]+)")  # Han characters, or a word
# Controls but tab and line end, and the marks that turn the direction of what follows (UAX #9): they hide or mirror other words.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MOST_TERMS = 600  # a longer text is searched by its beginning


def plain(text: str) -> str:
    """A text without characters that nobody sees and that change how the rest is shown; lines end in U+000A."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n"))


def _runs(text: str) -> list[tuple[str, str]]:
    """The runs of a text in order, each either of Han characters or a word."""
    return _RUN.findall(unicodedata.normalize("NFKC", text).casefold())


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def index_terms(*texts: str) -> list[str]:
    """The terms under which texts are found, each once: every Han character, every Han pair, every word (≤ 40 characters)."""
    terms: dict[str, None] = {}
    for text in texts:
        for han, word in _runs(text):
            if word:
                terms[word[:40]] = None
            else:
                terms.update(dict.fromkeys([*han, *_pairs(han)]))
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
    for han, word in _runs(text):
        terms.update(dict.fromkeys([word[:40]] if word else _pairs(han) or [han]))
    return list(terms)[:40]
