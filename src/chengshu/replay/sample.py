"""`chengshu replay sample`: weeks of invented cases for a demonstration, each with a mark in its title.

What a city's people report is theirs, and few cities publish it: their pack then holds words for invented cases
(`data/sample.yaml`) instead. Places, times and ways are drawn by chance along the city's own moves, limits, calendar and
dispatch rules, and come in through the import of histories; what is still open at the end is left to whoever looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import shapely
from django.conf import settings
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.dispatch import Facts, decide, last_resort
from chengshu.cases.importing import ImportResult, import_history
from chengshu.cases.models import CaseType, Kind, Move, Report
from chengshu.cases.rows import History, PastMove
from chengshu.core.errors import Mistakes, NotFound
from chengshu.packs.schema import good_document
from chengshu.packs.source import Document, Mend, read_yaml
from chengshu.parties.principal import system
from chengshu.places.cells import cell_of
from chengshu.places.models import Boundary, City, Level

ORIGIN = "sample"
LATEST = 3.0  # times its limit, at most, that a stage takes
SUSPENDED = timedelta(days=4)
SPREAD = 0.12  # of a district's extent: how far from its middle points lie
END = "end"  # in the roads: nothing more happens
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A city and the words and weights of its invented cases."""

    known: Catalog
    content: Mapping[str, Any]

    @cached_property
    def streets(self) -> dict[str, list[int]]:
        """The communities now valid below each district that has a weight, by its code."""
        found: dict[str, list[int]] = {code: [] for code in self.content["districts"]}
        for pk, place in self.known.divisions.items():
            if place.level == Level.COMMUNITY and place.valid_to is None:
                code = self.known.divisions[place.path[1]].code
                if code in found:
                    found[code].append(pk)
        return {code: places for code, places in found.items() if places}

    @cached_property
    def outlines(self) -> dict[str, BaseGeometry]:
        """The outlines of the districts that have one."""
        rows = Boundary.objects.filter(division__city=self.known.city, division__valid_to=None)
        named = rows.filter(division__code__in=self.streets).values_list("division__code", "wkb")
        return {code: shapely.from_wkb(bytes(wkb)) for code, wkb in named}


def load(city: str) -> Sample:
    """Read the words of a city's invented cases; NotFound when its pack has none."""
    row = City.objects.filter(name=city).first()
    known = catalog(row.pk) if row else None
    sources = known.parts.get("sources", {}).get("sources", []) if known else []
    source = next((each for each in sources if each["kind"] == ORIGIN), None)
    if known is None or source is None:
        what = _("The city %(city)s has no invented cases.") % {"city": repr(city)}
        raise NotFound(what, remedy=_("Add a source of kind `sample` to its sources.yaml, or choose another city."))
    return Sample(known=known, content=_read(known, settings.CITIES_ROOT / city / source["file"]))


def _read(known: Catalog, file: Path) -> Mapping[str, Any]:
    """The content of the file; `Mistakes` with every wrong line."""
    mend = Mend()
    document = read_yaml(file, file.name, mend)
    if document and good_document("sample", document, mend):
        _check(known, document, mend)
    if mend.mistakes or document is None:
        raise Mistakes(mend.mistakes)
    content: Mapping[str, Any] = document.content
    return content


def _check(known: Catalog, document: Document, mend: Mend) -> None:
    """Types, kinds, states and moves are the city's, and every kind that a type belongs to has a road and sources."""
    content, states = document.content, {(state.kind_id, state.code): state.pk for state in known.states.values()}
    kinds = set()
    for i, each in enumerate(content["types"]):
        if (type := known.type_codes.get(each["type"])) is None:
            mend.wrong(
                document.at("types", i), _("no case type {type}.").format(type=each["type"]), _("Mend its code.")
            )
        else:
            kinds.add(known.kinds[type.kind_id])
    for kind in kinds:
        for part in ("roads", "sources", "spots"):
            if kind.code not in content[part]:
                what = _("{part} says nothing of the kind {kind}.").format(part=part, kind=kind.code)
                mend.wrong(document.at(part), what, _("Add it."))
    for kind in kinds:
        for state, ways in content["roads"].get(kind.code, {}).items():
            for way in ways:
                if way != END and (kind.pk, way, states.get((kind.pk, state), 0)) not in known.moves:
                    what = _("no move {move} leads on from {state}.").format(move=way, state=state)
                    mend.wrong(document.at("roads", kind.code, state), what, _("Name moves of moves.yaml."))


def play(sample: Sample, now: datetime) -> ImportResult | None:
    """Bring the invented weeks before `now` into the city; None when they are there already."""
    if Report.objects.filter(origin=ORIGIN, case__kind__city=sample.known.city).exists():
        return None
    actor = system(sample.known.city.pk, sample.known.root)
    return import_history(histories(sample, now), city=sample.known.city.pk, actor=actor)


def histories(sample: Sample, now: datetime) -> Iterator[History]:
    """The cases in the order in which they were reported; those of a day are the same whenever that day is drawn."""
    today = now.astimezone(sample.known.zone).date()
    for back in range(sample.content["days"], -1, -1):
        day = today - timedelta(days=back)
        for number, at in enumerate(_moments(sample, day)):
            if at < now:
                chance = _chance(sample, f"{day}-{number}")
                yield _Draw(sample=sample, chance=chance, now=now).history(f"{day}-{number}", at)


def _chance(sample: Sample, key: str) -> Random:
    return Random(f"{sample.known.city.name} {key}")  # noqa: S311 - a demonstration, not a secret


def _moments(sample: Sample, day: date) -> list[datetime]:
    content, chance = sample.content, _chance(sample, str(day))
    share = 1.0 if sample.known.calendar.is_working(day) else content["weekend"]
    hours = chance.choices(range(24), content["hours"], k=round(content["per_day"] * share))
    return sorted(
        datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), sample.known.zone)
        for hour in hours
    )


@dataclass(kw_only=True)
class _Draw:
    """One case as chance has it."""

    sample: Sample
    chance: Random
    now: datetime
    running: dict[str, datetime] = field(default_factory=dict)
    returned: bool = False

    def history(self, key: str, at: datetime) -> History:
        sample, known = self.sample, self.sample.known
        words = self._weighted({i: each["weight"] for i, each in enumerate(sample.content["types"])})
        told = sample.content["types"][words]
        type = known.type(told["type"])
        kind = known.kinds[type.kind_id]
        district = self._weighted({code: sample.content["districts"][code] for code in sample.streets})
        community = known.divisions[self.chance.choice(sample.streets[district])]
        spot = f"{community.name}{self.chance.choice(sample.content['spots'][kind.code])}"
        lon, lat = self._point(district)
        source = self._weighted(sample.content["sources"][kind.code])
        facts = Facts.of_row(kind.pk, type.pk, source, type.severity, at, community.path)
        return History(
            origin=ORIGIN, origin_key=key, title=f"{sample.content['mark']}{spot}{type.name}", opened_at=at,
            moves=tuple(self._moves(kind, type, facts, told)), type=type.code,
            description=self.chance.choice(told["texts"]), source=source, place_text=spot, lon=lon, lat=lat,
            cell=None if lon is None or lat is None else cell_of(lon, lat), division=community.code,
        )  # fmt: skip

    def _moves(self, kind: Kind, type: CaseType, facts: Facts, told: Mapping[str, Any]) -> Iterator[PastMove]:
        """What happens until now, by the roads of the kind."""
        known, roads = self.sample.known, self.sample.content["roads"][kind.code]
        state, at = known.opening_moves[kind.pk].to_state_id, facts.at
        self.running = dict.fromkeys(kind.opening_clocks, at)
        while ways := roads.get(known.states[state].code):
            code = self._weighted(ways)
            if code == END:
                return
            move = known.moves[kind.pk, code, state]
            at = self._when(move, type, at)
            if at >= self.now:
                return
            yield PastMove(
                move=code, at=at, unit=self._unit(move, facts), note=self._note(code, told), facts=self._facts(code, at)
            )
            self._clocks(move, at)
            state = move.to_state_id

    def _when(self, move: Move, type: CaseType, at: datetime) -> datetime:
        """After a share of the limit that the move ends; a suspended case goes on when its date has come."""
        pace, calendar = self.sample.content["pace"], self.sample.known.calendar
        if move.clocks_resume:
            return at + SUSPENDED
        stage = next((stage for stage in move.clocks_stop if stage in self.running), None)
        begun = self.running.get(stage or "", at)
        limit = self.sample.known.limit(type.kind_id, type.pk, stage, begun) if stage else None
        if limit is None:
            return at + timedelta(minutes=1 + self.chance.expovariate(1 / pace["between_minutes"]))
        whole = calendar.due(begun, limit) - begun
        share = min(self.chance.lognormvariate(math.log(pace["median"]), pace["spread"]), LATEST)
        moment = max(begun + whole * share, at + timedelta(minutes=1))
        return calendar.next_opening(moment) if limit.unit.working else moment

    def _clocks(self, move: Move, at: datetime) -> None:
        for stage in move.clocks_stop:
            self.running.pop(stage, None)
        self.running |= {stage: self.running.get(stage, at) for stage in move.clocks_start}
        self.returned = self.returned or "count_return" in move.does

    def _unit(self, move: Move, facts: Facts) -> str | None:
        if "unit" not in move.needs:
            return None
        known = self.sample.known
        centre = last_resort(known, facts.places) if self.returned else None
        decision = decide(known, facts)
        unit = centre or (decision.unit if decision else last_resort(known, facts.places))
        return unit.code if unit else None

    def _note(self, code: str, told: Mapping[str, Any]) -> str:
        notes: Sequence[str] = told["done"] if code == "handle" else self.sample.content["notes"].get(code, [""])
        return self.chance.choice(notes)

    def _facts(self, code: str, at: datetime) -> dict[str, Any]:
        if code == "suspend":
            return {"until": at + SUSPENDED}
        return {"rating": int(self._weighted(self.sample.content["ratings"]))} if code == "rate" else {}

    def _point(self, district: str) -> tuple[float, float] | tuple[None, None]:
        """Somewhere near the middle of the district; nowhere where its outline is not known."""
        outline = self.sample.outlines.get(district)
        if outline is None:
            return None, None
        middle, (west, south, east, north) = outline.representative_point(), outline.bounds
        while True:
            lon = self.chance.gauss(middle.x, (east - west) * SPREAD)
            lat = self.chance.gauss(middle.y, (north - south) * SPREAD)
            if outline.contains(shapely.Point(lon, lat)):
                return round(lon, 6), round(lat, 6)

    def _weighted(self, weights: Mapping[T, float]) -> T:
        return self.chance.choices(list(weights), list(weights.values()))[0]
