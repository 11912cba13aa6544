"""`chengshu lake` and `chengshu export`: the lake's care, and observations as a file, for whoever keeps the machine."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal, system
from chengshu.places.models import City
from chengshu.places.tree import root_division
from chengshu.sensing import keep
from chengshu.sensing.export import Format, export
from chengshu.sensing.proof import count
from chengshu.sensing.seal import due, seal
from chengshu.sensing.seam import start
from chengshu.sensing.store import DAY

app = typer.Typer(no_args_is_help=True, help=_("Seal days of observations into the lake, prove and tidy it."))
export_app = typer.Typer(no_args_is_help=True, help=_("Write what the city holds into files."))
SHOWN = 20
SHORTEST = 3  # days that stay hot where no rule says how many


@app.callback()
def _group() -> None:
    """So that one command alone is still named."""


@export_app.callback()
def _export_group() -> None:
    """So that one command alone is still named."""


@app.command("seal", help=_("Seal days now: those of the rule, or those that are named."))
def seal_days(
    days: Annotated[list[str] | None, typer.Argument(help=_("UTC days such as 2026-11-18."))] = None,
) -> None:
    """Seal days now: those of the rule, or those that are named."""
    now = datetime.now(UTC)
    wanted = [_day(each) for each in days or []] or due(now, days=settings.HOT_DAYS or SHORTEST, quiet=timedelta())
    done = seal(wanted, now=now)
    for each in done:
        typer.echo(_("%(day)s: %(rows)d rows in the lake.") % {"day": each.day, "rows": each.rows})
    if len(done) < len(wanted):
        typer.echo(
            _("%(count)d days were not sealed: nothing of them is hot, or they keep changing.")
            % {"count": len(wanted) - len(done)}
        )
        raise typer.Exit(1)


@app.command(help=_("Prove that no observation is there twice and none is missing of what was acknowledged."))
def check() -> None:
    """Prove that no observation is there twice and none is missing of what was acknowledged."""
    days, deliveries = count()
    for each in days:
        values = {"day": each.day, "hot": each.hot, "cold": each.cold, "doubled": each.doubled}
        typer.echo(_("%(day)s: %(hot)d in the partition, %(cold)d in the lake, %(doubled)d twice.") % values)
    for found in deliveries[:SHOWN]:
        values = {"delivery": found.delivery, "acknowledged": found.acknowledged, "held": found.held}
        typer.echo(_("Delivery %(delivery)d added %(acknowledged)d rows, %(held)d are there.") % values, err=True)
    if deliveries:
        typer.echo(_("Fewer are right only where observations were deleted or are kept no longer."), err=True)
    if not all(each.sound for each in days) or any(each.held > each.acknowledged for each in deliveries):
        raise typer.Exit(1)


@app.command(help=_("Delete files of the lake that nobody has read for a day."))
def vacuum() -> None:
    """Delete files of the lake that nobody has read for a day."""
    typer.echo(_("%(count)d files deleted.") % {"count": len(keep.vacuum())})


@export_app.command("observations", help=_("Write observations of some time into a Parquet or CSV file."))
def export_observations(
    path: Annotated[Path, typer.Argument(help=_("The file; - for the standard output."))],
    since: Annotated[str, typer.Option("--from", help=_("First UTC day or time, such as 2026-11-18."))] = "",
    until: Annotated[str, typer.Option("--to", help=_("Last UTC day, or the time before which it ends."))] = "",
    datastream: Annotated[list[int] | None, typer.Option(help=_("Number of a datastream; may be repeated."))] = None,
    form: Annotated[Format, typer.Option("--format", help=_("The form of the file."))] = Format.PARQUET,
    city: Annotated[str, typer.Option(help=_("The city; may be left out where there is one."))] = "",
    username: Annotated[str, typer.Option("--as", help=_("Whose scope it has; without it all of the city."))] = "",
) -> None:
    """Write observations of some time into a Parquet or CSV file."""
    parts = export(
        _principal(city, username),
        form,
        since=_moment(since, later=False),
        until=_moment(until, later=True),
        datastreams=datastream,
    )
    if str(path) == "-":
        sys.stdout.buffer.writelines(parts)
        return
    half = path.with_name(f"{path.name}.part")  # so that what bears the name is whole
    with half.open("wb") as file:
        file.writelines(parts)
    half.replace(path)


def _principal(city: str, username: str) -> Principal:
    if username:
        account = Account.objects.filter(username=username).first()
        if account is None:
            raise NotFound(
                "There is no such account.", where=username, remedy="Name the login of an account with a post."
            )
        return principal_of(account)
    cities = list(City.objects.filter(name=city) if city else City.objects.all()[:2])
    if len(cities) != 1:
        raise NotFound(
            "The city is not loaded, or not the only one.", where=city, remedy="Name a loaded city with --city."
        )
    return system(cities[0].pk, root_division(cities[0].pk))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("This is no day.", where=text, remedy="Write it as 2026-11-18.") from error


def _moment(text: str, *, later: bool) -> datetime | None:
    """A time; of a day its beginning, or where it is the last one its end. Without a zone UTC."""
    if not text:
        return None
    if len(text) == len("2026-11-18"):
        return start(_day(text)) + (DAY if later else timedelta())
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("This is no time.", where=text, remedy="Write it as 2026-11-18T08:00:00+08:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
