"""The command `chengshu load-city`."""

from __future__ import annotations

from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from chengshu.core.errors import Mistakes
from chengshu.packs import apply
from chengshu.packs.plan import Plan

NOT_APPLIED = 4  # exit code: the pack would change the city, and did not


def load_city(
    name: Annotated[str, typer.Argument(help=_("A pack in cities/, such as hangzhou, or the path of its folder."))],
    yes: Annotated[bool, typer.Option("--yes", "-y", help=_("Change a living city without asking."))] = False,
    plan: Annotated[bool, typer.Option("--plan", help=_("Only show what would change."))] = False,
    overwrite_edited: Annotated[
        bool, typer.Option("--overwrite-edited", help=_("Rows and parts edited in the city become what the pack says."))
    ] = False,
) -> None:
    """Check a city pack, show what it would change, and load it. Loading it twice changes nothing.

    Exit codes for scripts: 0 the city is as the pack says, 1 the plan cannot be carried out, 2 the pack has mistakes, 4 there
    are changes that were not made (with --plan, or without --yes where nobody could be asked).
    """
    console = Console(stderr=True)
    try:
        with console.status(_("Reading the pack")) as status:

            def ask(_plan: Plan) -> bool:
                status.stop()
                agreed = console.is_interactive and typer.confirm(_("Change the living city?"), err=True)
                status.start()
                return agreed

            found = apply.load_city(
                name,
                yes=yes,
                plan_only=plan,
                overwrite_edited=overwrite_edited,
                echo=typer.echo,
                ask=ask,
                progress=lambda step: status.update(escape(str(step))),
            )
    except Mistakes as mistakes:
        for mistake in mistakes.mistakes:
            typer.echo(str(mistake), err=True)
        typer.echo(_("{n} mistake(s) to mend; nothing was loaded.").format(n=len(mistakes.mistakes)), err=True)
        raise typer.Exit(mistakes.exit_code) from mistakes
    if found.writes and not found.applied:
        raise typer.Exit(NOT_APPLIED)
