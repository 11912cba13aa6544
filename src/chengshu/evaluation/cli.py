"""`chengshu counts`: the counts by day compared with the cases, or made anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.evaluation.counts import count_all, differences
from chengshu.places.models import City

SHOWN = 20


def main(
    rebuild: Annotated[bool, typer.Option("--rebuild", help=_("Count every day anew from the cases."))] = False,
) -> None:
    """Bring the counts up to date, then compare all of them with the cases; exit code 1 when any differs."""
    now = datetime.now(UTC)
    days = count_all(now, rebuild=rebuild)
    found = [(city.label, *each) for city in City.objects.order_by("pk") for each in differences(catalog(city.pk), now)]
    for label, day, measure in found[:SHOWN]:
        typer.echo(f"{label} {day} {measure}", err=True)
    typer.echo(
        _("%(days)d days counted, %(found)d counts differ from the cases.") % {"days": days, "found": len(found)}
    )
    if found:
        raise typer.Exit(1)
