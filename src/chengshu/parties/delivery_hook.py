"""Webhooks as the Standard Webhooks specification has them: signed, and never to an address inside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from chengshu.parties.delivery import Outcome

TIMEOUT = 10.0  # seconds without a byte
DEADLINE = 20.0  # seconds for the whole answer
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def signature(secret: str, key: str, at: int, body: bytes) -> str:
    """HMAC-SHA256 over `key.at.body` with the bytes of a `whsec_…` secret, as the header `webhook-signature` has it."""
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{key}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()


def post(url: str, secret: str, key: str, content: Mapping[str, Any], now: datetime) -> Outcome:
    """Send one message. Redirects are not followed: they could lead inside."""
    body = json.dumps(content, ensure_ascii=False).encode()
    stamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "chengshu",
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature(secret, key, stamp, body),
    }
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        address = lawful(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError:
        return Outcome(error="unreachable")
    if address is None:
        return Outcome(error="refused_address", final=True)
    return _send(parts.scheme, host, port, address, url, headers, body)


def lawful(found: Iterable[tuple[Any, ...]], networks: Collection[str] | None = None) -> str | None:
    """The first address of a host, if every one of them may be called; one that may not refuses the host."""
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    lawful = addresses and all(allowed(ipaddress.ip_address(each), networks) for each in addresses)
    return addresses[0] if lawful else None


def allowed(address: Address, networks: Collection[str] | None = None) -> bool:
    """Whether an address may be called: a public one, or of the networks inside (those for webhooks) that the settings name."""
    inside = settings.WEBHOOK_NETWORKS if networks is None else networks
    if any(address in ipaddress.ip_network(network) for network in inside):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64 or address.teredo or address.sixtofour:  # lead to addresses that we cannot judge
            return False
        address = address.ipv4_mapped or address
    return address.is_global and not address.is_multicast


def _send(
    scheme: str, host: str, port: int, address: str, url: str, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Call the very address that was judged: a name asked for again could give another."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    line = (
        HTTPSConnection(address, port, timeout=TIMEOUT, server_hostname=host, assert_hostname=host)
        if scheme == "https"
        else HTTPConnection(address, port, timeout=TIMEOUT)
    )
    deadline = threading.Timer(DEADLINE, _cut, [line])
    deadline.start()
    try:
        line.request("POST", target, body=body, headers={**headers, "Host": parts.netloc}, preload_content=False)
        return _judged(line.getresponse().status)
    except (HTTPError, HTTPException, OSError, ValueError):
        return Outcome(error="unreachable")
    finally:
        deadline.cancel()
        line.close()


def _cut(line: HTTPConnection) -> None:
    """End a connection whose other side answers a byte at a time, so that it holds nobody up."""
    if line.sock is not None:
        with suppress(OSError):
            line.sock.shutdown(socket.SHUT_RDWR)


def _judged(status: int) -> Outcome:
    """2xx is well; 410 Gone says never again."""
    return Outcome() if 200 <= status < 300 else Outcome(error="answer", detail=f"HTTP {status}", final=status == 410)
