"""From a point to the divisions around it on a day.

A division's outline may be unknown, or known only for what stood there before a reform. What is not known is not invented:

* The answer is the path, from the city down, of the smallest division that stood on the day and whose outline holds the point.
* Where only the outline of an *earlier* division holds the point, its heir is the answer when there is exactly one; the pack's
  `division_changes.csv` is taken to name all heirs. With several heirs the answer stays at the level above, and `earlier` tells
  what stood there and who may have followed.
* Outside every known outline the answer is empty. A caller then files the case under the city's root and says so.

A point on the edge of two outlines belongs to the division with the lower id, so that the answer never changes by chance.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

import h3.api.basic_int as h3
import numpy as np
import shapely
from django.utils.translation import gettext as _
from numpy.typing import ArrayLike, NDArray

from chengshu.core.errors import Invalid, NotFound
from chengshu.places.cells import INDEX_RESOLUTION, cell_of
from chengshu.places.models import Boundary, BoundaryCell, City, Division, DivisionChange

__all__ = ["Earlier", "Located", "cell_of", "divisions_at", "explain", "far_outside", "forget", "locate", "locate_many"]

FRESH = 1.0  # seconds for which a process trusts the version it has read
EDGE = 0.01  # degrees, about 1 km: the outlines themselves are good to about 100 m
REACH_KM = (
    500.0  # from a city's centre, where no outline is known: Chongqing, the largest municipality, measures some 470 km
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A division that no longer stood on the day, whose outline holds the point; `heirs` are those that followed it."""

    division: int
    heirs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """Where a point lies.

    Attributes:
        divisions: ids from the city down; empty when no known outline holds the point.
        inside: whether the point lies in the city; None when the outlines do not tell.
        inferred: whether the smallest division follows from an earlier one's outline instead of its own.
        earlier: what stood here before, where its outline says more than those of the day.
    """

    divisions: tuple[int, ...]
    inside: bool | None
    inferred: bool = False
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """What is kept of a division."""

    id: int
    name: str
    path: tuple[int, ...]
    valid_from: date
    valid_to: date | None

    def stood(self, day: date) -> bool:
        return self.valid_from <= day and not self.gone(day)

    def gone(self, day: date) -> bool:
        return self.valid_to is not None and self.valid_to <= day


@dataclass(frozen=True, kw_only=True, slots=True)
class _Map:
    """The outlines of a city, in memory: entry i says that outline `slots[i]` touches cell `cells[i]`."""

    places: Mapping[int, _Place]
    outlined: Sequence[_Place]
    shapes: NDArray[np.object_]
    cells: NDArray[np.int64]
    slots: NDArray[np.int64]
    whole: NDArray[np.bool_]
    heirs: Mapping[int, tuple[tuple[int, date], ...]]
    bounded: bool  # whether a whole city's outline is known
    centre: tuple[float, float] | None  # longitude and latitude, as the pack gives them


def divisions_at(city_id: int, lon: float, lat: float, on: date) -> tuple[int, ...]:
    """Ids of the divisions around a point (degrees of WGS 84) on a day, from the city down; empty when none is known.

    Raises:
        Invalid: these are no degrees.
        NotFound: there is no such city.
    """
    return locate(city_id, lon, lat, on).divisions


def locate(city_id: int, lon: float, lat: float, on: date) -> Located:
    """As `divisions_at`, with what is known beyond."""
    return locate_many(city_id, [lon], [lat], on)[0]


def locate_many(city_id: int, lons: ArrayLike, lats: ArrayLike, on: date) -> list[Located]:
    """`locate` of many points on one day; the same answers, computed in columns."""
    x, y = _degrees(lons), _degrees(lats)
    _check(x, y)
    known = _map(city_id)
    return [_resolve(known, slots, on) for slots in _around(known, x, y)]


def far_outside(city_id: int, lon: float, lat: float) -> bool:
    """Whether a point cannot belong to the city: it lies well outside the city's outline, or where none is known, farther
    from the centre than any city reaches. False when nothing is known.
    """
    known = _map(city_id)
    borders = [shape for place, shape in zip(known.outlined, known.shapes, strict=True) if len(place.path) == 1]
    if borders:
        return not bool(shapely.dwithin(borders, shapely.Point(lon, lat), EDGE).any())
    if known.centre is None:
        return False
    return bool(h3.great_circle_distance(known.centre[::-1], (lat, lon), unit="km") > REACH_KM)


def explain(city_id: int, located: Located) -> str:
    """In words what is not known about a place; empty when there is nothing to say."""
    places = _map(city_id).places
    if located.inside is False:
        return _("The place lies outside the city.")
    if not located.divisions and not located.earlier:
        return _("No outline of the city is known here.")
    sentences = []
    for earlier in located.earlier:
        old = places[earlier.division]
        heirs = _(" or ").join(places[heir].name for heir in earlier.heirs) or "?"
        sentences.append(
            _("Only the outline of {old}, which stood until {day}, is known here; its land is now of {heirs}.").format(
                old=old.name, day=old.valid_to, heirs=heirs
            )
        )
    return " ".join(sentences)


def forget() -> None:
    """Drop what is kept, so that the next reading sees changes at once."""
    _kept.clear()


def _degrees(values: ArrayLike) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def _check(x: Floats, y: Floats) -> None:
    good = (np.abs(x) <= 180) & (np.abs(y) <= 90)  # false for NaN too
    if x.shape != y.shape:
        raise Invalid(_("There are not as many longitudes as latitudes."), remedy=_("Give one of each for a point."))
    if not good.all():
        i = int(np.flatnonzero(~good)[0])
        what = _("({lon}, {lat}) is no point on earth.").format(lon=x[i], lat=y[i])
        raise Invalid(what, where=_("point {i}").format(i=i), remedy=_("Give longitude and latitude in degrees."))


def _around(known: _Map, x: Floats, y: Floats) -> Iterator[list[int]]:
    """For each point the outlines that hold it."""
    cells = np.array([cell_of(lon, lat, INDEX_RESOLUTION) for lon, lat in zip(x, y, strict=True)], dtype=np.int64)
    first, last = np.searchsorted(known.cells, cells, "left"), np.searchsorted(known.cells, cells, "right")
    counts = last - first
    points = np.repeat(np.arange(len(cells)), counts)
    ends = np.cumsum(counts)
    entries = np.arange(len(points)) + np.repeat(first - ends + counts, counts)
    slots, held = known.slots[entries], known.whole[entries].copy()
    doubt = np.flatnonzero(~held)
    held[doubt] = shapely.intersects_xy(known.shapes[slots[doubt]], x[points[doubt]], y[points[doubt]])
    for end, count in zip(ends.tolist(), counts.tolist(), strict=True):
        here = slice(end - count, end)
        yield slots[here][held[here]].tolist()


def _resolve(known: _Map, slots: Iterable[int], on: date) -> Located:
    here = [known.outlined[slot] for slot in slots]
    path = max((place.path for place in here if place.stood(on)), key=_depth, default=())
    inside = True if path else (False if known.bounded and not here else None)
    earlier = [Earlier(division=place.id, heirs=_heirs(known, place.id, on)) for place in here if place.gone(on)]
    better = [found for found in earlier if _says_more(known, found, path)]
    sure = max((known.places[e.heirs[0]].path for e in better if len(e.heirs) == 1), key=_depth, default=())
    better.sort(key=lambda e: known.places[e.division].path)
    return Located(divisions=sure or path, inside=True if sure else inside, inferred=bool(sure), earlier=tuple(better))


def _depth(path: tuple[int, ...]) -> tuple[int, int]:
    return len(path), -path[-1]


def _says_more(known: _Map, earlier: Earlier, path: tuple[int, ...]) -> bool:
    """Whether an earlier outline leads to a smaller division than those of the day."""
    own = known.places[earlier.division].path
    heirs = [known.places[heir].path for heir in earlier.heirs]
    return len(own) > len(path) and all(heir[: len(path)] == path for heir in heirs)


def _heirs(known: _Map, division: int, on: date) -> tuple[int, ...]:
    """The divisions that stood on the day in place of one that was gone; empty when the pack does not say."""
    found: set[int] = set()
    for heir, day in known.heirs.get(division, ()):
        if day <= on:
            found |= {heir} if known.places[heir].stood(on) else set(_heirs(known, heir, on))
    return tuple(sorted(found))


_kept: dict[int, tuple[float, int, _Map]] = {}


def _map(city_id: int) -> _Map:
    kept, now = _kept.get(city_id), time.monotonic()
    if kept and now - kept[0] < FRESH:
        return kept[2]
    version = City.objects.filter(pk=city_id).values_list("version", flat=True).first()
    if version is None:
        raise NotFound(
            _("There is no such city."), where=str(city_id), remedy=_("Load its pack with `chengshu load-city`.")
        )
    known = kept[2] if kept and kept[1] == version else _read(city_id)
    _kept[city_id] = (now, version, known)
    return known


def _read(city_id: int) -> _Map:
    boundaries = list(Boundary.objects.filter(division__city=city_id).select_related("division").order_by("pk"))
    changes = list(
        DivisionChange.objects.filter(predecessor__city=city_id)
        .select_related("predecessor", "successor")
        .order_by("pk")
    )
    outlined = [_place(boundary.division) for boundary in boundaries]
    named = chain.from_iterable((_place(change.predecessor), _place(change.successor)) for change in changes)
    shapes = np.array([shapely.from_wkb(bytes(boundary.wkb)) for boundary in boundaries], dtype=object)
    shapely.prepare(shapes)
    cells, slots, whole = _entries(city_id, [boundary.pk for boundary in boundaries])
    return _Map(
        places={place.id: place for place in (*outlined, *named)},
        outlined=outlined,
        shapes=shapes,
        cells=cells,
        slots=slots,
        whole=whole,
        heirs=_successions(changes),
        bounded=any(len(place.path) == 1 for place in outlined),
        centre=_centre(city_id),
    )


def _centre(city_id: int) -> tuple[float, float] | None:
    centre = City.objects.get(pk=city_id).about.get("center")
    return (float(centre[0]), float(centre[1])) if centre else None


def _place(division: Division) -> _Place:
    return _Place(
        id=division.pk,
        name=division.name,
        path=tuple(division.path),
        valid_from=division.valid_from,
        valid_to=division.valid_to,
    )


def _entries(city_id: int, boundaries: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The cells of all outlines in order of cells, with the outline's place in `boundaries`."""
    rows = BoundaryCell.objects.filter(boundary__division__city=city_id).order_by("cell", "boundary")
    table = np.array(list(rows.values_list("cell", "boundary", "whole")), dtype=np.int64).reshape(-1, 3)
    return table[:, 0].copy(), np.searchsorted(np.array(boundaries, dtype=np.int64), table[:, 1]), table[:, 2] == 1


def _successions(changes: Iterable[DivisionChange]) -> dict[int, tuple[tuple[int, date], ...]]:
    found: dict[int, tuple[tuple[int, date], ...]] = {}
    for change in changes:
        here = (change.successor_id, change.date)
        found[change.predecessor_id] = (*found.get(change.predecessor_id, ()), here)
    return found
