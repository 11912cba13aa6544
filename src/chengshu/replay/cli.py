"""`chengshu replay`: the recorded input of the cities, as fast as possible or live."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.progress import Progress

from chengshu.brain.cli import replay as replay_scene
from chengshu.core.errors import Invalid
from chengshu.packs.apply import load_city
from chengshu.places.models import City
from chengshu.replay import sample as samples
from chengshu.replay.boston import Outcome, load, play_all, play_live

SPEED = 3600.0  # an hour a second: four weeks of backlog pass in eleven minutes

app = typer.Typer(no_args_is_help=True)
app.command("crowd", help=_("Hangzhou's metro inflow, played to the scene `crowd`."))(replay_scene)


class ClockChoice(StrEnum):
    """Whose clock sets the limits."""

    CITY = "city"
    OWN = "own"


@app.command(help=_("Boston's 311 requests: reported, assigned and closed as they were; live by default."))
def boston(
    everything: Annotated[bool, typer.Option("--all", help=_("As fast as possible, in true time; then stop."))] = False,
    speed: Annotated[
        float, typer.Option(help=_("Live: how many times as fast until it has caught up."), min=0.1)
    ] = SPEED,
    file: Annotated[Path | None, typer.Option(help=_("Another file with the same columns, plain or gzipped."))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object at the end."))] = False,
    clock: Annotated[
        ClockChoice, typer.Option(help=_("Limits: the city's own targets, or those of the pack."))
    ] = ClockChoice.CITY,
    city: Annotated[str, typer.Option(help=_("The city to play to."))] = "boston",
    limit_rows: Annotated[int | None, typer.Option(help=_("Read only so many rows."), min=1)] = None,
) -> None:
    """Play a register of requests."""
    if not City.objects.filter(name=city).exists():
        load_city(city, yes=True, echo=lambda line: typer.echo(line, err=True))
    source = load(city, file, most=limit_rows)
    if not everything:
        if clock is ClockChoice.OWN or as_json:
            raise Invalid("`--clock own` and `--json` judge a whole register.", remedy="Give `--all` with them.")
        play_live(source, speed, _stopped().wait)
        return
    with _shown(sys.stderr.isatty() and not as_json) as told:
        outcome = play_all(source, clock.value, told)
    typer.echo(json.dumps(outcome.as_dict(), ensure_ascii=False) if as_json else in_words(outcome))


@app.command(help=_("Weeks of invented cases, marked as such in their titles, for a city whose own are not public."))
def sample(city: Annotated[str, typer.Option(help=_("The city to play to."))] = "hangzhou") -> None:
    """Bring invented cases in, once."""
    if not City.objects.filter(name=city).exists():
        load_city(city, yes=True, echo=lambda line: typer.echo(line, err=True))
    result = samples.play(samples.load(city), datetime.now(UTC))
    if result is None:
        typer.echo(_("The invented cases are there already."))
        return
    typer.echo(
        _("%(count)d invented cases; %(bad)d refused.") % {"count": result.accepted, "bad": len(result.quarantined)}
    )
    for refused in result.quarantined[:5]:
        typer.echo(f"  {refused.origin_key}: {refused.reason}", err=True)


def in_words(outcome: Outcome) -> str:
    """The outcome for people."""
    share = outcome.agree / outcome.with_target if outcome.with_target else 0.0
    lines = [
        _("%(rows)d rows: %(accepted)d new cases, %(known)d known before, %(bad)d set aside; %(seconds).1f s.")
        % {
            "rows": outcome.rows,
            "accepted": outcome.accepted,
            "known": outcome.known,
            "bad": sum(outcome.quarantined.values()),
            "seconds": outcome.seconds,
        },
        *(f"  {reason}: {count}" for reason, count in outcome.quarantined.items()),
        *([_("  see %(file)s") % {"file": outcome.quarantine_file}] if outcome.quarantine_file else []),
        _("%(agree)d of %(targets)d requests with a target judged as the city did (%(share).2f %%).")
        % {"agree": outcome.agree, "targets": outcome.with_target, "share": share * 100},
        *(f"  {cause}: {count}" for cause, count in outcome.disagree.items()),
    ]
    return "\n".join(lines)


@contextmanager
def _shown(visible: bool) -> Iterator[Callable[[int, int], None]]:
    if not visible:
        yield lambda _done, _total: None
        return
    with Progress(transient=True) as bar:
        task = bar.add_task(_("Events"), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _stopped() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
