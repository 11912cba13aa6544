"""The route through today's jobs: the built-in Node runs the script of the phone."""

from __future__ import annotations

import itertools
import json
import math
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.assets import node_folder

ROUTE = Path(__file__).parents[2] / "frontend" / "src" / "field" / "route.ts"
HERE = {"lon": 120.155, "lat": 30.274}
RUN = """
import { route, metres, length } from %s;
const asked = JSON.parse(process.argv[1]);
console.log(JSON.stringify(asked.map(({ stops, start }) => {
  const order = route(stops, start);
  const way = order.map((i) => stops[i]);
  return { order, length: length(start ? [start, ...way] : way), far: stops.length > 1 ? metres(stops[0], stops[1]) : 0 };
})));
"""


def ask(*asked: dict[str, Any]) -> list[dict[str, Any]]:
    script, quiet = RUN % json.dumps(ROUTE.as_uri()), "--disable-warning=ExperimentalWarning"
    done = subprocess.run(
        [node_folder() / "bin" / "node", quiet, "--input-type=module", "-e", script, json.dumps(asked)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def places(count: int, seed: int) -> list[dict[str, float]]:
    chance = random.Random(seed)
    return [
        {"lon": 120.155 + chance.uniform(-0.05, 0.05), "lat": 30.274 + chance.uniform(-0.05, 0.05)}
        for _ in range(count)
    ]


def metres(a: dict[str, float], b: dict[str, float]) -> float:
    lon, lat, east, north = map(math.radians, (a["lon"], a["lat"], b["lon"], b["lat"]))
    h = math.sin((north - lat) / 2) ** 2 + math.cos(lat) * math.cos(north) * math.sin((east - lon) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(h))


def walked(start: dict[str, float], stops: list[dict[str, float]]) -> float:
    return sum(metres(a, b) for a, b in itertools.pairwise([start, *stops]))


def test_nothing_and_one_and_the_same_place_twice() -> None:
    one = places(1, 1)
    found = ask({"stops": [], "start": HERE}, {"stops": one, "start": None}, {"stops": one * 3, "start": HERE})
    assert [each["order"] for each in found[:2]] == [[], [0]]
    assert sorted(found[2]["order"]) == [0, 1, 2]
    assert found[0]["length"] == found[1]["length"] == 0


def test_without_a_start_it_begins_with_the_first_job() -> None:
    [found] = ask({"stops": places(12, 2), "start": None})
    assert found["order"][0] == 0
    assert sorted(found["order"]) == list(range(12))


def test_distances_are_those_on_the_globe() -> None:
    stops = [HERE, {"lon": 120.212, "lat": 30.291}]
    [found] = ask({"stops": stops, "start": None})
    assert found["far"] == pytest.approx(metres(*stops), rel=1e-9)
    assert 5_000 < found["far"] < 6_500


def test_a_route_is_never_longer_than_that_to_the_nearest_and_close_to_the_best() -> None:
    asked = [{"stops": places(7, seed), "start": HERE} for seed in range(20)]
    for each, found in zip(asked, ask(*asked), strict=True):
        best = min(walked(HERE, list(way)) for way in itertools.permutations(each["stops"]))
        assert found["length"] == pytest.approx(walked(HERE, [each["stops"][i] for i in found["order"]]), rel=1e-9)
        assert best - 1e-6 <= found["length"] <= best * 1.25


def test_no_crossing_is_left() -> None:
    """Two rows of jobs: going to the nearest alone would come back for those that it passed."""
    stops = [{"lon": 120.155 + 0.002 * i, "lat": 30.274 + 0.0021 * (i % 2)} for i in range(20)]
    [found] = ask({"stops": stops, "start": HERE})
    way = [HERE, *(stops[i] for i in found["order"])]
    for i, k in itertools.combinations(range(1, len(way)), 2):
        turned = way[:i] + way[i : k + 1][::-1] + way[k + 1 :]
        assert walked(way[0], way[1:]) <= walked(turned[0], turned[1:]) + 0.5 + 1e-6


def test_sixty_jobs_are_ordered_at_once() -> None:
    [found] = ask({"stops": places(60, 3), "start": HERE})
    assert sorted(found["order"]) == list(range(60))
