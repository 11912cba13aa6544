"""`chengshu simulate`: a synthetic fleet that speaks to the running city through its bulk door, as gateways do."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import numpy as np
import typer
import urllib3
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.models import Post, Token
from chengshu.parties.roles import Role
from chengshu.parties.tokens import digest, issue
from chengshu.places.models import City
from chengshu.sensing.simulate import MOST, fleet
from chengshu.sensing.synthetic import Faults, as_arrow, levels, rounds

GATEWAYS: Final = 2
ROWS: Final = 10_000  # a request, at most
PATIENCE: Final = 30.0  # seconds for an answer


@dataclass(kw_only=True, slots=True)
class Sent:
    """What was sent: rows that the city took, requests, those that failed, and how far it fell behind the rate."""

    things: int
    rate: float
    seconds: float = 0.0
    rows: int = 0
    requests: int = 0
    failed: int = 0
    behind: float = 0.0


def simulate(
    things: Annotated[int, typer.Option(min=1, max=MOST, help=_("How many synthetic things there are."))] = 1_000,
    rate: Annotated[float, typer.Option(min=0.01, max=1e6, help=_("Observations a second, of all together."))] = 100.0,
    seconds: Annotated[float, typer.Option(min=0.0, help=_("How long; until it is stopped by default."))] = 0.0,
    city: Annotated[str, typer.Option(help=_("The city that they stand in."))] = "hangzhou",
    port: Annotated[int, typer.Option(envvar="CHENGSHU_PORT", help=_("Port of the running city."), max=65535)] = 8000,
    flat: Annotated[float, typer.Option(min=0.0, max=1.0, help=_("Share that tells always the same."))] = 0.0,
    silent: Annotated[float, typer.Option(min=0.0, max=1.0, help=_("Share that tells nothing."))] = 0.0,
    jumping: Annotated[float, typer.Option(min=0.0, max=1.0, help=_("Share that jumps now and then."))] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object at the end."))] = False,
) -> None:
    """Let a synthetic fleet speak to the running city, to see what load does. Everything of it is labelled as invented."""
    where = City.objects.filter(name=city).first()
    if where is None:
        raise NotFound(_("There is no such city."), where=city, remedy=_("Load it with chengshu load-city."))
    streams = fleet(where, things, period=things / rate)
    faults = Faults(flat=flat, silent=silent, jumping=jumping)
    word = _token(where)
    sent = Sent(things=things, rate=rate)
    try:
        with suppress(KeyboardInterrupt):
            _send(streams, faults, sent, f"http://127.0.0.1:{port}/api/observations", word, seconds or float("inf"))
    finally:
        Token.objects.filter(digest=digest(word)).update(revoked_at=datetime.now(UTC))
    typer.echo(json.dumps(asdict(sent)) if as_json else _told(sent))


def _token(city: City) -> str:
    """A gateway's token; it is revoked at the end."""
    post = Post.objects.filter(role=Role.GATEWAY, division__city=city, department=None).order_by("pk").first()
    if post is None:
        raise Invalid(
            _("The city has no gateway."), where=city.name, remedy=_("Make one with chengshu user create and post.")
        )
    return issue(post, "simulate", datetime.now(UTC) + timedelta(days=30))


def _send(streams: np.ndarray, faults: Faults, sent: Sent, address: str, word: str, seconds: float) -> None:
    """A round a second; what cannot be sent in time is sent late, and told as such."""
    http = urllib3.PoolManager(maxsize=GATEWAYS, retries=False, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {word}", "Content-Type": "application/vnd.apache.arrow.stream"}
    began = time.monotonic()
    with ThreadPoolExecutor(GATEWAYS) as gateways:
        for n, speaking in enumerate(rounds(streams, sent.rate, faults)):
            if n >= seconds:
                break
            time.sleep(max(0.0, began + n - time.monotonic()))
            at = datetime.now(UTC)
            asked = [
                gateways.submit(_post, http, address, headers, as_arrow(part, at, levels(part, at, faults)))
                for part in np.array_split(speaking, -(-len(speaking) // ROWS) or 1)
                if len(part)
            ]
            _count(sent, asked)
            sent.seconds = time.monotonic() - began
            sent.behind = max(sent.behind, sent.seconds - n - 1)


def _post(http: urllib3.PoolManager, address: str, headers: dict[str, str], body: bytes) -> int | None:
    """The rows that were taken; None where the city did not take them."""
    try:
        answer = http.request("POST", address, body=body, headers=headers)
    except urllib3.exceptions.HTTPError:
        return None
    return int(answer.json()["rows"]) if answer.status == 200 else None


def _count(sent: Sent, asked: list[Future[int | None]]) -> None:
    wait(asked)
    for each in asked:
        rows = each.result()
        sent.requests += 1
        sent.failed += rows is None
        sent.rows += rows or 0


def _told(sent: Sent) -> str:
    return _(
        "%(things)d synthetic things sent %(rows)d observations in %(seconds).0f s, %(rate).0f a second;"
        " %(failed)d of %(requests)d requests failed; at most %(behind).1f s behind."
    ) % {**asdict(sent), "rate": sent.rows / max(sent.seconds, 1e-9)}
