"""The sealer is killed again and again while rows come late and somebody reads: nothing is lost, nothing is read twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections

from chengshu.lake import engine
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account
from chengshu.places.models import City
from chengshu.sensing import known
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.models import Datastream, Day, Delivery, Gone, Lake, ObservedProperty, Sensor, Thing
from chengshu.sensing.observations import observations
from chengshu.sensing.sta.read import read as sta_read
from tests.sensing.conftest import MEASUREMENT

TODAY = datetime.now(UTC).date()
DAYS = [TODAY - timedelta(days=each) for each in (6, 5)]
POINTS = ["copied", "written", "versioned", "checked", "done"]


@dataclass
class World:
    """A datastream in a database that really commits, and what was acknowledged of it."""

    stream: int
    actor: Any
    acknowledged: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    sent: int = 0

    def send(self, rows: int = 7) -> None:
        """Rows of a time that none had before, on both days."""
        lines = []
        for _ in range(rows):
            self.sent += 1
            for day in DAYS:
                at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=self.sent)
                lines.append(
                    json.dumps({"datastream": self.stream, "phenomenonTime": at.isoformat(), "result": self.sent % 50})
                )
        random.shuffle(lines)
        got = accept(ndjson("\n".join(lines).encode()), actor=self.actor)
        assert (got.rows, got.known, got.refused) == (len(lines), 0, 0)
        self.acknowledged |= set(got.ids.values())

    def read(self) -> None:
        """Read both sides: what was acknowledged before is there, and nothing twice."""
        before = set(self.acknowledged)
        with observations(engine.local()) as table:
            found = Counter(table.select("id").to_pyarrow()["id"].to_pylist())
        assert not [i for i, times in found.items() if times > 1]
        assert before <= set(found)

    def ask(self) -> None:
        """Ask SensorThings page by page, while days are sealed between the pages."""
        before = set(self.acknowledged)
        found: list[int] = []
        path, query = f"/Datastreams({self.stream})/Observations", "$select=id&$top=400"
        while path:
            page = json.loads(sta_read(self.actor, path, query, "").text or "")
            found += [row["@iot.id"] for row in page["value"]]
            path, _mark, query = page.get("@iot.nextLink", "").partition("?")
        assert len(found) == len(set(found)) and before <= set(found)
        counted = json.loads(
            sta_read(self.actor, f"/Datastreams({self.stream})/Observations/$count", "", "").text or ""
        )
        assert counted >= len(found)

    def again_and_again(self, work: Callable[[], None]) -> None:
        """A thread's life: the same until it is told to stop."""
        try:
            while not self.stop.wait(0.01):
                work()
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()


@contextmanager
def committing() -> Iterator[None]:
    """A connection of its own, on which what is written is there for other processes; the test's own is in a transaction."""
    tests, connections["default"] = connections["default"], connections.create_connection("default")
    try:
        yield
    finally:
        connection.close()
        connections["default"] = tests


@pytest.fixture
def world(db: None, tmp_path: Path, settings: Any) -> Iterator[World]:
    settings.LAKE, settings.SPOOL = str(tmp_path / "lake"), tmp_path / "spool"
    with committing():
        city = City.objects.get(name="hangzhou")
        common = {"city": city, "name": "seal", "description": ""}
        sensor = Sensor.objects.create(**common, encoding_type="x", metadata="x")
        observed = ObservedProperty.objects.create(**common, definition="x")
        thing = Thing.objects.create(**common, places=[])
        stream = Datastream.objects.create(
            **common, thing=thing, sensor=sensor, observed_property=observed,
            observation_type=MEASUREMENT, unit_of_measurement={},
        )  # fmt: skip
        known.changed()
        try:
            yield World(stream=stream.pk, actor=principal_of(Account.objects.get(username="steward")))
        finally:
            with connection.cursor() as cursor:
                for day in Day.objects.values_list("day", flat=True):
                    cursor.execute(f"DROP TABLE IF EXISTS sensing_observation_{day:%Y%m%d}")
            for model in (Delivery, Day, Gone, Lake):
                model.objects.all().delete()
            for row in (stream, thing, sensor, observed):
                row.delete()


@pytest.fixture
def sealer(world: World, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    name = django_settings.DATABASES["default"]["NAME"]
    url = os.environ["CHENGSHU_DATABASE_URL"]
    path = url.partition("?")
    environment = os.environ | {
        "CHENGSHU_DATABASE_URL": f"{path[0].rpartition('/')[0]}/{name}{path[1]}{path[2]}",
        "CHENGSHU_LAKE": str(tmp_path / "lake"),
        "CHENGSHU_HOME": str(tmp_path),
        "CHENGSHU_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "tests.sensing.sealer", *map(str, DAYS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:

        def ask(point: str) -> int:
            assert process.stdin and process.stdout
            process.stdin.write(f"{point}\n")
            process.stdin.flush()
            return int(next(line for line in iter(process.stdout.readline, "") if line.strip().lstrip("-").isdigit()))

        yield ask
        assert process.stdin
        process.stdin.close()


@pytest.mark.slow
def test_killed_at_every_point_while_others_write_and_read(world: World, sealer: Callable[[str], int]) -> None:
    world.send(500)
    works = (world.send, world.read, world.ask)
    threads = [threading.Thread(target=world.again_and_again, args=[work], daemon=True) for work in works]
    for thread in threads:
        thread.start()
    order = random.Random(4)
    points = [*POINTS, *(f"{order.uniform(0.02, 0.8):.3f}" for _ in range(12)), *POINTS]
    ends = [sealer(point) for point in points]
    world.stop.set()
    for thread in threads:
        thread.join(30)
    assert not world.errors, world.errors
    assert ends.count(-9) >= 8
    world.read()
    assert sealer("whole") == 0
    world.read()
    world.ask()
    assert set(Day.objects.values_list("day", "hot", "cold")) == {(day, False, True) for day in DAYS}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sensing_observation")
        assert cursor.fetchone() == (0,)
    assert len(world.acknowledged) == 2 * world.sent
