"""Indicators of scenes as series: computed slot by slot of what was looked at, with the window they came of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.metadata import version

import polars as pl

from chengshu.brain.look import window
from chengshu.brain.models import Look, Point
from chengshu.brain.records import Batch, Knowledge, Loaded
from chengshu.cases.catalog import Catalog
from chengshu.scene import Indicator


@cache
def _version() -> str:
    return version("chengshu")


def keep(
    loaded: Loaded,
    batch: Batch,
    *,
    known: Catalog,
    knowledge: Knowledge,
    findings: int,
    lesson: date | None,
    period: timedelta,
) -> None:
    """Keep what the indicators of a batch's source say of each of its slots, in place of what they said of them before.

    To be called in the transaction that looked at it. A batch without observations says nothing.
    """
    about = {"city": known.city, "scene": loaded.scene.name}
    mine = [each for each in loaded.scene.indicators if each.source == batch.source]
    within = {"gt": batch.start, "lte": batch.end}
    spoken = Point.objects.filter(**about, indicator__in=[each.name for each in mine])
    spoken.filter(**{f"at__{name}": value for name, value in within.items()}).delete()
    Look.objects.filter(**about, source=batch.source, **{f"until__{n}": v for n, v in within.items()}).delete()
    if batch.frame.is_empty():
        return
    look = Look.objects.create(
        **about,
        source=batch.source,
        since=batch.start,
        until=batch.end,
        rows=batch.frame.height,
        things=batch.frame["thing"].n_unique(),
        findings=findings,
        lesson=lesson,
        version=_version(),
        at=datetime.now(UTC),
    )
    points = [
        Point(look=look, **about, indicator=indicator.name, thing=thing, at=slot.end, value=value)
        for slot in _slots(batch, period)
        for indicator in mine
        for thing, value in _values(indicator, loaded, slot, known, knowledge)
    ]
    Point.objects.bulk_create(points, batch_size=5_000)


def _slots(batch: Batch, period: timedelta) -> Iterator[Batch]:
    """The batch slot by slot; slots without observations are left out."""
    slots = batch.frame.group_by(pl.col("at").dt.truncate(period).alias("slot"), maintain_order=True)
    for (begin,), frame in slots:
        assert isinstance(begin, datetime)
        yield Batch(source=batch.source, frame=frame.drop("slot", strict=False), start=begin, end=begin + period)


def _values(
    indicator: Indicator, loaded: Loaded, slot: Batch, known: Catalog, knowledge: Knowledge
) -> Iterator[tuple[str, float | None]]:
    """Thing (empty: of the whole) and value. What the source's first detector with a teacher was taught is there."""
    teachers = (each.name for each in loaded.scene.detectors if each.source == slot.source and each.teach)
    taught = knowledge.taught.get(next(teachers, ""))
    found = indicator.compute(window(loaded, slot, known, knowledge, taught=taught))
    things = found["thing"].to_list() if "thing" in found.columns else [""] * found.height
    yield from zip(things, found["value"].cast(pl.Float64).to_list(), strict=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A value of a series with its lineage: the window of observations behind it."""

    at: datetime
    thing: str
    value: float | None
    since: datetime
    until: datetime
    rows: int
    lesson: date | None
    version: str
    computed: datetime


def series(
    city: int,
    scene: str,
    indicator: str,
    *,
    since: datetime,
    until: datetime,
    thing: str | None = None,
    limit: int = 10_000,
) -> list[Value]:
    """Values with since < at <= until in order of time, the newest `limit` of them; of one thing where it is named."""
    found = Point.objects.filter(city=city, scene=scene, indicator=indicator, at__gt=since, at__lte=until)
    if thing is not None:
        found = found.filter(thing=thing)
    newest = found.select_related("look").order_by("-at", "thing")[:limit]
    return [_value(point) for point in reversed(newest)]


def latest(city: int, scene: str, indicator: str) -> list[Value]:
    """The values of the latest slot, of things the largest first; none where nothing was computed yet."""
    newest = Point.objects.filter(city=city, scene=scene, indicator=indicator).order_by("-at").first()
    if newest is None:
        return []
    found = Point.objects.filter(city=city, scene=scene, indicator=indicator, at=newest.at).select_related("look")
    return [_value(point) for point in found.order_by("-value", "thing")]


def _value(point: Point) -> Value:
    look = point.look
    return Value(
        at=point.at, thing=point.thing, value=point.value, since=look.since, until=look.until, rows=look.rows,
        lesson=look.lesson, version=look.version, computed=look.at,
    )  # fmt: skip
