"""An export holds what its reader may see, both sides of the seam, in order; and the commands say what they did."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.db import connection
from typer.testing import CliRunner

from chengshu.core.errors import Invalid, NotAllowed, NotFound
from chengshu.parties.principal import Principal
from chengshu.places.models import Division
from chengshu.sensing import lake_cli
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.export import SCHEMA, Format, export
from chengshu.sensing.models import Delivery, Thing
from chengshu.sensing.proof import count
from chengshu.sensing.seal import seal
from tests.sensing.conftest import Stream

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = date(2026, 11, 18)
Who = Callable[[str], Principal]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, settings: Any) -> None:
    settings.LAKE, settings.SPOOL = str(tmp_path / "lake"), tmp_path / "spool"


def send(who: Who, stream: int, *days: int, **more: object) -> None:
    rows = [
        {"datastream": stream, "phenomenonTime": f"2026-11-{day}T08:00:00Z", "result": float(day), **more}
        for day in days
    ]
    accept(ndjson("\n".join(map(json.dumps, rows)).encode()), actor=who("gateway"), at=NOW)


def read(parts: Any) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(b"".join(parts)))


def test_both_sides_in_order_and_whole(who: Who, stream: Stream) -> None:
    one, two = stream("A-1"), stream("A-2")
    send(who, two.pk, 17, 18, 20)
    send(who, one.pk, 18, 20, parameters={"lane": 2})
    seal([DAY], now=NOW)
    found = read(export(who("steward"), Format.PARQUET))
    assert found.schema.names() == SCHEMA.names
    assert found["at"].dt.day().to_list() == [17, 18, 18, 20, 20]
    assert found["datastream_key"].to_list() == ["A-2", "A-1", "A-2", "A-1", "A-2"]
    assert found["unit"].unique().to_list() == ["Cel"] and found["parameters"][1] == '{"lane": 2}'
    narrow = export(
        who("steward"), Format.PARQUET, since=datetime(2026, 11, 18, tzinfo=UTC), until=datetime(2026, 11, 19, tzinfo=UTC),
        datastreams=[one.pk],
    )  # fmt: skip
    assert read(narrow)["result"].to_list() == [18.0]


def test_csv_is_for_spreadsheets(who: Who, stream: Stream) -> None:
    one = stream("=cmd()")
    send(who, one.pk, 18)
    text = b"".join(export(who("steward"), Format.CSV)).decode("utf-8-sig")
    row = dict(zip(*([each.strip('"') for each in line.split(",")] for line in text.splitlines()), strict=True))
    assert row["datastream_key"] == "'=cmd()" and row["at"] == "2026-11-18T08:00:00Z" and row["result"] == "18"


def test_nobody_gets_what_they_may_not_read(who: Who, stream: Stream) -> None:
    one, two = stream(), stream()
    binjiang = Division.objects.get(code="330108", valid_to=None)
    Thing.objects.filter(pk=two.thing_id).update(places=binjiang.path)
    send(who, one.pk, 18)
    send(who, two.pk, 18)
    with pytest.raises(NotAllowed):
        export(who("citizen"), Format.CSV)
    everyone = {name: len(read(export(who(name), Format.PARQUET))) for name in ("steward", "gateway")}
    assert everyone["steward"] == 2
    from dataclasses import replace

    narrow = replace(who("dispatcher"), division=Division.objects.get(code="330108", valid_to=None).pk)
    assert read(export(narrow, Format.PARQUET))["datastream"].to_list() == [two.pk]
    with pytest.raises(NotFound):
        export(narrow, Format.PARQUET, datastreams=[one.pk])
    with pytest.raises(Invalid):
        export(who("steward"), Format.CSV, since=NOW, until=NOW)


def test_the_commands(who: Who, stream: Stream, tmp_path: Path) -> None:
    run = CliRunner().invoke
    send(who, stream().pk, 17, 18)
    done = run(lake_cli.app, ["seal", "2026-11-18"])
    assert (done.exit_code, "2026-11-18" in done.output) == (0, True), done.output
    assert run(lake_cli.app, ["check"]).exit_code == 0
    assert run(lake_cli.app, ["vacuum"]).exit_code == 0
    file = tmp_path / "out.csv"
    options = [
        "observations",
        str(file),
        "--from",
        "2026-11-18",
        "--to",
        "2026-11-18",
        "--format",
        "csv",
        "--city",
        "hangzhou",
    ]
    done = run(lake_cli.export_app, options)
    assert done.exit_code == 0, done.output
    assert len(file.read_text("utf-8-sig").splitlines()) == 2


def test_the_proof_finds_what_is_twice_or_missing(who: Who, stream: Stream) -> None:
    one = stream()
    send(who, one.pk, 17, 18)
    seal([DAY], now=NOW)
    days, wrong = count()
    assert [(each.day.day, each.hot, each.cold, each.sound) for each in days] == [(17, 1, 0, True), (18, 0, 1, True)]
    assert not wrong
    Delivery.objects.update(rows=3)
    assert [(each.acknowledged, each.held) for each in count()[1]] == [(3, 2)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sensing_open_day('2026-11-18')")
        cursor.execute(
            "INSERT INTO sensing_observation (datastream, at, id)"
            " SELECT datastream, '2026-11-18 09:00+00', (20775::bigint << 37) | (id & ((1::bigint << 37) - 1)) + 1"
            " FROM sensing_observation"
        )
    assert [each.sound for each in count()[0]] == [True, False]
