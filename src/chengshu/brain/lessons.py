"""What detectors are taught for a local day: of the days before it, once, and kept, so that the day is always judged alike."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import polars as pl

from chengshu.brain.look import window
from chengshu.brain.models import Lesson
from chengshu.brain.records import Batch, Knowledge, Loaded
from chengshu.brain.sensed import Bound, Streams, frame
from chengshu.cases.catalog import Catalog
from chengshu.logs import get_logger
from chengshu.scene import Detector

log = get_logger(__name__)
ROWS: Final = 1_000_000  # observations that are taught at once, about


def midnight(day: date, known: Catalog) -> datetime:
    """When a local day begins."""
    return datetime.combine(day, time.min, known.zone).astimezone(UTC)


def lessons(loaded: Loaded, bound: Bound, seen: Streams, known: Catalog, day: date) -> Knowledge:
    """What the detectors of a source know on a local day: where things are, and what they were taught for it."""
    placed = Knowledge(things={bound.source.name: seen.things})
    pupils = [each for each in loaded.scene.detectors if each.source == bound.source.name and each.teach]
    if not pupils or not bound.teach:
        return placed
    kept = {
        lesson.detector: pl.read_ipc(io.BytesIO(lesson.content))
        for lesson in Lesson.objects.filter(city=known.city, scene=loaded.scene.name, day=day)
    }
    fresh = _taught(loaded, bound, seen, known, day, [each for each in pupils if each.name not in kept], placed)
    return Knowledge(things=placed.things, taught={**kept, **fresh})


def _taught(
    loaded: Loaded,
    bound: Bound,
    seen: Streams,
    known: Catalog,
    day: date,
    pupils: list[Detector],
    placed: Knowledge,
) -> dict[str, pl.DataFrame]:
    if not pupils:
        return {}
    start, end = midnight(day - timedelta(days=bound.teach), known), midnight(day, known)
    taught: dict[str, list[pl.DataFrame]] = {pupil.name: [] for pupil in pupils}
    rows = 0
    for part in _parts(bound, seen, end - start):
        batch = Batch(source=bound.source.name, frame=frame(bound, part, start, end), start=start, end=end)
        rows += batch.frame.height
        for pupil in pupils:
            assert pupil.teach is not None
            taught[pupil.name].append(pupil.teach(window(loaded, batch, known, placed)))
    found = {name: pl.concat(parts) for name, parts in taught.items()}
    about = {"city": known.city, "scene": loaded.scene.name, "day": day, "since": start, "until": end, "rows": rows}
    _keep(about, found)
    return found


def _parts(bound: Bound, seen: Streams, span: timedelta) -> list[Streams]:
    """All at once, but of a source of single datastreams some at a time, so that the days of many still fit into memory."""
    if bound.source.each != "datastream" or seen.rows.is_empty():
        return [seen]
    expected = span.total_seconds() / pl.col("period").fill_null(bound.source.period.total_seconds())
    placed = seen.rows.join(seen.things.select("thing", "period"), on="thing", how="left", maintain_order="left")
    parts = placed.with_columns((expected.cum_sum() // ROWS).alias("part")).partition_by("part", maintain_order=True)
    return [Streams(rows=part.drop("period", "part"), things=seen.things) for part in parts]


def _keep(about: dict[str, Any], found: dict[str, pl.DataFrame]) -> None:
    """By several workers at once the same is kept once, for all were taught by the same days."""
    now = datetime.now(UTC)
    Lesson.objects.bulk_create(
        [Lesson(**about, detector=name, content=_packed(taught), at=now) for name, taught in found.items()],
        ignore_conflicts=True,
    )
    log.info("scene.taught", scene=about["scene"], day=str(about["day"]), rows=about["rows"], detectors=sorted(found))


def _packed(taught: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    taught.write_ipc(out, compression="zstd")
    return out.getvalue()
