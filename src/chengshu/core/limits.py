"""Limits: how long something may take, in which unit, and from when the limit holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid

_PATTERN = re.compile(r"(0|[1-9][0-9]{0,5})(m|h|wh|wd|d)", re.ASCII)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Unit(StrEnum):
    """What a limit counts."""

    MINUTES = "m"
    HOURS = "h"
    WORKING_HOURS = "wh"
    WORKING_DAYS = "wd"
    CALENDAR_DAYS = "d"

    @property
    def working(self) -> bool:
        """Whether only the working time of the city counts."""
        return self in (Unit.WORKING_HOURS, Unit.WORKING_DAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """An amount of time in one unit, such as four working hours; written `4wh`."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 <= self.amount < 1_000_000:
            what = _("A limit of %(amount)d %(unit)s is out of range.") % {"amount": self.amount, "unit": self.unit}
            raise Invalid(what, remedy="Use 0 to 999999.")

    @classmethod
    def parse(cls, text: str, *, where: str = "") -> Self:
        """Read `30m`, `4h` (plain), `4wh` (working hours), `7wd` (working days) or `15d` (calendar days)."""
        found = _PATTERN.fullmatch(text)
        if found is None:
            remedy = _("Write a whole number and one of m, h, wh, wd, d, such as 30m, 4wh or 7wd.")
            raise Invalid(_("%(text)s is not a limit.") % {"text": repr(text)}, where=where, remedy=remedy)
        return cls(amount=int(found[1]), unit=Unit(found[2]))

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DatedLimit:
    """A limit and the moment from which it holds; no limit at all is also a rule that may begin one day."""

    valid_from: datetime
    limit: Limit | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitHistory:
    """The limits one stage of one case type had, in order of time. A case keeps the limit of the moment it began."""

    steps: tuple[DatedLimit, ...]

    @classmethod
    def read(cls, current: str, dated: Sequence[tuple[str, str]], zone: ZoneInfo, *, where: str = "") -> Self:
        """`current` is the limit when there is no history; `dated` is (valid_from, limit) with local times.

        An empty `valid_from` means since ever, an empty limit none. What is dated wins over `current`.
        """
        rows = dated or [("", current)]
        steps = [DatedLimit(valid_from=_moment(at, zone, where), limit=_limit(text, where)) for at, text in rows]
        return cls(steps=tuple(sorted(steps, key=lambda step: step.valid_from)))

    def at(self, moment: datetime) -> Limit | None:
        """The limit for what begins at `moment` (aware)."""
        if moment.tzinfo is None:
            raise Invalid(_("The time %(time)s has no zone.") % {"time": moment}, remedy="Give aware times only.")
        found = None
        for step in self.steps:
            if step.valid_from <= moment:
                found = step.limit
        return found


def histories(
    current: Mapping[str, str], rows: Sequence[Mapping[str, str]], zone: ZoneInfo, *, stage: str = "total"
) -> dict[str, LimitHistory]:
    """The histories of many types: `current` is type → limit, `rows` are those of a pack's `limits.csv`."""
    dated: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        if row["stage"] == stage:
            dated.setdefault(row["type"], []).append((row["valid_from"], row["limit"]))
    names = current.keys() | dated.keys()
    return {
        name: LimitHistory.read(current.get(name, ""), dated.get(name, []), zone, where=f"type {name}")
        for name in names
    }


def _limit(text: str, where: str) -> Limit | None:
    return Limit.parse(text, where=where) if text else None


def _moment(text: str, zone: ZoneInfo, where: str) -> datetime:
    if not text:
        return _ALWAYS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        what = _("%(text)s is not a date or time.") % {"text": repr(text)}
        raise Invalid(what, where=where, remedy="Use 2015-02-16T13:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
