"""Observations of SensorThings as rows: made through accept(), changed in their partition, deleted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
from django.db import IntegrityError, connection, transaction

from chengshu.core.errors import Conflict, Invalid, NotFound
from chengshu.parties.principal import Principal
from chengshu.sensing import cold, known, latest, moved, store
from chengshu.sensing.accept import accept
from chengshu.sensing.check import check
from chengshu.sensing.decode import frame_of, interval
from chengshu.sensing.models import Datastream
from chengshu.sensing.records import FIRST_DAY, LARGEST_EXACT, LAST_DAY, Incoming, Reason, Refused
from chengshu.sensing.scope import Scope
from chengshu.sensing.sta.body import Body, Malformed, columns, time

DOOR: Final = "entity"
SENTENCES: Final = {
    Reason.UNKNOWN: "There is no such Datastream.",
    Reason.TYPE: "The result does not fit the Datastream's observationType.",
    Reason.RANGE: "The result lies beyond what the Datastream can observe.",
    Reason.TIME: "The time lies outside 1970 to 2149, or ends before it starts.",
    Reason.UNIT: "The unit does not convert into the Datastream's.",
}


def row_of(members: Body, where: str, at: datetime) -> Body:
    """The members of an Observation as a row of accept(), without datastream and feature. Raises `Malformed`."""
    said = columns("Observations", members, where)
    start, end = _span(said["phenomenonTime"], f"{where}/phenomenonTime") if said["phenomenonTime"] else (at, None)
    valid = _span(said["validTime"], f"{where}/validTime") if said["validTime"] is not None else (None, None)
    if said["validTime"] is not None and (valid[1] is None or valid[0] is None or valid[1] < valid[0]):
        raise Malformed("A validTime is an interval, start/end.", where=f"{where}/validTime")
    result, other = result_of(said["result"])
    return {
        "at": start,
        "until": end,
        "result": result,
        "other": other,
        "result_time": time(said["resultTime"], f"{where}/resultTime") if said["resultTime"] is not None else None,
        "valid_from": valid[0],
        "valid_until": valid[1],
        "quality": _text(said["resultQuality"]),
        "parameters": _text(said["parameters"]),
    }


def result_of(value: Any) -> tuple[float | None, str | None]:
    """A result as a number, or as JSON text of anything else: also of a whole number that a float64 would not hold exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, _text(value)
    if isinstance(value, int) and abs(value) > LARGEST_EXACT and int(float(value)) != value:
        return None, _text(value)
    return float(value), None


def _span(value: Any, where: str) -> tuple[datetime, datetime | None]:
    try:
        if not isinstance(value, str):
            raise Malformed("This is no time.", where=where, remedy="Write 2026-11-22T08:00:00+08:00.")
        return interval(value)
    except Invalid as error:
        raise Malformed(error.what, where=where, remedy=error.remedy) from error


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def add(rows: Sequence[Body], places: Sequence[str], principal: Principal, scope: Scope, at: datetime) -> list[int]:
    """Make observations (rows with `datastream` and `feature`); their ids. All or none. `places` says where each stood."""
    numbered = [{"line": line, **row} for line, row in enumerate(rows, start=1)]
    _need_features(numbered, places, scope)
    with transaction.atomic():
        store.open_days(_days(rows))  # before accept() locks datastreams, or two callers could wait for each other
        receipt = accept(Incoming(door=DOOR, rows=frame_of(numbered)), actor=principal, at=at, repeat=True, ahead=None)
        if receipt.problems:
            raise _malformed(receipt.problems[0], places)
    return [receipt.ids[row["line"]] for row in numbered]


def _days(rows: Sequence[Body]) -> list[date]:
    """The UTC days of rows, in order; without those that accept() refuses."""
    days = {row["at"].astimezone(UTC).date() for row in rows}
    return sorted(day for day in days if FIRST_DAY <= (day - store.EPOCH).days <= LAST_DAY)


def _malformed(problem: Refused, places: Sequence[str]) -> Malformed:
    where = f"{places[problem.line - 1]}: {problem.detail}".removeprefix(": ")
    return Malformed(SENTENCES.get(problem.reason, "The Observation cannot be taken."), where=where)


def _need_features(rows: Sequence[Body], places: Sequence[str], scope: Scope) -> None:
    """Refuse an Observation that names no FeatureOfInterest where none can be made of the Thing's Location."""
    without = {row["datastream"] for row in rows if row["feature"] is None}
    ids = np.array(sorted(without), dtype=np.int64)
    found = known.known(scope, ids).find(ids)
    if any(found["id"] == 0):
        wanting = int(ids[found["id"] == 0][0])
        where = next(place for row, place in zip(rows, places, strict=True) if row["datastream"] == wanting)
        raise Malformed(SENTENCES[Reason.UNKNOWN], where=f"{where}/Datastream: {wanting}")
    nowhere = set(ids[found["feature"] == 0].tolist())
    for row, place in zip(rows, places, strict=True):
        if row["feature"] is None and row["datastream"] in nowhere:
            raise Malformed(
                "The Observation has no FeatureOfInterest, and its Thing no Location to make one of.", where=place,
                remedy="Name a FeatureOfInterest, or give the Thing a Location.",
            )  # fmt: skip


_COLUMNS: Final = (
    "datastream", "at", "nth", "id", "result", "feature", "until", "result_time", "valid_from", "valid_until", "other",
    "quality", "parameters",
)  # fmt: skip
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM sensing_observation WHERE id = %s AND at >= %s AND at < %s"  # noqa: S608
_JSON: Final = frozenset({"other", "quality", "parameters"})
_WRITE: Final = f"""
INSERT INTO sensing_observation ({", ".join(_COLUMNS)})
VALUES ({", ".join(f"%({name})s::jsonb" if name in _JSON else f"%({name})s" for name in _COLUMNS)})
"""  # noqa: S608 - names of our own columns


def read(number: int, scope: Scope, *, lock: bool = False) -> Body:
    """The row of an observation that a scope may see, hot or sealed. Raises `NotFound`."""
    found = _hot(number, lock) or cold.fetch(number)
    if found is None or not Datastream.objects.filter(scope.q("thing__"), pk=found["datastream"]).exists():
        raise NotFound("There is no such Observation.", where=f"Observations({number})")
    return found


def _thawed(number: int, scope: Scope) -> Body:
    """The row of an observation that is to be changed, held; one of a sealed day is put among the hot ones first."""
    hold(number)
    found = read(number, scope, lock=True)
    if _hot(number, lock=True) is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sensing_open_day(%s)", [moved.day_of(number)])
        cold.thaw(number)
        found = read(number, scope, lock=True)
    return found


def _hot(number: int, lock: bool) -> Body | None:
    day = moved.day_of(number)
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    with connection.cursor() as cursor:
        cursor.execute(_READ + (" FOR UPDATE" if lock else ""), [number, start, start + store.DAY])
        row = cursor.fetchone()
    return dict(zip(_COLUMNS, row, strict=True)) if row else None


def document(row: Body) -> Body:
    """The members of an observation's row, as SensorThings writes them."""
    result = json.loads(row["other"]) if row["other"] is not None else row["result"]
    return {
        "phenomenonTime": _written(row["at"], row["until"]),
        "result": int(result) if isinstance(result, float) and result.is_integer() else result,
        "resultTime": _written(row["result_time"], None),
        "validTime": _written(row["valid_from"], row["valid_until"]),
        "resultQuality": json.loads(row["quality"]) if row["quality"] else None,
        "parameters": json.loads(row["parameters"]) if row["parameters"] else None,
    }


def _written(start: datetime | None, end: datetime | None) -> str | None:
    if start is None:
        return None
    return start.isoformat() if end is None else f"{start.isoformat()}/{end.isoformat()}"


def change(number: int, scope: Scope, at: datetime, new: Callable[[Body], Body], links: Body) -> None:
    """Replace the members of an observation by what `new` makes of them; `links` may name another datastream and feature.

    The same checks as when it was made. Its number stays, also where its phenomenonTime moves to another day.
    """
    with transaction.atomic():
        old = _thawed(number, scope)
        row = {**old, **row_of(new(document(old)), "", at), **links}
        row["result"] = _checked(row, scope, at)
        try:
            _replace(old, row, at)
        except IntegrityError as error:
            raise Conflict("Somebody wrote there at the same time.", remedy="Send it again.") from error
        latest.recount(old["datastream"], [old])
        if row["datastream"] != old["datastream"]:
            latest.recount(row["datastream"], [])


def hold(number: int) -> None:
    """Until the transaction ends nobody else changes this observation, and no datastream is deleted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('sensing'))")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [min(number, 2**63 - 1)])


def _checked(row: Body, scope: Scope, at: datetime) -> float | None:
    """The result of a changed row, checked as accept() does."""
    names = ("datastream", "at", "until", "result", "other", "result_time")
    frame = frame_of([{"line": 1, **{name: row[name] for name in names}}])
    ids = np.array([row["datastream"]], dtype=np.int64)
    checked = check(frame, known.known(scope, ids), at=at, content=lambda line: {}, ahead=None)
    if checked.refused:
        raise _malformed(checked.refused[0], [""])
    found = row["result"]
    assert found is None or math.isfinite(found)
    return found  # type: ignore[no-any-return]


def _replace(old: Body, row: Body, at: datetime) -> None:
    """Delete and insert, in one partition or from one into another: the number stays, `nth` is the next free one."""
    days = sorted({each["at"].astimezone(UTC).date() for each in (old, row)})
    start = datetime.fromisoformat(f"{days[0]}T00:00:00+00:00")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM sensing_observation WHERE id = %s AND at = %s", [old["id"], old["at"]])
        if (row["datastream"], row["at"]) != (old["datastream"], old["at"]):
            for day in days:
                cursor.execute("SELECT sensing_open_day(%s)", [day])
            cursor.execute(
                "SELECT coalesce(max(nth) + 1, 0) FROM sensing_observation WHERE datastream = %s AND at = %s AND at >= %s",
                [row["datastream"], row["at"], start],
            )
            row["nth"] = cursor.fetchone()[0]
            moved.remember(row["id"], row["at"].astimezone(UTC).date())
        cursor.execute(_WRITE, row)
    cold.touched(days, at)


def remove(number: int, scope: Scope, at: datetime) -> None:
    """Delete one observation."""
    with transaction.atomic(), connection.cursor() as cursor:
        old = _thawed(number, scope)
        cursor.execute("DELETE FROM sensing_observation WHERE id = %s AND at = %s", [number, old["at"]])
        cursor.execute("DELETE FROM sensing_moved WHERE observation = %s", [number])
        cold.touched([old["at"].astimezone(UTC).date()], at)
        latest.recount(old["datastream"], [old])
