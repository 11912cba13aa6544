"""The two verbs in batches, called in the process: `report()` and `advance()`."""

from __future__ import annotations

import importlib
import secrets
import time
from typing import Any

from benchmarks import store
from benchmarks.city import City
from benchmarks.results import Result

LIFECYCLES = 10_000
SIZES = (1, 10, 100, 250, 500, 1000)
MOVED = {1: 300, 10: 1_500}  # cases per size; 3 000 for the others


def report_batches() -> list[Result]:
    """Whole lives (report, assign, close) a second; the worker is not asked to do what follows meanwhile."""
    with store.city("small", 10_000) as (city, stored):
        own = time.process_time()
        begin = time.perf_counter()
        cases = _report(LIFECYCLES)
        reported = time.perf_counter() - begin
        for move in ("assign", "close"):
            _advance(cases, move)
        seconds = time.perf_counter() - begin
        own = time.process_time() - own
        done = _closed(city, cases)
    if done != LIFECYCLES:
        raise RuntimeError(f"{done} of {LIFECYCLES} are closed.")
    return [
        Result(
            name="report_batches", value=LIFECYCLES / seconds, unit="lifecycles/s", n=LIFECYCLES,
            details={"stored": stored, "reports_per_s": LIFECYCLES / reported,
                     "moves_per_s": 2 * LIFECYCLES / (seconds - reported),
                     "processor_ms_of_python_per_lifecycle": 1000 * own / LIFECYCLES},
        )
    ]  # fmt: skip


def batches() -> list[Result]:
    """Rows a second of the function `cases_move` by rows per call: the reason for CHUNK in cases/writing.py."""
    writing = importlib.import_module
    with store.city("small", 10_000) as (_city, _stored):
        module = writing("chengshu.cases.writing")
        rates = {size: _rate(module, size) for size in SIZES}
    best = max(rates.values())
    return [
        Result(
            name="batches", value=rate, unit="moves/s", n=MOVED.get(size, 3_000), compared_to=f"the best size, {best:.4g}/s",
            ratio=rate / best, details={"rows_per_call": size},
        )
        for size, rate in rates.items()
    ]  # fmt: skip


def _rate(writing: Any, size: int) -> float:
    count = MOVED.get(size, 3_000)
    cases = _report(count)
    kept, writing.CHUNK = writing.CHUNK, size
    try:
        begin = time.perf_counter()
        _advance(cases, "assign")
        return count / (time.perf_counter() - begin)
    finally:
        writing.CHUNK = kept


def _report(count: int) -> list[Any]:
    records = importlib.import_module("chengshu.cases.records")
    report = importlib.import_module("chengshu.cases.report").report
    now = importlib.import_module("django.utils.timezone").now()
    run = secrets.token_hex(4)
    requests = store.requests()
    new = [
        records.NewReport(
            origin="bench", origin_key=f"{run}{number}", type="street-light-outages", title=request.title,
            description=request.description, place_text=request.place, occurred_at=now,
        )
        for number, request in enumerate(requests[:count])
    ]  # fmt: skip
    return [verdict.case for verdict in report(new, city=store.city_id(), actor=store.system())]


def _advance(cases: list[Any], move: str) -> None:
    records = importlib.import_module("chengshu.cases.records")
    advance = importlib.import_module("chengshu.cases.advance").advance
    verdicts = advance(
        [records.MoveRequest(case=case, move=move, note="Done.") for case in cases], actor=store.system()
    )
    refused = [verdict for verdict in verdicts if not verdict.ok]
    if refused:
        raise RuntimeError(f"{len(refused)} refused: {refused[0]}")


def _closed(city: City, cases: list[Any]) -> int:
    count = "SELECT count(*) FROM cases_case WHERE id = ANY (%s) AND closed_at IS NOT NULL AND seq = 3"
    return int(city.sql(count, [cases])[0][0])
