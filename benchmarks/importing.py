"""Bulk import of finished history, beside a raw COPY of the same rows."""

from __future__ import annotations

import time

import psycopg
from psycopg import sql

from benchmarks import store
from benchmarks.city import City
from benchmarks.results import Result, note

STORED = 1_000_000
SAMPLE = 50_000  # cases whose rows are copied raw
TABLES = ("case", "casetext", "report", "step", "clock", "task")


def import_history() -> list[Result]:
    """Cases a second into a store that grows to `STORED`; what is stored already is not imported again."""
    with City(home=store.home("large")) as city:
        store.use(city)
        imported, seconds = store.fill(city, STORED)
        if not imported:  # a kept store is full: measure the next ones
            imported, seconds = store.fill(city, _stored(city) + SAMPLE)
        stored = _stored(city)
        bare, equal = _raw(city, with_indexes=False), _raw(city, with_indexes=True)
    rate = imported / seconds
    return [
        Result(
            name="import_history", value=rate, unit="cases/s", n=imported,
            compared_to=f"{bare:.4g} cases/s by COPY of the same rows into tables without indexes", ratio=rate / bare,
            details={"stored": stored, "raw_copy_cases_per_s": bare, "raw_copy_with_indexes_cases_per_s": equal,
                     "ratio_with_indexes": rate / equal},
        )
    ]  # fmt: skip


def _stored(city: City) -> int:
    return int(city.sql("SELECT count(*) FROM cases_case")[0][0])


def _raw(city: City, *, with_indexes: bool) -> float:
    """Cases a second when the rows of `SAMPLE` cases, ready as COPY wants them, go into tables of the same shape."""
    seconds = 0.0
    with psycopg.connect(city.database_url) as connection:
        connection.execute(
            "CREATE TEMP TABLE sample ON COMMIT DROP AS SELECT id FROM cases_case ORDER BY id LIMIT %s", (SAMPLE,)
        )
        for table in TABLES:
            rows = _read(connection, table)
            like = "INCLUDING INDEXES" if with_indexes else ""
            connection.execute(f"CREATE TABLE bench_raw_{table} (LIKE cases_{table} {like})".encode())
            begin = time.perf_counter()
            with connection.cursor().copy(f"COPY bench_raw_{table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                for data in rows:
                    copy.write(data)
            seconds += time.perf_counter() - begin
        connection.rollback()
    note(f"raw COPY, indexes: {with_indexes}: {seconds:.2f} s for {SAMPLE} cases")
    return SAMPLE / seconds


def _read(connection: psycopg.Connection, table: str) -> list[bytes]:
    key = "id" if table == "case" else "case_id"
    query = sql.SQL("COPY (SELECT t.* FROM {} t JOIN sample s ON s.id = t.{}) TO STDOUT (FORMAT BINARY)").format(
        sql.Identifier(f"cases_{table}"), sql.Identifier(key)
    )
    with connection.cursor().copy(query) as copy:
        return [bytes(data) for data in copy]
