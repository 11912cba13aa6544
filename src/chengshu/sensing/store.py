"""Observations into their partitions: by COPY, and where some are there already, by way of a table beside.

Nearly everything that comes in is new, so it goes straight into the partitions of its days. The unique index over datastream,
time and `nth` tells when something is there already; then all is copied beside, what is known left out, the rest added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

import numpy as np
import polars as pl
from django.db import IntegrityError, ProgrammingError, connection, transaction
from numpy.typing import NDArray
from psycopg import errors

from chengshu.sensing.binary import Column, encode
from chengshu.sensing.records import SERIAL_BITS

DAY: Final = timedelta(days=1)
EPOCH: Final = date(1970, 1, 1)
DAY_US: Final = 86_400_000_000
_PLAIN: Final = ("datastream", "at", "nth", "id")
_WIDE: Final = ("until", "result_time", "valid_from", "valid_until", "other", "quality", "parameters")
_STAMPS: Final = frozenset({"until", "result_time", "valid_from", "valid_until"})
_JSON: Final = frozenset({"other", "quality", "parameters"})
_open: set[date] = set()
Done = TypeVar("Done")


def forget() -> None:
    """Drop what is kept of which days have a partition."""
    _open.clear()


def days_of(frame: pl.DataFrame) -> NDArray[np.int64]:
    """Days since 1970-01-01 of the rows' times."""
    days: NDArray[np.int64] = np.floor_divide(frame["at"].dt.timestamp("us").to_numpy(), DAY_US)
    return days


def to_date(day: int) -> date:
    return EPOCH + int(day) * DAY


def partition(day: date) -> str:
    """The name of the partition of a day."""
    return f"sensing_observation_{day:%Y%m%d}"


def open_days(days: Sequence[date]) -> None:
    """See that each day has a partition. To be called outside the transaction that writes."""
    for day in days:
        if day not in _open:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT sensing_open_day(%s)", [day])
            _open.add(day)


def with_days(days: Sequence[date], write: Callable[[], Done]) -> Done:
    """Do `write` in a transaction, with the partitions that it needs; again when one was sealed in between."""
    for attempt in range(5):
        open_days(days)
        try:
            with transaction.atomic():
                return write()
        except (ProgrammingError, IntegrityError) as error:
            if not isinstance(error.__cause__, errors.UndefinedTable) or attempt == 4:
                raise
            _open.difference_update(days)
    raise AssertionError("unreachable")


def serials(count: int) -> int:
    """The first of a block of serial numbers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sensing_serials(%s)", [count])
        return int(cursor.fetchone()[0])


def numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """The rows with their identifiers, serial numbers given from `first` in their order."""
    ids = (days_of(frame) << SERIAL_BITS) | (first + np.arange(frame.height, dtype=np.int64))
    return frame.with_columns(pl.Series("id", ids, dtype=pl.Int64), pl.lit(0, dtype=pl.Int16).alias("nth"))


def add(frame: pl.DataFrame) -> bool:
    """Copy rows (with id and nth) into their partitions; False, and nothing written, when some are there already."""
    try:
        with transaction.atomic():
            for day, part in _by_day(frame):
                copy(partition(day), part)
    except IntegrityError as error:
        if isinstance(error.__cause__, errors.UniqueViolation):
            return False
        raise
    return True


def _by_day(frame: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    days = days_of(frame)
    for day in np.unique(days):
        part = frame if days[0] == day and (days == day).all() else frame.filter(days == day)
        yield to_date(day), part


def copy(table: str, frame: pl.DataFrame) -> None:
    """Copy rows of one day, or into a table without partitions; those with the same nulls together."""
    wide = [name for name in _WIDE if name in frame.columns and frame[name].null_count() < frame.height]
    if wide:
        plain = frame.filter(pl.all_horizontal(pl.col(name).is_null() for name in wide))
        _copy_rows(table, frame.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in wide)), wide)
        frame = plain
    for part, names in _by_nulls(frame):
        _send(table, names, [encode(_columns(part, names))], binary=True)


def _by_nulls(frame: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """Rows with and without a result, with and without a feature; most batches are of one sort."""
    result, feature = frame["result"].is_not_null(), frame["feature"].is_not_null()
    for has_result in (True, False):
        for has_feature in (True, False):
            chosen = (result if has_result else ~result) & (feature if has_feature else ~feature)
            if chosen.any():
                names = (*_PLAIN, *(["result"] if has_result else []), *(["feature"] if has_feature else []))
                yield frame if chosen.all() else frame.filter(chosen), names


def _columns(frame: pl.DataFrame, names: Sequence[str]) -> Mapping[str, Column]:
    kinds = {"at": "timestamptz", "nth": "smallint", "result": "double"}
    return {
        name: (
            kinds.get(name, "bigint"),
            frame[name].dt.timestamp("us").to_numpy() if name == "at" else frame[name].to_numpy(),
        )
        for name in names
    }


def _copy_rows(table: str, frame: pl.DataFrame, wide: Sequence[str]) -> None:
    """Rows with rare members, as text."""
    names = (*_PLAIN, "result", "feature", *wide)
    text = frame.select(
        pl.col(name).dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00") if name == "at" or name in _STAMPS
        else _escaped(name) if name in _JSON else pl.col(name).cast(pl.String)
        for name in names
    )  # fmt: skip
    lines = text.select(pl.concat_str(pl.all().fill_null("\\N"), separator="\t"))
    _send(table, names, ["".join(f"{line}\n" for line in lines.to_series())], binary=False)


def _escaped(name: str) -> pl.Expr:
    """JSON text as a field of COPY's text format: it has no tabs and line ends outside escapes, only backslashes."""
    return pl.col(name).str.replace_all("\\", "\\\\", literal=True)


def _send(table: str, names: Sequence[str], parts: Sequence[bytes | str], *, binary: bool) -> None:
    form = "(FORMAT BINARY)" if binary else ""
    statement = f"COPY {table} ({', '.join(names)}) FROM STDIN {form}"
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor().copy(statement) as copy:
        for part in parts:
            copy.write(part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """Rows told apart: those that are new, and by their ids what is known already and what says something else."""

    fresh: pl.DataFrame
    known: Mapping[int, int]
    clashing: Mapping[int, int]


Pairs = tuple[dict[int, int], dict[int, int]]


_BESIDE: Final = """
CREATE TEMP TABLE sensing_beside (LIKE sensing_observation INCLUDING DEFAULTS) ON COMMIT DROP
"""
_SAME: Final = """
SELECT b.id, o.id, o.result IS NOT DISTINCT FROM b.result AND o.other IS NOT DISTINCT FROM b.other
    AND o.until IS NOT DISTINCT FROM b.until
FROM sensing_beside b JOIN sensing_observation o ON o.datastream = b.datastream AND o.at = b.at
WHERE b.at >= %s AND b.at <= %s AND o.at >= %s AND o.at <= %s
"""


def _beside(frame: pl.DataFrame) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.sensing_beside")
        cursor.execute(_BESIDE)
    copy("sensing_beside", frame)


def compare(frame: pl.DataFrame) -> Pairs:
    """Of rows (with ids) those that are there already: ids to the ids there, the same ones and those that say something else."""
    _beside(frame)
    times = frame["at"].to_list()
    first, last = min(times), max(times)
    same: dict[int, int] = {}
    other: dict[int, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SAME, [first, last, first, last])
        for mine, there, alike in cursor.fetchall():
            (same if alike else other)[mine] = there
    return same, {mine: there for mine, there in other.items() if mine not in same}


def told_apart(frame: pl.DataFrame, cold: Pairs) -> Apart:
    """Rows (with ids) against each other, against the hot partitions, and against what was found in the lake (`cold`)."""
    same, clashing = _against_each_other(frame)
    there, other = compare(frame)
    there |= cold[0]
    clashing |= other | cold[1]
    known = {mine: there.get(mine, there.get(first, first)) for mine, first in {**same, **there}.items()}
    clashing = {mine: against for mine, against in clashing.items() if mine not in there}
    fresh = frame.filter(~pl.col("id").is_in([*known, *clashing]))
    return Apart(fresh=fresh, known=known, clashing=clashing)


def _against_each_other(frame: pl.DataFrame) -> Pairs:
    """Rows that repeat the datastream and time of an earlier row: the same, and those that say something else."""
    key = ["datastream", "at"]
    said = [name for name in ("result", "other", "until") if name in frame.columns]
    first = frame.with_columns(pl.col("id", *said).first().over(key).name.prefix("first_"))
    again = first.filter(pl.col("id") != pl.col("first_id"))
    alike = again.select(
        "id",
        "first_id",
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"first_{name}")) for name in said).alias("alike"),
    )
    pairs = [
        dict(part.select("id", "first_id").iter_rows())
        for part in (alike.filter("alike"), alike.filter(~pl.col("alike")))
    ]
    return pairs[0], pairs[1]


_COUNTED: Final = """
SELECT b.id, (SELECT coalesce(max(o.nth) + 1, 0) FROM sensing_observation o WHERE o.datastream = b.datastream AND o.at = b.at)
    + row_number() OVER (PARTITION BY b.datastream, b.at ORDER BY b.id) - 1
FROM sensing_beside b
"""


def counted(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with the next free `nth` of their datastream and time."""
    _beside(frame)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED)
        nth = dict(cursor.fetchall())
    return frame.with_columns(pl.col("id").replace_strict(nth, return_dtype=pl.Int16).alias("nth"))
