"""`chengshu look`: let a scene look at a city's observations again from a day on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from chengshu.brain import watch
from chengshu.brain.lessons import midnight
from chengshu.brain.loader import for_city
from chengshu.brain.replay import city_named
from chengshu.core.errors import Invalid, NotFound


def look(
    scene: Annotated[str, typer.Argument(help=_("The scene."))],
    city: Annotated[str, typer.Option(help=_("The city whose observations it looks at."))] = "hangzhou",
    since: Annotated[str, typer.Option(help=_("The local day from which on it looks, such as 2026-11-01."))] = "",
) -> None:
    """Let a scene look at a city's observations again from a day on: after a back-fill, or when the scene is new.

    What it found before is known and opens nothing twice.
    """
    known = city_named(city)
    for_city(scene, known)
    found = [each for each in watch.watched(known) if each.loaded.scene.name == scene]
    if not found:
        raise NotFound(
            _("The city %(city)s feeds no source of the scene %(scene)s.") % {"city": city, "scene": scene},
            where="sources.yaml",
            remedy=_("Bind one under `observed`; docs/how-to/write-a-scene.md tells how."),
        )
    now = datetime.now(UTC)
    with watch.alone(known.city.pk, wait=True):
        for each in found:
            if since:
                watch.begin(each, midnight(_day(since), known))
            done = watch.catch_up(each, now, patience=float("inf"))
            typer.echo(
                _("%(source)s: %(windows)d windows, %(rows)d rows, %(findings)d findings, %(opened)d cases opened.")
                % {
                    "source": each.bound.source.name,
                    "windows": done.windows,
                    "rows": done.rows,
                    "findings": done.findings,
                    "opened": done.opened,
                }
            )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(_("This is no day."), where=f"--since {text}", remedy=_("Write it as 2026-11-01.")) from error
