"""Cases as rows of a list: every word ready, for a list has fifty of them and is asked for all day.

Every text of a `Line` is escaped for HTML here, once: the template of the list writes them as they are (escaping each output
there took most of the time of the page). Whoever shows a line elsewhere must do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case
from chengshu.web.words import duration, language, origin, severity

Tag = tuple[str, str]  # class and words
COUNTED = (
    ("escalation", "tag-late", gettext_noop("Escalated, level %(n)s")),
    ("urges", "tag-soon", gettext_noop("Urged ×%(n)s")),
    ("returns", "", gettext_noop("Returned ×%(n)s")),
    ("reworks", "", gettext_noop("Reworked ×%(n)s")),
    ("reopens", "", gettext_noop("Reopened ×%(n)s")),
)
PLACE = 24  # characters of a place in words that a list shows


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A row, its texts escaped; times come as (for machines, in words, in full)."""

    id: str
    version: int
    number: str
    href: str
    title: str
    about: str
    tags: tuple[Tag, ...]
    state_id: int
    state: str
    code: str
    phase: str
    held: bool
    due: tuple[str, str, str] | None
    late: bool
    unit: str
    place: str
    place_text: str
    opened: tuple[str, str]
    more: tuple[str, ...] = ()


def lines(known: Catalog, cases: Iterable[Case], now: datetime, *, more: Sequence[str] = ()) -> tuple[Line, ...]:
    """The rows of a list in the reader's language and the city's time, with what `more` columns ask for."""
    english = language().startswith("en")

    def name(thing: Any, field: str = "name") -> str:
        return escape((getattr(thing, f"{field}_en") if english else "") or getattr(thing, field))

    zone, year = known.zone, now.astimezone(known.zone).year
    if not more:
        return tuple(_line(case, name, zone, year, now) for case in cases)
    facts: dict[str, Callable[[Case], str]] = {
        "major": lambda case: name(case.type, "major") if case.type else "",
        "moved": lambda case: _moment(case.moved_at, zone, year),
        "closed": lambda case: _moment(case.closed_at, zone, year) if case.closed_at else "",
    }
    return tuple(
        replace(_line(case, name, zone, year, now), more=tuple(facts[each](case) for each in more)) for case in cases
    )


def _line(case: Case, name: Callable[..., str], zone: ZoneInfo, year: int, now: datetime) -> Line:
    place, about = case.place_text, [case.number, name(case.type) if case.type else "", escape(origin(case.source))]
    return Line(
        id=str(case.pk),
        version=case.version,
        number=case.number,
        href=case_href(case.number),
        title=escape(case.title),
        about=" · ".join(filter(None, about)),
        tags=tuple(tags(case)),
        state_id=case.state_id,
        state=name(case.state, "label"),
        code=case.state.code,
        phase=case.state.phase,
        held=case.suspended,
        due=_due(case.due_at, zone, year, now) if case.due_at and not case.closed_at else None,
        late=case.due_at is not None and case.due_at < now,
        unit=name(case.unit) if case.unit else "",
        place=name(case.division),
        place_text=escape(f"{place[: PLACE - 1]}…" if len(place) > PLACE else place),
        opened=(case.opened_at.isoformat(), _moment(case.opened_at, zone, year)),
    )


def tags(case: Case) -> Iterable[Tag]:
    """What is out of the ordinary about a case."""
    if case.severity <= 2:
        yield f"tag-{case.severity}", severity(case.severity)
    for field, kind, words in COUNTED:
        if count := getattr(case, field):
            yield kind, _(words) % {"n": count}


def case_href(number: str) -> str:
    """The address of a case, without asking the table of addresses fifty times."""
    return f"{_cases()}{number}"


@lru_cache(maxsize=1)
def _cases() -> str:
    return reverse("case", args=["0"])[:-1]


def _due(at: datetime, zone: ZoneInfo, year: int, now: datetime) -> tuple[str, str, str]:
    minutes, late = int(abs(at - now).total_seconds() // 60), at < now
    # As `duration` says it, hours only from ten days on: so there are few different words, and most are known already.
    rounded = minutes if minutes < 600 else minutes // 60 * 60 if minutes < 14_400 else minutes // 1440 * 1440
    return at.isoformat(), _when(language(), rounded, late), _moment(at, zone, year)


@lru_cache(maxsize=8192)
def _when(_language: str, minutes: int, late: bool) -> str:
    amount = duration(timedelta(minutes=minutes))
    return escape((_("%(amount)s late") if late else _("%(amount)s left")) % {"amount": amount})


def _moment(at: datetime, zone: ZoneInfo, year: int) -> str:
    there = at.astimezone(zone)
    short = f"{there.month:02}-{there.day:02} {there.hour:02}:{there.minute:02}"
    return short if there.year == year else f"{there.year}-{short}"
