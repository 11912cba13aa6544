"""How the city's things are doing: how many of each type, in each district, are in which state, and what the live ones say.

Counts come from the tallies that judging keeps, so that they cost the same at a thousand and at ten million Things. A post that
sees only a street or a department has its own Things counted one by one, up to `MOST`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Min

from chengshu.parties.principal import Principal
from chengshu.places.models import Division
from chengshu.sensing.models import Liveness, ObservedProperty, Slice
from chengshu.sensing.scope import Scope, read_scope

MOST: Final = 200_000  # Things counted one by one
READINGS: Final = 8_000  # latest results of which medians are taken as they are; of more, of a sample …
SAMPLE: Final = 8_000  # … of about so many datastreams of any property
BELOW: Final = 2  # place in `places` of the division below the city, counted from 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """So many Things of a type, in a division below the city (0: not known which), in a state."""

    type: str
    division: int
    state: str
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """All counts of what a principal sees. `whole` is False where more than `MOST` would have had to be counted.

    `judged_at` is when the slice that was judged longest ago was: how old the oldest of these numbers is.
    """

    rows: Sequence[Count]
    whole: bool = True
    judged_at: datetime | None = None

    def sum(self, *, type: str | None = None, division: int | None = None, state: str | None = None) -> int:
        """How many there are of all that is not None."""
        wanted = {"type": type, "division": division, "state": state}
        asked = [(name, value) for name, value in wanted.items() if value is not None]
        return sum(row.n for row in self.rows if all(getattr(row, name) == value for name, value in asked))

    def states(self) -> dict[tuple[str | None, int | None], State]:
        """The states of each type in each division; None stands for all types, or all divisions."""
        found: dict[tuple[str | None, int | None], dict[str, int]] = {(None, None): dict.fromkeys(Liveness.values, 0)}
        for row in self.rows:
            for key in ((None, None), (row.type, None), (None, row.division), (row.type, row.division)):
                found.setdefault(key, dict.fromkeys(Liveness.values, 0))[row.state] += row.n
        return {key: State(of=of) for key, of in found.items()}

    @property
    def types(self) -> list[str]:
        return sorted({row.type for row in self.rows})

    @property
    def divisions(self) -> list[int]:
        return sorted({row.division for row in self.rows})


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How many Things are in which state."""

    of: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Those in use."""
        return sum(self.of.values()) - self.of[Liveness.RETIRED]

    @property
    def live(self) -> float | None:
        """The share of those in use that are live; None where there are none."""
        return self.of[Liveness.LIVE] / self.total if self.total else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What the live Things of a division last said of a property, in one unit."""

    division: int
    unit: str
    n: int
    low: float
    median: float
    high: float
    newest: datetime


_DIRECT: Final = """
SELECT type, division, state, count(*)::int FROM (
    SELECT type, coalesce(places[2], 0) AS division, state FROM sensing_thing t WHERE {where} LIMIT %s
) mine GROUP BY 1, 2, 3
"""
_MANY: Final = """
SELECT (SELECT count(*) FROM (SELECT FROM sensing_datastream WHERE observed_property_id = %s LIMIT %s) few),
    greatest(reltuples, 1) FROM pg_class WHERE oid = 'sensing_datastream'::regclass
"""
_READINGS: Final = """
SELECT division, unit, count(*)::int, min(result), percentile_cont(0.5) WITHIN GROUP (ORDER BY result), max(result), max(at)
FROM (
    SELECT coalesce(t.places[2], 0) AS division, d.ucum AS unit, d.last_result AS result, d.last_at AS at
    FROM sensing_datastream d {sample} JOIN sensing_thing t ON t.id = d.thing_id
    WHERE d.observed_property_id = %s AND t.state = 'live' AND d.last_result IS NOT NULL AND {where}
) latest GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """What live Things last said of a property; `whole` is False where it is a sample."""

    rows: Sequence[Reading] = ()
    whole: bool = True


def counts(principal: Principal) -> Counts:
    """The counts of what a principal sees. Raises `NotAllowed` for those who see no Things."""
    scope = read_scope(principal)
    if scope.department is None and (scope.division is None or _below(scope.division)):
        with connection.cursor() as cursor:
            cursor.execute(*_summed(scope))
            found = [Count(type=t, division=d, state=s, n=n) for t, d, s, n in cursor.fetchall()]
        return Counts(rows=found, judged_at=Slice.objects.aggregate(at=Min("judged_at"))["at"])
    return _counted(scope)


def _summed(scope: Scope) -> tuple[str, list[int]]:
    where, values = "city_id = %s", [scope.city]
    if scope.division is not None:
        where, values = f"{where} AND division = %s", [*values, scope.division]
    return f"SELECT type, division, state, sum(n)::int FROM sensing_tally WHERE {where} GROUP BY 1, 2, 3", values  # noqa: S608


def _below(division: int) -> bool:
    """Whether a division lies directly below its city."""
    return Division.objects.filter(pk=division, path__len=BELOW).exists()


def _counted(scope: Scope) -> Counts:
    where, values = _where(scope)
    with connection.cursor() as cursor:
        cursor.execute(_DIRECT.format(where=where), [*values, MOST + 1])
        rows = [Count(type=t, division=d, state=s, n=n) for t, d, s, n in cursor.fetchall()]
    return Counts(rows=rows, whole=sum(row.n for row in rows) <= MOST)


def _where(scope: Scope) -> tuple[str, list[int]]:
    where, values = ["t.city_id = %s"], [scope.city]
    if scope.division is not None:
        where.append("t.places @> ARRAY[%s]::bigint[]")
        values.append(scope.division)
    if scope.department is not None:
        where.append("(t.owner_id = %s OR t.duty_id = %s)" if scope.duty else "t.owner_id = %s")
        values += [scope.department] * (2 if scope.duty else 1)
    return " AND ".join(where), values


def properties(principal: Principal) -> list[ObservedProperty]:
    """What is observed in a city, the first hundred by name."""
    return list(ObservedProperty.objects.filter(city=principal.city).order_by("name")[:100])


def readings(principal: Principal, property: int) -> Readings:
    """What live Things last said of a property, by division and unit: of all, or of a random sample where they are many."""
    where, values = _where(read_scope(principal))
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [property, READINGS + 1])
        many, all_streams = cursor.fetchone()
        whole = many <= READINGS
        sample = "" if whole else f"TABLESAMPLE SYSTEM ({min(100.0, 100.0 * SAMPLE / all_streams):.6f})"
        cursor.execute(_READINGS.format(where=where, sample=sample), [property, *values])
        rows: Iterable[tuple[int, str, int, float, float, float, datetime]] = cursor.fetchall()
    return Readings(
        rows=[
            Reading(division=d, unit=u, n=n, low=low, median=median, high=high, newest=at)
            for d, u, n, low, median, high, at in rows
        ],
        whole=whole,
    )
