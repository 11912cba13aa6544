"""Playing a recorded input to a scene: live, as if it happened now, or all at once in its true time. A restart goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any, Final

from django.utils import translation
from django.utils.translation import gettext as _

from chengshu.brain.loader import for_city
from chengshu.brain.look import look
from chengshu.brain.models import SceneState
from chengshu.brain.records import Batch, Loaded, LookResult, ReplayLabel
from chengshu.brain.tape import Tape, make_tape
from chengshu.cases.catalog import Catalog, catalog
from chengshu.core.errors import Invalid, NotFound
from chengshu.logs import get_logger
from chengshu.places.models import City

log = get_logger(__name__)
HISTORY: Final = "history"
LIVE: Final = "live"
Pause = Callable[[float], bool]  # waits so many seconds; true when it is time to stop
Progress = Callable[[int, int], None]  # batches done, batches in all


@dataclass(kw_only=True, slots=True)
class Tally:
    """What a play did, for people and scripts."""

    scene: str
    city: str
    days: list[str]
    rows: int
    quarantined: dict[str, int]
    slots: int = 0
    skipped: int = 0
    findings: int = 0
    opened: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    opened_by_day: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, batch: Batch, result: LookResult, known: Catalog) -> None:
        """Count one slot."""
        self.slots += 1
        self.skipped += bool(result.skipped)
        self.findings += len(result.findings)
        day = batch.start.astimezone(known.zone).date().isoformat()
        opened = Counter(f.type for f, v in zip(result.findings, result.verdicts, strict=True) if v.verdict == "opened")
        self.opened = dict(Counter(self.opened) + opened)
        self.verdicts = dict(Counter(self.verdicts) + Counter(v.verdict for v in result.verdicts))
        refused = Counter(f"{a.move}: {a.verdict} {a.detail}".strip() for a in result.acted if not a.ok)
        self.refused = dict(Counter(self.refused) + refused)
        self.opened_by_day[day] = self.opened_by_day.get(day, 0) + opened.total()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def city_named(name: str) -> Catalog:
    """The catalog of a loaded city. Raises `NotFound`."""
    pk = City.objects.values_list("pk", flat=True).filter(name=name).first()
    if pk is None:
        raise NotFound(f"No city {name!r}.", remedy=f"Load it with `chengshu load-city {name}`.")
    return catalog(pk)


def play_all(scene: str, city: str, *, days: tuple[int, int] | None = None, progress: Progress | None = None) -> Tally:
    """Play a city's recorded input as fast as possible in its true time; what was played before is passed over."""
    known = city_named(city)
    loaded = for_city(scene, known)
    tape = make_tape(loaded, known, days=days)
    tally, began = _tally(loaded, known, tape), monotonic()
    seen = seen_by_all(loaded, known.city.pk, HISTORY)
    for done, batch in enumerate(tape.batches, 1):
        if batch.end <= seen.get(batch.source, batch.start):
            tally.add(batch, LookResult(skipped=("all",)), known)
            continue
        result = look(loaded, batch, city=known.city.pk, at=batch.end, knowledge=tape.knowledge, stream=HISTORY)
        tally.add(batch, result, known)
        if progress:
            progress(done, len(tape.batches))
    tally.seconds = round(monotonic() - began, 2)
    return tally


def seen_by_all(loaded: Loaded, city: int, stream: str) -> dict[str, datetime]:
    """For each source the time up to which every one of its detectors has seen it; none for a source not wholly begun."""
    rows = SceneState.objects.filter(scene=loaded.scene.name, city_id=city, stream=stream)
    until = {name: seen for name, seen in rows.values_list("detector", "seen_until") if seen is not None}
    sources: dict[str, list[str]] = {}
    for detector in loaded.scene.detectors:
        sources.setdefault(detector.source, []).append(detector.name)
    return {
        source: min(until[name] for name in names) for source, names in sources.items() if until.keys() >= set(names)
    }


def play_live(
    scene: str,
    city: str,
    *,
    speed: float,
    pause: Pause,
    days: tuple[int, int] | None = None,
    once: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Tally:
    """Play the recorded days round after round as if they happened now, `speed` times as fast as they did.

    Findings occur when they are played; their true time stays in their facts and their words say that they are a replay.
    Each round is a stream of its own. A restart goes on where the last one stopped. `once` is one round in all:
    where it was played already, nothing is, so that a city that starts again is not flooded with what it has seen.

    At true speed (1 or slower) the first round begins at the present time of day, on the recorded day of the same weekday
    where there is one.
    """
    if speed <= 0:
        raise Invalid("The speed is not above 0.", where="--speed", remedy="1 is true speed, 60 a minute per second.")
    known = city_named(city)
    loaded = for_city(scene, known)
    tape = make_tape(loaded, known, days=days)
    tally, began = _tally(loaded, known, tape), monotonic()
    for stream, batch in _rounds(loaded, known, tape, speed, once, now):
        seconds = (batch.end - batch.start) / timedelta(seconds=1) / speed
        if pause(seconds):
            break
        tally.add(batch, _live(loaded, known, tape, batch, stream, now()), known)
    tally.seconds = round(monotonic() - began, 2)
    return tally


def _live(loaded: Loaded, known: Catalog, tape: Tape, batch: Batch, stream: str, at: datetime) -> LookResult:
    return look(
        loaded,
        batch,
        city=known.city.pk,
        at=at,
        knowledge=tape.knowledge,
        stream=stream,
        replay_of=label(batch, known),
    )


def label(batch: Batch, known: Catalog) -> ReplayLabel:
    """How a replayed finding is labelled, in the city's language."""
    with translation.override(known.city.language):
        day = batch.start.astimezone(known.zone)
        sentence = _("Replay of recorded data of %(time)s; it is not happening now.")
        mark = _("[Replay of %(time)s] ") % {"time": f"{day:%m-%d %H:%M}"}
        return ReplayLabel(mark=mark, sentence=sentence % {"time": f"{day:%Y-%m-%d %H:%M}"})


def _tally(loaded: Loaded, known: Catalog, tape: Tape) -> Tally:
    return Tally(
        scene=loaded.scene.name,
        city=known.city.name,
        days=[day.isoformat() for day in tape.days],
        rows=tape.rows,
        quarantined=dict(tape.quarantined),
    )


def _rounds(
    loaded: Loaded, known: Catalog, tape: Tape, speed: float, once: bool, now: Callable[[], datetime]
) -> Iterator[tuple[str, Batch]]:
    """Streams and batches to play: the rest of the round that was left, then new rounds."""
    number, seen = standing(loaded.scene.name, known.city.pk)
    left = [batch for batch in tape.batches if seen is None or batch.end > seen]
    if once and number and not left:
        log.info("replay.played_already", scene=loaded.scene.name, city=known.city.name, round=number)
        return
    if number == 0 or not left:
        number, left = number + 1, list(tape.batches)
        left = left[_present(tape, known, now()) :] if speed <= 1 else left
    while True:
        log.info("replay.round_began", scene=loaded.scene.name, city=known.city.name, round=number)
        yield from _each(f"{LIVE}-{number}", left)
        if once:
            return
        number, left = number + 1, list(tape.batches)


def _each(stream: str, batches: Iterable[Batch]) -> Iterator[tuple[str, Batch]]:
    for batch in batches:
        yield stream, batch


def standing(scene: str, city: int) -> tuple[int, datetime | None]:
    """The number of the last round that was begun (0: none) and how far every detector that began has played it."""
    rows = SceneState.objects.filter(scene=scene, city_id=city, stream__startswith=f"{LIVE}-")
    rounds: dict[int, list[datetime | None]] = {}
    for stream, seen in rows.values_list("stream", "seen_until"):
        rounds.setdefault(int(stream.rpartition("-")[2]), []).append(seen)
    number = max(rounds, default=0)
    last = [seen for seen in rounds.get(number, ()) if seen is not None]
    return number, min(last) if last and len(last) == len(rounds[number]) else None


def _present(tape: Tape, known: Catalog, moment: datetime) -> int:
    """The slot to begin with at true speed: the present time of day on the day most like today."""
    local = moment.astimezone(known.zone)
    day = like(local.date(), tape.days, known.calendar.is_working)
    later = (
        i
        for i, batch in enumerate(tape.batches)
        if (start := batch.start.astimezone(known.zone)).date() == day and start.time() >= local.time()
    )
    return next(later, 0)


def like(today: date, days: tuple[date, ...], working: Callable[[date], bool]) -> date:
    """Of the recorded days the one of the same weekday, else of the same kind (working or free), else the first."""
    same_weekday = (day for day in days if day.weekday() == today.weekday() and working(day) == working(today))
    same_kind = (day for day in days if working(day) == working(today))
    return next(same_weekday, None) or next(same_kind, days[0])
