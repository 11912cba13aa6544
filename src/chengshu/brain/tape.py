"""A recorded input of a city, ready to be played to a scene: read, taught from, cut into batches."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings

from chengshu.brain.look import window
from chengshu.brain.records import Batch, Knowledge, Loaded, Reading
from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid, NotFound
from chengshu.logs import get_logger
from chengshu.scene import Rejected

log = get_logger(__name__)
_REASONS_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Tape:
    """What will be played: slots in order of time, what is known beforehand, what had to be left out."""

    batches: tuple[Batch, ...]
    knowledge: Knowledge
    days: tuple[date, ...]
    rows: int
    quarantined: Mapping[str, int]


def make_tape(loaded: Loaded, known: Catalog, *, days: tuple[int, int] | None = None) -> Tape:
    """Read the city's sources of a scene, teach its detectors from the days of teaching, cut the days of playing into slots.

    Args:
        days: the first and the last day to play, counted from the source's first day; by default its `play_days`.

    Raises:
        NotFound: when the city offers no source of the scene's kinds.
        Invalid: when the file cannot be read, or has nothing on those days.
    """
    readings = list(_readings(loaded, known))
    batches = sorted(
        (batch for reading in readings for batch in _slots(loaded, reading, known, days)),
        key=lambda batch: (batch.end, batch.source),
    )
    if not batches:
        raise Invalid(
            "There is nothing to play on those days.", where=known.city.name, remedy="Choose other days with --day."
        )
    return Tape(
        batches=tuple(batches),
        knowledge=_knowledge(loaded, known, readings),
        days=tuple(sorted({batch.start.astimezone(known.zone).date() for batch in batches})),
        rows=sum(reading.frame.height for reading in readings),
        quarantined=Counter(rejected.reason for reading in readings for rejected in reading.quarantine),
    )


def _readings(loaded: Loaded, known: Catalog) -> Iterator[Reading]:
    offered: Sequence[Mapping[str, Any]] = (known.parts.get("sources") or {}).get("sources", [])
    kinds = {source.kind: source for source in loaded.scene.sources}
    fitting = [entry for entry in offered if entry["kind"] in kinds]
    if not fitting:
        raise NotFound(
            f"The city {known.city.name} offers no source of kind {', '.join(sorted(kinds))}.",
            where="sources.yaml",
            remedy="Add one to the city pack, or choose another city with --city.",
        )
    for entry in fitting:
        source = kinds[entry["kind"]]
        content = _bytes(known.city.name, entry["file"])
        decoded = source.decode(content, {"timezone": known.city.timezone, **entry})
        _keep(loaded.scene.name, content, decoded.quarantine)
        yield Reading(source=source.name, frame=decoded.frame, quarantine=decoded.quarantine, options=entry)


def _bytes(city: str, file: str) -> bytes:
    path = Path(settings.CITIES_ROOT) / city / file
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"It cannot be read ({error.strerror}).", where=str(path), remedy="Mend sources.yaml or the file."
        ) from error


def _keep(scene: str, content: bytes, quarantine: Sequence[Rejected]) -> None:
    """Rows left out are kept with line, reason and remedy in the home folder, once per file content."""
    if not quarantine:
        return
    path = Path(settings.HOME) / "quarantine" / f"{scene}-{hashlib.sha256(content).hexdigest()[:16]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in quarantine), encoding="utf-8")
    reasons = Counter(row.reason for row in quarantine).most_common(_REASONS_SHOWN)
    log.warning(
        "scene.rows_left_out",
        scene=scene,
        rows=len(quarantine),
        reasons=dict(reasons),
        kept=str(path),
    )


def _knowledge(loaded: Loaded, known: Catalog, readings: Sequence[Reading]) -> Knowledge:
    things = {reading.source: _things(reading.options, known) for reading in readings}
    placed = Knowledge(things=things)
    taught = {}
    for detector in loaded.scene.detectors:
        for reading in readings:
            if detector.source == reading.source and detector.teach is not None:
                lesson = _days(loaded, reading, known, _span(reading.options, "teach_days"))
                if lesson is not None:
                    taught[detector.name] = detector.teach(window(loaded, lesson, known, placed))
    return Knowledge(things=things, taught=taught)


def _things(options: Mapping[str, Any], known: Catalog) -> pl.DataFrame:
    """The table of things that a source names, with `thing` as its key and `name` in the city's language."""
    if "things" not in options:
        return pl.DataFrame(schema={"thing": pl.String, "name": pl.String})
    read = pl.read_csv(_bytes(known.city.name, options["things"]), infer_schema=False)
    key = options.get("things_key", read.columns[0])
    english = not known.city.language.startswith("zh") and "name_en" in read.columns
    table = read.with_columns(pl.col(key).alias("thing"), pl.col("name_en" if english else "name").alias("name"))
    return table.with_columns(pl.col(name).cast(pl.Float64) for name in ("lon", "lat") if name in table.columns)


def _span(options: Mapping[str, Any], name: str) -> tuple[int, int]:
    first, last = options[name]
    return int(first), int(last)


def _days(loaded: Loaded, reading: Reading, known: Catalog, span: tuple[int, int]) -> Batch | None:
    """The observations of some days as one batch; None when there are none."""
    first = date.fromisoformat(str(reading.options["first_day"]))
    start, end = (_midnight(first + timedelta(days=day), known) for day in (span[0] - 1, span[1]))
    frame = reading.frame.filter(pl.col("at").is_between(start, end, closed="left"))
    return Batch(source=reading.source, frame=frame, start=start, end=end) if frame.height else None


def _midnight(day: date, known: Catalog) -> datetime:
    return datetime.combine(day, time.min, known.zone).astimezone(UTC)


def _slots(loaded: Loaded, reading: Reading, known: Catalog, days: tuple[int, int] | None) -> Iterator[Batch]:
    """One batch for each slot of the days to play that has observations."""
    span = days or _span(reading.options, "play_days")
    taught = _span(reading.options, "teach_days")
    if span[0] <= taught[1]:
        what = f"Days {taught[0]} to {taught[1]} teach what is usual; playing them would judge them by themselves."
        raise Invalid(what, where="--day", remedy=f"Choose days after {taught[1]}.")
    played = _days(loaded, reading, known, span)
    period = loaded.scene.source(reading.source).period
    for frame in played.frame.partition_by("at", maintain_order=True) if played else ():
        start = frame["at"][0].astimezone(UTC)
        yield Batch(source=reading.source, frame=frame, start=start, end=start + period)
