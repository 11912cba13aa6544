"""Is the door free? Granian shares its port silently with a server that was left over, so we look first."""

from __future__ import annotations

import errno
import socket
import time
import urllib.error
import urllib.request

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared with, never bound to
"""An address of this machine for those that mean all of its addresses."""


SERVER_ERROR = 500
"""The first HTTP status that says that the server itself fails."""


def check_port(host: str, port: int) -> None:
    """Raise CannotStart unless a server may listen on `host` and `port`."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Lets connections that are merely closing pass; a listening socket is still refused.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except (OSError, OverflowError) as error:
        raise _refused(host, port, error) from error


def address(host: str, port: int) -> str:
    """Return the URL under which a browser on this machine finds the server."""
    name = ANY.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: behind a proxy that speaks TLS the server sends everybody there, and is well."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        """Make every redirect an answer."""


def status(url: str, *, timeout: float = 2.0) -> int:
    """Return the HTTP status at `url`, 0 when nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere)
    try:
        with opener.open(url, timeout=timeout) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_for(url: str, *, limit: float) -> bool:
    """Wait up to `limit` seconds until `url` answers without a server error; tell whether it does."""
    until = time.monotonic() + limit
    while not 0 < (found := status(url)) < SERVER_ERROR:
        if time.monotonic() > until:
            return False
        time.sleep(1.0 if found else 0.1)  # every failed answer leaves its trace in the log
    return True


def _refused(host: str, port: int, error: OSError | OverflowError) -> CannotStart:
    where = f"{host}:{port}"
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return CannotStart(
            _("the port %(port)s is taken by another program.") % {"port": port},
            where=where,
            remedy=_("Stop that program, or choose another port: CHENGSHU_PORT=%(other)s.") % {"other": port + 1},
        )
    if code == errno.EACCES:
        return CannotStart(
            _("this account may not open the port %(port)s.") % {"port": port},
            where=where,
            remedy=_("Choose a port above 1023 with CHENGSHU_PORT."),
        )
    return CannotStart(
        _("no server can listen there: %(reason)s.") % {"reason": error},
        where=where,
        remedy=_("Choose an address of this machine with CHENGSHU_HOST, and a port with CHENGSHU_PORT."),
    )
