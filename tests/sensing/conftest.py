"""A thermometer in Xihu district."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from chengshu.places.models import City, Division
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, ObservedProperty, Sensor, Thing

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
Stream = Callable[..., Datastream]


@pytest.fixture(autouse=True)
def _keys_hold() -> Iterator[None]:
    """What a real transaction looks at when it commits, which that of a test never does."""
    yield
    if connection.in_atomic_block and not connection.needs_rollback:
        connection.check_constraints()


@pytest.fixture
def stream(hangzhou: City) -> Stream:
    """Makes a datastream of a new Thing."""
    sensor = Sensor.objects.create(
        city=hangzhou, name="DHT22", description="", encoding_type="application/pdf", metadata="x"
    )
    air = ObservedProperty.objects.create(
        city=hangzhou, name="air", description="", definition="http://qudt.org/vocab/quantitykind/Temperature"
    )
    xihu = Division.objects.get(city=hangzhou, code="330106", valid_to=None)

    def make(key: str | None = None, **more: Any) -> Datastream:
        thing = Thing.objects.create(city=hangzhou, name="thermometer", description="", places=xihu.path)
        given = {
            "observation_type": MEASUREMENT,
            "unit_of_measurement": {},
            "ucum": "Cel",
            "low": -40.0,
            "high": 80.0,
            **more,
        }
        made = Datastream.objects.create(
            city=hangzhou,
            name="air temperature",
            description="",
            key=key,
            thing=thing,
            sensor=sensor,
            observed_property=air,
            **given,
        )
        changed()
        return made

    return make
