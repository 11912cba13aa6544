"""Reading by SensorThings: shapes, links, pages, statuses, and who sees what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.db import connection
from django.test import Client

from chengshu.core.errors import NotAllowed, NotFound
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal
from chengshu.places.models import Division
from chengshu.sensing.models import Datastream, Thing
from chengshu.sensing.scope import read_scope
from chengshu.sensing.sta import select
from chengshu.sensing.sta.entities import ENTITIES
from chengshu.sensing.sta.parse import parse
from chengshu.sensing.sta.paths import resolve
from chengshu.sensing.sta.sql import Statement
from tests.sensing.test_sta_query import BASE, Town, town

__all__ = ["town"]
pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
LANDING = "http://testserver/sta/v1.1"


@pytest.fixture
def http(settings: Any, client: Client) -> Client:
    """A client on an address that needs no token."""
    settings.STA_OPEN = ("127.0.0.1/32",)
    return client


def follow(town: Town, path: str, query: str) -> list[int]:
    """The ids of all pages, by their links."""
    found: list[int] = []
    page = town.get(path, query)
    while True:
        found += [row["@iot.id"] for row in page["value"]]
        link = page.get("@iot.nextLink")
        if link is None:
            return found
        rest, _mark, query = link.removeprefix(BASE).partition("?")
        page = town.get(rest, unquote_plus(query))


def test_the_landing_page_names_the_sets_and_what_it_conforms_to(http: Client) -> None:
    for address in ("/sta/v1.1", "/sta/v1.1/"):
        told = http.get(address).json()
        assert {each["name"]: each["url"] for each in told["value"]} == {name: f"{LANDING}/{name}" for name in ENTITIES}
        assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in told["serverSettings"]["conformance"]


def test_an_entity_has_its_members_and_links(town: Town) -> None:
    d1, o1 = town.ids["d1"], town.ids["o1"]
    assert town.get(f"/Observations({o1})") == {
        "@iot.id": o1, "@iot.selfLink": f"{BASE}/Observations({o1})", "phenomenonTime": "2026-11-19T23:30:00Z",
        "result": 10, "resultTime": "2026-11-19T23:31:00Z",
        "Datastream@iot.navigationLink": f"{BASE}/Observations({o1})/Datastream",
        "FeatureOfInterest@iot.navigationLink": f"{BASE}/Observations({o1})/FeatureOfInterest",
    }  # fmt: skip
    stream = town.get(f"/Datastreams({d1})")
    assert stream["unitOfMeasurement"] == {"name": "degree", "symbol": None, "definition": None}
    assert stream["phenomenonTime"] == "2026-11-19T23:30:00Z/2026-11-20T14:00:00Z"
    assert "properties" not in stream and stream["Observations@iot.navigationLink"].endswith(f"({d1})/Observations")
    thing = town.get(f"/Things({town.ids['t1']})")
    assert thing["properties"]["tags"] == ["a", "b1"]


def test_observations_tell_their_times_and_results_as_they_came(town: Town) -> None:
    def seen(name: str) -> Any:
        return town.get(f"/Observations({town.ids[name]})")

    assert seen("o2")["phenomenonTime"] == "2026-11-20T00:30:00.25Z" and seen("o2")["parameters"] == {"n": 1}
    assert seen("o3")["validTime"] == "2026-11-20T12:00:00Z/2026-11-20T13:00:00Z"
    assert seen("o4")["phenomenonTime"] == "2026-11-20T13:00:00Z/2026-11-20T14:00:00Z"
    assert seen("o4")["resultTime"] is None and "validTime" not in seen("o4")
    assert [seen(name)["result"] for name in ("o7", "o8", "o9")] == ["open", {"door": {"no": 4}}, True]
    text = json.dumps(seen("o1"))
    assert '"result": 10,' in text  # a whole number is written as one


def test_addresses_lead_along_links(town: Town) -> None:
    ids = town.ids
    assert town.found(f"/Things({ids['t1']})/Datastreams") == ["d1", "d3"]
    assert town.get(f"/Observations({ids['o5']})/Datastream/Thing")["@iot.id"] == ids["t2"]
    assert town.get(f"/Things({ids['t1']})/Datastreams({ids['d1']})/Sensor")["@iot.id"] == ids["s1"]
    assert town.found(f"/Datastreams({ids['d2']})/Observations") == ["o5", "o6"]
    assert town.get(f"/Datastreams({ids['d2']})/Observations({ids['o6']})")["result"] == 6
    assert town.found(f"/Things({ids['t2']})/Locations") == ["l2"]
    assert len(town.get(f"/Things({ids['t2']})/HistoricalLocations")["value"]) == 1
    feature = town.get(f"/Observations({ids['o5']})/FeatureOfInterest")
    assert feature["feature"]["coordinates"] == [119.28, 29.48]
    assert town.found(f"/FeaturesOfInterest({feature['@iot.id']})/Observations") == ["o5", "o6"]
    assert town.found(f"/Things({ids['t2']})/Locations({ids['l2']})/Things") == ["t2"]


def test_properties_values_references_and_counts(http: Client, town: Town) -> None:
    t1, o8 = town.ids["t1"], town.ids["o8"]

    def get(path: str) -> Any:
        return http.get(f"/sta/v1.1/{path}")

    assert get(f"Things({t1})/name").json() == {"name": "Station 1"}
    assert get(f"Things({t1})/name/$value").content == b"Station 1"
    assert get(f"Things({t1})/properties/deep/x/$value").content == b"v1"
    assert get(f"Things({t1})/properties/tags/1").json() == {"1": "b1"}
    assert get(f"Observations({o8})/result/$value").json() == {"door": {"no": 4}}
    assert get(f"Things({t1})/@iot.id/$value").content == str(t1).encode()
    assert get(f"Observations({o8})/resultTime").status_code == 204
    assert get("Things/$count").content == b"2"
    assert get("Things/$ref").json()["value"][0] == {"@iot.selfLink": f"{LANDING}/Things({t1})"}
    assert (
        get(f"Things({t1})/Datastreams/$ref?$top=1")
        .json()["@iot.nextLink"]
        .startswith(f"{LANDING}/Things({t1})/Datastreams/$ref?$top=1")
    )
    assert (
        get(f"Observations({o8})/Datastream/$ref").json()["@iot.selfLink"].endswith(f"/Datastreams({town.ids['d3']})")
    )


NOWHERE = [
    "Nothing", "Things(0)", "Things('abc')", "Things(1.5)", "Things(-1)", "Things(999999999999999999)",
    "Things(99999999999999999999)",
    "Things()", "Things(1", "Things/Datastreams", "Things({t1})/Observations", "Things({t1})/nothing", "Things({t1})/name/x",
    "Things({t2})/Datastreams({d1})", "Datastreams({d1})/Observations({o5})", "Datastreams({d1})/Thing({t1})",
    "Things({t1})/properties/zzz", "Things/$value", "Things({t1})/$value", "Observations(5)", "Things({t1})/$count/x",
    "Things({t2})/Datastreams({d1})/Observations", "Observations({o1})/Datastream/Thing/Datastreams({d2})", "Things({t1})/$foo",
]  # fmt: skip


def test_what_is_not_there_is_not_found(http: Client, town: Town) -> None:
    got = {path: http.get(f"/sta/v1.1/{path.format(**town.ids)}").status_code for path in NOWHERE}
    assert got == dict.fromkeys(NOWHERE, 404)


def test_errors_say_what_where_and_what_to_do(http: Client, town: Town) -> None:
    got = http.get("/sta/v1.1/Things?$filter=nome eq 'a'")
    assert got.status_code == 400
    told = got.json()
    assert (told["code"], told["type"]) == (400, "error")
    assert "nome" in told["message"] and told["instance"] == "Things: nome"
    assert http.delete("/sta/v1.1/Things").status_code == 405
    assert http.post(f"/sta/v1.1/Things({town.ids['t1']})", "{}", content_type="application/json").status_code == 405
    assert (
        http.put(f"/sta/v1.1/Things({town.ids['t1']})/name", "{}", content_type="application/json").status_code == 501
    )
    assert http.generic("TRACE", "/sta/v1.1/Things").status_code == 405


def test_options_shape_the_answer(town: Town) -> None:
    got = town.get("/Things", "$select=name,@iot.id,Datastreams&$count=true&$top=1")
    t1 = town.ids["t1"]
    assert got["@iot.count"] == 2
    assert got["value"] == [
        {"@iot.id": t1, "@iot.selfLink": f"{BASE}/Things({t1})", "name": "Station 1",
         "Datastreams@iot.navigationLink": f"{BASE}/Things({t1})/Datastreams"}
    ]  # fmt: skip
    assert got["@iot.nextLink"].startswith(f"{BASE}/Things?$select=name,@iot.id,Datastreams&$count=true&$top=1&$skip=1")


def test_expanded_links_have_options_of_their_own(town: Town) -> None:
    ids = town.ids
    query = (
        "$expand=Datastreams($filter=ObservedProperty/name eq 'Temperature';$select=name;"
        "$expand=Observations($orderby=phenomenonTime desc;$top=2;$count=true;$select=result),Sensor($select=name)),Locations"
    )
    first = town.get("/Things", query)["value"][0]
    assert [each["name"] for each in first["Locations"]] == ["place 1"]
    (stream,) = first["Datastreams"]
    assert stream["Sensor"] == {"name": "DHT22"} and stream["Observations@iot.count"] == 4
    assert [each["result"] for each in stream["Observations"]] == [30, -3]
    link = stream["Observations@iot.nextLink"]
    assert link.startswith(f"{BASE}/Datastreams({ids['d1']})/Observations?")
    rest, _mark, following = link.removeprefix(BASE).partition("?")
    assert [each["result"] for each in town.get(rest, unquote_plus(following))["value"]] == [20.5, 10]
    assert "Datastreams@iot.navigationLink" not in first and "HistoricalLocations@iot.navigationLink" in first
    of_one = town.get(f"/Observations({ids['o5']})", "$expand=Datastream/Thing,FeatureOfInterest,Datastream/Sensor")
    assert of_one["Datastream"]["Thing"]["name"] == "Station 2" and of_one["Datastream"]["Sensor"]["name"] == "DHT22"
    assert of_one["FeatureOfInterest"]["feature"]["type"] == "Point"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/Observations", "$top=2"),
        ("/Observations", "$top=2&$orderby=phenomenonTime desc"),
        ("/Observations", "$top=4&$filter=result ne 5&$orderby=result"),
        ("/Datastreams({d1})/Observations", "$top=1"),
        ("/Datastreams({d1})/Observations", "$top=3&$orderby=phenomenonTime desc"),
        ("/Datastreams({d3})/Observations", "$top=1&$skip=1"),
        ("/Locations", "$top=1&$count=true"),
    ],
)
def test_links_to_the_next_page_lead_through_everything_once(town: Town, path: str, query: str) -> None:
    path = path.format(**town.ids)
    whole = [
        row["@iot.id"]
        for row in town.get(path, "&".join(p for p in query.split("&") if not p.startswith("$top")))["value"]
    ]
    assert follow(town, path, query) == whole


def test_data_arrays_hold_what_entities_do(town: Town) -> None:
    got = town.get(
        "/Observations",
        "$resultFormat=dataArray&$select=phenomenonTime,result,resultTime&$filter=result ge 10&$count=true",
    )
    assert got["@iot.count"] == 3
    (group,) = got["value"]
    assert group["Datastream@iot.navigationLink"] == f"{BASE}/Datastreams({town.ids['d1']})"
    assert group["components"] == ["phenomenonTime", "result", "resultTime"] and group["dataArray@iot.count"] == 3
    assert group["dataArray"][0] == ["2026-11-19T23:30:00Z", 10, "2026-11-19T23:31:00Z"]
    assert group["dataArray"][2] == ["2026-11-20T13:00:00Z/2026-11-20T14:00:00Z", 30, None]


def test_a_district_sees_its_own_things_at_every_level(town: Town, who: Who) -> None:
    xihu = Division.objects.get(city=town.who.city, code="330106", valid_to=None)
    town.who = replace(town.who, division=xihu.pk)
    assert town.found("/Things") == ["t1"] and town.get("/Things/$count") == 1
    assert town.found("/Datastreams") == ["d1", "d3"] and town.found("/Locations") == ["l1"]
    assert "o5" not in town.found("/Observations") and len(town.get("/HistoricalLocations")["value"]) == 1
    (sensor,) = town.get("/Sensors", "$filter=name eq 'DHT22'&$expand=Datastreams($count=true)")["value"]
    assert [each["@iot.id"] for each in sensor["Datastreams"]] == [town.ids["d1"]] and sensor[
        "Datastreams@iot.count"
    ] == 1
    assert town.found("/Sensors", "$filter=Datastreams/Thing/name eq 'Station 2'") == []
    for hidden in (
        "/Things({t2})",
        "/Datastreams({d2})/Observations",
        "/Observations({o5})",
        "/Locations({l2})",
        "/Locations({l2})/Things",
    ):
        with pytest.raises(NotFound):
            town.get(hidden.format(**town.ids))


def test_handlers_see_what_their_department_owns_or_mends(town: Town, who: Who) -> None:
    handler = who("handler")
    town.who = handler
    assert town.found("/Things") == town.found("/Datastreams") == town.found("/Observations") == []
    assert town.found("/Locations") == ["l3"]  # where nobody's Thing stands
    Thing.objects.filter(pk=town.ids["t2"]).update(duty=handler.department)
    assert (town.found("/Things"), town.found("/Locations"), town.found("/Observations")) == (
        ["t2"],
        ["l2", "l3"],
        ["o5", "o6"],
    )
    town.who = who("citizen")
    with pytest.raises(NotAllowed):
        town.get("/Things")


def test_another_city_sees_nothing(town: Town, http: Client, settings: Any) -> None:
    town.who = replace(town.who, city=town.who.city + 1000)
    for name in ENTITIES:
        assert town.get(f"/{name}")["value"] == []


def test_who_calls(client: Client, town: Town, settings: Any) -> None:
    got = client.get("/sta/v1.1/Things")
    assert (got.status_code, got["WWW-Authenticate"], got.json()["code"]) == (401, "Bearer", 401)
    assert client.get("/sta/v1.1/Things", headers={"Authorization": "Bearer cs_nothing"}).status_code == 401
    settings.STA_OPEN = ("10.0.0.0/8",)
    assert client.get("/sta/v1.1/Things").status_code == 401
    settings.STA_OPEN = ("127.0.0.1/32",)
    assert client.get("/sta/v1.1/Things").status_code == 200
    # Nobody knows whom an unknown proxy speaks for, and a page of another site speaks for nobody.
    assert client.get("/sta/v1.1/Things", headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 401
    assert (
        client.post(
            "/sta/v1.1/Things", "{}", content_type="text/plain", headers={"Origin": "http://evil.example"}
        ).status_code
        == 401
    )
    settings.STA_OPEN = ()
    client.force_login(Account.objects.get(username="dispatcher"))
    assert client.get("/sta/v1.1/Things").status_code == 200
    assert client.post("/sta/v1.1/Things", "{}", content_type="application/json").status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(Account.objects.get(username="steward"))
    assert strict.post("/sta/v1.1/Things", "{}", content_type="application/json").status_code == 403


def test_entities_are_made_changed_and_deleted_over_http(http: Client, town: Town) -> None:
    body = {"name": "new", "description": "a Thing"}
    made = http.post("/sta/v1.1/Things", body, content_type="application/json", headers={"Idempotency-Key": "k-1"})
    assert made.status_code == 201 and made["Location"] == made.json()["@iot.selfLink"]
    again = http.post("/sta/v1.1/Things", body, content_type="application/json", headers={"Idempotency-Key": "k-1"})
    assert (again.status_code, again.json()) == (201, made.json())
    address = made["Location"].removeprefix("http://testserver")
    changed = http.patch(address, {"name": "newer"}, content_type="application/json")
    assert (changed.status_code, changed.json()["name"]) == (200, "newer")
    patch = [{"op": "replace", "path": "/description", "value": "other"}]
    assert http.patch(address, patch, content_type="application/json-patch+json").json()["description"] == "other"
    assert http.put(address, body, content_type="application/json").json()["name"] == "new"
    assert http.post("/sta/v1.1/Things", {"name": 5}, content_type="application/json").status_code == 400
    assert http.delete(address).status_code == 200 and http.get(address).status_code == 404
    wrong = f"/sta/v1.1/Things({town.ids['t2']})/Datastreams({town.ids['d1']})"
    assert http.delete(wrong).status_code == 404 and Datastream.objects.filter(pk=town.ids["d1"]).exists()
    linked = http.post(
        f"/sta/v1.1/Datastreams({town.ids['d2']})/Observations", {"result": 8}, content_type="application/json"
    )
    assert linked.status_code == 201 and linked.json()["result"] == 8


def test_many_observations_and_batches_over_http(http: Client, town: Town) -> None:
    groups = [{
        "Datastream": {"@iot.id": town.ids["d2"]}, "components": ["phenomenonTime", "result"], "dataArray@iot.count": 2,
        "dataArray": [["2026-11-20T15:00:00Z", 1], ["nonsense", 2]],
    }]  # fmt: skip
    got = http.post("/sta/v1.1/CreateObservations", groups, content_type="application/json")
    assert got.status_code == 201 and got.json()[0].startswith(f"{LANDING}/Observations(") and got.json()[1] == "error"
    requests = {"requests": [
        {"id": "1", "method": "get", "url": f"Things({town.ids['t1']})?$select=name"},
        {"id": "2", "method": "get", "url": "Things(0)"},
    ]}  # fmt: skip
    told = http.post("/sta/v1.1/$batch", requests, content_type="application/json").json()["responses"]
    assert [(each["id"], each["status"]) for each in told] == [("1", 200), ("2", 404)]
    assert told[0]["body"] == {"name": "Station 1"}


def test_a_page_of_one_datastream_looks_at_its_days_only_and_by_the_index(town: Town) -> None:
    statement = Statement(scope=read_scope(town.who), base=BASE)
    target = resolve(f"/Datastreams({town.ids['d1']})/Observations", statement.scope)
    options = parse("$filter=phenomenonTime%20ge%202026-11-20T00:00:00Z")
    picked = select.pick(statement, target.entity, "o", options, target.conditions(statement, "o"), one_stream=True)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + select.rows(statement, target.entity, picked, "o", limit=101), statement.values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "20261119" not in plan and "Sort" not in plan and "Index Cond: ((datastream = " in plan


def test_an_observation_that_was_moved_to_another_day_is_found_by_its_id(http: Client, town: Town) -> None:
    address = f"/sta/v1.1/Observations({town.ids['o5']})"
    moved = http.patch(address, {"phenomenonTime": "2026-11-18T12:00:00Z"}, content_type="application/json")
    assert (moved.status_code, moved.json()["phenomenonTime"]) == (200, "2026-11-18T12:00:00Z")
    assert http.get(address).json()["result"] == 5


def test_what_is_expanded_is_cut_to_what_one_answer_may_hold(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "BUDGET", 4)
    first = town.get("/Things", "$top=2&$expand=Datastreams($top=50;$expand=Observations)")["value"][0]
    assert len(first["Datastreams"]) == 2 and [len(each["Observations"]) for each in first["Datastreams"]] == [1, 1]
    assert first["Datastreams"][0]["Observations@iot.nextLink"].endswith("/Observations?$skip=1")
