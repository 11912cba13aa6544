"""Commands of the brain: `chengshu scenes`, `chengshu check-scene`, `chengshu replay crowd`."""

from __future__ import annotations

import json
import re
import signal
import threading
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from django.utils.translation import gettext as _
from rich.progress import Progress

from chengshu.brain.loader import Listing, check_city, load
from chengshu.brain.loader import scenes as all_scenes
from chengshu.brain.records import Loaded
from chengshu.brain.replay import Tally, city_named, play_all, play_live
from chengshu.brain.yaml_cases import Outcome, try_in_city, try_sentence
from chengshu.core.errors import Invalid

SPEED = 60.0
_NO_CITY = ZoneInfo("Asia/Shanghai")


def scenes() -> None:
    """List the scenes of this installation, and why any of them was refused."""
    found = all_scenes()
    for listing in found:
        typer.echo(_line(listing))
        for mistake in listing.mistakes:
            typer.echo(f"    {mistake}", err=True)
    if any(listing.loaded is None for listing in found):
        raise typer.Exit(2)


def _line(listing: Listing) -> str:
    if listing.loaded is None:
        return _("%(name)s  refused (%(origin)s)") % {"name": listing.name, "origin": listing.origin}
    scene = listing.loaded.scene
    return _("%(name)s  %(detectors)d detectors, %(indicators)d indicators, %(cases)d sentences (%(origin)s)") % {
        "name": listing.name,
        "detectors": len(scene.detectors),
        "indicators": len(scene.indicators),
        "cases": len(listing.loaded.sentences),
        "origin": listing.origin,
    }


def check_scene(
    name: Annotated[str, typer.Argument(help=_("The scene."))],
    city: Annotated[
        str, typer.Option(help=_("Also try it in this loaded city, down to the units; nothing is kept."))
    ] = "",
) -> None:
    """Examine a scene and try the sentences of its cases/*.yaml."""
    loaded = load(name)
    outcomes = _in_city(loaded, city) if city else [_alone(loaded, i) for i in range(len(loaded.sentences))]
    for outcome in outcomes:
        mark = _("holds") if outcome.holds else _("FAILS")
        typer.echo(f"{mark}  {outcome.sentence.file}: {outcome.sentence.name}")
        for mismatch in outcome.mismatches:
            typer.echo(f"    {mismatch}", err=True)
    if any(not outcome.holds for outcome in outcomes):
        raise typer.Exit(1)


def _in_city(loaded: Loaded, city: str) -> list[Outcome]:
    known = city_named(city)
    if mistakes := check_city(loaded, known):
        raise Invalid("\n".join(map(str, mistakes)))
    return [try_in_city(loaded, sentence, known) for sentence in loaded.sentences]


def _alone(loaded: Loaded, i: int) -> Outcome:
    return try_sentence(loaded, loaded.sentences[i], zone=_NO_CITY, working=_weekday)


def _weekday(day: date) -> bool:
    return day.weekday() < 5


def replay(
    scene: Annotated[str, typer.Option(help=_("The scene it is played to."))] = "crowd",
    city: Annotated[str, typer.Option(help=_("The city whose recorded input is played."))] = "hangzhou",
    speed: Annotated[float, typer.Option(help=_("How many times as fast as it happened."))] = SPEED,
    everything: Annotated[bool, typer.Option("--all", help=_("As fast as possible, in true time; then stop."))] = False,
    day: Annotated[
        str, typer.Option(help=_("Days to play, such as 15-18, counted from the first of the record."))
    ] = "",
    once: Annotated[
        bool, typer.Option(help=_("One round in all: go on with one that was left, and play nothing when it is done."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object at the end."))] = False,
) -> None:
    """Play the recorded input of a city to a scene: live by default, labelled as a replay."""
    days = days_of(day)
    if everything:
        with _progress(shown=not as_json) as bar:
            task = bar.add_task(scene, total=None) if bar else None
            tally = play_all(
                scene,
                city,
                days=days,
                progress=lambda done, total: (
                    bar.update(task, completed=done, total=total) if bar and task is not None else None
                ),
            )
    else:
        stop = _until_stopped()
        tally = play_live(scene, city, speed=speed, pause=stop.wait, days=days, once=once)
        if once and not tally.slots and not stop.is_set() and not as_json:
            typer.echo(_("The round was played before. Without --once another one begins."))
    typer.echo(json.dumps(tally.as_dict(), ensure_ascii=False) if as_json else told(tally))


def days_of(text: str) -> tuple[int, int] | None:
    """`15-18` or `16` as first and last day; None for nothing. Raises `Invalid` for anything else."""
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text.strip())
    if not match or int(match[2] or match[1]) < int(match[1]) or int(match[1]) < 1:
        raise Invalid(f"{text!r} names no days.", where="--day", remedy="Write 15 or 15-18.")
    return int(match[1]), int(match[2] or match[1])


def told(tally: Tally) -> str:
    """A tally in words."""
    lines = [
        _("%(scene)s in %(city)s: %(slots)d slots played, %(skipped)d of them known before, in %(seconds).1f s.")
        % {
            "scene": tally.scene,
            "city": tally.city,
            "slots": tally.slots,
            "skipped": tally.skipped,
            "seconds": tally.seconds,
        },
        _("Findings: %(findings)d; cases opened: %(opened)d.")
        % {"findings": tally.findings, "opened": sum(tally.opened.values())},
        *(f"  {day}: {count}" for day, count in tally.opened_by_day.items()),
        *(f"  {reason}: {count}" for reason, count in {**tally.quarantined, **tally.refused}.items()),
    ]
    return "\n".join(lines)


def _progress(*, shown: bool) -> AbstractContextManager[Progress | None]:
    return Progress(transient=True) if shown else nullcontext()


def _until_stopped() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
