"""The process is killed while devices send: what was acknowledged is there, once."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from benchmarks.city import free_port
from tests.sensing.mqtt.conftest import Client, Town, environment, listens, process, wait

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


@pytest.mark.slow
def test_killed_again_and_again(town: Town, tmp_path: Path) -> None:
    client: Client
    port, stream = free_port(), town.stream()
    own = environment(tmp_path, CHENGSHU_MQTT="embedded", CHENGSHU_MQTT_PORT=str(port))
    sent: list[int] = []
    stop = threading.Event()
    log = tmp_path / "log"

    def send(client: Client) -> None:
        topic = f"v1.1/Datastreams({stream.pk})/Observations"
        while not stop.is_set():
            second = len(sent)
            body = f'{{"phenomenonTime":"{(START + timedelta(seconds=second)).isoformat()}","result":{second % 80}}}'
            sent.append(client.paho.publish(topic, body, 1).mid)
            time.sleep(0.002)

    sender = None
    for pause in (0.7, 0.83, 0.96):
        with process(own, log) as running:
            wait(lambda: listens(port), 60)
            if sender is None:
                client = town.client(town.token(), "device", port=port, clean_session=False)
                sender = threading.Thread(target=send, args=[client])
                sender.start()
            wait(client.paho.is_connected)
            time.sleep(pause)
            running.send_signal(signal.SIGKILL)
            running.wait()
    with process(own, log):
        wait(client.paho.is_connected, 60)
        stop.set()
        sender.join()
        wait(lambda: set(sent) <= client.acknowledged, 60)
    with connection.cursor() as cursor:
        cursor.execute("SELECT at, result FROM sensing_observation WHERE datastream = %s", [stream.pk])
        found = Counter((round((at - START).total_seconds()), result) for at, result in cursor.fetchall())
    assert found == Counter((second, float(second % 80)) for second in range(len(sent)))
    assert len(found) > 500
