"""`chengshu load-city` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chengshu.packs.cli import load_city
from chengshu.places.models import City
from tests.packs.small import change, write_pack

pytestmark = pytest.mark.django_db

app = typer.Typer()
app.command()(load_city)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    return write_pack(tmp_path)


def test_mistakes_are_listed_and_end_with_two(pack: Path) -> None:
    change(pack, "posts.yaml", "role: handler", "role: handyman")
    change(pack, "departments.csv", "ROADS,Roads", "CENTRE,Roads")
    done = CliRunner().invoke(app, [str(pack)])
    assert done.exit_code == 2
    assert "toytown/posts.yaml:5: posts.1.role is" in done.stderr
    assert "toytown/departments.csv:3: CENTRE stands twice" in done.stderr
    assert not City.objects.filter(name="toytown").exists()


def test_load_plan_refuse_and_agree(pack: Path) -> None:
    assert CliRunner().invoke(app, [str(pack), "--plan"]).exit_code == 4
    assert not City.objects.filter(name="toytown").exists()
    assert "toytown is loaded." in CliRunner().invoke(app, [str(pack)]).stdout
    change(pack, "departments.csv", "Roads", "Highways")
    refused = CliRunner().invoke(app, [str(pack)])
    assert refused.exit_code == 4
    assert f"`chengshu load-city {pack} --yes`" in refused.stdout
    agreed = CliRunner().invoke(app, [str(pack), "--yes"])
    assert agreed.exit_code == 0 and "toytown is loaded." in agreed.stdout
    same = CliRunner().invoke(app, [str(pack)])
    assert same.exit_code == 0 and "loaded already" in same.stdout
