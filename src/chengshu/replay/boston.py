"""`chengshu replay boston`: the real requests of a city through our own doors, and what our clocks say of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Report
from chengshu.core.errors import Invalid, NotFound
from chengshu.core.slug import slug
from chengshu.evaluation.measures import Kind, Period
from chengshu.evaluation.scorecards import Figure, scorecard
from chengshu.parties.principal import system
from chengshu.places.models import City
from chengshu.replay.feed import WINDOW, Event, Feed, Progress, Words, play, resume
from chengshu.replay.judge import Ruled, Standard, as_of, clocks, compare, late, predicted
from chengshu.replay.learning import foretold
from chengshu.replay.register import Layout, Register, Request, read_register

ORIGIN = "boston311"
WEEK = timedelta(weeks=1)
BACKLOG = timedelta(days=28)  # how long ago a live round begins
AT_ONCE = timedelta(days=14)  # how much of it is brought in before the running clock starts
TICK = 1.0  # seconds between looks at what is due to happen in a live replay
ClockOf = Literal["city", "own"]
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Source:
    """A recorded register and the city it is played to."""

    known: Catalog
    content: dict[str, Any]
    file: Path
    register: Register

    @property
    def words(self) -> Words:
        """How its words become the city's codes."""
        other = self.content.get("unknown_type")
        return Words(
            known=self.known,
            kind=self.content["case_kind"],
            other=other if other in self.known.type_codes else None,
            aliases=self.content.get("aliases", {}).get("neighborhood", {}),
        )

    def feed(self, origin: str, *, given: bool = True, shift: timedelta = timedelta()) -> Feed:
        requests, words = self.register.requests, self.words
        return Feed(
            requests=requests,
            words=words,
            origin=origin,
            given=given,
            shift=shift,
            foretold={} if given else foretold(self.known.calendar, self.known.zone, requests, self.unknown_types),
        )

    @property
    def unknown_types(self) -> set[str]:
        """The register's types that the pack does not know."""
        types = {request.type for request in self.register.requests}
        return {name for name in types if slug(name) not in self.known.type_codes}


@dataclass(kw_only=True)
class Outcome:
    """What `--json` prints."""

    rows: int
    accepted: int
    known: int
    quarantined: dict[str, int]
    quarantine_file: str | None
    remarks: dict[str, int]
    refused_moves: dict[str, int]
    with_target: int
    agree: int
    disagree: dict[str, int]
    as_of: str
    clock: ClockOf
    seconds: float
    scorecard: dict[str, dict[str, Any]]
    own: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """One flat object."""
        content = asdict(self)
        own: dict[str, Any] = content.pop("own")
        return content | own


def load(city: str, file: Path | None = None, *, most: int | None = None) -> Source:
    """Read the register of a city's pack, or another file with the same columns."""
    row = City.objects.filter(name=city).first()
    if row is None:
        what = _("No city %(city)s is loaded.") % {"city": repr(city)}
        raise NotFound(what, remedy=_("Load it with `chengshu load-city %(city)s`.") % {"city": city})
    known = catalog(row.pk)
    content = next((s for s in known.parts.get("sources", {}).get("sources", []) if s["kind"] == "requests"), None)
    if content is None:
        raise NotFound(
            "Its pack names no register of requests.", where=city, remedy="Add one of kind `requests` to sources.yaml."
        )
    path = file or settings.CITIES_ROOT / city / content["file"]
    layout = Layout.of(content, known.zone, row.about.get("center") or (0.0, 0.0))
    return Source(known=known, content=content, file=path, register=read_register(path, layout, most=most))


def keep_quarantine(source: Source) -> Path | None:
    """Write the rows that were set aside to a file in the home folder, one JSON object a line; None when there are
    none.
    """
    if not source.register.quarantine:
        return None
    folder = Path(settings.HOME) / "quarantine"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug(source.content['name'])}-{slug(source.file.name)}.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for row in source.register.quarantine:
            out.write(json.dumps({"file": str(source.file), **row.as_dict()}, ensure_ascii=False) + "\n")
    return path


def play_all(
    source: Source, clock: ClockOf = "city", told: Callable[[int, int], None] = lambda _done, _all: None
) -> Outcome:
    """Play the whole register as fast as possible, in its true time; a second run adds nothing, one after a kill the rest.

    Args:
        clock: `city`: the register's targets are the limits; `own`: the pack's limits and calendar are. Each has cases
            of its own. told: is told how many events of how many are done.
    """
    begun = time.monotonic()
    origin = ORIGIN if clock == "city" else f"{ORIGIN}-own"
    feed = source.feed(origin, given=clock == "city")
    progress, events = resume(feed), feed.events()
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        told(done, len(events))

    play(feed, events, progress, tell)
    return _outcome(source, clock, origin, progress, begun)


def _outcome(source: Source, clock: ClockOf, origin: str, progress: Progress, begun: float) -> Outcome:
    register, ruled = source.register, clocks(origin)
    if not register.requests:
        reasons = _("Reasons: %(reasons)s") % {"reasons": register.reasons()}
        raise Invalid("No row could be used.", where=str(source.file), remedy=reasons)
    standard = _standard(source)
    agree, disagree = compare(register.requests, ruled, standard)
    kept = keep_quarantine(source)
    return Outcome(
        rows=register.rows,
        accepted=progress.accepted,
        known=progress.known,
        quarantined=register.reasons(),
        quarantine_file=str(kept) if kept else None,
        remarks=register.remarks,
        refused_moves=progress.refused,
        with_target=sum(request.target is not None for request in register.requests),
        agree=agree,
        disagree=disagree,
        as_of=standard.as_of.astimezone(source.known.zone).isoformat(),
        clock=clock,
        scorecard=departments(source, origin, ruled, standard),
        own=predicted(register.requests, ruled, source.known.zone, source.unknown_types) if clock == "own" else {},
        seconds=round(time.monotonic() - begun, 2),
    )


def _standard(source: Source) -> Standard:
    words = source.content["judgement"]
    moment = as_of(source.register.requests, words["on_time"], words["overdue"])
    return Standard(on_time=words["on_time"], overdue=words["overdue"], as_of=moment)


def departments(source: Source, origin: str, ruled: dict[str, Ruled], standard: Standard) -> dict[str, dict[str, Any]]:
    """The scorecard of every department by the register's name for it, over the whole register, judged at its `as_of`.

    `on_time` and `overdue` judge all requests with a target; `due` and `in_time` those of them whose target had come.
    """
    requests = source.register.requests
    names: dict[str | None, list[str]] = {}
    words = source.words
    for name in dict.fromkeys(request.department for request in requests):
        names.setdefault(slug(name) if slug(name) in words.known.department_codes else None, []).append(name)
    first, last = min(request.opened for request in requests), standard.as_of + timedelta(seconds=1)
    period = Period(start=first, end=last, as_of=standard.as_of)
    cases = Case.objects.filter(reports__origin=origin)
    actor = system(words.known.city.pk, words.known.root)
    card = scorecard(actor, Kind.DEPARTMENT_TREE, period, only=cases)
    figures = {row.code: row.figures for row in card.rows}
    found = {name: figures[code] for code, each in names.items() if code in figures for name in each}
    for name in names.get(None, []):
        only = cases.filter(reports__payload__contains={source.content["columns"]["department"]: name})
        found[name] = scorecard(actor, Kind.DEPARTMENT_TREE, period, only=only).total
    judged = _judged(requests, ruled, standard)
    return {name: _told(found[name]) | judged[name] for name in sorted(found)}


def _judged(requests: Sequence[Request], ruled: dict[str, Ruled], standard: Standard) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for request in requests:
        own = found.setdefault(request.department, {"with_target": 0, "on_time": 0, "overdue": 0})
        if request.target is not None and (clock := ruled.get(request.key)):
            own["with_target"] += 1
            own["overdue" if late(clock, standard.as_of) else "on_time"] += 1
    return found


def _told(figures: Any) -> dict[str, Any]:
    total: Figure = figures["total"]
    return {
        "opened": figures["opened"].due,
        "closed": figures["closed"].due,
        "due": total.due,
        "in_time": total.good,
        "rate": None if total.rate is None else round(total.rate, 4),
        "open_overdue": figures["overdue_open"].due,
    }


def play_live(
    source: Source,
    speed: float,
    pause: Callable[[float], bool],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Play the register as if it happened now, until `pause` says stop; then from the beginning, later by whole weeks.

    All times move by a whole number of weeks, so that weekdays and hours stay true; the true times stay in the payload
    of each report. A round begins four weeks back: two weeks are brought in at once, the rest runs at `speed` until it
    has caught up with the present, and goes on at true speed. A restart goes on with the round that was left.

    Args:
        pause: waits that many seconds; true when it is time to stop.
    """
    weeks = _weeks_played()
    while True:
        weeks = _next_round(source, weeks, now())
        log.info("live replay", action="replay.round", city=source.known.city.name, weeks=weeks, speed=speed)
        if _round(source, weeks, speed, pause, now):
            return


def _origin(weeks: int) -> str:
    return f"{ORIGIN}-live-{weeks}"


def _weeks_played() -> int | None:
    """By how many weeks the last live replay was moved; None when there was none."""
    found = Report.objects.filter(origin__startswith=f"{ORIGIN}-live-").values_list("origin", flat=True).distinct()
    return max((int(origin.rpartition("-")[2]) for origin in found), default=None)


def _next_round(source: Source, weeks: int | None, now: datetime) -> int:
    """The round that was left, while it lasts; otherwise one that began four weeks ago."""
    opened = [request.opened for request in source.register.requests]
    if weeks is not None and max(opened) + weeks * WEEK > now:
        return weeks
    return max(-((min(opened) - (now - BACKLOG)) // WEEK), (weeks or 0) + 1) if opened else 0


def _round(
    source: Source, weeks: int, speed: float, pause: Callable[[float], bool], now: Callable[[], datetime]
) -> bool:
    """One round; true when it was told to stop."""
    feed = source.feed(_origin(weeks), shift=weeks * WEEK)
    progress, events = resume(feed), feed.events()
    waiting = iter([event for event in events if (event.index, event.act) not in progress.done])
    begin = events[0].at + AT_ONCE if events else now()
    for due in _due(waiting, begin, speed, now):
        play(feed, due, progress)
        if pause(TICK if len(due) < WINDOW else 0.0):
            return True
    return False


def _due(waiting: Iterator[Event], begin: datetime, speed: float, now: Callable[[], datetime]) -> Iterator[list[Event]]:
    """Again and again the events that have come by the running time, a window at most, until there are no more.

    The running time starts with the first event that waits, not before `begin`, and stops running ahead at the present.
    """
    coming = next(waiting, None)
    if coming is None:
        return
    begun, first = now(), max(coming.at, begin)
    while coming is not None:
        real = now()
        running = min(first + (real - begun) * speed, real) if first < real else real
        due: list[Event] = []
        while coming is not None and coming.at <= running and len(due) < WINDOW:
            due.append(coming)
            coming = next(waiting, None)
        yield due
