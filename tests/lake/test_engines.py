"""The same expression, the same result: on DuckDB, and on a real Spark with a master, a worker and a Connect server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from ibis.expr.types import Table

from chengshu.core.errors import CannotStart
from chengshu.lake import engine
from chengshu.parties.principal import Principal
from chengshu.sensing.accept import accept
from chengshu.sensing.cold import remove
from chengshu.sensing.decode import ndjson
from chengshu.sensing.observations import observations
from chengshu.sensing.seal import seal
from tests.lake.spark import cluster, missing
from tests.sensing.conftest import Stream

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST = datetime(2026, 11, 17, tzinfo=UTC)


def by_hour(t: Table) -> Table:
    hour = t["at"].truncate("h")
    return t.group_by(t.datastream, hour=hour).agg(
        n=t.count(), total=t.result.sum(), mean=t.result.mean(), low=t.result.min(), high=t.result.max()
    )


def by_day(t: Table) -> Table:
    return t.group_by(t.day).agg(n=t.count(), streams=t.datastream.nunique(), said=t.other.max(), ids=t.id.max())


def changes(t: Table) -> Table:
    window = ibis.window(group_by=t.datastream, order_by=[t["at"], t.id])
    stepped = t.select(
        t.id, t["at"], step=t.result - t.result.lag().over(window), nth_row=ibis.row_number().over(window)
    )
    return stepped.filter(stepped.step.abs() > 2)


def rolling(t: Table) -> Table:
    window = ibis.window(group_by=t.datastream, order_by=[t["at"], t.id], preceding=5, following=0)
    return t.select(t.id, low=t.result.min().over(window), mean=t.result.mean().over(window))


def night(t: Table) -> Table:
    hour = t["at"].hour()
    return (
        t.filter((hour < 6) & t.result.notnull())
        .group_by(t.day)
        .agg(worst=t.result.max(), squares=(t.result * t.result).sum())
    )


EXPRESSIONS: list[Callable[[Table], Table]] = [by_hour, by_day, changes, rolling, night]


def rows(table: Table, expression: Callable[[Table], Table]) -> list[list[Any]]:
    """What it gives, sorted; times without the zone that one engine writes and the other does not."""
    found = expression(table).to_pyarrow()
    names = sorted(found.column_names)
    plain = [[each[name] for name in names] for each in found.to_pylist()]
    for row in plain:
        row[:] = [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row]
    return sorted(plain, key=repr)


@pytest.fixture
def spark(tmp_path: Path, settings: Any) -> Iterator[None]:
    if reason := missing():
        pytest.skip(reason)
    with cluster(tmp_path) as url:
        settings.ENGINE = f"spark://{url}"
        yield
        engine.forget()


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Spark's client within pandas
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_and_duckdb_say_the_same(
    who: Callable[[str], Principal], stream: Stream, tmp_path: Path, settings: Any, spark: None
) -> None:
    settings.LAKE, settings.SPOOL = str(tmp_path / "lake"), tmp_path / "spool"
    streams = [stream().pk for _ in range(5)]
    texts = []
    for i in range(3 * 72):
        at = (FIRST + timedelta(minutes=20 * i)).isoformat()
        # Quarters, so that a sum does not depend on the order in which an engine adds.
        texts += [{"datastream": n, "phenomenonTime": at, "result": ((n * 7 + i * i) % 97) / 4} for n in streams]
    ids = accept(ndjson("\n".join(map(json.dumps, texts)).encode()), actor=who("gateway"), at=NOW).ids
    seal([date(2026, 11, 17), date(2026, 11, 18)], now=NOW)
    assert remove(ids[1]) and remove(ids[400])
    with observations(engine.local()) as table:
        expected = [rows(table, expression) for expression in EXPRESSIONS]
    assert sum(row[-2] for row in expected[0]) and len(expected[3]) == 3 * 72 * 5 - 2
    con = engine.engine()
    assert con.name == "pyspark"
    with observations(con) as table:
        for expression, result in zip(EXPRESSIONS, expected, strict=True):
            assert rows(table, expression) == result, expression.__name__
    assert not list((tmp_path / "lake" / "spool").iterdir())


def test_an_engine_that_is_not_there(settings: Any) -> None:
    settings.ENGINE = "oracle"
    with pytest.raises(CannotStart, match="no such engine"):
        engine.engine()
