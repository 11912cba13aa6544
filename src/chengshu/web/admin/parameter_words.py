"""What the parameters that the platform itself reads are called, and how values are said, in both languages."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.core.errors import NotFound
from chengshu.evaluation.measures import measure
from chengshu.evaluation.ranking import WEIGHT
from chengshu.parties.roles import Role
from chengshu.web.words import language, role

NAMES = {
    "reopen_window_days": gettext_noop("How long after closing a citizen may reopen a case"),
    "duplicate_radius_m": gettext_noop("Distance within which reports of one type are suggested as duplicates"),
    "duplicate_window_h": gettext_noop("Time within which reports of one type are suggested as duplicates"),
    "returns_before_last_resort": gettext_noop("Returns after which the receiver of last resort must take a case"),
    "satisfied_from": gettext_noop("Stars, of five, from which a rating counts as satisfied"),
    "shift_starts": gettext_noop("When shifts begin and are handed over"),
    "brief_time": gettext_noop("When leaders are told that the daily brief is ready"),
    "ranking_minimum": gettext_noop("Cases due below which a unit is shown but not ranked"),
    "second_factor_roles": gettext_noop("Roles that must have a second factor to sign in"),
}
UNITS = {"d": gettext_noop("days"), "h": gettext_noop("hours"), "m": gettext_noop("metres"), "1": ""}


def name(code: str, meaning: str) -> str:
    """What a parameter is called; one that only the pack knows is called by its meaning there."""
    if code in NAMES:
        return _(NAMES[code])
    if code.startswith(WEIGHT):
        try:
            found = measure(code.removeprefix(WEIGHT)).label.to(language())
        except NotFound:
            return meaning
        return _("Weight in the ranking of units: %(measure)s") % {"measure": found}
    return meaning


def unit(code: str) -> str:
    """A unit in words; one that has none of ours stays as the pack writes it."""
    return _(UNITS[code]) if UNITS.get(code) else "" if code in UNITS else code


def value(given: Any) -> str:
    """A value as people read it: lists item by item, roles by their names."""
    if isinstance(given, list):
        return _(", ").join(_role(str(each)) for each in given) if given else _("nothing set")
    if isinstance(given, bool):
        return _("yes") if given else _("no")
    return str(given)


def _role(code: str) -> str:
    return role(code) if code in set(Role) else code
