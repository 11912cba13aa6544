"""The command `chengshu feed`: the sources of a city, for whoever keeps the machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.table import Table

from chengshu.core.errors import Invalid, NotFound
from chengshu.places.models import City
from chengshu.sensing.models import Feed
from chengshu.sensing.sources import feeds, mapping, poll, receive, shape
from chengshu.sensing.sources.receive import actor_of

app = typer.Typer(no_args_is_help=True, help=_("Look after the sources that are fetched by schedule."))

Name = Annotated[str, typer.Argument(help=_("The short name of a source."))]
CityName = Annotated[str, typer.Option("--city", help=_("A loaded city, such as hangzhou."))]
MappingFile = Annotated[Path, typer.Argument(help=_("A mapping in YAML or JSON."))]
DataFile = Annotated[Path, typer.Argument(help=_("A file with data."))]


def _city(name: str) -> City:
    found = City.objects.filter(name=name).first() if name else City.objects.order_by("pk").first()
    if found is None:
        raise NotFound(_("There is no such city."), where=name, remedy=_("Load it with chengshu load-city."))
    return found


def _feed(name: str, city: str) -> Feed:
    found = Feed.objects.select_related("city", "owner").filter(city=_city(city), name=name).first()
    if found is None:
        raise NotFound(_("There is no such source."), where=name, remedy=_("Look at chengshu feed list."))
    return found


@app.command("list", help=_("List the sources of a city and how they are doing."))
def list_feeds(city: CityName = "") -> None:
    """List the sources of a city and how they are doing."""
    table = Table()
    for title in (_("Source"), _("Kind"), _("State"), _("Last success"), _("Observations in a day"), _("Error")):
        table.add_column(title)
    rows = list(Feed.objects.filter(city=_city(city)).select_related("city", "owner").order_by("name"))
    for each in feeds.doing(rows, datetime.now(UTC)):
        feed = each.feed
        done = feed.succeeded_at.isoformat(timespec="seconds") if feed.succeeded_at else "—"
        table.add_row(feed.name, feed.kind, feed.state, done, str(each.rows_day), feed.error)
    Console().print(table)


@app.command(help=_("Look at a source now, whether it is due or not."))
def run(name: Name, city: CityName = "") -> None:
    """Look at a source now, whether it is due or not."""
    ran = poll.run(poll.take_one(_feed(name, city).pk))
    if ran.error:
        raise Invalid(ran.error, where=name)
    typer.echo(
        _("{rows} added, {known} known before, {refused} refused, {made} datastreams made.").format(
            rows=ran.rows, known=ran.known, refused=ran.refused, made=ran.made
        )
    )


@app.command("try", help=_("Say what a mapping makes of a file. Nothing is taken in."))
def try_mapping(mapping_file: MappingFile, data: DataFile, city: CityName = "") -> None:
    """Say what a mapping makes of a file. Nothing is taken in."""
    source = mapping.parse(mapping.read_text(mapping_file.read_text(encoding="utf-8")))
    found = shape.take(data.read_bytes(), source, zone=_city(city).timezone, door="try")
    table = Table()
    for title in (_("Line"), _("Datastream"), _("Time"), _("Result"), _("Unit")):
        table.add_column(title)
    for row in found.incoming.rows.head(10).iter_rows(named=True):
        result = row["result"] if row["other"] is None else row["other"]
        table.add_row(str(row["line"]), row["key"], row["at"].isoformat(), str(result), row.get("unit") or "")
    Console().print(table)
    typer.echo(
        _("{good} rows right, {bad} refused, {streams} datastreams.").format(
            good=found.incoming.rows.height, bad=len(found.incoming.refused), streams=found.streams.height
        )
    )
    for each in found.incoming.refused[:20]:
        typer.echo(f"{each.line}: {each.reason}: {each.detail}")


@app.command(help=_("Take in a file by the mapping of a source."))
def take(name: Name, data: DataFile, city: CityName = "") -> None:
    """Take in a file by the mapping of a source, as if it had been dropped into its folder."""
    feed = _feed(name, city)
    source = mapping.parse(feed.mapping)
    got = receive.receive(
        data.read_bytes(), source, actor=actor_of(feed), city=feed.city, door=feeds.door_of(feed)
    ).receipt  # fmt: skip
    typer.echo(
        _("{rows} added, {known} known before, {refused} refused.").format(
            rows=0 if got.replayed else got.rows, known=got.rows if got.replayed else got.known, refused=got.refused
        )
    )
