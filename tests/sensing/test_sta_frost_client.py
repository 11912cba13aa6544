"""The client that most projects use (frost-sta-client) against a running city: create, query, expand, page, patch, delete."""

from __future__ import annotations

from collections.abc import Iterator

import frost_sta_client as fsc
import pytest

from benchmarks.city import City, temporary_home

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


@pytest.fixture(scope="module")
def service() -> Iterator[fsc.SensorThingsService]:
    with (
        temporary_home() as home,
        City(home=home, packs="boston", environment={"CHENGSHU_STA_OPEN": "127.0.0.1/32"}) as city,
    ):
        yield fsc.SensorThingsService(f"{city.url}/sta/v1.1")


def _station(number: int) -> fsc.Thing:
    point = {"type": "Point", "coordinates": [-71.06, 42.36]}
    where = fsc.Location(name="Boston", description="x", location=point, encoding_type="application/geo+json")
    sensor = fsc.Sensor(name="DHT22", description="x", encoding_type="application/pdf", metadata="x")
    air = fsc.ObservedProperty(name="air", description="x", definition="http://qudt.org/Temperature")
    unit = fsc.UnitOfMeasurement(name="degree Celsius", symbol="Cel", definition="ucum:Cel")
    stream = fsc.Datastream(
        name="air temperature",
        description="x",
        observation_type=OM,
        unit_of_measurement=unit,
        sensor=sensor,
        observed_property=air,
    )
    return fsc.Thing(
        name=f"station {number}", description="x", properties={"n": number}, locations=[where], datastreams=[stream]
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:furl.pathstr is deprecated:DeprecationWarning")
def test_the_usual_client_works(service: fsc.SensorThingsService) -> None:
    for number in range(3):
        service.create(_station(number))
    things = (
        service.things()
        .query()
        .filter("properties/n gt 0")
        .orderby("name", "asc")
        .expand("Datastreams,Locations")
        .list()
    )
    assert [thing.name for thing in things] == ["station 1", "station 2"]
    first = service.things().query().filter("name eq 'station 1'").list().entities[0]
    stream = service.datastreams().query().filter(f"Thing/id eq {first.id}").list().entities[0]
    for minute in range(7):
        service.create(
            fsc.Observation(result=20.5 + minute, phenomenon_time=f"2026-11-20T08:0{minute}:00Z", datastream=stream)
        )
    found = (
        service.observations().query().filter(f"Datastream/id eq {stream.id} and result gt 21").top(2).count().list()
    )
    assert found.count == 6 and [each.result for each in found] == [21.5, 22.5, 23.5, 24.5, 25.5, 26.5]  # all pages
    first.name = "renamed"
    service.patch(first, [{"op": "replace", "path": "/name", "value": "renamed"}])
    first.description = "put"
    service.update(first)
    again = service.things().find(first.id)
    assert (again.name, again.description) == ("renamed", "put")
    service.delete(again)
    assert service.things().query().count().top(0).list().count == 2
    assert service.observations().query().list().entities == []
