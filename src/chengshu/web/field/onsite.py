"""What a telephone adds to a form: the moment of the act and the place of the telephone."""

from __future__ import annotations

from datetime import UTC, datetime

from chengshu.cases.onsite import Onsite
from chengshu.web.pages import Request, number, text

WIDEST = 100_000.0  # metres of accuracy; beyond it a place says nothing


def read(request: Request) -> Onsite:
    """From the fields `done_at`, `lon`, `lat` and `accuracy`. What cannot be is left out: nobody typed it."""
    lon, lat, accuracy = (number(request, name) for name in ("lon", "lat", "accuracy"))
    if lon is None or lat is None or abs(lon) > 180 or abs(lat) > 90:
        return Onsite(done_at=_moment(text(request, "done_at", 40)))
    near = accuracy if accuracy is not None and 0 <= accuracy <= WIDEST else None
    return Onsite(done_at=_moment(text(request, "done_at", 40)), lon=lon, lat=lat, accuracy=near)


def _moment(given: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(given)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
