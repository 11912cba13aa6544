"""Published statistics: no small count can be worked out, and readers do not wait while they are counted anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chengshu.cases.catalog import Catalog, catalog
from chengshu.evaluation import public
from chengshu.evaluation.public import By
from chengshu.evaluation.suppression import ALL, Cell, suppressed, with_sums
from chengshu.places.models import City

SMALLEST = 5
TABLES = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from("abcd")), st.one_of(st.integers(0, 6), st.integers(0, 40)), max_size=20
)


def worked_out(counts: Mapping[Cell, int], hidden: set[Cell]) -> set[Cell]:
    """The hidden cells that the published ones determine: the equations of rows and columns, solved."""
    cells = sorted(hidden, key=str)
    sides = [(side, key) for side in (0, 1) for key in sorted({cell[side] for cell in counts}, key=str)]
    rows = [
        [Fraction(0 if cell[side] != key else -1 if cell[1 - side] == ALL else 1) for cell in cells]
        for side, key in sides
    ]
    done = 0
    for column in range(len(cells)):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [a - row[column] * b for a, b in zip(row, rows[done], strict=True)]
        done += 1
    single = [[i for i, value in enumerate(row) if value] for row in rows]
    return {cells[found[0]] for found in single if len(found) == 1}


@given(TABLES)
@example({(1, "a"): 2, (1, "b"): 30, (2, "a"): 40, (2, "b"): 50})
@example({(1, "a"): 3})
@example({(1, "a"): 1, (1, "b"): 1, (1, "c"): 1, (1, "d"): 1, (2, "a"): 1, (2, "b"): 20})
def test_no_small_count_can_be_worked_out_from_what_is_published(table: dict[Cell, int]) -> None:
    counts = with_sums(table)
    hidden = suppressed(counts, SMALLEST)
    assert {cell for cell, count in counts.items() if 0 < count < SMALLEST} <= hidden
    assert not {cell for cell in hidden if counts[cell] == 0}
    assert not {cell for cell in worked_out(counts, hidden) if counts[cell] < SMALLEST}


@given(TABLES)
def test_what_is_hidden_of_a_row_or_column_adds_up_to_enough(table: dict[Cell, int]) -> None:
    counts = with_sums(table)
    hidden = suppressed(counts, SMALLEST)
    for side in (0, 1):
        for key in {cell[side] for cell in counts}:
            own = [cell for cell in hidden if cell[side] == key]
            if own and not any(cell[1 - side] == ALL for cell in own):
                assert sum(counts[cell] for cell in own) >= SMALLEST


def test_little_more_is_hidden_than_must_be() -> None:
    """The smallest other count of the row and of the column, and where these meet; no sum."""
    counts = with_sums({(row, column): 10 * row + column for row in (1, 2, 3) for column in (1, 2, 3)} | {(2, 2): 2})
    assert suppressed(counts, SMALLEST) == {(2, 2), (2, 1), (1, 2), (1, 1)}


@pytest.fixture
def known(hangzhou: City) -> Catalog:
    public.forget()
    return catalog(hangzhou.pk)


def test_the_months_of_a_subject_do_not_tell_what_its_month_hides(
    known: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that closed three cases in one month and many in the others: neither table nor both give the three away."""
    months = [f"2025-{month:02}" for month in range(1, 13)]
    table: dict[Cell, int] = {(unit, month): 20 + unit for unit in (1, 2) for month in months} | {(1, months[3]): 3}
    counted = public._Counted(due=with_sums(table), good=with_sums(table))
    monkeypatch.setattr(public, "_count", lambda *_args: counted)
    found = replace(public.of_city(known), months=tuple(months))
    shown = {month: [row.closed for row in found.table(By.UNIT, month).rows] for month in (*months, ALL)}
    assert shown[months[3]] == [None, None]  # the other unit's too, or the month's sum would tell
    assert sum(shown[month][0] is None for month in (*months, ALL)) > 1  # and another of the unit's, or its year would
    assert sum(value is None for values in shown.values() for value in values) < 8
    total = [row.closed for row in found.table(By.MONTH).rows]
    assert total[3] == 25
    public.forget()


def test_readers_get_what_is_kept_while_it_is_counted_anew(known: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    first = public.of_city(known)
    monkeypatch.setattr(public, "FRESH", -1.0)
    began, go_on, counted = threading.Event(), threading.Event(), []

    def slow(city: Catalog) -> Any:
        began.set()
        assert go_on.wait(10)
        counted.append(city)
        public._kept[city.city.pk] = replace(first, counted=time.monotonic())

    monkeypatch.setattr(public, "_count_anew", slow)
    assert public.of_city(known) is first
    assert began.wait(10)
    assert [public.of_city(known) for _reader in range(3)] == [first] * 3  # nobody waits, and nobody counts it again
    monkeypatch.setattr(public, "FRESH", 300.0)
    go_on.set()
    lock = public._counting[known.city.pk]
    assert lock.acquire(timeout=10)
    lock.release()
    assert len(counted) == 1
    assert public.of_city(known) is not first
    public.forget()


def test_a_count_that_fails_keeps_what_there_was(known: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    first = public.of_city(known)
    lock = public._counting[known.city.pk]
    lock.acquire()

    def broken(_city: Catalog) -> Any:
        raise public.Error("the database is away")

    monkeypatch.setattr(public, "_count_anew", broken)
    thread = threading.Thread(target=public._refresh, args=[known, lock])
    thread.start()
    thread.join(10)
    assert not lock.locked()
    assert public.of_city(known) is first
    public.forget()
