"""The daily brief 每日要情: what a day brought to a division, and what a leader should know of it; told every morning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, CaseType
from chengshu.cases.overview import area
from chengshu.core.errors import ChengshuError
from chengshu.evaluation.counts import period_of
from chengshu.evaluation.growth import Growth, growing
from chengshu.evaluation.indicators import INDICATORS, Indicator, indicator
from chengshu.evaluation.measures import Part
from chengshu.evaluation.series import history, within
from chengshu.logs import get_logger
from chengshu.parties.models import Department, Notice, Post
from chengshu.parties.notices import Told, give
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.models import City, Division

DAY = timedelta(days=1)
PARAMETER = "brief_time"  # of the city: "07:30"
TOP = 8
NOTABLE = 12
log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """An indicator of the day beside the day before and the same weekday a week before; None where not known."""

    indicator: Indicator
    due: int
    good: int
    value: float | None
    before: float | None
    week_before: float | None

    @property
    def count(self) -> int:
        """How many cases its link lists."""
        return self.indicator.count(self.due, self.good)


@dataclass(frozen=True, kw_only=True, slots=True)
class Top:
    """A type, place or unit with its number of cases; `thing` is None for those that have none."""

    thing: Any
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Brief:
    """The day of a division."""

    day: date
    division: int
    figures: tuple[Figure, ...]
    types: Sequence[Top]
    places: Sequence[Top]
    late_units: Sequence[Top]
    notable: Sequence[Case]
    growing: Sequence[Growth]


def brief(principal: Principal, division: int, day: date, now: datetime) -> Brief:
    """What a day brought. Raises NotFound outside the jurisdiction."""
    known = catalog(principal.city)
    place = within(principal, known, division)
    period = period_of(day, day, known.zone)
    opened = Case.objects.filter(area(known, place), period.holds("opened_at"))
    missed = indicator("overdue").measure
    late = missed.rows._default_manager.filter(area(known, place, "case__"), missed.part(Part.MISSED, period))
    ended = Case.objects.filter(area(known, place), period.holds("closed_at"), state__phase="done")
    worth = Q(severity__lte=2) | Q(escalation__gt=0) | Q(urges__gt=0) | Q(reopens__gt=0)
    notable = ended.filter(worth).select_related("unit", "division", "state", "type", "kind").order_by("severity", "pk")
    return Brief(
        day=day,
        division=place,
        figures=_figures(known, place, day),
        types=_top(opened, "type_id", CaseType),
        places=_top(opened, f"places__{len(known.divisions[place].path)}", Division),
        late_units=_top(late, "unit_id", Department),
        notable=list(notable[:NOTABLE]),
        growing=growing(known, place, now),
    )


def _figures(known: Catalog, place: int, day: date) -> tuple[Figure, ...]:
    told = history(known, place, [(day - 7 * DAY, day)])
    return tuple(_figure(told, each, day) for each in INDICATORS)


def _figure(told: Any, each: Indicator, day: date) -> Figure:
    [of_day] = told.days(each, day, day)
    [now], [before], [week] = (told.values(each, on, on) for on in (day, day - DAY, day - 7 * DAY))
    return Figure(indicator=each, due=of_day.due, good=of_day.good or 0, value=now, before=before, week_before=week)


def _top(rows: QuerySet[Any], by: str, model: Any) -> list[Top]:
    found = list(rows.order_by().values(group=F(by)).annotate(n=Count("pk")).order_by("-n", "group")[:TOP])
    things = model._default_manager.in_bulk([row["group"] for row in found if row["group"] is not None])
    return [Top(thing=things.get(row["group"]), count=row["n"]) for row in found]


def tell_all(now: datetime | None = None) -> int:
    """Once a day, after the time of each city's parameter: a notice of yesterday's brief to its leaders. How many."""
    moment = now or datetime.now(UTC)
    return sum(_tell(catalog(pk), moment) for pk in City.objects.values_list("pk", flat=True))


def _tell(known: Catalog, now: datetime) -> int:
    today = now.astimezone(known.zone)
    try:
        due = time.fromisoformat(str(known.parameter(PARAMETER, now)))
    except (ValueError, ChengshuError):
        log.debug("brief.no_time", city=known.city.name, parameter=PARAMETER)
        return 0
    if today.time() < due:
        return 0
    day = today.date() - DAY
    key, leaders = f"brief:{known.city.pk}:{day}", _leaders(known, today.date())
    # Asked for by account and key, for which there is an index: this is looked at every few seconds, among all notices ever.
    # Of two workers at once, the unique key lets only one tell.
    already = set(Notice.objects.filter(account__in=leaders, key=key).values_list("account_id", flat=True))
    told = [
        Told(
            notice=Notice(account_id=account, key=key, kind="brief", params={"day": str(day)}, at=now),
            city=known.city.pk,
            zone=known.zone,
        )
        for account in leaders
        if account not in already
    ]
    if told:
        give(told, now)
    return len(told)


def _leaders(known: Catalog, on: date) -> list[int]:
    """Accounts that hold a leader's post on a day."""
    held = Q(valid_from=None) | Q(valid_from__lte=on)
    held &= Q(valid_to=None) | Q(valid_to__gt=on)
    posts = Post.objects.filter(held, role=Role.LEADER, division__city=known.city, account__is_active=True)
    return sorted(set(posts.values_list("account_id", flat=True)))
