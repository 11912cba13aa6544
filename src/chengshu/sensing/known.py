"""What accept() knows of datastreams, kept in columns: ten thousand look-ups are one search in a sorted array.

A process keeps what it has read for as long as the register's version stays, and looks at the version at most once a second
(decision 8): a datastream that was changed or deleted elsewhere is trusted for that long. Deleting one waits for whoever writes
under the shared lock and looks again there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from chengshu.sensing.scope import Scope

FRESH: Final = 1.0  # seconds
MOST: Final = 2_000_000  # datastreams kept for one scope: about 120 MB
KINDS: Final = {
    "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement": "number",
    "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation": "count",
    "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_TruthObservation": "truth",
    "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CategoryObservation": "category",
}
"""What the result of an observation type is; of any other type it may be anything."""
_CODES: Final = {kind: code for code, kind in enumerate(["any", *KINDS.values()])}
ANY, NUMBER, COUNT, TRUTH, CATEGORY = (_CODES[name] for name in ("any", "number", "count", "truth", "category"))

PLACED: Final = -1  # in place of a feature: there is none yet, but the Thing has a Location, of which one can be made
_ROW: Final = np.dtype([("id", "i8"), ("kind", "i1"), ("low", "f8"), ("high", "f8"), ("feature", "i8"), ("unit", "i4")])


@dataclass(kw_only=True, slots=True)
class Known:
    """Datastreams that a scope may write: `rows` sorted by id, `keys` to ids, `units` by the number in `rows`."""

    rows: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=_ROW))
    absent: set[int] = field(default_factory=set)
    keys: dict[str, int] = field(default_factory=dict)
    units: list[str] = field(default_factory=list)
    version: int = -1

    def find(self, ids: NDArray[np.int64]) -> NDArray[Any]:
        """Their rows, one for one; id 0 where there is none."""
        place = np.searchsorted(self.rows["id"], ids)
        found = self.rows[np.minimum(place, len(self.rows) - 1)] if len(self.rows) else np.zeros(len(ids), dtype=_ROW)
        found["id"][found["id"] != ids] = 0
        return found

    def _add(self, read: Iterable[tuple[Any, ...]]) -> None:
        rows = list(read)
        if not rows:
            return
        numbers = {unit: number for number, unit in enumerate(self.units)}
        for row in rows:
            if row[5] not in numbers:
                numbers[row[5]] = len(self.units)
                self.units.append(row[5])
        fresh = np.array([(*row[:5], numbers[row[5]]) for row in rows], dtype=_ROW)
        every = np.concatenate([self.rows, fresh])
        self.rows = every[np.unique(every["id"], return_index=True)[1]]
        self.keys.update({row[6]: row[0] for row in rows if row[6] is not None})


_kept: dict[Scope, Known] = {}
_guard = threading.Lock()  # threads of a process share what is kept
_looked: float = 0.0
_version: int = -1


def forget() -> None:
    """Drop what is kept."""
    global _looked  # noqa: PLW0603
    _kept.clear()
    _looked = 0.0


def known(scope: Scope, ids: NDArray[np.int64], keys: Iterable[str] = ()) -> Known:
    """What is known of these datastreams and keys to a scope; those that are not in it afterwards are not there for it."""
    now = version()
    with _guard:
        kept = _kept.get(scope)
        if kept is None or kept.version != now or len(kept.rows) + len(kept.absent) > MOST:
            kept = _kept[scope] = Known(version=now)
        missing = np.unique(ids[kept.find(ids)["id"] != ids])
        wanted = [int(i) for i in missing if int(i) not in kept.absent]
        names = [key for key in set(keys) if key not in kept.keys and "\0" not in key]
        if wanted or names:
            read = _read(scope, wanted, names)
            kept._add(read)
            kept.absent.update(set(wanted) - {row[0] for row in read})
        return replace(kept)  # what other threads add or begin anew is not this caller's


def fresh(scope: Scope, ids: NDArray[np.int64], keys: Iterable[str] = ()) -> Known:
    """As `known`, read within this transaction and not kept: other threads may keep what they cannot see of it yet."""
    global _looked  # noqa: PLW0603
    _looked = 0.0
    found = Known(version=version())
    found._add(_read(scope, ids.tolist(), list(set(keys))))
    return found


def version() -> int:
    """The version of the register of datastreams, at most a second old."""
    global _looked, _version  # noqa: PLW0603
    if time.monotonic() - _looked > FRESH:
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value FROM sensing_register_version")
            _version = int(cursor.fetchone()[0])
        _looked = time.monotonic()
    return _version


def changed() -> None:
    """Say that datastreams or what belongs to them changed. To be called in the transaction that changes them."""
    _rise()  # for whoever takes the shared lock after this transaction's exclusive one …
    transaction.on_commit(_rise)  # … and for who has looked between the two
    forget()


def _rise() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('sensing_register_version')")


_COLUMNS: Final = """
SELECT d.id, CASE d.observation_type {kinds} ELSE 0 END, coalesce(d.low, '-Infinity'), coalesce(d.high, 'Infinity'),
       coalesce(d.feature_id, CASE WHEN EXISTS (
           SELECT 1 FROM sensing_thing_locations s WHERE s.thing_id = d.thing_id) THEN {placed} ELSE 0 END), d.ucum, d.key
FROM sensing_datastream d
""".format(placed=PLACED, kinds=" ".join(f"WHEN '{uri}' THEN {_CODES[kind]}" for uri, kind in KINDS.items()))  # noqa: S608


def _read(scope: Scope, ids: list[int], keys: list[str]) -> list[tuple[Any, ...]]:
    where = ["d.city_id = %s", "(d.id = ANY(%s) OR d.key = ANY(%s))"]
    values: list[int | list[int] | list[str]] = [scope.city, ids, keys]
    join = ""
    if not scope.whole:
        join = "JOIN sensing_thing t ON t.id = d.thing_id "
        if scope.division is not None:
            where.append("t.places @> ARRAY[%s]::bigint[]")
            values.append(scope.division)
        if scope.department is not None:
            where.append("t.owner_id = %s")
            values.append(scope.department)
    with connection.cursor() as cursor:
        cursor.execute(f"{_COLUMNS}{join}WHERE {' AND '.join(where)}", values)
        return list(cursor.fetchall())
