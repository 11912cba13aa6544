"""Our own broker with real clients: what is published is created, what changes is told, and nobody does what they may not."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chengshu.parties.models import Department, Token
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.models import Delivery, Quarantined, Thing
from chengshu.sensing.sta import write
from tests.sensing.mqtt.conftest import Town, wait

NOW = datetime.now(UTC).replace(microsecond=0)


def at(seconds: int) -> str:
    return (NOW - timedelta(minutes=10) + timedelta(seconds=seconds)).isoformat()


def seen(result: float, second: int = 0, **more: Any) -> dict[str, Any]:
    return {"phenomenonTime": at(second), "result": result, **more}


def test_what_is_published_is_durable_when_it_is_acknowledged(town: Town) -> None:
    one, two = town.stream(), town.stream()
    client = town.signed_in(town.token())
    client.publish(f"v1.1/Datastreams({one.pk})/Observations", seen(1.5))
    assert town.results(one) == [1.5]
    client.publish("v1.1/Observations", seen(2.5, Datastream={"@iot.id": two.pk}), qos=2)
    assert town.results(two) == [2.5]
    client.publish(f"v1.1/Datastreams({one.pk})/Observations", seen(1.5))
    assert town.results(one) == [1.5]  # the same again adds nothing
    many = [{"Datastream": {"@iot.id": one.pk}, "components": ["phenomenonTime", "result"],
             "dataArray": [[at(second), second] for second in range(1, 4)]}]  # fmt: skip
    client.publish("v1.1/CreateObservations", many)
    assert town.results(one) == [1.5, 1, 2, 3]
    assert not Quarantined.objects.exists()


def test_who_subscribed_is_told_what_get_would_show(town: Town) -> None:
    stream, other = town.stream(), town.stream()
    client = town.signed_in(town.token())
    whole, chosen = f"v1.1/Datastreams({stream.pk})/Observations", "v1.1/Observations?$select=result"
    for topic in (
        whole,
        chosen,
        f"v1.1/Datastreams({stream.pk})",
        f"v1.1/Datastreams({stream.pk})/name",
        "v1.1/Things",
    ):
        assert client.subscribe(topic), topic
    accept(
        ndjson(b'{"datastream":%d,"phenomenonTime":"%s","result":3}' % (stream.pk, at(0).encode())), actor=town.steward
    )
    told = dict(client.next() for _ in range(2))
    assert told[chosen] == {"result": 3}
    assert told[whole]["result"] == 3
    assert told[whole]["@iot.selfLink"] == f"http://city.example/sta/v1.1/Observations({told[whole]['@iot.id']})"
    accept(
        ndjson(b'{"datastream":%d,"phenomenonTime":"%s","result":4}' % (other.pk, at(0).encode())), actor=town.steward
    )
    assert client.next() == (chosen, {"result": 4})
    write.patch(town.steward, "Datastreams", stream.pk, {"name": "水位"})
    told = dict(client.next() for _ in range(2))
    assert told[f"v1.1/Datastreams({stream.pk})/name"] == {"name": "水位"}
    assert told[f"v1.1/Datastreams({stream.pk})"]["name"] == "水位"
    write.patch(town.steward, "Datastreams", stream.pk, {"description": "other"})
    assert client.next()[0] == f"v1.1/Datastreams({stream.pk})"  # the name did not change
    made = write.create(town.steward, "Things", {"name": "new", "description": ""}).id
    assert client.next() == ("v1.1/Things", _thing(made))
    client.paho.unsubscribe("v1.1/Things")
    wait(lambda: client.silent(0.3))
    write.create(town.steward, "Things", {"name": "unheard", "description": ""})
    assert client.silent()


def _thing(number: int) -> dict[str, Any]:
    address = f"http://city.example/sta/v1.1/Things({number})"
    links = {
        f"{name}@iot.navigationLink": f"{address}/{name}"
        for name in ("Datastreams", "HistoricalLocations", "Locations")
    }
    return {"@iot.id": number, "@iot.selfLink": address, "name": "new", "description": "", **links}


def test_sets_of_links_are_told_their_own(town: Town) -> None:
    stream, other = town.stream(), town.stream()
    client = town.signed_in(town.token())
    topic = f"v1.1/Things({stream.thing_id})/Datastreams?$select=name"
    assert client.subscribe(topic)
    write.patch(town.steward, "Datastreams", other.pk, {"name": "not mine"})
    write.patch(town.steward, "Datastreams", stream.pk, {"name": "mine"})
    assert client.next() == (topic, {"name": "mine"})
    assert client.silent(0.5)


def test_what_means_nothing_cannot_be_subscribed_to(town: Town) -> None:
    stream = town.stream()
    client = town.signed_in(town.token())
    for topic in (
        "v1.1/#", "v1.1/Things(999999)", "v1.1/Nothing", f"v1.1/Datastreams({stream.pk})/colour", "v1.1/Things?$filter=id eq 1",
        "v1.1/Things?$select=colour", "v1.1/Observations?$expand=Nothing", "v1.1/+/Observations", "$SYS/#",
        "v1.1/Things(1);DROP TABLE sensing_thing", f"v1.1/Datastreams({stream.pk})/$value", "v1.1/" + "a/" * 400,
    ):  # fmt: skip
        assert not client.subscribe(topic), topic
    assert client.paho.is_connected()


def test_nobody_signs_in_without_a_token_that_works(town: Town) -> None:
    good = town.token()
    for token in ("", "cs_wrong", good + "x", town.token("citizen")):
        assert _refused(town, token)
    assert town.signed_in(good)
    Token.objects.filter(name="mqtt").update(revoked_at=NOW)
    assert _refused(town, good)


def _refused(town: Town, token: str) -> bool:
    client = town.client(token)
    return bool(wait(lambda: client.refused)[0] == "Not authorized")


def test_departments_write_and_see_their_own(town: Town) -> None:
    mine, theirs = Department.objects.filter(city=town.city, active=True)[:2]
    own, foreign = town.stream(owner=mine), town.stream(owner=theirs)
    gateway, city = town.signed_in(town.token(department=mine)), town.signed_in(town.token())
    assert gateway.subscribe("v1.1/Observations") and not gateway.subscribe(
        f"v1.1/Datastreams({foreign.pk})/Observations"
    )
    assert city.subscribe("v1.1/Observations")
    gateway.publish(f"v1.1/Datastreams({foreign.pk})/Observations", seen(6))
    city.publish(f"v1.1/Datastreams({foreign.pk})/Observations", seen(7))
    gateway.publish(f"v1.1/Datastreams({own.pk})/Observations", seen(8))
    assert (town.results(foreign), town.results(own)) == ([7], [8])
    assert [city.next()[1]["result"] for _ in range(2)] == [7, 8]
    assert gateway.next()[1]["result"] == 8 and gateway.silent(0.5)
    [bad] = Quarantined.objects.all()
    assert bad.reason == "unknown" and bad.content["result"] == 6
    assert not gateway.subscribe("factory/#") and city.subscribe("factory/#")


def test_who_only_reads_may_not_publish(town: Town) -> None:
    stream = town.stream()
    leader = town.signed_in(town.token("leader"))
    assert leader.subscribe("v1.1/Observations")
    leader.paho.publish(f"v1.1/Datastreams({stream.pk})/Observations", "{}", 1)
    wait(lambda: "mqtt.not-allowed" in town.log.read_text())
    assert town.results(stream) == []


def test_what_cannot_be_taken_stands_in_quarantine_and_is_acknowledged(town: Town) -> None:
    stream = town.stream()
    topic = f"v1.1/Datastreams({stream.pk})/Observations"
    client = town.signed_in(town.token())
    bad: list[Any] = [
        "{", b"\xff\xfe", "[]", "null", "[" * 5000, '{"result": 1, "colour": 2}', {"phenomenonTime": "yesterday", "result": 1},
        {"phenomenonTime": at(0)},
        '{"result": "a\\u0000b", "phenomenonTime": "2026-01-01T00:00:00Z"}', '{"result":' + "9" * 5000 + "}",
    ]  # fmt: skip
    for body in bad:
        client.publish(topic, body)
    for body in (seen(1, Datastream={"@iot.id": stream.pk + 7}), seen(2, FeatureOfInterest={"@iot.id": 99})):
        client.publish(topic, body)
    client.publish("v1.1/Observations", seen(1))
    client.publish("v1.1/Things(1)/name", "x")
    client.publish(topic, seen(500))
    key = "".join(
        random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000)
    )  # more than an index can hold
    client.publish("v1.1/Things", {"name": "x", "description": "", "properties": {"key": key}})
    client.publish(topic, seen(7))
    assert town.results(stream) == [7]
    rows = Quarantined.objects.order_by("pk")
    assert len(rows) == len(bad) + 6
    assert all(row.detail.startswith("v1.1/") for row in rows if row.reason == "form")
    assert rows.filter(reason="range").count() == 1
    assert client.paho.is_connected()


def test_entities_and_what_they_hold_are_created_one_by_one(town: Town) -> None:
    stream = town.stream()
    client = town.signed_in(town.token())
    client.publish("v1.1/Things", {"name": "published", "description": "", "properties": {"key": "P-1"}})
    client.publish("v1.1/Things", {"name": "again", "description": "", "properties": {"key": "P-1"}})
    assert Thing.objects.get(key="P-1").name == "published"
    assert "key is there already" in Quarantined.objects.get().detail
    point = {"type": "Point", "coordinates": [120.1, 30.2]}
    place = {"name": "pond", "description": "", "encodingType": "application/geo+json", "feature": point}
    client.publish(f"v1.1/Datastreams({stream.pk})/Observations", seen(5, FeatureOfInterest=place))
    assert town.results(stream) == [5]


def test_many_messages_are_taken_together(town: Town) -> None:
    streams = [town.stream() for _ in range(3)]
    client = town.signed_in(town.token(), in_flight=1000)
    topics = [f"v1.1/Datastreams({stream.pk})/Observations" for stream in streams]
    sent = [client.paho.publish(topics[n % 3], json.dumps(seen(n % 40, n)), n % 3) for n in range(300)]
    for each in sent:
        each.wait_for_publish(20)
    wait(lambda: sum(len(town.results(stream)) for stream in streams) == 300)
    assert Delivery.objects.filter(door="mqtt").count() < 60


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_topics_without_a_source_are_acknowledged_and_seen_by_who_looks_on(town: Town, qos: int) -> None:
    looking, device = town.signed_in(town.token()), town.signed_in(town.token())
    assert looking.subscribe("garage/+/state")
    device.publish("garage/7/state", {"open": True}, qos)
    assert looking.next() == ("garage/7/state", {"open": True})
    assert not Delivery.objects.exists()
