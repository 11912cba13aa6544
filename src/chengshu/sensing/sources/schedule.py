"""When a feed is looked at: every so many seconds, or at times of day in the city's zone; after failures later and later."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid

SHORTEST: Final = 5  # seconds
LONGEST: Final = 7 * 86_400  # seconds
FIRST_PAUSE: Final = 60.0  # seconds after the first failure; then doubled …
LONGEST_PAUSE: Final = 3_600.0  # … to an hour
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")


def checked(text: str) -> str:
    """A schedule as it is kept: `300`, or `06:00 18:30`. Raises `Invalid` for anything else."""
    words = text.replace(",", " ").split()
    if len(words) == 1 and words[0].isascii() and words[0].isdecimal() and SHORTEST <= int(words[0][:9]) <= LONGEST:
        return words[0]
    if words and len(words) <= 48 and all(_CLOCK.fullmatch(word) for word in words):
        return " ".join(sorted({word.zfill(5) for word in words}))
    raise Invalid(
        _("This is no schedule."), where=text[:100],
        remedy=_("Write seconds (5 to 604800), or times of day such as 06:00 18:00."),
    )  # fmt: skip


def after(schedule: str, now: datetime, zone: str) -> datetime:
    """The next look after `now`."""
    if schedule.isdecimal():
        return now + timedelta(seconds=int(schedule))
    here = now.astimezone(ZoneInfo(zone))
    times = [time.fromisoformat(word) for word in schedule.split()]
    coming = (
        datetime.combine(here.date() + timedelta(days=day), each, here.tzinfo) for day in range(3) for each in times
    )
    return min(moment.astimezone(UTC) for moment in coming if moment.astimezone(UTC) > now)


def pause(failures: int, asked: float = 0.0) -> timedelta:
    """How long to leave a feed alone that failed so often in a row, with some chance in it so that not all come back at once."""
    doubled = min(FIRST_PAUSE * 2 ** min(max(failures - 1, 0), 20), LONGEST_PAUSE)
    return timedelta(seconds=max(doubled * random.uniform(0.8, 1.2), asked))  # noqa: S311  # nothing secret
