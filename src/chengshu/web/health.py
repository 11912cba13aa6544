"""What machines ask: does it live, is it ready, what are its numbers."""

from __future__ import annotations

import hmac
import ipaddress
import os
import threading
from datetime import UTC, datetime

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from chengshu.cases.models import Outbox
from chengshu.cases.outbox import FAILED
from chengshu.web import metrics

BEHIND = 120  # seconds that the oldest unworked outbox row may wait before the worker counts as away
_migrated = threading.Event()


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Ready when the database answers and has the schema of this version; what the worker does is told beside it.

    503 when not ready. A worker that is away does not take the pages away, so it is told but changes nothing.
    """
    state = {"database": "ok", "schema": "ok", "worker": "ok"}
    try:
        state |= {"schema": _schema(), "worker": _worker()}
    except DatabaseError as error:
        state |= {"database": type(error).__name__, "schema": "unknown", "worker": "unknown"}
    ready = state["database"] == state["schema"] == "ok"
    return JsonResponse({"ready": ready, **state}, status=200 if ready else 503)


def _schema() -> str:
    """Whether all migrations are applied; once they are, they stay so while this process lives."""
    if _migrated.is_set():
        connection.ensure_connection()
        return "ok"
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return "migrations are missing: run `chengshu migrate`"
    _migrated.set()
    return "ok"


def _worker() -> str:
    oldest = Outbox.objects.exclude(topic=FAILED).order_by("pk").values_list("at", flat=True).first()
    waiting = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    return "ok" if waiting < BEHIND else f"behind by {waiting:.0f} s"


@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for this machine itself or for whoever has CHENGSHU_METRICS_TOKEN as bearer token."""
    token = os.environ.get("CHENGSHU_METRICS_TOKEN", "")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not (_local(request) or (token and hmac.compare_digest(given.encode(), token.encode()))):
        return HttpResponse("not from here\n", status=403, content_type="text/plain")
    return HttpResponse(metrics.text(), content_type=metrics.TYPE)


def _local(request: HttpRequest) -> bool:
    """Asked from this machine and not through a proxy on it."""
    if "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(str(request.META.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        return False
