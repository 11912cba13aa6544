"""What no library would send: the broker ends that connection, and goes on serving the others."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.city import free_port
from tests.sensing.mqtt.conftest import Client, Town, environment, listens, process, wait


def connect(token: str, *, level: int = 4, client: str = "c", will: bool = False, keep_alive: int = 0) -> bytes:
    header = ConnectVariableHeader(connect_flags=0xC2 | (0x04 if will else 0), keep_alive=keep_alive, proto_level=level)
    payload = ConnectPayload(
        client_id=client, username="any", password=token, will_topic="v1.1/Things" if will else None,
        will_message=b"{}" if will else None,
    )  # fmt: skip
    return bytes(ConnectPacket(variable_header=header, payload=payload).to_bytes())


def publish(topic: bytes, payload: bytes = b"1", first: int = 0x30) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + payload
    return bytes([first, len(body)]) + body


def talk(port: int, *parts: bytes, seconds: float = 15.0) -> bytes:
    """Send; all that is answered until the other side ends the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire:
        try:
            for part in parts:
                wire.sendall(part)
            while more := wire.recv(4096):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


WELCOME = b"\x20\x02\x00\x00"


def test_what_is_no_sign_in_ends_the_connection(town: Town) -> None:
    good = connect(town.token())
    for first in (b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\x01", b"\x10\xff\xff\x7f" + b"x" * 100, publish(b"a"),
                  b"\x10\x00", good[:4] + b"\x00\x04MQTX" + good[10:]):  # fmt: skip
        assert not talk(town.port, first).startswith(WELCOME)
    assert talk(town.port, connect(town.token(), level=5)) == b"\x20\x02\x00\x01"
    assert talk(town.port, connect("cs_nobody")) == b"\x20\x02\x00\x05"
    assert town.signed_in(town.token())


@pytest.mark.parametrize(
    "bad",
    [
        b"\x30\xff\xff\xff\x7f" + b"x" * 1000,  # 256 MiB are announced
        b"\x30\x80\x80\x80\x80\x01",
        publish(b"a/+/b"),
        publish(b"a\x00b"),
        publish(b"\xff\xfe"),
        publish(b""),
        publish(b"$SYS/x"),
        publish(b"a", first=0x36),  # QoS 3
        publish(b"a", b"", first=0x32),  # no packet identifier
        b"\x30\x01\x00",
        b"\xf0\x00",
        b"\x00\x00",
        b"\x20\x02\x00\x00",  # what only a server sends
    ],
)
def test_what_is_malformed_ends_the_connection(town: Town, bad: bytes) -> None:
    assert talk(town.port, connect(town.token()), bad) == WELCOME


def test_noise_does_no_harm(town: Town) -> None:
    other = town.signed_in(town.token(), "steady")
    token, source = town.token(), random.Random(7)
    for _ in range(30):
        noise = os.urandom(1) + source.randbytes(source.randrange(1, 400)) + b"\xf0\x00"
        with socket.create_connection(("127.0.0.1", town.port), timeout=5) as wire:
            wire.sendall(connect(token) + noise)
    stream = town.stream()
    other.publish(f"v1.1/Datastreams({stream.pk})/Observations", {"result": 1})
    assert town.results(stream) == [1]


def test_a_silent_client_and_one_of_the_same_name_leave(town: Town) -> None:
    token = town.token()
    assert talk(town.port, connect(token, keep_alive=1)) == WELCOME
    with socket.create_connection(("127.0.0.1", town.port), timeout=15) as first:
        first.sendall(connect(token, client="twin"))
        assert first.recv(4) == WELCOME
        with socket.create_connection(("127.0.0.1", town.port), timeout=15) as second:
            second.sendall(connect(token, client="twin"))
            assert second.recv(4) == WELCOME
            assert _ended(first)
            with socket.create_connection(("127.0.0.1", town.port), timeout=15) as stranger:
                stranger.sendall(connect("cs_wrong", client="twin"))
                assert stranger.recv(4) == b"\x20\x02\x00\x05"
            second.sendall(b"\xc0\x00")
            assert second.recv(2) == b"\xd0\x00"  # it is still there


def _ended(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_will_is_not_published(town: Town) -> None:
    looking = town.signed_in(town.token())
    assert looking.subscribe("v1.1/Things")
    with socket.create_connection(("127.0.0.1", town.port), timeout=15) as wire:
        wire.sendall(connect(town.token(), will=True, client="dying"))
        assert wire.recv(4) == WELCOME
    assert looking.silent(1)


def test_a_packet_in_pieces_is_one(town: Town) -> None:
    stream = town.stream()
    body = b'{"phenomenonTime":"2026-11-01T00:00:00Z","result":4}'
    whole = publish(f"v1.1/Datastreams({stream.pk})/Observations".encode(), b"\x00\x07" + body, first=0x32)
    with socket.create_connection(("127.0.0.1", town.port), timeout=15) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in connect(town.token()) + whole:
            wire.sendall(bytes([byte]))
        assert wire.recv(4) == WELCOME
        assert wire.recv(4) == b"\x40\x02\x00\x07"
    assert town.results(stream) == [4]


def test_many_strangers_do_not_keep_others_out_for_long(town: Town) -> None:
    waiting = [socket.create_connection(("127.0.0.1", town.port)) for _ in range(100)]
    try:
        check: Callable[[], bool] = lambda: talk(town.port, connect(town.token()), b"\xe0\x00") == WELCOME  # noqa: E731
        wait(check, 30)
    finally:
        for wire in waiting:
            wire.close()


def test_a_subscriber_that_does_not_read_is_left_and_nobody_waits_for_it(town: Town) -> None:
    token = town.token()
    wanted = b"\x00\x05attic"
    with socket.create_connection(("127.0.0.1", town.port), timeout=30) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(
            connect(token, client="slow") + bytes([0x82, 2 + len(wanted) + 1]) + b"\x00\x01" + wanted + b"\x00"
        )
        assert slow.recv(4) == WELCOME and slow.recv(5)[:1] == b"\x90"
        body = b"\x00\x05attic" + b"x" * 2000
        packet = b"\x30" + bytes([len(body) % 128 | 0x80, len(body) // 128]) + body
        with socket.create_connection(("127.0.0.1", town.port), timeout=60) as device:
            device.sendall(connect(token, client="device"))
            assert device.recv(4) == WELCOME
            for _ in range(14):
                device.sendall(packet * 1000)
            wait(lambda: "mqtt.too-slow" in town.log.read_text(), 30)
            device.sendall(b"\xc0\x00")
            assert device.recv(2) == b"\xd0\x00"


def test_connections_to_the_database_may_be_lost(town: Town) -> None:
    stream = town.stream()
    client = town.signed_in(town.token())
    topic = f"v1.1/Datastreams({stream.pk})/Observations"
    assert client.subscribe(topic)
    client.publish(topic, {"phenomenonTime": "2026-11-01T00:00:00Z", "result": 1})
    assert client.next()[1]["result"] == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('broker', 'chengshu mqtt')"
        )
        assert cursor.rowcount >= 2
    client.publish(topic, {"phenomenonTime": "2026-11-01T00:01:00Z", "result": 2})
    assert town.results(stream) == [1, 2]
    wait(lambda: _heard(client, topic), 30)


def _heard(client: Client, topic: str) -> bool:
    """Whether updates come again: what happened while nobody followed is not told."""
    client.publish(topic, {"result": 3})
    return not client.silent(0.5)


@pytest.mark.slow
def test_it_speaks_tls(town: Town, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret, port = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    own = environment(
        tmp_path, CHENGSHU_MQTT="embedded", CHENGSHU_MQTT_PORT=str(port), CHENGSHU_MQTT_HOST="0.0.0.0",
        CHENGSHU_MQTT_CERT=str(certificate), CHENGSHU_MQTT_KEY=str(secret),
    )  # fmt: skip
    with process(own, tmp_path / "log"):
        wait(lambda: listens(port), 60)
        paho = Paho(CallbackAPIVersion.VERSION2)
        paho.username_pw_set("x", town.token())
        paho.tls_set(str(certificate))
        paho.connect("localhost", port)
        paho.loop_start()
        wait(paho.is_connected)
        paho.disconnect()
        paho.loop_stop()
        assert not talk(port, connect(town.token())).startswith(WELCOME)  # nobody comes in without
