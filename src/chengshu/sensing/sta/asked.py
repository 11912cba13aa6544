"""Observations of some sources that options ask for, and which days of the lake decide the first of them.

For a page in the order of time or of ids days are brought one after the other, until what is there fills the page.
"""

# ruff: noqa: S608 -- SQL is made of this package's own words and of numbers; what comes from outside is a parameter
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection

from chengshu.places.models import City
from chengshu.sensing import moved
from chengshu.sensing.records import SERIAL_BITS
from chengshu.sensing.seam import start
from chengshu.sensing.sta import select
from chengshu.sensing.sta.coarse import ALL, EPOCH, Coarse
from chengshu.sensing.sta.entities import ENTITIES, ID
from chengshu.sensing.sta.filters import Compiler
from chengshu.sensing.sta.sealed import MOST, STRAY, Sealed
from chengshu.sensing.sta.sql import Statement
from chengshu.sensing.sta.terms import Options, Path
from chengshu.sensing.store import DAY
from chengshu.sensing.store import EPOCH as FIRST_DAY

OBSERVATIONS: Final = ENTITIES["Observations"]
_COLUMNS: Final[dict[tuple[str, ...], str]] = {("phenomenonTime",): "at", ("id",): "id", (ID,): "id"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordering:
    """The order of a page: its first column where that is `at` or `id`, and all of it for the lake, where it can be said."""

    column: str = ""
    descending: bool = False
    sql: str = ""


def _ordering(options: Options, one_stream: bool) -> Ordering:
    orders = options.orderby
    key = select.key_of(options, one_stream=one_stream)
    if key in ("earliest", "latest"):
        word = "DESC" if key == "latest" else "ASC"
        return Ordering(column="at", descending=key == "latest", sql=f'"at" {word}, nth {word}, id {word}')
    columns = [_COLUMNS.get(order.by.parts) if isinstance(order.by, Path) else None for order in orders] or ["id"]
    if columns[0] is None:
        return Ordering()
    words = ["DESC" if order.descending else "ASC" for order in orders] or ["ASC"]
    said = [f'"{column}" {word}' for column, word in zip(columns, words, strict=True)]
    return Ordering(
        column=columns[0],
        descending=words[0] == "DESC",
        sql=", ".join([*said, "id ASC"]) if None not in columns else "",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Observations of some sources (ids in the column `by`; without one, of all), as options ask for them.

    `within`: who sees the sources sees the observations.
    """

    statement: Statement
    sealed: Sealed
    options: Options
    fit: Coarse
    by: str = ""
    sources: Sequence[int] = (0,)
    within: bool = False
    one_stream: bool = False

    def days(self, *, newest_first: bool = False) -> list[date]:
        """The days of which the lake may hold some, in order."""
        return [day for day in self.sealed.days(newest_first=newest_first) if self.fit.holds(day)]

    def narrowed(self, sources: Sequence[int]) -> tuple[str, Sequence[int] | None]:
        """The condition for the lake on what these sources have, and the datastreams, where these are the sources."""
        said = [self.fit.sql]
        if self.by:
            said.append(f"{self.by} IN {self.sealed.ids(sources)}")
        if not self.within and (visible := _visible(self.statement, self.sealed)):
            said.append(f"datastream IN {visible}")
        return " AND ".join(f"({each})" for each in said), sources if self.by == "datastream" else None

    def bring(self) -> None:
        """Bring all that may fit."""
        where, streams = self.narrowed(self.sources)
        self.sealed.bring(self.days(), where, streams=streams)

    def counts(self) -> dict[int, int] | None:
        """How many there are of each source; None where the lake cannot tell, and they were brought to be counted."""
        if not self.fit.exact:
            self.bring()
            return None
        where, streams = self.narrowed(self.sources)
        return self.sealed.counts(self.days(), where, streams=streams, by=self.by)

    def page(self, size: int) -> None:
        """Bring what the first rows of each source need."""
        order = _ordering(self.options, self.one_stream)
        first = size + 1 + (0 if self.options.after else self.options.skip)
        if not self.sources or not size:
            return
        if not order.column or first > MOST:
            self.bring()
            return
        if order.column == "id":
            where, streams = self.narrowed(self.sources)
            self.sealed.bring(self.sealed.stray_days(self.days()), f"{where} AND {STRAY}", streams=streams)
        self._day_by_day(order, first)

    def _day_by_day(self, order: Ordering, first: int) -> None:
        """From where the page begins, one day, then two, then four …, for the sources that have too few before those days."""
        days, step = self._following(order), 1
        cut = first if self.fit.exact and order.sql else None
        while days and (lacking := self._lacking(order, days[0], first)):
            where, streams = self.narrowed(lacking)
            by = self.by if len(lacking) > 1 else ""
            self.sealed.bring(days[:step], where, streams=streams, by=by, order=order.sql, first=cut)
            days, step = days[step:], step * 2

    def _following(self, order: Ordering) -> list[date]:
        """The days in order, from that on which the page before ended."""
        days = self.days(newest_first=order.descending)
        if order.column == "id" and self.options.after:
            first = moved.told(max(select.read_token("id", self.options.after)[0], 0))
            days = [day for day in days if day >= first]
        return days

    def _lacking(self, order: Ordering, day: date, first: int) -> list[int]:
        """The sources of which fewer rows than `first` are there that come before all of a day (and of those after it)."""
        self.sealed.in_time()
        inner = self.statement.again()
        s, o, n = inner.alias(), inner.alias(), inner.alias()
        where = [_before(inner, order, o, day), *self._conditions(inner, s, o)]
        rows = f"SELECT 1 FROM {inner.table(OBSERVATIONS)} {o} WHERE {' AND '.join(where)} LIMIT {first:d}"
        ids = inner.param(list(self.sources), "bigint[]")
        return ids_of(
            f"SELECT {s}.id FROM unnest({ids}) {s} (id) WHERE (SELECT count(*) FROM ({rows}) {n}) < {first:d}", inner
        )

    def _conditions(self, inner: Statement, s: str, o: str) -> Iterator[str]:
        if self.by:
            yield f"{o}.{self.by} = {s}.id"
        if not self.within:
            yield inner.seen(OBSERVATIONS, o)
        if self.options.filter is not None:
            yield Compiler(statement=inner, entity=OBSERVATIONS, alias=o).condition(self.options.filter)
        if self.options.after:
            key = select.key_of(self.options, one_stream=self.one_stream)
            yield select.after(inner, o, key, self.options.after)


def _before(statement: Statement, order: Ordering, alias: str, day: date) -> str:
    """The condition on rows that come before those of a day, in an order."""
    edge = day + DAY if order.descending else day
    sign = ">=" if order.descending else "<"
    if order.column == "at":
        return f"{alias}.at {sign} {statement.param(start(edge), 'timestamptz')}"
    return f"{alias}.id {sign} {(edge - FIRST_DAY).days << SERIAL_BITS}"


def after(options: Options, *, one_stream: bool) -> Coarse:
    """What comes after the row that the page before ended with."""
    if not options.after:
        return ALL
    key = select.key_of(options, one_stream=one_stream)
    parts = select.read_token(key, options.after)
    if key == "id":
        return Coarse(sql=f"id > {parts[0]}")
    at, nth, number = parts
    sign = "<" if key == "latest" else ">"
    later = f"nth {sign} {nth} OR (nth = {nth} AND id {sign} {number})"
    sql = f'epoch_us("at") {sign} {at} OR (epoch_us("at") = {at} AND ({later}))'
    edge = _moment(at)
    return Coarse(sql=sql, until=edge) if key == "latest" else Coarse(sql=sql, since=edge)


def _moment(micros: int) -> datetime | None:
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _visible(statement: Statement, sealed: Sealed) -> str:
    """The datastreams that the reader sees, as what stands behind IN; empty where these are all."""
    if sealed.visible is None:
        if statement.scope.whole and City.objects.count() == 1:
            sealed.visible = ""
        else:
            inner, entity = statement.again(), ENTITIES["Datastreams"]
            a = inner.alias()
            ids = ids_of(f"SELECT {a}.id FROM {entity.table} {a} WHERE {inner.seen(entity, a)}", inner)
            sealed.visible = sealed.ids(ids)
    return sealed.visible


def ids_of(sql: str, statement: Statement) -> list[int]:
    """The ids that a query finds."""
    with connection.cursor() as cursor:
        cursor.execute(sql, statement.values)
        return [int(row[0]) for row in cursor.fetchall()]
