"""Prometheus metrics of the web processes. With PROMETHEUS_MULTIPROC_DIR set, /metrics tells of all processes together."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

LABELS = ("method", "route", "status")
REQUESTS = Counter("chengshu_http_requests", "HTTP requests answered.", LABELS)
SECONDS = Histogram(
    "chengshu_http_request_seconds",
    "Seconds from request to answer.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24),
)
TYPE = CONTENT_TYPE_LATEST


def count(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)


def text() -> bytes:
    """All metrics in the text format of Prometheus."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
