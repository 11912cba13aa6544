"""Fetching an address: never one inside unless the administrator allowed its network, never more or longer than is bearable.

The name is resolved once, every address of it is judged, and the very one that was judged is called; so with each redirect.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from chengshu.core.errors import ChengshuError, Invalid, NotAllowed, TooLarge
from chengshu.parties.delivery_hook import lawful

TIMEOUT: Final = 20.0  # seconds without a byte
DEADLINE: Final = 60.0  # seconds for a whole answer
LARGEST: Final = 64 * 2**20  # bytes of an answer, decompressed
REDIRECTS: Final = 5
PIECE: Final = 64 * 2**10
KEPT: Final = ("etag", "last-modified", "content-type", "link", "retry-after")


class Unreachable(ChengshuError):
    """The other side did not answer, or not well."""

    status = 502

    def __init__(self, what: str, *, where: str = "", remedy: str = "", after: float = 0.0) -> None:
        self.after = after  # seconds that the other side asks to be left alone
        super().__init__(what, where=where, remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """An answer: its status (200 or 304), content, and the headers that matter (`KEPT`), by small names."""

    url: str
    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def checked(url: str) -> SplitResult:
    """The parts of an address. Raises `Invalid` for what is no http(s) address, or has a name or password in it."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url or len(url) > 4_000:
        raise Invalid(
            _("This is no address."), where=url[:200], remedy=_("Write such as https://example.org/data.json.")
        )
    if parts.username is not None or parts.password is not None:
        raise Invalid(_("An address holds no name and no password."), remedy=_("Enter the secret in its own field."))
    return parts


def fetch(url: str, *, headers: Mapping[str, str], secret: Mapping[str, str], largest: int = LARGEST) -> Fetched:
    """GET an address, following redirects.

    Args:
        secret: headers that only the address' own host gets.

    Raises:
        NotAllowed: it, or where it leads, lies inside.
        Unreachable: no answer, or one that is no 200.
        TooLarge: the answer is.
    """
    first = checked(url)
    for _hop in range(REDIRECTS + 1):
        parts = checked(url)
        own = (parts.scheme, parts.netloc) == (first.scheme, first.netloc)
        if first.scheme == "https" and parts.scheme == "http":
            raise NotAllowed(_("The address leads from https to http."), where=url[:200], remedy=_("Ask its owner."))
        got = _get(parts, url, {**headers, **(secret if own else {})}, largest)
        if isinstance(got, Fetched):
            return got
        url = urljoin(url, got)
    raise Unreachable(_("The address leads on and on."), where=url[:200], remedy=_("Give the last of its addresses."))


def address_of(host: str, port: int) -> str:
    """The address that a host may be called by. Raises `NotAllowed` when it lies inside, `Unreachable` when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(_("There is no such host."), where=host[:200], remedy=_("Look at the address.")) from error
    address = lawful(found, settings.FEED_NETWORKS)
    if address is None:
        raise NotAllowed(
            _("This address lies inside: sources are not fetched from there."), where=host[:200],
            remedy=_("Whoever keeps the server may allow its network (CHENGSHU_FEED_NETWORKS)."),
        )  # fmt: skip
    return address


def _get(parts: SplitResult, url: str, headers: Mapping[str, str], largest: int) -> Fetched | str:
    """One request: the answer, or where it leads."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    line = _line(parts.scheme, host, port, address_of(host, port))
    sent = {"User-Agent": "chengshu", "Accept-Encoding": "gzip", **headers, "Host": parts.netloc}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    deadline = threading.Timer(DEADLINE, _cut, [line])
    deadline.start()
    try:
        line.request("GET", target, headers=sent, preload_content=False)
        return _answer(line.getresponse(), url, largest)
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        what = _("The address does not answer.")
        raise Unreachable(what, where=host[:200], remedy=_("It is tried again by itself.")) from error
    finally:
        deadline.cancel()
        line.close()


def _line(scheme: str, host: str, port: int, address: str) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(address, port, timeout=TIMEOUT, server_hostname=host, assert_hostname=host)
    return HTTPConnection(address, port, timeout=TIMEOUT)


def _answer(response: BaseHTTPResponse, url: str, largest: int) -> Fetched | str:
    kept = {name: value for name in KEPT if (value := response.headers.get(name)) is not None}
    if response.status in {301, 302, 303, 307, 308} and (target := response.headers.get("location")):
        return str(target)
    if response.status == 304:
        return Fetched(url=url, status=304, content=b"", headers=kept)
    if response.status != 200:
        raise Unreachable(
            _("The other side answered %(status)d.") % {"status": response.status}, where=url[:200],
            remedy=_("Look at the address and the secret."), after=_seconds(kept.get("retry-after", "")),
        )  # fmt: skip
    return Fetched(url=url, status=200, content=_content(response, largest), headers=kept)


def _seconds(text: str) -> float:
    return min(float(text), 86_400.0) if text.isascii() and text.isdecimal() else 0.0


def _content(response: BaseHTTPResponse, largest: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(PIECE, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            what = _("The answer is too large.")
            raise TooLarge(what, remedy=_("Ask for less at once: at most %(n)d MiB.") % {"n": largest // 2**20})
    return b"".join(pieces)


def _cut(line: HTTPConnection) -> None:
    """End a connection whose other side answers a byte at a time."""
    if line.sock is not None:
        with suppress(OSError):
            line.sock.shutdown(socket.SHUT_RDWR)
