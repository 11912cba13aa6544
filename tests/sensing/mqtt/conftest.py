"""A process of MQTT over a database that really commits, a few Things in it, and clients of paho."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.city import free_port
from chengshu.parties import tokens
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account, Department, Post, Token
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from chengshu.sensing import known, store
from chengshu.sensing.models import (
    Datastream,
    Day,
    Delivery,
    FeatureOfInterest,
    Feed,
    HistoricalLocation,
    Location,
    ObservedProperty,
    Quarantined,
    Sensor,
    Thing,
)
from chengshu.sensing.sta import write
from tests.sensing.conftest import MEASUREMENT

PATIENCE = 15.0  # seconds that something may take on a busy machine
MODELS = (
    Quarantined, Delivery, Day, Datastream, HistoricalLocation, Thing, FeatureOfInterest, Location, Sensor,
    ObservedProperty, Feed,
)  # fmt: skip


def wait(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What becomes true within some seconds."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.05)
    return found


@contextmanager
def process(environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `chengshu mqtt`."""
    with log.open("ab") as sink:
        running = subprocess.Popen(
            [sys.executable, "-m", "chengshu", "mqtt"], env=environment, stdout=sink, stderr=sink
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            raise


def environment(home: Path, **more: str) -> dict[str, str]:
    """That of a process over the tests' database."""
    name = django_settings.DATABASES["default"]["NAME"]
    path = os.environ["CHENGSHU_DATABASE_URL"].partition("?")
    url = f"{path[0].rpartition('/')[0]}/{name}?{path[2]}&application_name=broker".replace("?&", "?")
    own = {"CHENGSHU_DATABASE_URL": url, "CHENGSHU_HOME": str(home), "CHENGSHU_LOG": "json", "CHENGSHU_LANGUAGE": "en"}
    return os.environ | own | {"CHENGSHU_PUBLIC_URL": "http://city.example"} | more


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Client:
    """A client of paho that keeps what it hears."""

    paho: Paho
    heard: queue.SimpleQueue[MQTTMessage] = field(default_factory=queue.SimpleQueue)
    granted: queue.SimpleQueue[list[int]] = field(default_factory=queue.SimpleQueue)
    refused: list[str] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)

    def subscribe(self, topic: str, qos: int = 1) -> bool:
        """Whether it was granted."""
        self.paho.subscribe(topic, qos)
        return self.granted.get(timeout=PATIENCE) != [128]

    def publish(self, topic: str, body: Any, qos: int = 1) -> None:
        """Publish and wait until it is acknowledged."""
        payload = body if isinstance(body, bytes | str) else json.dumps(body)
        self.paho.publish(topic, payload, qos).wait_for_publish(PATIENCE)

    def next(self) -> tuple[str, Any]:
        """The next topic and its JSON."""
        found = self.heard.get(timeout=PATIENCE)
        return found.topic, json.loads(found.payload)

    def silent(self, seconds: float = 1.0) -> bool:
        """Whether nothing comes."""
        try:
            self.heard.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@dataclass
class Town:
    """The process, its port, a city, and whoever writes there."""

    port: int
    city: City
    steward: Principal
    log: Path
    environment: dict[str, str]
    clients: list[Client] = field(default_factory=list)

    def client(self, token: str, name: str = "", *, port: int = 0, in_flight: int = 20, **options: Any) -> Client:
        """A client that tries to sign in with a token."""
        paho = Paho(CallbackAPIVersion.VERSION2, client_id=name, **options)
        paho.max_inflight_messages_set(in_flight)
        made = Client(paho=paho)
        paho.username_pw_set("anything", token)
        paho.on_message = lambda _client, _data, message: made.heard.put(message)
        paho.on_subscribe = lambda _c, _d, _mid, codes, _p: made.granted.put([code.value for code in codes])
        paho.on_connect = lambda _c, _d, _f, reason, _p: made.refused.append(str(reason)) if reason.is_failure else None
        paho.on_publish = lambda _c, _d, mid, _reason, _p: made.acknowledged.add(mid)
        paho.reconnect_delay_set(1, 1)
        paho.connect("127.0.0.1", port or self.port)
        paho.loop_start()
        self.clients.append(made)
        return made

    def signed_in(self, token: str, name: str = "", **options: Any) -> Client:
        made = self.client(token, name, **options)
        wait(made.paho.is_connected)
        return made

    def stream(self, key: str | None = None, owner: Department | None = None, **more: Any) -> Datastream:
        """A datastream of a new Thing of a department."""
        properties = {"owner": owner.code} if owner else {}
        place = {
            "name": "gate", "description": "", "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [120.13, 30.26]},
        }  # fmt: skip
        body = {"name": "meter", "description": "", "properties": properties, "Locations": [place]}
        thing = write.create(self.steward, "Things", body).id
        stream = {
            "name": "level", "description": "", "observationType": MEASUREMENT, "unitOfMeasurement": {},
            "properties": {"key": key, "low": -40, "high": 80, **more} if key else {"low": -40, "high": 80},
            "Thing": {"@iot.id": thing},
            "Sensor": {"name": "s", "description": "", "encodingType": "x", "metadata": "x"},
            "ObservedProperty": {"name": "p", "description": "", "definition": "x"},
        }  # fmt: skip
        return Datastream.objects.get(pk=write.create(self.steward, "Datastreams", stream).id)

    def results(self, stream: Datastream) -> list[float]:
        """What a datastream observed, in the order of times."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT result FROM sensing_observation WHERE datastream = %s ORDER BY at, nth", [stream.pk])
            return [result for (result,) in cursor.fetchall()]

    def token(self, role: str = "gateway", department: Department | None = None) -> str:
        """A token of a post of the whole city, or of a department."""
        account = Account.objects.get(username="gateway")
        post = Post.objects.filter(account=account, role="gateway", department=None).first()
        assert post is not None
        if department is not None or role != "gateway":
            post = Post.objects.create(
                account=account, role=role, division=post.division, department=department, valid_from="2020-01-01"
            )
        return tokens.issue(post, "mqtt")


def clean(account: Account) -> None:
    """Leave the database as it was found."""
    with connection.cursor() as cursor:
        for day in Day.objects.values_list("day", flat=True):
            cursor.execute(f"DROP TABLE IF EXISTS sensing_observation_{day:%Y%m%d}")
    for model in MODELS:
        model._default_manager.all().delete()
    Token.objects.filter(name="mqtt").delete()
    Post.objects.filter(account=account, valid_from="2020-01-01").delete()
    known.changed()  # also for the processes of these tests
    store.forget()


@contextmanager
def committing(blocker: Any) -> Iterator[None]:
    """A connection of its own, on which what is written is there for other processes."""
    with blocker.unblock():
        tests, connections["default"] = connections["default"], connections.create_connection("default")
        try:
            yield
        finally:
            connection.close()
            connections["default"] = tests


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def broker(home: Path, django_db_setup: None) -> Iterator[tuple[int, Path, dict[str, str]]]:
    """Our own broker: its port, log, and environment."""
    port, log = free_port(), home / "mqtt.log"
    own = environment(home, CHENGSHU_MQTT="embedded", CHENGSHU_MQTT_PORT=str(port))
    with process(own, log) as running:
        wait(lambda: listens(port) or running.poll() is not None, 60)
        assert running.poll() is None, log.read_text()
        yield port, log, own


@pytest.fixture
def town(db: None, broker: tuple[int, Path, dict[str, str]], django_db_blocker: Any, settings: Any) -> Iterator[Town]:
    settings.MQTT = "embedded"  # or nobody is told of what is written here
    port, log, own = broker
    with committing(django_db_blocker):
        account = Account.objects.get(username="gateway")
        steward = principal_of(Account.objects.get(username="steward"))
        made = Town(port=port, city=City.objects.get(name="hangzhou"), steward=steward, log=log, environment=own)
        try:
            yield made
        finally:
            for client in made.clients:
                client.paho.disconnect()
                client.paho.loop_stop()
            clean(account)
