"""`chengshu demo reset`: everything is forgotten and loaded again, and only where nobody real would lose anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from typer.testing import CliRunner

from chengshu.core.errors import Conflict, NotAllowed, NotFound
from chengshu.packs import demo_cli
from chengshu.packs.apply import load_city
from chengshu.parties.models import Account, Department
from chengshu.places.models import City
from tests.packs.small import write_pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were the only connection: the tests themselves hold others."""
    monkeypatch.setattr(demo_cli, "_nobody_is_there", lambda: None)


@pytest.fixture
def toytown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    pack = write_pack(tmp_path)
    monkeypatch.setattr("django.conf.settings.CITIES_ROOT", pack.parent)
    monkeypatch.setattr("django.conf.settings.FILES_ROOT", tmp_path / "files")
    load_city(str(pack), yes=True, echo=lambda _line: None)
    for other in City.objects.exclude(name="toytown"):  # those of the other tests are not worth their time here
        (pack.parent / other.name).mkdir()
    monkeypatch.setattr(demo_cli, "load_city", lambda name, **how: name == "toytown" and load_city(name, **how))
    return City.objects.get(name="toytown")


def test_a_real_account_forbids_it(toytown: City, alone: None) -> None:
    Account.objects.create(username="li", name="李明")
    done = CliRunner().invoke(demo_cli.app, ["reset", "--yes"])
    assert isinstance(done.exception, NotAllowed)
    assert "li" in str(done.exception)
    assert City.objects.filter(pk=toytown.pk).exists()


def test_a_pack_that_is_gone_forbids_it(toytown: City, alone: None) -> None:
    City.objects.filter(pk=toytown.pk).update(name="elsewhere")
    done = CliRunner().invoke(demo_cli.app, ["reset", "--yes"])
    assert isinstance(done.exception, NotFound)


def test_without_yes_it_asks(toytown: City, alone: None) -> None:
    done = CliRunner().invoke(demo_cli.app, ["reset"], input="n\n")
    assert done.exit_code == 0
    assert City.objects.filter(pk=toytown.pk).exists()


def test_everything_is_forgotten_and_loaded_again(toytown: City, alone: None, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "picture.jpg").write_bytes(b"x")
    Department.objects.filter(code="ROADS").update(name="Scribbled over")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the test runs in one transaction
    done = CliRunner().invoke(demo_cli.app, ["reset", "--yes"])
    assert done.exit_code == 0, done.exception
    assert Department.objects.get(code="ROADS").name == "Roads"
    assert not (tmp_path / "files").exists()


def test_a_running_city_is_not_emptied() -> None:
    other = connection.copy()
    other.ensure_connection()
    try:
        with pytest.raises(Conflict):
            demo_cli._nobody_is_there()
    finally:
        other.close()
