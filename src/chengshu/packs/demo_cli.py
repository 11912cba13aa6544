"""The command `chengshu demo`: a demonstration begins anew."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, NotAllowed, NotFound
from chengshu.packs.apply import load_city, pack_folder
from chengshu.parties.models import Account
from chengshu.places.models import City

app = typer.Typer(no_args_is_help=True, help=_("Keep a demonstration."))
MOST_NAMED = 5


@app.callback()
def _demo() -> None:
    """Keep a demonstration."""


@app.command(
    help=_("Forget everything, and load the same city packs again. Only where every account is a demo account.")
)
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask."))] = False,
) -> None:
    """Forget everything, and load the same city packs again. Only where every account is a demo account."""
    names = list(City.objects.order_by("pk").values_list("name", flat=True))
    _only_a_demo()
    _packs_are_there(names)
    _nobody_is_there()
    question = _("Delete all cases, accounts and files of {cities}, and begin anew?").format(cities=", ".join(names))
    if not (yes or typer.confirm(question, err=True)):
        typer.echo(_("Nothing was changed."))
        return
    _forget()
    for name in names:
        load_city(name, yes=True, echo=typer.echo)
    typer.echo(_("The demonstration is as on its first day."))


def _only_a_demo() -> None:
    """Raise NotAllowed when a real person has an account here."""
    real = list(Account.objects.filter(demo=False).order_by("pk").values_list("username", flat=True)[: MOST_NAMED + 1])
    if real:
        raise NotAllowed(
            _("There are accounts that no demonstration made: {names}. Nothing was changed.").format(
                names=", ".join(real[:MOST_NAMED]) + (" …" if len(real) > MOST_NAMED else "")
            ),
            remedy=_("Use a folder of its own (CHENGSHU_HOME) for the demonstration."),
        )


def _packs_are_there(names: list[str]) -> None:
    """Raise NotFound when a city came from a pack that is not in CHENGSHU_CITIES: it could not be loaded again."""
    for name in names:
        if not pack_folder(name).is_dir():
            raise NotFound(
                _("The pack of {city} is not there; it could not be loaded again.").format(city=name),
                where=str(pack_folder(name)),
                remedy=_("Put it there, or name its parent folder with CHENGSHU_CITIES."),
            )


def _nobody_is_there() -> None:
    """Raise Conflict when others use the database: a running city would write into what is being forgotten."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        if cursor.fetchone()[0]:
            raise Conflict(
                _("The city is running."),
                where=str(settings.HOME),
                remedy=_("Stop it (Ctrl-C), reset, and start it again."),
            )


def _forget() -> None:
    """Empty the database, with whatever a former version left in it, and the folder of uploaded files."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    call_command("migrate", interactive=False, verbosity=0)
    shutil.rmtree(settings.FILES_ROOT, ignore_errors=True)
