"""Divisions, who followed whom, and boundaries: read and checked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import shapely
from django.utils.translation import gettext as _
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from chengshu.packs.records import BoundaryRow, DivisionRow, SuccessionRow
from chengshu.packs.source import Document, Mend, Record
from chengshu.places.models import Level

DIVISIONS, CHANGES, BOUNDARIES = "divisions.csv", "division_changes.csv", "boundaries.geojson"
LEVELS: dict[str, int] = {str(level.label): level.value for level in Level}


@dataclass(frozen=True, slots=True)
class Divisions:
    """The divisions of a pack by code; one code may have stood for several, one after the other."""

    codes: dict[str, list[DivisionRow]]

    @classmethod
    def of(cls, rows: Iterable[DivisionRow]) -> Divisions:
        codes: dict[str, list[DivisionRow]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row.valid_from):
            codes[row.code].append(row)
        return cls(dict(codes))

    def named(self, reference: str) -> list[DivisionRow]:
        """The divisions that `code` or `code@valid_from` may mean, oldest first."""
        code, _at, day = reference.partition("@")
        return [row for row in self.codes.get(code, []) if not day or str(row.valid_from) == day]

    def latest(self, reference: str) -> DivisionRow | None:
        """The division of today, or the last there was."""
        return max(self.named(reference), key=lambda row: (row.valid_to is None, row.valid_from), default=None)


def read_divisions(records: Iterable[Record], root: str, mend: Mend) -> tuple[DivisionRow, ...]:
    """The rows with their parents found; checks codes, dates, parents, levels and the one root."""
    rows = [row for record in records if (row := _division(record, mend)) is not None]
    known = Divisions.of(rows)
    _check_overlaps(known, mend)
    found = tuple(replace(row, parent=_parent(row, known, mend)) for row in rows)
    _check_root(found, root, mend)
    return found


def _division(record: Record, mend: Mend) -> DivisionRow | None:
    content = record.content
    first = day_of(content["valid_from"], record.where, DIVISIONS, mend)
    last = day_of(content["valid_to"], record.where, DIVISIONS, mend) if content["valid_to"] else None
    if first is None or (last is None and content["valid_to"]):
        return None
    if last is not None and last <= first:
        what = _("{code} ends on {last}, not after it begins.").format(code=content["code"], last=last)
        mend.breaks(DIVISIONS, record.where, what, _("`valid_to` is the first day on which it no longer holds."))
        return None
    named = {name: content[name] for name in ("code", "name", "name_en", "parent", "source")}
    return DivisionRow(where=record.where, valid_from=first, valid_to=last, level=LEVELS[content["level"]], **named)


def day_of(text: str, where: str, file: str, mend: Mend) -> date | None:
    """A date of the calendar, or None and a mistake."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        mend.breaks(file, where, _("{text} is not a day of the calendar.").format(text=text), _("Mend the date."))
        return None


def _check_overlaps(known: Divisions, mend: Mend) -> None:
    for code, rows in known.codes.items():
        for before, after in pairwise(rows):
            if before.overlaps(after):
                what = _("{code} is valid at the same time as in {other}.").format(code=code, other=before.where)
                mend.wrong(after.where, what, _("End the earlier row on the day on which the later begins."))


def _parent(row: DivisionRow, known: Divisions, mend: Mend) -> str:
    """The key of the parent that stands for all of the row's time; empty for a root."""
    if not row.parent:
        return ""
    named = known.named(row.parent)
    fitting = [other for other in named if other.covers(row)]
    if not fitting:
        if named or mend.judges(DIVISIONS):
            mend.wrong(row.where, *_no_parent(row, named))
        return ""
    if fitting[0].level >= row.level:
        what = _("{code} lies under {parent}, which is not of a higher level.").format(code=row.code, parent=row.parent)
        mend.wrong(row.where, what, _("The levels from above are {levels}.").format(levels=", ".join(LEVELS)))
        return ""
    return fitting[0].key


def _no_parent(row: DivisionRow, named: Sequence[DivisionRow]) -> tuple[str, str]:
    if not named:
        what = _("the parent {parent} of {code} is not in the file.").format(parent=row.parent, code=row.code)
        return what, _("Add the parent or mend the code.")
    times = ", ".join(f"{other.valid_from} – {other.valid_to or ''}" for other in named)
    what = _("the parent {parent} of {code} is not valid for all of its time ({first} – {last}), but {times}.").format(
        parent=row.parent, code=row.code, first=row.valid_from, last=row.valid_to or "", times=times
    )
    return what, _("Split the row where its parent changed, or mend the dates.")


def _check_root(rows: Sequence[DivisionRow], root: str, mend: Mend) -> None:
    roots = [row for row in rows if not row.parent and row.valid_to is None]
    if not mend.judges(DIVISIONS, "city.yaml"):
        return
    for row in roots:
        if row.code != root and not any(mistake.where == row.where for mistake in mend.mistakes):
            what = _("{code} has no parent, but the city is {root}.").format(code=row.code, root=root)
            mend.wrong(row.where, what, _("Name its parent."))
    city = [row for row in roots if row.code == root and row.level == Level.CITY]
    if len(city) != 1:
        what = _("there is no valid division {root} of level city without a parent.").format(root=root)
        mend.wrong(rows[0].where if rows else DIVISIONS, what, _("Add it, or mend `root` in city.yaml."))


def read_successions(records: Iterable[Record], known: Divisions, mend: Mend) -> tuple[SuccessionRow, ...]:
    """Who followed whom; checks that both existed when the one followed the other, and that no pair stands twice."""
    rows: dict[str, SuccessionRow] = {}
    for record in records:
        row = _succession(record, known, mend)
        if row is not None and row.key in rows:
            mend.wrong(record.where, _("{pair} stands twice.").format(pair=row.key), _("Keep one of the rows."))
        elif row is not None:
            rows[row.key] = row
    return tuple(rows.values())


def _succession(record: Record, known: Divisions, mend: Mend) -> SuccessionRow | None:
    content = record.content
    day = day_of(content["date"], record.where, CHANGES, mend)
    if day is None:
        return None
    before = [row for row in known.named(content["predecessor"]) if row.valid_from < day]
    after = [row for row in known.named(content["successor"]) if row.valid_on(day)]
    for name, found in (("predecessor", before), ("successor", after)):
        if not found and mend.judges(DIVISIONS):
            what = _("the {role} {code} did not exist then ({day}).").format(role=name, code=content[name], day=day)
            mend.wrong(record.where, what, _("Mend the code or the date, or add the division."))
    if not before or not after:
        return None
    return SuccessionRow(
        where=record.where, predecessor=before[-1].key, successor=after[-1].key, date=day, note=content["note"]
    )


def read_boundaries(good: Iterable[Record], known: Divisions, mend: Mend) -> tuple[BoundaryRow, ...]:
    """Outlines as well-known binary; checks divisions, coordinates and geometry."""
    rows: dict[str, BoundaryRow] = {}
    for record in good:
        row = _boundary(record, known, mend)
        if row is not None and row.key in rows:
            what = _("{division} has two outlines.").format(division=row.division)
            mend.wrong(record.where, what, _("Join them into one MultiPolygon."))
        elif row is not None:
            rows[row.key] = row
    return tuple(rows.values())


def features(document: Document, mend: Mend) -> list[Record]:
    """The features of a collection with their lines."""
    content: Any = document.content
    items = content.get("features") if isinstance(content, dict) else None
    if not isinstance(items, list) or content.get("type") != "FeatureCollection":
        mend.breaks(document.name, f"{document.where}:1", _("this is no FeatureCollection."), _("Write one."))
        return []
    lines: list[int] = document.marked if len(document.marked) == len(items) else [1] * len(items)
    return [Record(where=f"{document.where}:{line}", content=item) for item, line in zip(items, lines, strict=True)]


def _boundary(record: Record, known: Divisions, mend: Mend) -> BoundaryRow | None:
    properties = record.content["properties"]
    reference = "@".join(filter(None, (properties["code"], properties.get("valid_from", ""))))
    named = known.named(reference)
    if len(named) != 1:
        if named or mend.judges(DIVISIONS):
            what = _("the outline names {n} divisions ({code}).").format(n=len(named), code=reference)
            mend.wrong(record.where, what, _("Give `code` and `valid_from` of one division of divisions.csv."))
        return None
    geometry = _geometry(record, reference, mend)
    if geometry is None:
        return None
    return BoundaryRow(
        where=record.where, division=named[0].key, wkb=shapely.to_wkb(geometry), source=properties["source"]
    )


def _geometry(record: Record, name: str, mend: Mend) -> BaseGeometry | None:
    try:
        geometry = shape(record.content["geometry"])
        reason = _objection(geometry)
    except (ValueError, TypeError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        reason = str(error) or type(error).__name__
    if not reason:
        return shapely.force_2d(geometry)
    what = _("the outline of {name} cannot be used: {reason}.").format(name=name, reason=reason)
    mend.wrong(record.where, what, _("Mend the polygon; it must be valid, not empty, and in degrees of WGS 84."))
    return None


def _objection(geometry: BaseGeometry) -> str:
    if geometry.is_empty:
        return _("it is empty")
    west, south, east, north = geometry.bounds
    if not all(map(math.isfinite, geometry.bounds)) or west < -180 or east > 180 or south < -90 or north > 90:
        return _("its coordinates are not degrees")
    return "" if geometry.is_valid else str(shapely.is_valid_reason(geometry))
