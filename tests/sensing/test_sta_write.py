"""Entities are created with what belongs to them, changed, replaced and deleted as SensorThings 1.1 has it; all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from chengshu.core.errors import ChengshuError, Conflict, NotAllowed, NotFound
from chengshu.parties.principal import Principal
from chengshu.places.models import Division
from chengshu.sensing.models import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    ObservedProperty,
    Sensor,
    Thing,
)
from chengshu.sensing.scope import write_scope
from chengshu.sensing.sta import observation, write
from chengshu.sensing.sta.body import Malformed, mapped
from tests.sensing.conftest import MEASUREMENT

pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LAKE = {"type": "Point", "coordinates": [120.13, 30.26]}  # in 西湖区
FARM = {"type": "Point", "coordinates": [119.28, 29.48]}  # in 建德市
CELSIUS = {"name": "degree Celsius", "symbol": "Cel", "definition": "http://unitsofmeasure.org/ucum.html#Cel"}


def location(name: str = "West Lake", geometry: Any = LAKE, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "", "encodingType": "application/geo+json", "location": geometry, **more}


def datastream(**more: Any) -> dict[str, Any]:
    return {
        "name": "air temperature",
        "description": "",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": CELSIUS,
        "Sensor": {"name": "DHT22", "description": "", "encodingType": "application/pdf", "metadata": "x"},
        "ObservedProperty": {"name": "air", "description": "", "definition": "http://qudt.org/Temperature"},
        **more,
    }


def thing(**more: Any) -> dict[str, Any]:
    return {"name": "station", "description": "a station", **more}


def rows() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, datastream, at, result, feature FROM sensing_observation ORDER BY id")
        return list(cursor.fetchall())


@pytest.fixture
def gateway(who: Who) -> Principal:
    return who("gateway")


@pytest.fixture
def station(gateway: Principal) -> Thing:
    """A Thing by the lake with a Datastream and an Observation."""
    seen = {"phenomenonTime": "2026-11-20T10:00:00Z", "result": 21}
    body = thing(Locations=[location()], Datastreams=[datastream(Observations=[seen])])
    return Thing.objects.get(pk=write.create(gateway, "Things", body, at=NOW).id)


def test_a_deep_insert_makes_and_links_everything(station: Thing) -> None:
    stream = Datastream.objects.get(thing=station)
    assert (stream.ucum, stream.sensor.name, stream.observed_property.name) == ("Cel", "DHT22", "air")
    assert [place.name for place in station.locations.all()] == ["West Lake"]
    assert Division.objects.get(pk=station.places[-1]).name == "西湖区"
    assert (station.lon, station.lat, station.west) == (120.13, 30.26, 120.13) and station.cell
    past = HistoricalLocation.objects.get(thing=station)
    assert past.time == NOW and list(past.locations.all()) == list(station.locations.all())
    feature = FeatureOfInterest.objects.get()
    assert feature.location == station.locations.get() and feature.feature == LAKE
    assert [row[1:] for row in rows()] == [(stream.pk, datetime(2026, 11, 20, 10, tzinfo=UTC), 21.0, feature.pk)]


def test_one_that_fails_in_the_middle_leaves_nothing(gateway: Principal) -> None:
    wrong = [
        datastream(Observations=[{"result": "warm"}]),
        datastream(Sensor=None),
        {key: value for key, value in datastream().items() if key != "observationType"},
    ]
    for each in wrong:
        with pytest.raises(Malformed):
            write.create(gateway, "Things", thing(Locations=[location()], Datastreams=[datastream(), each]))
    for model in (Thing, Location, Datastream, Sensor, ObservedProperty, HistoricalLocation, FeatureOfInterest):
        assert not model.objects.exists()  # type: ignore[attr-defined]
    assert not rows()


@pytest.mark.parametrize(
    ("kind", "body", "where"),
    [
        ("Things", {"name": "a"}, "description"),
        ("Things", {"name": 7, "description": ""}, "name"),
        ("Things", thing(propertys={}), "propertys"),
        ("Things", thing(properties=[1]), "properties"),
        ("Things", thing(properties={"owner": "NOBODY"}), "properties/owner"),
        ("Things", thing(Locations=[{"@iot.id": 999999}]), "Locations[0]"),
        ("Things", thing(Locations=[location(), location()]), "Locations"),
        ("Things", thing(Datastreams=[datastream(Thing={"@iot.id": 1})]), "Datastreams[0]/Thing"),
        ("Locations", location(geometry={"type": "Point", "coordinates": [120]}), "location"),
        ("Locations", location(geometry={"type": "Point", "coordinates": [220, 30]}), "location"),
        ("Locations", location(geometry={"type": "Point", "coordinates": ["1", 2]}), "location"),
        ("Locations", location(geometry={"type": "Pint", "coordinates": [1, 2]}), "location"),
        ("Locations", location(geometry={"type": "LineString", "coordinates": [[1, 2]]}), "location"),
        ("Locations", location(geometry={"type": "Polygon", "coordinates": [[[1, 2], [1, 3], [2, 3], [4, 4]]]}), "location"),
        ("Locations", location(geometry="nowhere"), "location"),
        ("Locations", location(properties={"crs": "Mars"}), "properties/crs"),
        ("Datastreams", datastream(), "Thing"),
        ("HistoricalLocations", {"time": "2026-11-20T10:00:00Z", "Locations": []}, "Thing"),
        ("Observations", {"result": 1}, "Datastream"),
        ("Observations", {"result": 1, "Datastream": {"@iot.id": 999999}}, "Datastream"),
        ("Observations", {"result": 1, "phenomenonTime": "yesterday", "Datastream": {"@iot.id": 1}}, "phenomenonTime"),
        ("Observations", {"Datastream": {"@iot.id": 1}}, "result"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named(gateway: Principal, kind: str, body: dict[str, Any], where: str) -> None:
    with pytest.raises(Malformed) as caught:
        write.create(gateway, kind, body)
    assert where in caught.value.where
    assert caught.value.status == 400


def test_observations_that_cannot_be_are_refused_with_their_sentence(gateway: Principal, station: Thing) -> None:
    stream = Datastream.objects.get()
    link = {"Datastream": {"@iot.id": stream.pk}}
    write.patch(gateway, "Datastreams", stream.pk, {"properties": {"low": -40, "high": 60, "period": "PT5M"}})
    stream.refresh_from_db()
    assert (stream.low, stream.high, stream.period) == (-40, 60, 300)
    for body in (
        {"result": 99},
        {"result": "99"},
        {"result": True},
        {"result": 1, "phenomenonTime": "1950-01-01T00:00:00Z"},
    ):
        with pytest.raises(Malformed):
            write.create(gateway, "Observations", {**body, **link})
    assert len(rows()) == 1


def test_an_observation_needs_a_feature_or_a_place_to_make_one_of(gateway: Principal) -> None:
    made = write.create(gateway, "Things", thing(Datastreams=[datastream()]))
    stream = Datastream.objects.get(thing=made.id)
    body = {"result": 20, "Datastream": {"@iot.id": stream.pk}}
    with pytest.raises(Malformed, match="FeatureOfInterest"):
        write.create(gateway, "Observations", body)
    feature = {"name": "air", "description": "", "encodingType": "application/geo+json", "feature": LAKE}
    write.create(gateway, "Observations", {**body, "FeatureOfInterest": feature})
    given = FeatureOfInterest.objects.get()
    assert rows()[0][4] == given.pk
    write.create(gateway, "Locations", location(), parent=("Things", made.id))
    first = write.create(gateway, "Observations", body).id
    again = write.create(gateway, "Observations", {"result": 21}, parent=("Datastreams", stream.pk)).id
    features = {row[0]: row[4] for row in rows()}
    assert features[first] == features[again] != given.pk
    assert FeatureOfInterest.objects.get(pk=features[first]).feature == LAKE


def test_moving_a_thing_keeps_its_history(gateway: Principal, station: Thing) -> None:
    first = station.locations.get()
    later = datetime(2026, 11, 21, tzinfo=UTC)
    made = write.create(gateway, "Locations", location("farm", FARM), parent=("Things", station.pk), at=later)
    station.refresh_from_db()
    assert [place.pk for place in station.locations.all()] == [made.id]
    assert Division.objects.get(pk=station.places[-1]).name == "建德市" and station.lon == 119.28
    assert Datastream.objects.get().feature is None
    write.create(
        gateway, "Observations", {"result": 9, "Datastream": {"@iot.id": Datastream.objects.get().pk}}, at=later
    )
    assert Datastream.objects.get().feature.location_id == made.id  # type: ignore[union-attr]
    assert HistoricalLocation.objects.filter(thing=station).count() == 2

    def remember(time: str) -> None:
        body = {"time": time, "Thing": {"@iot.id": station.pk}, "Locations": [{"@iot.id": first.pk}]}
        write.create(gateway, "HistoricalLocations", body)

    remember("2020-01-01T00:00:00Z")
    assert station.locations.get().pk == made.id
    remember("2027-01-01T00:00:00Z")
    assert station.locations.get() == first
    assert HistoricalLocation.objects.filter(thing=station).count() == 4
    write.patch(gateway, "Things", station.pk, {"Locations": [{"@iot.id": made.id}]})
    assert station.locations.get().pk == made.id
    assert HistoricalLocation.objects.filter(thing=station).count() == 5


def test_coordinates_of_chinese_maps_are_converted_once(gateway: Principal) -> None:
    body = location(
        geometry={"type": "Point", "coordinates": [120.1346, 30.2575]}, properties={"crs": "GCJ-02", "a": 1}
    )
    made = Location.objects.get(pk=write.create(gateway, "Locations", body).id)
    lon, lat = made.location["coordinates"]
    assert 0.002 < 120.1346 - lon < 0.008 and 0.001 < abs(30.2575 - lat) < 0.004
    assert made.properties == {"a": 1, "given": {"crs": "GCJ-02", "location": body["location"]}}
    write.patch(gateway, "Locations", made.pk, {"name": "again"})
    assert Location.objects.get(pk=made.pk).location == made.location


def test_a_location_that_is_corrected_takes_its_things_along(gateway: Principal, station: Thing) -> None:
    before = FeatureOfInterest.objects.get()
    write.patch(gateway, "Locations", station.locations.get().pk, {"location": FARM})
    station.refresh_from_db()
    assert station.lon == 119.28 and Division.objects.get(pk=station.places[-1]).name == "建德市"
    write.create(gateway, "Observations", {"result": 9, "Datastream": {"@iot.id": Datastream.objects.get().pk}})
    before.refresh_from_db()
    assert before.feature == LAKE  # what was observed before stays about where it was
    assert FeatureOfInterest.objects.exclude(pk=before.pk).get().feature == FARM


def test_merge_patch(gateway: Principal, station: Thing) -> None:
    write.patch(gateway, "Things", station.pk, {"properties": {"a": 1, "b": {"c": 2}}})
    write.patch(gateway, "Things", station.pk, {"description": "new", "properties": {"a": None, "b": {"d": 3}}})
    station.refresh_from_db()
    assert (station.name, station.description, station.properties) == ("station", "new", {"b": {"c": 2, "d": 3}})
    for body in (
        {"name": None},
        {"@iot.id": 1},
        {"Datastreams": [{"name": "inline"}]},
        {"Locations": [location()]},
        [],
        7,
    ):
        with pytest.raises(Malformed):
            write.patch(gateway, "Things", station.pk, body)
    write.patch(gateway, "Things", station.pk, {"@iot.id": station.pk, "@iot.selfLink": "x", "name": "same"})


def test_json_patch(gateway: Principal, station: Thing) -> None:
    def patch(*operations: Any) -> None:
        write.patch(gateway, "Things", station.pk, list(operations), write.JSON_PATCH)

    patch({"op": "add", "path": "/properties", "value": {"list": [1, 2]}})
    patch(
        {"op": "test", "path": "/name", "value": "station"},
        {"op": "add", "path": "/properties/list/1", "value": 5},
        {"op": "move", "from": "/properties/list", "path": "/properties/a~1b"},
        {"op": "copy", "from": "/name", "path": "/description"},
    )
    station.refresh_from_db()
    assert (station.description, station.properties) == ("station", {"a/b": [1, 5, 2]})
    with pytest.raises(Conflict):
        patch({"op": "test", "path": "/name", "value": "other"})
    for wrong in (
        {"op": "remove", "path": "/name"},
        {"op": "remove", "path": "/nothing"},
        {"op": "x"},
        7,
        {"op": "add", "path": "name"},
    ):
        with pytest.raises(Malformed):
            patch(wrong)
    with pytest.raises(ChengshuError):  # a document that doubles with every step
        patch(*({"op": "copy", "from": "/properties", "path": f"/properties/{n}"} for n in range(100)))


def test_put_replaces_and_keeps_links(gateway: Principal, station: Thing) -> None:
    write.patch(gateway, "Things", station.pk, {"properties": {"a": 1}})
    write.put(gateway, "Things", station.pk, {"name": "new", "description": "new"})
    station.refresh_from_db()
    assert (station.name, station.properties, station.locations.count()) == ("new", None, 1)
    with pytest.raises(Malformed):
        write.put(gateway, "Things", station.pk, {"name": "new"})


def test_keys_are_given_once(gateway: Principal, station: Thing) -> None:
    write.create(gateway, "Things", thing(properties={"key": "T-1", "type": "weather", "duty": "330106-CGJ"}))
    made = Thing.objects.get(key="T-1")
    assert (made.type, made.duty.code) == ("weather", "330106-CGJ")  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        write.create(gateway, "Things", thing(properties={"key": "T-1"}))
    with pytest.raises(Conflict):
        write.patch(gateway, "Things", station.pk, {"properties": {"key": "T-1"}})


def test_observations_change_with_the_same_checks_and_keep_their_number(gateway: Principal, station: Thing) -> None:
    number, stream = rows()[0][:2]
    scope = write_scope(gateway)
    write.patch(gateway, "Observations", number, {"result": 22.5, "parameters": {"by": "hand"}})
    write.patch(
        gateway, "Observations", number, {"phenomenonTime": "2015-07-01T00:40:00.000Z", "resultQuality": "High"}
    )
    assert [row[:1] + row[2:4] for row in rows()] == [(number, datetime(2015, 7, 1, 0, 40, tzinfo=UTC), 22.5)]
    found = observation.document(observation.read(number, scope))
    assert (found["parameters"], found["resultQuality"]) == ({"by": "hand"}, "High")
    assert Datastream.objects.get(pk=stream).last_at == datetime(2015, 7, 1, 0, 40, tzinfo=UTC)
    write.put(gateway, "Observations", number, {"result": 99, "phenomenonTime": "2015-08-01T00:40:00Z"})
    assert observation.document(observation.read(number, scope))["parameters"] is None
    write.patch(gateway, "Observations", number, {"phenomenonTime": "2026-11-20T10:00:00Z"})
    for body in ({"result": "warm"}, {"result": None}, {"Datastream": {"@iot.id": 999999}}, {"phenomenonTime": "x"}):
        with pytest.raises(Malformed):
            write.patch(gateway, "Observations", number, body)
    assert [row[3] for row in rows()] == [99.0]
    write.delete(gateway, "Observations", number)
    assert not rows()
    assert Datastream.objects.get(pk=stream).last_at is None
    with pytest.raises(NotFound):
        write.delete(gateway, "Observations", number)


@pytest.mark.parametrize(
    ("kind", "gone", "left"),
    [
        ("Things", {Thing, Datastream, HistoricalLocation}, {Location, Sensor, ObservedProperty, FeatureOfInterest}),
        ("Datastreams", {Datastream}, {Thing, Location, HistoricalLocation, Sensor, ObservedProperty, FeatureOfInterest}),
        ("Locations", {Location, HistoricalLocation}, {Thing, Datastream, Sensor, ObservedProperty, FeatureOfInterest}),
        ("HistoricalLocations", {HistoricalLocation}, {Thing, Location, Datastream, FeatureOfInterest}),
        ("Sensors", {Sensor, Datastream}, {Thing, Location, HistoricalLocation, ObservedProperty, FeatureOfInterest}),
        ("ObservedProperties", {ObservedProperty, Datastream}, {Thing, Location, HistoricalLocation, Sensor}),
        ("FeaturesOfInterest", {FeatureOfInterest}, {Thing, Location, HistoricalLocation, Datastream, Sensor}),
    ],
)  # fmt: skip
def test_deleting_takes_what_cannot_be_without_it(
    gateway: Principal, station: Thing, kind: str, gone: Any, left: Any
) -> None:
    model = next(
        each
        for each in gone
        if each.__name__.lower()[:5] == kind.lower()[:5].removesuffix("s") or each.__name__[:5] == kind[:5]
    )
    write.delete(gateway, kind, model.objects.get().pk)
    assert not any(each.objects.exists() for each in gone)
    assert all(each.objects.exists() for each in left)
    assert bool(rows()) == (kind in {"Locations", "HistoricalLocations"})
    with pytest.raises(NotFound):
        write.delete(gateway, kind, 999_999)


def test_who_may_write_what(who: Who, gateway: Principal, station: Thing) -> None:
    for name in ("dispatcher", "citizen"):
        with pytest.raises(NotAllowed):
            write.create(who(name), "Things", thing())
        with pytest.raises(NotAllowed):
            write.delete(who(name), "Things", station.pk)
    write.create(who("steward"), "Things", thing())


def test_who_writes_for_a_division_stays_within_it(who: Who, gateway: Principal, station: Thing) -> None:
    xihu = Division.objects.get(code="330106", valid_to=None)
    narrow = replaced(gateway, division=xihu.pk)
    made = Thing.objects.get(pk=write.create(narrow, "Things", thing()).id)
    assert made.places == xihu.path
    with pytest.raises(NotAllowed):
        write.create(narrow, "Things", thing(Locations=[location(geometry=FARM)]))
    away = write.create(gateway, "Things", thing(Locations=[location(geometry=FARM)], Datastreams=[datastream()])).id
    for kind, number in (("Things", away), ("Datastreams", Datastream.objects.get(thing=away).pk)):
        with pytest.raises(NotFound):
            write.patch(narrow, kind, number, {"name": "mine"})
    sensor = Datastream.objects.get(thing=away).sensor_id
    with pytest.raises(NotAllowed):
        write.delete(narrow, "Sensors", sensor)
    with pytest.raises(Malformed):
        write.create(narrow, "Datastreams", datastream(Thing={"@iot.id": away}))
    with pytest.raises(NotFound):
        write.create(narrow, "Datastreams", datastream(), parent=("Things", away))


def test_a_gateway_of_a_department_makes_things_of_its_own(gateway: Principal) -> None:
    from chengshu.parties.models import Department

    own, other = Department.objects.filter(city=gateway.city, active=True)[:2]
    narrow = replaced(gateway, department=own.pk)
    made = Thing.objects.get(pk=write.create(narrow, "Things", thing()).id)
    assert made.owner == own
    with pytest.raises(NotAllowed):
        write.create(narrow, "Things", thing(properties={"owner": other.code}))
    with pytest.raises(NotAllowed):
        write.patch(narrow, "Things", made.pk, {"properties": {"owner": other.code}})


def test_a_department_knows_the_places_of_its_own_things_only(gateway: Principal, station: Thing) -> None:
    from chengshu.parties.models import Department

    narrow = replaced(gateway, department=Department.objects.filter(city=gateway.city, active=True)[0].pk)
    own = write.create(narrow, "Things", thing(Locations=[location("own")])).id
    write.patch(narrow, "Locations", Location.objects.get(name="own").pk, {"description": "mine"})
    for kind, number in (
        ("Locations", station.locations.get().pk),
        ("FeaturesOfInterest", FeatureOfInterest.objects.get().pk),
    ):
        with pytest.raises(NotFound):
            write.patch(narrow, kind, number, {"description": "mine"})
    with pytest.raises(Malformed):
        write.patch(narrow, "Things", own, {"Locations": [{"@iot.id": station.locations.get().pk}]})
    free = write.create(gateway, "Locations", location("free")).id
    write.patch(narrow, "Things", own, {"Locations": [{"@iot.id": free}]})


def replaced(principal: Principal, **more: Any) -> Principal:
    import dataclasses

    return dataclasses.replace(principal, **more)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 5000, b"[" * 100 + b"]" * 100, b'{"a": "\\u0000"}', b"\xff", b'{"a": 1e400}', b"[]", b"7",
                b'{"a": 1' + b"0" * 5000 + b"}"]
)  # fmt: skip
def test_hostile_bodies_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        mapped(content)
