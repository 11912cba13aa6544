"""Counts by day equal what the cases say, whatever happened since, and the lists behind them equal the counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from chengshu.cases.advance import advance
from chengshu.cases.catalog import catalog
from chengshu.cases.importing import import_history
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest
from chengshu.core.errors import NotFound
from chengshu.evaluation.counts import count_city, differences
from chengshu.evaluation.growth import stands_out
from chengshu.evaluation.indicators import DAILY, INDICATORS, daily, indicator
from chengshu.evaluation.models import CountedUntil, DailyCount
from chengshu.evaluation.series import behind, by_unit, first_day, history, within, year_before
from chengshu.parties.models import Department
from chengshu.places.models import Division, Level
from tests.cases.histories import histories
from tests.cases.town import Town, build

pytestmark = pytest.mark.django_db
NOW = datetime(2024, 6, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 2, 1), date(2024, 5, 31)


@pytest.fixture
def town() -> Town:
    made = build()
    result = import_history(histories(made, 300, seed=5), city=made.city.pk, actor=made.system)
    assert result.accepted == 300, result.quarantined[:3]
    count_city(catalog(made.city.pk), NOW)
    return made


def test_what_is_stored_is_what_the_cases_say(town: Town) -> None:
    known = catalog(town.city.pk)
    assert differences(known, NOW) == []
    assert {row.measure for row in DailyCount.objects.all()} >= {"opened", "closed", "total"}
    root = DailyCount.objects.filter(division=known.root, unit=None, measure="opened")
    assert sum(row.due for row in root) == Case.objects.filter(opened_at__lt=NOW).count()


def test_what_is_counted_at_a_time_is_what_had_happened_by_then(town: Town) -> None:
    known, then = catalog(town.city.pk), datetime(2024, 3, 20, tzinfo=UTC)
    count_city(known, then, rebuild=True)
    assert differences(known, then) == []
    closed = DailyCount.objects.filter(division=known.root, unit=None, measure="closed", day__lte=date(2024, 3, 20))
    ended = Case.objects.filter(closed_at__lte=then, state__phase="done").count()
    assert sum(row.due for row in closed) == ended > 0
    assert ended < Case.objects.filter(state__phase="done").count()


def test_the_lists_behind_a_count_hold_as_many(town: Town) -> None:
    known = catalog(town.city.pk)
    count_city(known, datetime.now(UTC))  # lists are judged as things stand now
    places = [known.root, *Division.objects.filter(city=town.city, level=Level.DISTRICT).values_list("pk", flat=True)]
    for each in INDICATORS:
        for place in places:
            told = history(known, place, [(FIRST, LAST)])
            totals = told.totals(each, FIRST, LAST)
            listed = behind(town.system, each, FIRST, LAST, division=place).count()
            assert listed == each.count(totals.due, totals.good), (each.name, place)
            for of_day in [d for d in told.days(each, FIRST, LAST) if d.due][:3]:
                one = behind(town.system, each, of_day.day, of_day.day, division=place).count()
                assert one == each.count(of_day.due, of_day.good), (each.name, of_day)


def test_units_have_their_own_counts(town: Town) -> None:
    known = catalog(town.city.pk)
    counts = by_unit(known, known.root, "opened", FIRST, LAST)
    assert counts
    for unit, days in counts.items():
        assert (
            sum(days) == behind(town.system, indicator("reported"), FIRST, LAST, division=known.root, unit=unit).count()
        )
    assert set(counts) <= set(Department.objects.values_list("pk", flat=True))


def test_a_move_is_counted_with_the_next_look(town: Town) -> None:
    known = catalog(town.city.pk)
    case = Case.objects.filter(state__code="registered").order_by("pk")[0]
    request = MoveRequest(case=case.pk, move="last_resort", unit="U1")
    [verdict] = advance([request], actor=town.system)
    assert verdict.ok, verdict
    assert differences(known, datetime.now(UTC))  # the unit of its days has changed
    count_city(known, datetime.now(UTC))
    assert differences(known, datetime.now(UTC)) == []


def test_a_rebuild_mends_what_was_spoiled(town: Town) -> None:
    known = catalog(town.city.pk)
    row = DailyCount.objects.filter(measure="closed").order_by("pk")[0]
    DailyCount.objects.filter(pk=row.pk).update(due=row.due + 1)
    assert differences(known, NOW) == [(row.day, "closed")]
    count_city(known, NOW, rebuild=True)
    assert differences(known, NOW) == []
    assert CountedUntil.objects.get(city=known.city).until == NOW


def test_comparisons_are_made_only_with_what_is_known(town: Town) -> None:
    known = catalog(town.city.pk)
    first = first_day(known)
    assert first is not None
    told = history(known, known.root, [(FIRST - timedelta(days=60), LAST)])
    totals = told.totals(indicator("reported"), first, first + timedelta(days=6))
    assert (totals.before, totals.year_before) == (None, None)
    later = told.totals(indicator("reported"), first + timedelta(days=7), first + timedelta(days=13))
    assert later.before == (totals.due, totals.good)
    assert told.values(indicator("reported"), first - timedelta(days=1), first)[0] is None


def test_a_post_goes_down_only_in_its_own_area(town: Town) -> None:
    known = catalog(town.city.pk)
    assert within(town.system, known, None) == town.system.division
    for strange in (0, 10**15):
        with pytest.raises(NotFound):
            within(town.system, known, strange)


@pytest.mark.parametrize(("count", "usual", "out"), [(4, 0, False), (5, 0, True), (14, 9, False), (19, 9, True)])
def test_what_stands_out(count: int, usual: float, out: bool) -> None:
    assert stands_out(count, usual) is out


def test_the_year_before_a_leap_day() -> None:
    assert year_before(date(2024, 2, 29)) == date(2023, 2, 28)


def test_names_that_are_none() -> None:
    assert set(DAILY) == {daily(name).name for name in DAILY}
    for ask in (daily, indicator):
        with pytest.raises(NotFound):
            ask("planet")
