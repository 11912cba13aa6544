"""The synthetic fleet: labelled, somewhere in the city, telling what real gateways could tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np
import shapely

from chengshu.parties.principal import system
from chengshu.places.models import Boundary, City
from chengshu.sensing import decode
from chengshu.sensing.accept import accept
from chengshu.sensing.models import Datastream, Thing
from chengshu.sensing.simulate import TYPE, fleet
from chengshu.sensing.synthetic import Faults, as_arrow, levels, rounds

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def test_a_fleet_is_made_once_and_grows(hangzhou: City) -> None:
    first = fleet(hangzhou, 30, period=10.0)
    assert len(first) == 30
    assert fleet(hangzhou, 30).tolist() == first.tolist()
    assert fleet(hangzhou, 50)[:30].tolist() == first.tolist()
    assert Thing.objects.filter(city=hangzhou, type=TYPE).count() == 50
    assert set(Datastream.objects.filter(pk__in=first).values_list("period", flat=True)) == {10.0}


def test_each_says_that_it_is_invented_and_stands_in_its_division(hangzhou: City) -> None:
    fleet(hangzhou, 40)
    for thing in Thing.objects.filter(city=hangzhou, type=TYPE):
        assert thing.properties == {"synthetic": True}
        assert "合成" in thing.name or "synthetic" in thing.name
        outline = shapely.from_wkb(bytes(Boundary.objects.get(division=thing.places[-1]).wkb))
        assert shapely.contains_xy(outline, thing.lon, thing.lat)


def test_what_it_tells_is_taken(hangzhou: City) -> None:
    streams = fleet(hangzhou, 100)
    body = as_arrow(streams, NOW, levels(streams, NOW, Faults()))
    root = hangzhou.divisions.get(parent=None, valid_to=None)
    receipt = accept(decode.arrow(body), actor=system(hangzhou.pk, root.pk), at=NOW)
    assert (receipt.rows, receipt.refused) == (100, 0)


def test_the_rate_is_kept_and_everybody_has_a_turn() -> None:
    streams = np.arange(1, 101)
    spoken = list(islice(rounds(streams, 2.5, Faults()), 400))
    assert sum(map(len, spoken)) == 1_000
    assert np.bincount(np.concatenate(spoken))[1:].tolist() == [10] * 100
    more = next(rounds(streams, 250, Faults()))  # more a second than there are things
    assert len(more) == 250
    told = decode.arrow(as_arrow(more, NOW, levels(more, NOW, Faults()))).rows
    assert told.select("datastream", "at").is_unique().all()
    assert NOW - timedelta(seconds=1) <= told["at"].min() <= told["at"].max() < NOW


def test_broken_ones_are_flat_silent_or_jump() -> None:
    streams = np.arange(1, 2_001)
    silent = next(rounds(streams, 2_000, Faults(silent=0.25)))
    assert 1_400 < len(np.unique(silent)) < 1_600
    told = np.stack([levels(streams, NOW, Faults(flat=0.1, jumping=0.2)) for _ in range(60)])
    assert 150 < (told.std(axis=0) == 0).sum() < 250
    assert 300 < (told.max(axis=0) > 200).sum() < 450
    assert next(rounds(streams, 10, Faults(silent=1.0)), None) is None
