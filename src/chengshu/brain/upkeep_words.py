"""What maintenance cases say, in the city's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from chengshu.cases.records import NewReport
from chengshu.core.errors import Invalid
from chengshu.parties.models import Department
from chengshu.sensing.kinds import ThingType
from chengshu.sensing.models import Thing, ThingChange

NAMED: Final = 20  # Things of an outage that are called by name
LONGEST: Final = 120  # characters of a name in a title …
TITLE: Final = 200  # … and of a title


def title(thing: Thing, type: ThingType | None, state: str) -> str:
    """What is wrong with one Thing."""
    said = {"kind": _kind(type), "name": thing.name[:LONGEST]}
    match state:
        case "faulty":
            text = _("%(kind)s tells what cannot be right: %(name)s")
        case "silent":
            text = _("%(kind)s is silent: %(name)s")
        case _:
            text = _("%(kind)s needs upkeep: %(name)s")
    return (text % said)[:TITLE]


def about(thing: Thing, type: ThingType | None, why: str, zone: ZoneInfo) -> str:
    """What whoever mends it needs to know."""
    lines = [why] if why else []
    if thing.key:
        lines.append(_("Number: %(key)s") % {"key": thing.key})
    lines.append(_("Last heard of: %(at)s") % {"at": _at(thing.last_seen, zone)})
    if type is not None:
        lines.append(_("Counts as silent after %(minutes)d minutes.") % {"minutes": type.silent / 60})
    if thing.owner is not None:
        lines.append(_("Owner: %(owner)s") % {"owner": _local(thing.owner)})
    return "\n".join(lines)


def facts(thing: Thing, change: ThingChange) -> dict[str, Any]:
    """What the report keeps for machines."""
    return {
        "thing": thing.pk,
        "number": thing.key or "",
        "state": change.state,
        "last_seen": thing.last_seen.isoformat() if thing.last_seen else "",
        "why": change.why,
    }


def well_again(things: Sequence[Thing]) -> str:
    """What a case hears of Things that recovered."""
    gone = [thing for thing in things if thing.retired_at is not None]
    if len(things) == 1:
        text = _("%(name)s is out of use.") if gone else _("%(name)s is well again. Look, and close the case.")
        return text % {"name": things[0].name[:LONGEST]}
    return ngettext(
        "%(n)d of its things is well again or out of use.",
        "%(n)d of its things are well again or out of use.",
        len(things),
    ) % {"n": len(things)}


def outage(count: int, type: ThingType | None, owner: Department | None) -> str:
    """What is wrong with many."""
    said = {"n": count, "kind": _kind(type), "owner": _local(owner) if owner else ""}
    text = _("%(n)d × %(kind)s of %(owner)s silent together") if owner else _("%(n)d × %(kind)s silent together")
    return (text % said)[:TITLE]


def named(things: Sequence[Thing], count: int) -> str:
    """The first of many by name; the rest stand in the list behind the case."""
    lines = [_("They fell silent within a short time: look at their gateway, network or power first.")]
    lines += [f"{thing.name} ({thing.key})" if thing.key else thing.name for thing in things]
    if count > len(things):
        lines.append(_("… and %(n)d more, in the register of things.") % {"n": count - len(things)})
    return "\n".join(lines)


def asked(new: NewReport, change: int) -> NewReport:
    """The report of somebody who asks for upkeep: with a key of its own."""
    return replace(new, origin_key=f"{new.origin_key.partition('@')[0]}@{change}")


def no_case_type(type: str) -> Invalid:
    """The refusal where a city has no case type for upkeep."""
    return Invalid(
        _("This city has no case type for its upkeep."), where=type, remedy=_("Name one in the types of things.")
    )


def _kind(type: ThingType | None) -> str:
    if type is None:
        return _("Device")
    return type.name if (get_language() or "").startswith("zh") or not type.name_en else type.name_en


def _local(department: Department) -> str:
    plain = (get_language() or "").startswith("zh") or not department.name_en
    return department.name if plain else department.name_en


def _at(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else _("never")
