"""Messages are compared as they are written in the sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from tests.parties.receivers import MailServer, WebServer, mail_server, web_server


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with mail_server() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.DEFAULT_FROM_EMAIL = "城枢 <notices@city.example>"
        settings.PUBLIC_URL = "https://city.example"
        yield server


@pytest.fixture
def web(settings: Any) -> Iterator[WebServer]:
    with web_server() as server:
        settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)
        settings.PUBLIC_URL = "https://city.example"
        yield server
