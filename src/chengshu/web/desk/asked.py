"""What a list was asked for: its view, filters and order, as they stand in the address and in a saved view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import choices, search, telephones
from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid
from chengshu.parties.principal import Principal

VIEWS = {
    "todo": gettext_noop("For me to do"),
    "open": gettext_noop("Open"),
    "overdue": gettext_noop("Overdue"),
    "soon": gettext_noop("Due within a day"),
    "urgent": gettext_noop("Urgent"),
    "escalated": gettext_noop("Escalated"),
    "suspended": gettext_noop("Suspended"),
    "unassigned": gettext_noop("Without unit"),
    "today": gettext_noop("Reported today"),
    "ended_today": gettext_noop("Ended today"),
    "ended": gettext_noop("Ended"),
    "all": gettext_noop("All"),
}
HIDDEN = {"today", "ended_today"}  # reached from the overview; shown among the views only while looked at
OPEN: Mapping[str, bool | None] = {"ended": False, "ended_today": False, "all": None, "today": None}
ORDERS = {
    "due": gettext_noop("Nearest due first"),
    "new": gettext_noop("Newest first"),
    "old": gettext_noop("Oldest first"),
    "severity": gettext_noop("Gravest first"),
}
SOON = timedelta(days=1)
NARROWED = ("q", "type", "major", "state", "unit", "division", "source", "scene", "ids", "tel")
KEPT = ("q", "type", "major", "state", "unit", "division", "source", "scene")  # that may be kept in a saved view
NONE = "-"  # as unit or type: the cases that have none
LONGEST = {"ids": 8_000, "tel": 8_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A view, the order, and the values of the filters; `chosen` is the order that was asked for, if one was."""

    view: str
    values: Mapping[str, str]
    chosen: str = ""

    @property
    def order(self) -> search.Order:
        """That asked for, else nearest due first among open cases and newest first among others."""
        if self.chosen in get_args(search.Order):
            return self.chosen  # type: ignore[return-value]  # looked up among them
        return "due" if OPEN.get(self.view, True) else "new"

    def href(self, **other: str) -> str:
        """The address of this list, with some values otherwise."""
        kept = {
            "view": self.view,
            **{name: value for name, value in self.values.items() if value},
            "order": self.chosen,
        }
        return f"{reverse('desk')}?{urlencode({name: value for name, value in (kept | other).items() if value})}"

    def saved(self) -> dict[str, str]:
        """What a saved view keeps."""
        kept = {"view": self.view, "order": self.chosen} | {name: self.values.get(name, "") for name in KEPT}
        return {name: value for name, value in kept.items() if value}


def asked(values: Mapping[str, str], default: str) -> Asked:
    """What the values of an address, a form or a saved view ask for; what they do not say is empty."""
    view = values.get("view", "")
    return Asked(
        view=view if view in VIEWS else default,
        values={name: _clean(values.get(name, ""), LONGEST.get(name, 200)) for name in NARROWED},
        chosen=values.get("order", "") if values.get("order", "") in ORDERS else "",
    )


def _clean(value: str, longest: int) -> str:
    return value.replace("\x00", "").strip()[:longest]


def default_view(known: Catalog, principal: Principal) -> str:
    return "todo" if choices.to_act(known, principal.role) else "open"


def filters(known: Catalog, principal: Principal, asked: Asked, now: datetime) -> search.Filters:
    """The filters of a list: those of its view, narrowed by the values."""
    view, values = asked.view, asked.values
    midnight = now.astimezone(known.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return search.Filters(
        q=values["q"],
        type="" if values["type"] == NONE else values["type"],
        untyped=values["type"] == NONE,
        major=values["major"],
        state=(values["state"],) if values["state"] else (),
        states=choices.to_act(known, principal.role) if view == "todo" and not values["state"] else None,
        unit="" if values["unit"] == NONE else values["unit"],
        unplaced=values["division"] == NONE,
        division=_number(values["division"]),
        source=values["source"],
        scene=values["scene"],
        open=OPEN.get(view, True),
        opened_from=midnight if view == "today" else None,
        closed_from=midnight if view == "ended_today" else None,
        overdue=view == "overdue",
        suspended=True if view == "suspended" else None,
        escalated=view == "escalated",
        unassigned=view == "unassigned" or values["unit"] == NONE,
        severity_max=1 if view == "urgent" else None,
        due_before=now + SOON if view == "soon" else None,
        ids=_ids(",".join(telephones.shown(principal, values["tel"])[1])) if values["tel"] else _listed(values["ids"]),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


def _listed(joined: str) -> tuple[UUID, ...] | None:
    return _ids(joined) if joined else None


def _ids(joined: str) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(part) for part in joined.split(",") if part)
    except ValueError as error:
        raise Invalid(_("This list of cases cannot be read."), where="ids", remedy=_("Open it again.")) from error
