"""How things are said on the pages: times in the city's zone, limits, stages, roles, notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from chengshu.cases.models import Case
from chengshu.cases.onsite import metres
from chengshu.core.limits import Limit, Unit
from chengshu.parties import notices_text
from chengshu.parties.roles import LABELS, Role

STAGES = {
    "accept": gettext_noop("Accepting"),
    "register": gettext_noop("Registering"),
    "dispatch": gettext_noop("Dispatching"),
    "handle": gettext_noop("Handling"),
    "verify": gettext_noop("Verifying"),
    "close": gettext_noop("Closing"),
    "total": gettext_noop("Whole case"),
}
ORIGINS = {
    "citizen": gettext_noop("Citizen"),
    "hotline": gettext_noop("Hotline"),
    "patrol": gettext_noop("Patrol"),
    "sensing": gettext_noop("Sensing"),
    "department": gettext_noop("Department"),
    "import": gettext_noop("Import"),
    "api": gettext_noop("Interface"),
    "scene": gettext_noop("Scene"),
    # how Boston's register of requests names its channels
    "constituent-call": gettext_noop("Telephone call"),
    "citizens-connect-app": gettext_noop("City app"),
    "city-worker-app": gettext_noop("App of city workers"),
    "employee-generated": gettext_noop("Employee"),
    "self-service": gettext_noop("Self-service"),
    "maximo-integration": gettext_noop("Maintenance system"),
    "twitter": gettext_noop("Social media"),
}
DOORS = {
    "web": gettext_noop("Web form"),
    "api": gettext_noop("Interface %(name)s"),
    "scene": gettext_noop("Scene %(name)s"),
    "open311": gettext_noop("Open311 %(name)s"),
    "sample": gettext_noop("Invented example"),
    "upkeep": gettext_noop("Register of things"),
}
FIELDS = {
    "title": gettext_noop("Title"),
    "description": gettext_noop("Description"),
    "text": gettext_noop("Text"),
    "kind": gettext_noop("Kind"),
    "type": gettext_noop("Type"),
    "place": gettext_noop("Place"),
    "place_text": gettext_noop("Place"),
    "lon": gettext_noop("Longitude"),
    "lat": gettext_noop("Latitude"),
    "source": gettext_noop("Source"),
    "severity": gettext_noop("Severity"),
    "occurred_at": gettext_noop("Happened"),
}
SEVERITIES = {
    1: gettext_noop("Urgent"),
    2: gettext_noop("Serious"),
    3: gettext_noop("Ordinary"),
    4: gettext_noop("Minor"),
}
EVENTS = {
    "warn": gettext_noop("Due soon: %(stage)s"),
    "due": gettext_noop("Fell due: %(stage)s"),
    "escalate": gettext_noop("Escalated to level %(level)s: %(stage)s"),
}


def map_words() -> dict[str, str]:
    """What MapLibre says, by its own keys."""
    return {
        "NavigationControl.ZoomIn": _("Zoom in"),
        "NavigationControl.ZoomOut": _("Zoom out"),
        "NavigationControl.ResetBearing": _("Turn the map to north"),
        "AttributionControl.ToggleAttribution": _("Show where the map comes from"),
        "FullscreenControl.Enter": _("Full screen"),
        "FullscreenControl.Exit": _("End full screen"),
        "Map.Title": _("Map"),
        "Marker.Title": _("Marked place"),
        "Popup.Close": _("Close"),
        "CooperativeGesturesHandler.WindowsHelpText": _("Hold Ctrl and turn the wheel to zoom the map"),
        "CooperativeGesturesHandler.MacHelpText": _("Hold ⌘ and scroll to zoom the map"),
        "CooperativeGesturesHandler.MobileHelpText": _("Move the map with two fingers"),
    }


def language() -> str:
    return translation.get_language() or settings.LANGUAGE_CODE


def languages() -> list[tuple[str, str]]:
    """Codes and own names of the languages: each is offered in its own words."""
    return [("zh-hans", "中文"), ("en", "English")]


def local(thing: Any, name: str) -> str:
    """A label in the reader's language: `name`, or `name_en` for English where there is one.

    Works for records with attributes and for mappings.
    """
    mapping = isinstance(thing, Mapping)
    own = thing.get(name, "") if mapping else getattr(thing, name)
    if not language().startswith("en"):
        return str(own)
    english = thing.get(f"{name}_en") if mapping else getattr(thing, f"{name}_en", "")
    return str(english or own)


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    """A time in the city's zone to the minute; the year only when it is another."""
    if at is None:
        return ""
    there = at.astimezone(zone)
    now = datetime.now(UTC).astimezone(zone)
    return f"{there:%m-%d %H:%M}" if there.year == now.year else f"{there:%Y-%m-%d %H:%M}"


def day(on: date | datetime, zone: ZoneInfo | None = None) -> str:
    return f"{on.astimezone(zone):%Y-%m-%d}" if isinstance(on, datetime) and zone else f"{on:%Y-%m-%d}"


def when(due: datetime, now: datetime) -> str:
    """How long until, or how long since, a due time."""
    amount = duration(abs(due - now))
    return _("%(amount)s left") % {"amount": amount} if due >= now else _("%(amount)s late") % {"amount": amount}


def duration(span: timedelta) -> str:
    """The two largest units of a span: `3 d 4 h`, `2 h 5 min`."""
    minutes = int(span.total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        rest = " " + _("%(n)s h") % {"n": hours} if hours and days < 10 else ""
        return _("%(n)s d") % {"n": days} + rest
    if hours:
        rest = " " + _("%(n)s min") % {"n": minutes % 60} if minutes % 60 and hours < 10 else ""
        return _("%(n)s h") % {"n": hours} + rest
    if not minutes:
        return _("less than a minute")
    return _("%(n)s min") % {"n": minutes}


def span(seconds: float) -> str:
    """A span in its largest whole unit: `90 s`, `15 min`, `2 h`, `3 d`."""
    if seconds < 60 or seconds % 60:
        return _("%(n)s s") % {"n": f"{seconds:g}"}
    return duration(timedelta(seconds=seconds))


def limit(text: str) -> str:
    """A limit in words: `4wh` is four working hours; `given` came with the report."""
    if text == "given":
        return _("given with the report")
    parsed = Limit.parse(text)
    n = parsed.amount
    match parsed.unit:
        case Unit.MINUTES:
            words = ngettext("%(n)s minute", "%(n)s minutes", n)
        case Unit.HOURS:
            words = ngettext("%(n)s hour", "%(n)s hours", n)
        case Unit.WORKING_HOURS:
            words = ngettext("%(n)s working hour", "%(n)s working hours", n)
        case Unit.WORKING_DAYS:
            words = ngettext("%(n)s working day", "%(n)s working days", n)
        case _:
            words = ngettext("%(n)s day", "%(n)s days", n)
    return words % {"n": n}


def stage(code: str) -> str:
    return _(STAGES[code]) if code in STAGES else code


def origin(code: str) -> str:
    return _(ORIGINS[code]) if code in ORIGINS else code


def door(code: str) -> str:
    """By which door a report came: `web`, `api:NAME`, `scene:NAME`, or the name of a register."""
    kind, _colon, name = code.partition(":")
    return _(DOORS[kind]) % {"name": name} if kind in DOORS else code


def field(name: str) -> str:
    """A field of a report as it came in."""
    return _(FIELDS[name]) if name in FIELDS else name


def instant(text: str, zone: ZoneInfo) -> str:
    """A time of a step's facts, which JSON keeps as text, in the city's zone."""
    return moment(datetime.fromisoformat(text), zone)


def onsite(case: Case, facts: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """What a telephone said of a step of a case: when it was done, and where the telephone was."""
    said = []
    if done := facts.get("done_at"):
        told = _("Done %(time)s by the telephone's clock; sent when there was a network.")
        said.append(told % {"time": instant(done, zone)})
    if here := facts.get("here"):
        said.append(_stood(metres(case, facts), round(here["accuracy"] or 0)))
    return said


def _stood(away: int | None, about: int) -> str:
    """How far from the place of its case a telephone was, in metres, as far as both are known."""
    if away is None:
        return _("The telephone's place is known (± %(about)s m), that of the case is not.") % {"about": about}
    told = _("The telephone was %(away)s m from the place of the case (± %(about)s m).")
    return told % {"away": away, "about": about}


def severity(grade: int) -> str:
    return _(SEVERITIES[grade])


def role(code: str) -> str:
    return str(LABELS[Role(code)])


def event(key: str, stage_code: str) -> str:
    """A clock event, such as `escalate:2@…`, in words."""
    name, _at, _due = key.partition("@")
    kind, _colon, level = name.partition(":")
    return _(EVENTS[kind]) % {"stage": stage(stage_code), "level": level} if kind in EVENTS else name


def notice(kind: str) -> str:
    return notices_text.label(kind)


def size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{max(1, count // 1024)} KB"


def percent(share: float | None) -> str:
    """A share from 0 to 1 with one decimal; a dash where there is nothing to divide by."""
    return "—" if share is None else f"{100 * share:.1f} %"
