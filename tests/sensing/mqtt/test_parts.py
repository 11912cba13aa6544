"""Parts that need no broker: topics, packets, and deliveries that commit out of order."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from hypothesis import given
from hypothesis import strategies as st

from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.sensing import news
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.models import Datastream
from chengshu.sensing.mqtt import gather, guests, packets, updates
from chengshu.sensing.mqtt.changes import Deliveries
from chengshu.sensing.mqtt.guests import Guest, Rights
from chengshu.sensing.mqtt.packets import Malformed
from chengshu.sensing.mqtt.updates import Change
from chengshu.sensing.sources.topics import is_filter, is_topic, matches
from chengshu.sensing.sta import service
from tests.sensing.conftest import Stream

Who = Callable[[str], Principal]


@pytest.mark.parametrize(
    ("topic", "wanted", "right"),
    [
        ("a/b", "a/b", True), ("a/b", "a/+", True), ("a/b", "+/b", True), ("a/b/c", "a/+", False), ("a", "a/#", True),
        ("a/b/c", "a/#", True), ("b", "a/#", False), ("a", "a/+", False), ("a/", "a/+", True), ("$SYS/a", "#", False),
        ("$SYS/a", "+/a", False), ("$SYS/a", "$SYS/#", True), ("a", "#", True),
    ],
)  # fmt: skip
def test_filters_match_as_the_standard_has_it(topic: str, wanted: str, right: bool) -> None:
    assert matches(topic, wanted) is right


def test_topics_and_filters() -> None:
    assert all(map(is_topic, ["a", "a/b", "/", "工厂/1"])) and not any(
        map(is_topic, ["", "a/+", "#", "a\0", "$a", "a" * 1001])
    )
    assert all(map(is_filter, ["a", "+", "#", "a/+/b/#"])) and not any(map(is_filter, ["", "a+", "#/a", "a/b#", "a\0"]))


def read(content: bytes) -> packets.Packet | None:
    async def reading() -> packets.Packet | None:
        stream = asyncio.StreamReader()
        stream.feed_data(content)
        stream.feed_eof()
        return await packets.packet(stream)

    return asyncio.run(reading())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_refused(content: bytes) -> None:
    try:
        found = read(content)
        if found is not None:
            assert content.startswith(found.whole)
            packets.published(found)
    except Malformed:
        pass


@given(st.text(min_size=1, max_size=60), st.binary(max_size=300), st.integers(0, 2), st.integers(1, 65535))
def test_what_was_published_is_read(topic: str, payload: bytes, qos: int, number: int) -> None:
    body = (
        len(topic.encode()).to_bytes(2, "big") + topic.encode() + (number.to_bytes(2, "big") if qos else b"") + payload
    )
    head = (
        bytes([0x30 | qos << 1, len(body) % 128 | 0x80, len(body) // 128])
        if len(body) > 127
        else bytes([0x30 | qos << 1, len(body)])
    )
    found = read(head + body)
    assert found is not None
    if not is_topic(topic):
        with pytest.raises(Malformed):
            packets.published(found)
        return
    got = packets.published(found)
    assert (got.topic, got.payload, got.qos, got.id) == (topic, payload, qos, number if qos else 0)


def test_news_are_told_in_pieces_that_fit() -> None:
    parts = list(news._parts(news.News(kind="Things", ids=tuple(range(10**15, 10**15 + 1000)), members=("name",))))
    assert len(parts) == 4 and all(len(part) < 8000 for part in parts)
    assert [number for part in parts for number in news.heard(part).ids] == list(range(10**15, 10**15 + 1000))


@contextmanager
def beside() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the tests' database beside Django's."""
    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: parameters[name] for name in names if parameters.get(name)}, autocommit=True) as own:
        yield own


BEGIN = """
SELECT delivery FROM sensing_begin((SELECT min(id) FROM places_city), 'test', NULL, '', now(), NULL,
    (SELECT last_value FROM sensing_register_version), 1, '{}')
"""


def begun(own: psycopg.Connection[Any]) -> int:
    """A delivery in a transaction that is still open."""
    own.execute("BEGIN")
    [(number,)] = own.execute(BEGIN).fetchall()
    return int(number)


class Following(Deliveries):
    """Remembers which deliveries it came by."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[int] = []

    def _reach(self, number: int) -> None:
        self.passed.append(number)
        super()._reach(number)


@pytest.mark.django_db
def test_deliveries_that_commit_late_are_seen_and_those_that_never_do_are_not_waited_for() -> None:
    follow = Following()
    with beside() as looking, beside() as slow, beside() as quick:
        try:
            follow.step(looking, {0})
            late = begun(slow)
            never = begun(quick)
            quick.execute("ROLLBACK")
            newest = begun(quick)
            quick.execute("COMMIT")
            assert late < never < newest
            follow.step(looking, {0})
            assert follow.reached == newest and set(follow.missing) >= {late, never}
            for _ in range(4):
                follow.step(looking, {0})
            assert set(follow.missing) >= {late, never}  # whoever has them may still be at work
            slow.execute("COMMIT")
            follow.step(looking, {0})
            assert follow.passed == [newest, late]
            until = time.monotonic() + 60  # transactions of the same server that are older may be anybody's
            while follow.missing and time.monotonic() < until:
                follow.step(looking, {0})
                time.sleep(0.05)
            assert not follow.missing  # it was never used
        finally:
            quick.execute("DELETE FROM sensing_delivery WHERE door = 'test'")


@pytest.mark.django_db
def test_observations_of_one_step_are_rendered_in_their_scope(who: Who, stream: Stream) -> None:
    one, two = stream(), stream()
    watch = updates.watch(who("leader"), f"v1.1/Datastreams({one.pk})/Observations?$select=result", "http://x")
    every = updates.watch(who("leader"), "v1.1/Observations?$select=result", "http://x")
    lines = [
        f'{{"datastream":{s.pk},"phenomenonTime":"2026-11-01T00:00:00Z","result":{r}}}' for s, r in ((one, 1), (two, 2))
    ]
    got = accept(ndjson("\n".join(lines).encode()), actor=who("gateway"), at=datetime(2026, 11, 1, 1, tzinfo=UTC))
    changes = [Change(kind="Observations", id=got.ids[line], stream=each.pk) for line, each in ((1, one), (2, two))]
    told = sorted((each.watch.topic, each.payload) for each in updates.told([watch, every], changes, "http://x"))
    assert told == [(watch.topic, b'{"result":1}'), (every.topic, b'{"result":1}'), (every.topic, b'{"result":2}')]
    assert updates.streams([watch]) == {one.pk} and updates.streams([watch, every]) == {0, one.pk}
    Datastream.objects.filter(pk=one.pk).delete()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", []),
        ("embedded", ["mqtt://127.0.0.1:8200"]),
        ("mqtt://u:p@broker:1884", ["mqtt://broker:1884"]),
        ("wrong", []),
    ],
)
def test_the_service_tells_where_it_is_heard(settings: Any, address: str, told: list[str]) -> None:
    settings.MQTT, settings.MQTT_PORT, settings.MQTT_URL = address, 8200, ()
    said = json.loads(service.landing("http://x", service._over_mqtt()))["serverSettings"]
    offered = [each for each in said["conformance"] if "mqtt" in each]
    assert [said[each]["endpoints"] for each in offered] == [told] * (2 if told else 0)


def test_the_database_is_away_only_when_it_cannot_work() -> None:
    for cause, away in (
        (psycopg.errors.AdminShutdown(), True), (psycopg.errors.DeadlockDetected(), True), (psycopg.OperationalError(), True),
        (psycopg.errors.ProgramLimitExceeded(), False), (psycopg.errors.UniqueViolation(), False),
    ):  # fmt: skip
        error = OperationalError("x")
        error.__cause__ = cause
        assert gather.is_away(error) is away, cause
    assert not gather.is_away(ValueError())


def test_who_sends_too_fast_waits() -> None:
    async def waited() -> tuple[float, bool]:
        who = Principal(
            account=1, username="x", name="x", post=1, role=Role.GATEWAY, city=1, division=1, department=None
        )  # fmt: skip
        rights = Rights(principal=who, writes=None, reads=None)
        guest = Guest(name="x", token="x", rights=rights, writer=None, keep_alive=1)  # type: ignore[arg-type]
        guest.allowance, begin = 0.0, time.monotonic()
        await guest.turn()
        seconds = time.monotonic() - begin
        for _ in range(guests.WAITING):
            guest.took(1)
        held = asyncio.create_task(guest.turn())
        await asyncio.sleep(0.02)
        before = held.done()
        guest.done(1)
        await asyncio.wait_for(held, 5)
        return seconds, before

    seconds, before = asyncio.run(waited())
    assert seconds > 0 and not before
