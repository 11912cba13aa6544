"""The measurements are described, and their small parts are right; what they measure is run by `make bench`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import store
from benchmarks.__main__ import ALL, main
from benchmarks.load import Tally, gather
from benchmarks.results import Result, milliseconds, quantile, show
from chengshu.cases.catalog import catalog
from chengshu.cases.importing import check
from chengshu.packs.apply import load_city

GUIDE = Path(__file__).parents[1] / "docs" / "how-to" / "benchmark.md"


def test_every_measurement_is_described() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [name for name in ALL if f"`{name}`" not in guide] == []


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "lifecycle_http_1m" in capsys.readouterr().err


def test_a_result_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(Result(name="x", value=1 / 3, unit="s", n=2, details={"parts": {"a": 2 / 3}}))
    line = json.loads(capsys.readouterr().out)
    assert (line["value"], line["details"]["parts"]["a"], line["n"]) == (0.3333, 0.6667, 2)
    assert {"processor", "processors", "memory_gib", "load"} <= set(line["machine"])


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([], 0.95) == 0
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(1, 101), 0.95) == 96
    assert milliseconds([0.001, 0.003]) == pytest.approx({"mean": 2, "p50": 3, "p95": 3})


def test_an_error_in_one_thread_ends_the_measurement() -> None:
    def work(number: int, tally: Tally, going: object) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError):
        gather(2, 1, work)


@pytest.mark.django_db
def test_the_stored_histories_are_legal() -> None:
    load_city("boston", yes=True, echo=lambda _line: None)
    known = catalog(store.city_id())
    histories = list(store.histories(200, start=10))
    assert [history.origin_key for history in histories] == [str(number) for number in range(10, 210)]
    assert {len(check(known, history).steps) for history in histories} == {2, 3}
