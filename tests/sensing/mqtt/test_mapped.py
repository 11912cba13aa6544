"""Devices that do not speak SensorThings: their topics are sources with a mapping, beside those that are fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chengshu.core.errors import Conflict, Invalid
from chengshu.parties.models import Department
from chengshu.sensing.models import Datastream, Delivery, Feed, FeedState, Quarantined
from chengshu.sensing.mqtt import mapped
from chengshu.sensing.sources import feeds
from chengshu.sensing.sources.feeds import Draft
from tests.sensing.mqtt.conftest import Client, Town, wait

READINGS = {
    "format": "ndjson",
    "time": {"column": "ts", "format": "epoch"},
    "results": [
        {"key": "{topic2}-temperature", "value": "t", "unit": "[degF]", "store_unit": "Cel"},
        {"key": "{topic2}-humidity", "value": "env.h", "unit": "%"},
    ],
    "ensure": {"thing": "machine-{topic2}", "type": "machine"},
}
TS = 1_790_000_000


def connect(town: Town, mapping: dict[str, Any] = READINGS, topics: str = "factory/+/state", **more: Any) -> Feed:
    """A source of these topics, switched on, and known to the broker."""
    draft = Draft(name="factory", label="工厂", kind="mqtt", address=topics, mapping=mapping, **more)
    feeds.save(town.steward, draft, why="")
    return feeds.switch(town.steward, "factory", on=True)


def heard(client: Client, topic: str, body: Any) -> None:
    """Publish until a source takes it: the broker reads the sources once a second."""

    def taken() -> bool:
        client.publish(topic, body)
        return Delivery.objects.filter(door="mqtt:factory").exists()

    wait(taken)


def at(town: Town, key: str) -> list[float]:
    return [round(result, 6) for result in town.results(Datastream.objects.get(city=town.city, key=key))]


def test_messages_become_observations_of_things_that_they_name(town: Town) -> None:
    connect(town)
    client = town.signed_in(town.token())
    heard(client, "factory/7/state", {"ts": TS, "t": 68, "env": {"h": 40}})
    client.publish("factory/8/state", {"ts": TS, "t": 212, "env": {}})
    client.publish("factory/8/other", {"ts": TS, "t": 1})
    assert (at(town, "7-temperature"), at(town, "7-humidity"), at(town, "8-temperature")) == ([20], [40], [100])
    feed = Feed.objects.get()
    assert feed.state == FeedState.ON and feed.succeeded_at is not None and feed.next_at is None
    [doing] = feeds.doing([feed], feed.succeeded_at)
    assert doing.rows_day == 3


def test_what_cannot_be_read_is_kept_with_its_topic(town: Town) -> None:
    connect(town)
    client = town.signed_in(town.token())
    heard(client, "factory/7/state", {"ts": TS, "t": 68})
    for body in ("{broken", {"ts": "never", "t": 1}, {"ts": TS + 1, "t": "warm"}, b"\xff\xff"):
        client.publish("factory/7/state", body)
    rows = {row.reason: row for row in Quarantined.objects.filter(delivery__door="mqtt:factory")}
    assert set(rows) == {"form", "time", "type"}
    assert rows["form"].detail.startswith("factory/7/state: ") and rows["form"].content["line"] == "{broken"
    assert rows["time"].content["topic"] == "factory/7/state"
    client.publish("factory/7/state", {"ts": TS + 2, "t": 32})
    assert at(town, "7-temperature") == [20, 0]


@pytest.mark.parametrize(
    ("mapping", "bodies"),
    [
        ({"format": "json", "time": {"received": True}, "results": [{"key": "{topic2}", "value": "value"}],
          "ensure": {"thing": "{topic2}"}}, ["21.5", "22"]),
        ({"format": "csv", "time": {"column": "column1"}, "results": [{"key": "{topic2}", "value": "column2"}],
          "ensure": {"thing": "{topic2}"}}, ["2026-11-01T00:00:00Z,21.5\n2026-11-01T00:01:00Z,22\n"]),
        ({"format": "json", "rows": "data", "time": {"column": "at"}, "results": [{"key": "{topic2}", "value": "v"}],
          "ensure": {"thing": "{topic2}"}},
         [json.dumps({"data": [{"at": "2026-11-01T00:00:00Z", "v": 21.5}, {"at": "2026-11-01T00:01:00Z", "v": 22}]})]),
    ],
)  # fmt: skip
def test_numbers_lines_and_lists(town: Town, mapping: dict[str, Any], bodies: list[str]) -> None:
    group = f"meters{len(json.dumps(mapping))}"  # not those of the source before, which the broker may still know for a second
    connect(town, mapping, f"{group}/#")
    client = town.signed_in(town.token())
    heard(client, f"{group}/m1/x", bodies[0])
    before = len(at(town, "m1"))
    for body in bodies[1:]:
        client.publish(f"{group}/m1/x", body)
    found = at(town, "m1")
    assert found[0] == 21.5 and found[-1] == 22 and len(found) == before + len(bodies) - 1
    assert not Quarantined.objects.exists()


def test_a_source_is_written_to_by_those_of_its_department_only(town: Town) -> None:
    mine, theirs = Department.objects.filter(city=town.city, active=True)[:2]
    connect(town, owner=theirs.code)
    stranger, own = town.signed_in(town.token(department=mine)), town.signed_in(town.token(department=theirs))
    heard(own, "factory/7/state", {"ts": TS, "t": 68})
    stranger.publish("factory/9/state", {"ts": TS, "t": 68})
    assert not Datastream.objects.filter(key__startswith="9").exists()
    assert Datastream.objects.get(key="7-temperature").thing.owner == theirs


def test_switched_off_it_takes_nothing(town: Town) -> None:
    connect(town)
    client = town.signed_in(town.token())
    heard(client, "factory/7/state", {"ts": TS, "t": 68})
    with pytest.raises(Conflict):
        feeds.run_soon(town.steward, "factory")
    feeds.switch(town.steward, "factory", on=False)

    def left_out() -> bool:
        before = Delivery.objects.count()
        client.publish("factory/7/state", {"ts": TS, "t": 68})
        return Delivery.objects.count() == before

    wait(left_out)


@pytest.mark.parametrize("topics", ["", "#", "+/a", "a/#/b", "a/b+", "v1.1/Things", "$SYS/a", "a" * 1001])
def test_filters_that_are_none(town: Town, topics: str) -> None:
    with pytest.raises(Invalid):
        connect(town, topics=topics)
    with pytest.raises(Invalid):
        connect(town, {**READINGS, "format": "xml"})


def test_a_sample_is_what_a_subscriber_prints() -> None:
    lines = mapped.sample(b'factory/7/state {"t": 1}\nfactory/8/state 2\n').splitlines()
    assert [json.loads(line) for line in lines] == [
        {"t": 1, "topic": "factory/7/state", "topic1": "factory", "topic2": "7", "topic3": "state"},
        {"value": 2, "topic": "factory/8/state", "topic1": "factory", "topic2": "8", "topic3": "state"},
    ]
    with pytest.raises(Invalid):
        mapped.sample(b"nothing\n")


@pytest.mark.parametrize(
    ("lines", "key", "time"),
    [
        (
            b'factory/7/state {"ts": 1790000000, "temp": 20}\nfactory/8/state {"ts": 1790000060, "temp": 21}',
            "{topic2}-temp",
            "ts",
        ),
        (b"meters/m1/x 21.5", "{topic2}-value", None),
        (b'a/b {"device_id": "d1", "hum": 3, "time": "2026-11-01 08:00"}', "{device_id}-hum", "time"),
    ],
)
def test_a_first_mapping_is_proposed(lines: bytes, key: str, time: str | None) -> None:
    found = mapped.proposed(mapped.sample(lines))
    assert found["results"][0]["key"] == key
    assert found["time"].get("column") == time
