"""What machines ask, and what every request leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory

from chengshu.cases.models import Outbox
from chengshu.web.middleware import address


@pytest.mark.django_db
def test_lives_and_is_ready(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").json() == {"ready": True, "database": "ok", "schema": "ok", "worker": "ok"}


@pytest.mark.django_db
def test_a_worker_that_is_behind_is_told(client: Client) -> None:
    Outbox.objects.create(topic="step", case=uuid4(), at=datetime.now(UTC) - timedelta(hours=1))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["worker"].startswith("behind")


@pytest.mark.django_db
def test_metrics_count_by_route_and_are_not_for_everybody(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/healthz")
    text = client.get("/metrics").content.decode()
    assert 'chengshu_http_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 403
    monkeypatch.setenv("CHENGSHU_METRICS_TOKEN", "let-me-see")
    headers = {"Authorization": "Bearer let-me-see"}
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1", headers=headers).status_code == 200


def test_a_request_keeps_the_number_it_came_with(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-12345678"})["X-Request-ID"] == "abc-12345678"
    assert client.get("/healthz", headers={"X-Request-ID": "bad\tnumber"})["X-Request-ID"] != "bad\tnumber"


def test_only_named_proxies_are_believed(rf: RequestFactory, settings: object) -> None:
    settings.TRUSTED_PROXIES = frozenset({"10.0.0.1", "10.0.0.2"})  # type: ignore[attr-defined]
    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4, 10.0.0.2"}
    assert address(rf.get("/", REMOTE_ADDR="10.0.0.1", headers=told)) == "198.51.100.4"
    assert address(rf.get("/", REMOTE_ADDR="198.51.100.7", headers=told)) == "198.51.100.7"
