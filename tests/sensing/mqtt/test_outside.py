"""A broker that somebody else runs: what devices publish there is taken, and it is told of the changes that are asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.city import free_port
from chengshu.core.errors import CannotStart
from chengshu.sensing.models import Delivery, Quarantined
from chengshu.sensing.mqtt import config
from chengshu.sensing.sta import write
from tests.sensing.mqtt.conftest import Client, Town, environment, listens, process, wait
from tests.sensing.mqtt.test_door import seen
from tests.sensing.mqtt.test_mapped import TS, at, connect


@pytest.fixture(scope="module")
def foreign() -> Iterator[int]:
    """A plain broker in a process of its own."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.broker", str(port)]) as running:
        wait(lambda: listens(port), 60)
        yield port
        running.kill()


def test_what_is_published_outside_is_taken_and_changes_are_told_there(
    town: Town, foreign: int, tmp_path: Path
) -> None:
    stream, log = town.stream(), tmp_path / "log"
    topic = f"v1.1/Datastreams({stream.pk})/Observations"
    name = f"v1.1/Datastreams({stream.pk})/name"
    own = environment(
        tmp_path, CHENGSHU_MQTT=f"mqtt://bridge:x@127.0.0.1:{foreign}", CHENGSHU_STA_CITY="hangzhou",
        CHENGSHU_MQTT_PUBLISH=f"{topic} {name} v1.1/Nothing",
    )  # fmt: skip
    connect(town)
    device: Client = town.client("", port=foreign)
    wait(device.paho.is_connected)
    assert device.subscribe(topic) and device.subscribe(name)
    with process(own, log) as running:
        wait(lambda: "mqtt.connected" in log.read_text() or running.poll() is not None, 60)

        def told() -> bool:  # the bridge looks once a second what it is to watch
            write.patch(town.steward, "Datastreams", stream.pk, {"name": f"level {time.monotonic()}"})
            return not device.silent(0.2)

        wait(told)
        device.publish(topic, seen(3))
        wait(lambda: town.results(stream) == [3])
        wait(lambda: "@iot.id" in device.next()[1])
        device.publish("factory/7/state", {"ts": TS, "t": 32})
        wait(lambda: Delivery.objects.filter(door="mqtt:factory").exists())
        assert at(town, "7-temperature") == [0]
        device.publish(topic, "{")
        wait(lambda: Quarantined.objects.filter(detail__startswith=topic).exists())
        assert town.results(stream) == [3]  # what we told ourselves was not taken again
        running.send_signal(signal.SIGTERM)
        running.wait(20)
    device.publish(topic, seen(4, 1))  # the broker keeps it for the bridge
    with process(own, log):
        wait(lambda: town.results(stream) == [3, 4], 60)


@pytest.mark.parametrize("address", ["http://host", "mqtt://", "mqtt://host:port", "nothing", "mqtt://host:99999"])
def test_addresses_that_are_none(settings: object, address: str) -> None:
    settings.MQTT = address  # type: ignore[attr-defined]
    with pytest.raises(CannotStart):
        config.outside()


def test_an_open_door_must_be_asked_for(settings: object) -> None:
    settings.MQTT_HOST, settings.MQTT_CERT = "0.0.0.0", ""  # type: ignore[attr-defined]
    with pytest.raises(CannotStart):
        config.listener()
    settings.MQTT_PLAIN = True  # type: ignore[attr-defined]
    assert config.listener().context() is None
    settings.MQTT_CERT = "/nowhere"  # type: ignore[attr-defined]
    with pytest.raises(CannotStart):
        config.listener().context()


def test_an_outside_broker_is_told_apart_from_its_password(settings: object) -> None:
    settings.MQTT = "mqtts://gate%40way:s%3Acret@broker.example"  # type: ignore[attr-defined]
    found = config.outside()
    assert (found.host, found.port, found.tls, found.user, found.password) == (
        "broker.example",
        8883,
        True,
        "gate@way",
        "s:cret",
    )
    assert config.endpoints() == ("mqtts://broker.example:8883",)
    assert "s:cret" not in repr(found)
