"""The scenes of the cities, kept looking at what comes in: window after window up to now, and again where something came late.

A source is looked at in windows that end when its lateness has passed. What comes later still is noted (`late_from`); then
its detectors begin again at the checkpoint before it, and report what they find: what was found before is known by its key and
true time, so that nothing is doubled, whether a row came late, a day was filled in afterwards, or the process was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Min, Q

from chengshu.brain import series
from chengshu.brain.lessons import lessons, midnight
from chengshu.brain.loader import check_city, scenes
from chengshu.brain.look import look
from chengshu.brain.models import Checkpoint, SceneState
from chengshu.brain.records import Batch, Knowledge, Loaded, LookResult
from chengshu.brain.sensed import Bound, Streams, bindings, frame, streams
from chengshu.cases.catalog import Catalog, catalog
from chengshu.logs import get_logger
from chengshu.places.models import City
from chengshu.sensing import arrivals
from chengshu.sensing.known import version as register

log = get_logger(__name__)

RESTING: Final = 60.0  # seconds for which a scene that failed is let be
PATIENCE: Final = 10.0  # seconds for which a tick catches up with one source, before it sees to the others
ROWS: Final = 500_000  # observations in one window, about, when there is much to catch up with
AGAIN: Final = timedelta(minutes=5)  # between two beginnings again of a source: late rows come in swarms
BACK: Final = timedelta(days=7)  # how far back checkpoints are kept: what comes later than that is not looked at again
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
FINE: Final = timedelta(minutes=5)  # between checkpoints of the last hour
EPOCH: Final = datetime.fromtimestamp(0, UTC)
LIVE: Final = ""  # the stream of a city's own input


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A source of a scene that a city feeds with its observations."""

    loaded: Loaded
    known: Catalog
    bound: Bound

    @property
    def states(self) -> Q:
        """Its detectors' rows of `SceneState`."""
        about = {"city": self.known.city, "scene": self.loaded.scene.name, "stream": LIVE}
        return Q(**about, detector__in=self.detectors)

    @property
    def name(self) -> str:
        """Scene and source: it tells it apart from the others of its city."""
        return f"{self.loaded.scene.name}/{self.bound.source.name}"

    @property
    def detectors(self) -> list[str]:
        """The names of its detectors."""
        return [each.name for each in self.loaded.scene.detectors if each.source == self.bound.source.name]

    def streams(self) -> Streams:
        """Its datastreams, read anew when datastreams or Things have changed."""
        found: Streams = self._kept("streams", register(), lambda: streams(self.bound, self.known))
        return found

    def lessons(self, day: date) -> Knowledge:
        """What its detectors know on a local day."""
        seen = self.streams()
        read = partial(lessons, self.loaded, self.bound, seen, self.known, day)
        found: Knowledge = self._kept("lessons", (day, id(seen)), read)
        return found

    def _kept(self, what: str, version: object, read: Callable[[], Any]) -> Any:
        """What was read last, unless its version is another now."""
        name = f"{what}:{self.name}"
        if name not in self.known.memo or self.known.memo[name][0] != version:
            self.known.memo[name] = version, read()
        return self.known.memo[name][1]

    def settled(self, now: datetime) -> datetime:
        """The end of the last slot whose lateness has passed."""
        period = self.bound.source.period
        return EPOCH + (now - self.bound.late - EPOCH) // period * period


def tick(now: datetime) -> int:
    """Look at what has come in since, in every city; windows looked at. One worker at a time looks at a city."""
    return sum(_city(pk, now) for pk in City.objects.values_list("pk", flat=True).order_by("pk"))


def _city(pk: int, now: datetime) -> int:
    known = catalog(pk)
    with alone(pk) as mine:
        if not mine:
            return 0
        found = watched(known)
        _arrivals(known, found, now)
        return sum(_caught_up(each, now) for each in found)


def _caught_up(each: Watched, now: datetime) -> int:
    """A scene that fails keeps no other one waiting: it is let be for a while, and tried again with the same window."""
    name = f"failed:{each.name}"
    if each.known.memo.get(name, 0.0) > monotonic():
        return 0
    try:
        return catch_up(each, now).windows
    except (DatabaseError, InterfaceError):
        raise
    except Exception:
        each.known.memo[name] = monotonic() + RESTING
        log.exception("scene.failed", scene=each.loaded.scene.name, city=each.known.city.name)
        return 0


def watched(known: Catalog) -> Sequence[Watched]:
    """What is looked at in a city. Scenes that cannot work there are passed over; `chengshu check-scene` says why."""
    if "watched" not in known.memo:
        known.memo["watched"] = _watched(known) if (known.parts.get("sources") or {}).get("observed") else []
    found: Sequence[Watched] = known.memo["watched"]
    return found


def _watched(known: Catalog) -> list[Watched]:
    loaded = [listing.loaded for listing in scenes() if listing.loaded is not None]
    return [
        Watched(loaded=scene, known=known, bound=bound)
        for scene in loaded
        if not check_city(scene, known)
        for bound in bindings(scene, known)
    ]


@contextmanager
def alone(city: int, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process has the city to itself, for which it may `wait`. Given back also when the process dies."""
    take = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {take}(hashtext('brain.watch'), %s)", [city])
        mine = wait or cursor.fetchone()[0]
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('brain.watch'), %s)", [city])


def _arrivals(known: Catalog, found: Sequence[Watched], now: datetime) -> None:
    """Note what came in later than it was waited for, and begin again where enough time has passed."""
    with transaction.atomic():
        came = arrivals.arrived(known.city.pk)
        if came:
            for each in found:
                _note(each, came)
            arrivals.looked(came)
    for each in found:
        _rewind(each, now)


def _note(each: Watched, came: list[arrivals.Arrived]) -> None:
    """What came before the first checkpoint was never looked at, and is no concern of a source that began later."""
    states = SceneState.objects.filter(each.states)
    times = states.aggregate(until=Min("seen_until"), since=Min("checkpoints__until"))
    if times["since"] is None or times["until"] is None:
        return
    late = arrivals.earliest(came, times["since"], times["until"], each.streams().ids)
    if late is not None:
        states.filter(Q(late_from=None) | Q(late_from__gt=late)).update(late_from=late)


def _rewind(each: Watched, now: datetime) -> None:
    """Put the detectors of a source back to the last checkpoint before what came late."""
    states = SceneState.objects.filter(each.states)
    late = states.aggregate(late=Min("late_from"))["late"]
    if late is None or states.filter(rewound_at__gt=now - AGAIN).exists():
        return
    if not back(each, late, now):
        log.warning("scene.too_late", scene=each.loaded.scene.name, city=each.known.city.name, at=late.isoformat())
        states.update(late_from=None)


def back(each: Watched, to: datetime, now: datetime) -> bool:
    """Put a source's detectors back to the last checkpoint that all have and that is not after a moment; False without one."""
    with transaction.atomic():
        rows = list(SceneState.objects.select_for_update().filter(each.states).order_by("detector"))
        common = [set(row.checkpoints.filter(until__lte=to).values_list("until", flat=True)) for row in rows]
        shared = set.intersection(*common) if common else set()
        if not shared:
            return False
        until = max(shared)
        for row in rows:
            row.state = row.checkpoints.get(until=until).state
            row.seen_until, row.late_from, row.rewound_at = until, None, now
            row.save()
            row.checkpoints.filter(until__gt=until).delete()
    log.info("scene.looks_again", scene=each.loaded.scene.name, city=each.known.city.name, since=until.isoformat())
    return True


def seen_until(each: Watched) -> datetime | None:
    """Until when all of a source's detectors have looked; None before they began."""
    found: datetime | None = SceneState.objects.filter(each.states).aggregate(until=Min("seen_until"))["until"]
    return found


def begin(each: Watched, since: datetime) -> None:
    """Let a source's detectors begin at a moment, knowing nothing; what they had seen is forgotten, their findings are not."""
    with transaction.atomic():
        SceneState.objects.filter(each.states).delete()
        _begin(each, each.detectors, since)


def _begin(each: Watched, detectors: Sequence[str], since: datetime) -> None:
    about = {"city": each.known.city, "scene": each.loaded.scene.name, "stream": LIVE}
    with transaction.atomic():
        for name in detectors:
            row = SceneState.objects.create(**about, detector=name, seen_until=since)
            Checkpoint.objects.create(state_of=row, until=since, state=row.state)


@dataclass(kw_only=True, slots=True)
class Done:
    """What was looked at: windows, observations in them, findings, and how many of those opened a case."""

    windows: int = 0
    rows: int = 0
    findings: int = 0
    opened: int = 0


def catch_up(each: Watched, now: datetime, *, patience: float = PATIENCE, until: datetime | None = None) -> Done:
    """Look at a source's windows up to now (or `until`), or until patience (s) ends. A source that is new begins now."""
    end = each.settled(now) if until is None else min(until, each.settled(now))
    seen = dict(SceneState.objects.filter(each.states).values_list("detector", "seen_until"))
    start = min((moment for moment in seen.values() if moment is not None), default=None)
    if missing := [name for name in each.detectors if name not in seen]:
        _begin(each, missing, start or end)
    return _windows(each, end if start is None else start, end, now, monotonic() + patience)


def _windows(each: Watched, start: datetime, end: datetime, now: datetime, last: float) -> Done:
    done, length = Done(), each.bound.source.period
    while start < end and monotonic() < last:
        day = start.astimezone(each.known.zone).date()
        stop = min(start + length, end, midnight(day + DAY, each.known))
        rows = frame(each.bound, each.streams(), start, stop)
        batch = Batch(source=each.bound.source.name, frame=rows, start=start, end=stop)
        result = _look(each, batch, day, now)
        done.windows, done.rows = done.windows + 1, done.rows + batch.frame.height
        done.findings, done.opened = done.findings + len(result.findings), done.opened + result.opened
        start = stop
        length = min(length * 2, DAY) if batch.frame.height < ROWS // 4 else max(length // 2, each.bound.source.period)
    return done


def _look(each: Watched, batch: Batch, day: date, now: datetime) -> LookResult:
    """One window: findings, states, cases and numbers in one transaction."""
    knowledge = each.lessons(day)
    with transaction.atomic():
        result = look(each.loaded, batch, city=each.known.city.pk, at=now, knowledge=knowledge, stream=LIVE)
        series.keep(
            each.loaded,
            batch,
            known=each.known,
            knowledge=knowledge,
            findings=len(result.findings),
            lesson=day if knowledge.taught else None,
            period=each.bound.source.period,
        )
        _checkpoint(each, batch)
    return result


def _checkpoint(each: Watched, batch: Batch) -> None:
    """Keep the states every few minutes; of those older than an hour one an hour, for as long as late rows are looked at."""
    if _passed(batch, FINE):
        for row in SceneState.objects.filter(each.states):
            Checkpoint.objects.get_or_create(state_of=row, until=batch.end, defaults={"state": row.state})
            if _passed(batch, HOUR):
                kept = list(row.checkpoints.order_by("until").values_list("until", flat=True))
                row.checkpoints.filter(until__in=sorted(set(kept) - wanted(kept, batch.end))).delete()


def _passed(batch: Batch, length: timedelta) -> bool:
    """Whether a window goes over, or up to, the end of a span of this length."""
    return (batch.start - EPOCH) // length != (batch.end - EPOCH) // length


def wanted(kept: Sequence[datetime], end: datetime) -> set[datetime]:
    """Of checkpoints in order of time those still of use: all of the last hour, of each hour before the first one, and of what is
    further back than late rows are looked at the last one.
    """
    first = {(moment - EPOCH) // HOUR: moment for moment in reversed(kept)}
    back = [moment for moment in kept if moment <= end - BACK][-1:]
    return {*back, *(m for m in kept if m > end - HOUR), *(m for m in first.values() if m > end - BACK)}
