"""Prometheus metrics of the live process; under `chengshu run` the web server tells them with its own."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, generate_latest

TYPE = CONTENT_TYPE_LATEST
STREAMS = Gauge("chengshu_live_streams", "Pages that listen now.", multiprocess_mode="mostrecent")
EVENTS = Counter("chengshu_live_events", "Events put into the queues of streams.")
DROPPED = Counter("chengshu_live_dropped", "Streams ended because their reader was too slow.")
LISTENING = Gauge("chengshu_live_listening", "1 while the database is heard.", multiprocess_mode="mostrecent")


def text() -> bytes:
    """The metrics of this process in the text format of Prometheus."""
    return generate_latest(REGISTRY)
