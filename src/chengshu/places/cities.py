"""The cities of this installation, read once a second at most: every visitor's page names them."""

from __future__ import annotations

import time

from chengshu.places.models import City

FRESH = 1.0  # seconds for which a process trusts what it has read
_kept: list[tuple[float, list[City]]] = []


def cities() -> list[City]:
    """All cities in the order in which they were loaded."""
    now = time.monotonic()
    if not _kept or now - _kept[0][0] >= FRESH:
        _kept[:] = [(now, list(City.objects.order_by("pk")))]
    return _kept[0][1]


def forget() -> None:
    """Drop what is kept, so that the next reading sees changes at once."""
    _kept.clear()
