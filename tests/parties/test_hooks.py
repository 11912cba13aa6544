"""Webhooks: signed, and never to an address inside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
import threading
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import pytest

from chengshu.parties import delivery, delivery_hook, delivery_send
from chengshu.parties.delivery_hook import allowed
from chengshu.parties.models import Delivery
from tests.parties.receivers import WebServer
from tests.parties.telling import NOON, Who, channel, states, tell


def test_a_webhook_is_signed_and_carries_the_same_key_at_every_try(who: Who, web: WebServer) -> None:
    handler = who("handler")
    hook = channel(handler, "webhook", f"{web.url}/in?a=1")
    tell(handler, "due", due=NOON.isoformat())
    web.status = 500
    delivery_send.once(NOON)
    [waiting] = Delivery.objects.all()
    assert (waiting.state, waiting.tries, waiting.error, waiting.detail) == ("waiting", 1, "answer", "HTTP 500")
    assert waiting.next_at == NOON + delivery.PAUSES[0]
    assert delivery_send.once(NOON) == 0
    web.status = 204
    delivery_send.once(NOON + delivery.PAUSES[0])
    assert states() == ["sent"]
    (path, first, body), (_path, second, _body) = web.requests
    assert path == "/in?a=1"
    assert first["webhook-id"] == second["webhook-id"] == second["idempotency-key"] == str(waiting.pk)
    secret = base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{first['webhook-id']}.{first['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert first["webhook-signature"] == f"v1,{wanted}"
    [row] = web.json()["data"]["notices"]
    assert (row["kind"], row["number"], row["urgent"]) == ("due", "HZ-20260302-000001", True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
        "fd00::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_no_webhook_calls_an_address_inside(address: str) -> None:
    assert not allowed(ipaddress.ip_address(address))


def test_a_webhook_calls_public_addresses_and_named_networks(settings: Any) -> None:
    assert allowed(ipaddress.ip_address("93.184.216.34"))
    assert allowed(ipaddress.ip_address("2606:4700::1111"))
    settings.WEBHOOK_NETWORKS = ("10.1.0.0/16",)
    assert allowed(ipaddress.ip_address("10.1.2.3"))
    assert not allowed(ipaddress.ip_address("10.2.2.3"))


def test_a_name_that_leads_inside_is_refused_when_it_is_called(who: Who, web: WebServer, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = ()
    handler = who("handler")
    channel(handler, "webhook", f"http://localhost:{web.port}/")
    tell(handler)
    delivery_send.once(NOON)
    assert list(Delivery.objects.values_list("state", "error")) == [("dead", "refused_address")]
    assert not web.requests


def test_a_receiver_that_answers_a_byte_at_a_time_holds_nobody_up(
    who: Who, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)
    monkeypatch.setattr(delivery_hook, "DEADLINE", 0.6)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        line, _peer = listener.accept()
        with suppress(OSError), line:
            for _byte in range(200):
                line.sendall(b"x")
                sleep(0.1)

    threading.Thread(target=drip, daemon=True).start()
    handler = who("handler")
    channel(handler, "webhook", f"http://127.0.0.1:{listener.getsockname()[1]}/")
    tell(handler)
    begin = monotonic()
    delivery_send.once(NOON)
    listener.close()
    assert monotonic() - begin < 10
    assert list(Delivery.objects.values_list("state", "error")) == [("waiting", "unreachable")]


def test_redirects_are_not_followed(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler)
    web.status = 302
    delivery_send.once(NOON)
    assert len(web.requests) == 1
    assert states() == ["waiting"]
