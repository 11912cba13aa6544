"""The ASGI application of the live process: GET /stream sends events, POST /presence tells who writes.

One process, one worker: who has a case open is known in its memory only.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import os
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from psycopg import Error as DatabaseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from chengshu.core.errors import ChengshuError, Invalid, NotSignedIn
from chengshu.core.problems import KIND, problem
from chengshu.live import metrics, tickets
from chengshu.live.feed import Feed
from chengshu.live.hub import Hub, Stream, event, sees, told
from chengshu.live.tickets import Ticket

HEARTBEAT = 15.0  # seconds after which a silent stream sends a comment, so that nothing between takes it for dead
PATIENCE = 20.0  # seconds that a reader may take for what was sent to it
RETRY = 3_000  # milliseconds after which a browser comes back
LARGEST_BODY = 4_096  # bytes
WINDOW, MOST_IN_WINDOW = 10.0, 40  # seconds, and messages of presence that an account may send within them
FILES = 8_192  # that this process may have open, if the system allows it: one for each stream
ANYBODY = {"Access-Control-Allow-Origin": "*"}  # the ticket is the credential: no cookie is read here
HEADERS = {
    **ANYBODY,
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


class Unreadable(Invalid):
    """What was sent cannot be read."""

    status = 400


@dataclass(kw_only=True)
class Live:
    """What answers requests: the hub, the feed, and how much each account said in this window of time."""

    hub: Hub
    feed: Feed
    window: int = 0
    said: Counter[int] = field(default_factory=Counter)

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the reader goes away, is too slow, or may not listen any more."""
        request = Request(scope, receive)
        stream, first = await self._opened(request)
        gone = asyncio.create_task(_end_when_gone(receive, stream))
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send(send, b"retry: %d\n\n%s" % (RETRY, first))
            while True:
                await _send(send, await stream.next(HEARTBEAT) or b":\n\n")
        except TimeoutError:
            metrics.DROPPED.inc()
        except asyncio.CancelledError:
            if not stream.ended:
                raise
        finally:
            gone.cancel()
            self.hub.leave(stream)

    async def _opened(self, request: Request) -> tuple[Stream, bytes]:
        """The stream of a ticket, and how things stand: the case that the page shows, if its reader may see it."""
        ticket = tickets.read(request.query_params.get("ticket", ""))
        await self._check(ticket)
        number, first, watches = request.query_params.get("case", "")[:60], b"", ""
        if number and (case := await self.feed.case(number)) and sees(ticket, case):
            watches, first = case.number, event("case", told(case))
        with suppress(DatabaseError):
            first += event("notice", {"unread": (await self.feed.unread([ticket.account]))[ticket.account]})
        stream = Stream(ticket, watches)
        self.hub.join(stream)
        return stream, first

    async def presence(self, request: Request) -> Response:
        """Somebody begins or stops to write in a case; without a case, whether the ticket is still good."""
        if not 0 < int(request.headers.get("Content-Length", "0")) <= LARGEST_BODY:
            return Response(status_code=413, headers=ANYBODY)
        said = _fields(await request.body())
        ticket = tickets.read(said.get("ticket", ""))
        if not self._may_say(ticket):
            return Response(status_code=429, headers={**ANYBODY, "Retry-After": str(int(WINDOW))})
        if "case" not in said:
            await self._check(ticket)
        self.hub.write(ticket, said.get("case", ""), said.get("writing") == "1")
        return Response(status_code=204, headers=ANYBODY)

    async def _check(self, ticket: Ticket) -> None:
        """Refuse a ticket whose session has ended or whose post is no longer held; while the database is away it is believed."""
        with suppress(DatabaseError):
            if not await self.feed.held({ticket}):
                raise NotSignedIn(
                    "This session has ended, or this post is no longer held.", remedy="Load the page again."
                )

    def _may_say(self, ticket: Ticket) -> bool:
        window = int(time.monotonic() / WINDOW)
        if window != self.window:
            self.window = window
            self.said.clear()
        self.said[ticket.account] += 1
        return self.said[ticket.account] <= MOST_IN_WINDOW

    async def healthz(self, _request: Request) -> Response:
        """This process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """Ready while the database is heard."""
        state = {"ready": self.feed.up, "database": "ok" if self.feed.up else "away", "streams": len(self.hub.streams)}
        return JSONResponse(state, status_code=200 if self.feed.up else 503)

    async def numbers(self, request: Request) -> Response:
        """Prometheus metrics, for this machine itself or for whoever has CHENGSHU_METRICS_TOKEN as bearer token."""
        token = os.environ.get("CHENGSHU_METRICS_TOKEN", "")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not (_local(request) or (token and hmac.compare_digest(given.encode(), token.encode()))):
            return PlainTextResponse("not from here\n", status_code=403)
        return Response(metrics.text(), media_type=metrics.TYPE)


def _fields(body: bytes) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), errors="strict").items()}
    except ValueError as error:
        raise Unreadable("This is no form in UTF-8.", remedy="Load the page again.") from error


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _end_when_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _local(request: Request) -> bool:
    """Asked from this machine and not through a proxy on it."""
    if "X-Forwarded-For" in request.headers or request.client is None:
        return False
    with suppress(ValueError):
        return ipaddress.ip_address(request.client.host).is_loopback
    return False


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ChengshuError)
    body = problem(error.status, error.what, where=error.where, remedy=error.remedy)
    return Response(body, status_code=error.status, media_type=KIND, headers=ANYBODY)


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def application_on(database_url: str) -> Starlette:
    """The application that hears this database."""
    hub = Hub()
    live = Live(hub=hub, feed=Feed(database_url, hub))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        _allow_many_files()
        feeding = asyncio.create_task(live.feed.run())
        yield
        hub.end_all()
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding

    routes = [
        Route("/stream", _Endpoint(live)),
        Route("/presence", live.presence, methods=["POST"]),
        Route("/healthz", live.healthz),
        Route("/readyz", live.readyz),
        Route("/metrics", live.numbers),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={ChengshuError: _refused})


class _Endpoint:
    """The stream as an ASGI application: Starlette would take a bound method for a function of a request."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._live.stream(scope, receive, send)
