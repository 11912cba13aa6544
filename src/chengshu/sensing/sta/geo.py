"""Geometry without a GIS server: boxes narrow in SQL, shapely decides exactly, and what it found goes back as ids.

All in degrees of EPSG:4326, as OData has it: geo.distance and geo.length measure degrees, not metres (18-088, 9.3.3.5.2).
"""

# ruff: noqa: S608 -- SQL is made of this package's own words; what comes from outside is a parameter
from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from django.db import connection
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from chengshu.sensing.sta.entities import Entity
from chengshu.sensing.sta.errors import BadQuery, NotOffered
from chengshu.sensing.sta.sql import Statement, Value

MOST: Final = 1_000_000  # geometries that one condition looks at
Test = Callable[[Any, Any], Any]
TESTS: Final[dict[str, Test]] = {
    "geo.intersects": shapely.intersects,
    "st_equals": shapely.equals,
    "st_disjoint": shapely.disjoint,
    "st_touches": shapely.touches,
    "st_within": shapely.within,
    "st_overlaps": shapely.overlaps,
    "st_crosses": shapely.crosses,
    "st_intersects": shapely.intersects,
    "st_contains": shapely.contains,
}
FUNCTIONS: Final = frozenset({*TESTS, "st_relate", "geo.distance", "geo.length"})
_ANYWHERE: Final = frozenset({"st_disjoint", "st_relate"})  # true of geometries whose boxes do not meet, too
Geometries = NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Geometries of entities, by their ids."""

    ids: NDArray[np.int64]
    shapes: Geometries


def call(statement: Statement, name: str, arguments: Sequence[Value]) -> Value:
    """A function of geometries. Raises `BadQuery` for other arguments."""
    wanted = {"st_relate": 3, "geo.length": 1}.get(name, 2)
    if len(arguments) != wanted or any(each.kind != "geo" for each in arguments[:2]):
        raise BadQuery("This function takes geometries.", where=name, remedy="Write geography'POINT (120.1 30.2)'.")
    if name == "geo.length":
        return _length(statement, arguments[0])
    if name == "geo.distance":
        return _distance(statement, *arguments)
    return _related(statement, name, _test(name, arguments), *arguments[:2])


def narrowed(statement: Statement, operator: str, distance: Value, most: Value) -> str:
    """`geo.distance(…) lt number` with the box that lets an index find candidates; empty for other comparisons."""
    if operator not in ("lt", "le") or distance.reach is None or distance.place is None or most.literal is None:
        return ""
    entity, alias, member = distance.place
    if not entity.members[member].boxed:
        return ""
    box = _touching(statement, alias, distance.reach, float(most.literal))
    return f"({box} AND {distance.sql} {'<' if operator == 'lt' else '<='} {most.sql})"


def _test(name: str, arguments: Sequence[Value]) -> Test:
    if name != "st_relate":
        return TESTS[name]
    pattern = arguments[2].literal
    if not isinstance(pattern, str) or len(pattern) != 9 or set(pattern.upper()) - set("012TF*"):
        raise BadQuery("This is no DE-9IM pattern.", where="st_relate", remedy="Write T*F**F***, for example.")
    return lambda a, b: shapely.relate_pattern(a, b, pattern.upper())


def _related(statement: Statement, name: str, test: Test, a: Value, b: Value) -> Value:
    stored, given = (a, b) if a.place else (b, a)
    if stored.place is None:
        return Value(kind="bool", sql=_bool(bool(_exact(test, a.literal, b.literal))))
    if given.literal is None:
        raise NotOffered("Two stored geometries are not compared.", where=name, remedy="Give one as a literal.")
    found = _read(statement, stored.place, None if name in _ANYWHERE else given.literal)
    fits = _exact(test, found.shapes, given.literal) if a.place else _exact(test, given.literal, found.shapes)
    ids = statement.param(found.ids[fits].tolist(), "bigint[]")
    return Value(kind="bool", sql=f"({stored.place[1]}.id = ANY({ids}))", source=name)


def _distance(statement: Statement, a: Value, b: Value) -> Value:
    stored, given = (a, b) if a.place else (b, a)
    if stored.place is None:
        constant = float(shapely.distance(a.literal, b.literal))
        return Value(kind="number", sql=statement.param(constant, "float8"), literal=constant)
    if given.literal is None:
        raise NotOffered(
            "Two stored geometries are not compared.", where="geo.distance", remedy="Give one as a literal."
        )
    entity, alias, member = stored.place
    point = given.literal.geom_type == "Point" and entity.members[member].boxed
    found = _read(statement, stored.place, None, points=not point)
    sql = _looked_up(statement, alias, found.ids, _exact(shapely.distance, found.shapes, given.literal))
    if point:
        x, y = (statement.param(float(each), "float8") for each in (given.literal.x, given.literal.y))
        here = f"sqrt(({alias}.west - {x}) ^ 2 + ({alias}.south - {y}) ^ 2)"
        sql = f"(CASE WHEN {_is_point(alias)} THEN {here} ELSE {sql} END)"
    return Value(kind="number", sql=sql, source="geo.distance", place=stored.place, reach=given.literal)


def _length(statement: Statement, a: Value) -> Value:
    if a.place is None:
        constant = float(shapely.length(a.literal))
        return Value(kind="number", sql=statement.param(constant, "float8"), literal=constant)
    entity, alias, member = a.place
    boxed = entity.members[member].boxed
    found = _read(statement, a.place, None, points=not boxed)
    sql = _looked_up(statement, alias, found.ids, shapely.length(found.shapes))
    return Value(kind="number", sql=f"(CASE WHEN {_is_point(alias)} THEN 0 ELSE {sql} END)" if boxed else sql)


def _looked_up(statement: Statement, alias: str, ids: NDArray[np.int64], values: NDArray[np.float64]) -> str:
    """Numbers by the id of a row: a jsonb object, in which PostgreSQL looks by bisection."""
    pairs = {str(i): value for i, value in zip(ids.tolist(), values.tolist(), strict=True) if not math.isnan(value)}
    return f"({statement.param(json.dumps(pairs), 'jsonb')} ->> {alias}.id::text)::float8"


def _exact(test: Test, a: Any, b: Any) -> Any:
    shapely.prepare(a)
    shapely.prepare(b)
    try:
        return test(a, b)
    except shapely.errors.ShapelyError as error:
        raise BadQuery("These geometries do not compare.", where=str(error)[:200]) from error


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _is_point(alias: str) -> str:
    return f"{alias}.west = {alias}.east AND {alias}.south = {alias}.north"


def _touching(statement: Statement, alias: str, shape: BaseGeometry, reach: float = 0.0) -> str:
    west, south, east, north = (float(each) for each in shape.bounds)
    edges = (east + reach, west - reach, north + reach, south - reach)
    e, w, n, s = (statement.param(each, "float8") for each in edges)
    return f"{alias}.west <= {e} AND {alias}.east >= {w} AND {alias}.south <= {n} AND {alias}.north >= {s}"


def _read(
    statement: Statement, place: tuple[Entity, str, str], near: BaseGeometry | None, *, points: bool = True
) -> Found:
    """The geometries in scope: those whose boxes meet that of `near`, all without; with `points` False only what is none."""
    entity, _alias, name = place
    member = entity.members[name]
    inner = Statement(scope=statement.scope, base="", now=statement.now)
    where = [inner.seen(entity, "g"), f"g.{member.column} IS NOT NULL"]
    if member.boxed:
        where.append("g.west IS NOT NULL")
        where += [_touching(inner, "g", near)] if near is not None else []
        where += [] if points else [f"NOT ({_is_point('g')})"]
    corner = f"g.west, g.south, {_is_point('g')}" if member.boxed else "NULL, NULL, false"
    is_point = _is_point("g") if member.boxed else "false"
    bare = f"CASE WHEN g.{member.column} ->> 'type' = 'Feature' THEN g.{member.column} -> 'geometry' ELSE g.{member.column} END"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT g.id, {corner}, CASE WHEN {is_point} THEN NULL ELSE ({bare})::text END"
            f" FROM {entity.table} g WHERE {' AND '.join(where)} LIMIT {MOST + 1}",
            inner.values,
        )
        rows = cursor.fetchall()
    if len(rows) > MOST:
        raise BadQuery("This looks at too many geometries.", where=name, remedy="Ask for a smaller area.")
    return _shapes(rows)


def _shapes(rows: Sequence[tuple[Any, ...]]) -> Found:
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    shapes = np.empty(len(rows), dtype=object)
    is_point = np.array([row[3] for row in rows], dtype=bool)
    if is_point.any():
        corners = np.array([(row[1], row[2]) for row in rows if row[3]], dtype=np.float64)
        shapes[is_point] = shapely.points(corners)
    if not is_point.all():
        shapes[~is_point] = shapely.from_geojson([row[4] for row in rows if not row[3]], on_invalid="ignore")
    return Found(ids=ids, shapes=shapes)
