"""Days and times as queries and forms give them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid

YEARS = range(2000, 2101)


def a_day(value: str, default: date) -> date:
    """A day as ISO 8601 writes it, or that given when there is none. Raises Invalid."""
    try:
        found = date.fromisoformat(value) if value else default
    except ValueError as error:
        raise Invalid(_("This is not a day."), where=value, remedy=_("Write it as 2026-01-31.")) from error
    if found.year not in YEARS:
        raise _too_far(value)
    return found


def a_time(value: str, zone: ZoneInfo, remedy: str) -> datetime:
    """A time as ISO 8601 writes it, in the zone where it names none. Raises Invalid, whose remedy is given."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise Invalid(_("This is not a time."), where=value, remedy=remedy) from error
    if found.year not in YEARS:  # at the ends of the calendar no zone can be reckoned with
        raise _too_far(value)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _too_far(value: str) -> Invalid:
    return Invalid(_("This day is too far away."), where=value, remedy=_("Give a day of the years from 2000 to 2100."))
