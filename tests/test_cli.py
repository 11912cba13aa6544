"""The command line: help, completion, exit codes, sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chengshu import cli
from chengshu.core.errors import CannotStart, ChengshuError, Invalid, Mistake, Mistakes

RUNNER = CliRunner()


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "chengshu", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=60,
    )  # fmt: skip


def mounted_app() -> typer.Typer:
    """Return a mounted command that fails in the way it is told."""
    app = typer.Typer()

    @app.command()
    def fail(how: str) -> None:
        """Fail."""
        errors: dict[str, BaseException] = {
            "start": CannotStart("no room.", where="/here", remedy="Make room."),
            "input": Mistakes([Mistake(where="a.yaml:3", what="no such unit")]),
            "plain": ChengshuError("wrong."),
            "invalid": Invalid("wrong."),
            "interrupt": KeyboardInterrupt(),
        }
        raise errors[how]

    return app


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mount the failing command, on a database that nobody asks."""
    monkeypatch.setitem(sys.modules, "failing", type(sys)("failing"))
    sys.modules["failing"].app = mounted_app()  # type: ignore[attr-defined]
    monkeypatch.setitem(cli.COMMANDS, "fail", cli.Mounted(target="failing:app", help="Fail on demand."))
    monkeypatch.setattr(cli, "connected", ExitStack)
    monkeypatch.setattr(cli, "start_django", lambda: None)


def test_help_names_every_command() -> None:
    result = shell("--help")
    assert result.returncode == 0
    for name in ("run", "migrate", "load-city", "worker", "replay", "user", "check", "bench", "version"):
        assert f"\n  {name} " in result.stdout


def test_help_imports_neither_django_nor_arrays() -> None:
    code = "import sys; from chengshu.cli import app\ntry: app(['--help'])\nexcept SystemExit: pass\n" \
        "print({'django', 'numpy', 'polars', 'psycopg'} & set(sys.modules))"  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("set()\n")


def test_completion_offers_the_commands() -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "chengshu"], capture_output=True, text=True, check=False,
        env={**os.environ, "_CHENGSHU_COMPLETE": "complete_bash", "COMP_WORDS": "chengshu loa", "COMP_CWORD": "1"},
    )  # fmt: skip
    assert result.stdout.split() == ["load-city"]


def test_version() -> None:
    assert RUNNER.invoke(cli.app, ["version"]).stdout.startswith("chengshu ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--port", "many"], ["run", "--port", "99999"]])
def test_wrong_input_is_two(arguments: list[str]) -> None:
    assert RUNNER.invoke(cli.app, arguments).exit_code == 2


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("how", "code"), [("start", 3), ("input", 2), ("plain", 1), ("invalid", 2), ("interrupt", 130)]
)
def test_our_errors_have_their_exit_codes(how: str, code: int) -> None:
    assert RUNNER.invoke(cli.app, ["fail", how]).exit_code == code


@pytest.mark.usefixtures("mounted")
def test_our_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    result = RUNNER.invoke(cli.app, ["fail", "start"])
    assert result.stderr == "/here: no room. Make room.\n"
    monkeypatch.setenv("CHENGSHU_DEBUG", "1")
    assert isinstance(RUNNER.invoke(cli.app, ["fail", "start"]).exception, CannotStart)


@pytest.mark.usefixtures("mounted")
def test_mounted_command_appears_in_help_and_has_its_own() -> None:
    assert "Fail on demand." in RUNNER.invoke(cli.app, ["--help"]).stdout
    assert "{how}" in RUNNER.invoke(cli.app, ["fail", "--help"]).stdout


def test_missing_part_is_named() -> None:
    with pytest.raises(CannotStart, match=r"chengshu\.nowhere"):
        cli.imported("chengshu.nowhere:app")
    with pytest.raises(CannotStart, match=r"chengshu\.logs:nothing"):
        cli.imported("chengshu.logs:nothing")


def test_import_error_inside_a_part_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_part.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        cli.imported("broken_part:app")


def test_unusable_home_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = shell("migrate", CHENGSHU_HOME=str(tmp_path / "file" / "home"), CHENGSHU_DATABASE_URL="")
    assert result.returncode == 3
    assert "CHENGSHU_HOME" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["check"], ["load-city"], ["user", "create"], ["replay", "crowd"]])
def test_help_speaks_one_language_decided_by_the_environment(command: list[str]) -> None:
    """Without any locale English, under a Chinese one Chinese: help, options and all."""
    none = dict.fromkeys(("CHENGSHU_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"), "")
    ours = {"CHENGSHU_DATABASE_URL": "postgresql://nobody@localhost:1/none"}  # help asks no database
    english = shell(*command, "--help", **ours, **none).stdout
    chinese = shell(*command, "--help", **ours, **(none | {"LANG": "zh_CN.UTF-8"})).stdout
    assert english and not any("\u4e00" <= letter <= "\u9fff" for letter in english), english
    own = [line for line in chinese.splitlines() if line.startswith("  ") and "--help" not in line]
    assert any("\u4e00" <= letter <= "\u9fff" for line in own for letter in line), chinese
