"""Codes made from names."""

from __future__ import annotations

import re
import unicodedata

_GAPS = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """A code in lower-case ASCII for a name: `Sidewalk Repair (Make Safe)` becomes `sidewalk-repair-make-safe`."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _GAPS.sub("-", ascii_only.lower()).strip("-")
