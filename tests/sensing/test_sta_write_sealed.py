"""Observations of sealed days are changed and deleted like others, and the rest of their day stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chengshu.core.errors import NotFound
from chengshu.lake import engine
from chengshu.parties.principal import Principal
from chengshu.sensing.models import Datastream, GoneStream
from chengshu.sensing.observations import observations
from chengshu.sensing.scope import write_scope
from chengshu.sensing.seal import seal
from chengshu.sensing.sta import observation, write
from tests.sensing.conftest import Stream
from tests.sensing.test_sta_batch import group, send
from tests.sensing.test_sta_write import rows

pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
DAY = date(2026, 11, 17)


@pytest.fixture
def sealed(who: Who, stream: Stream, tmp_path: Path, settings: Any) -> tuple[Datastream, list[int]]:
    """A datastream with three observations of a sealed day."""
    settings.LAKE, settings.SPOOL = str(tmp_path / "lake"), tmp_path / "spool"
    one = stream()
    ids = send(who("gateway"), group(one, [[f"2026-11-17T0{hour}:00:00Z", hour] for hour in range(3)]))
    seal([DAY])
    assert not rows()
    return one, [each for each in ids if each is not None]


def everything() -> list[tuple[int, datetime, float]]:
    with observations(engine.local()) as table:
        found = table.order_by("at").to_pyarrow().to_pylist()
    return [(row["id"], row["at"], row["result"]) for row in found]


def at(hour: int, day: int = 17) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_one_is_changed(who: Who, sealed: tuple[Datastream, list[int]]) -> None:
    _, (first, second, third) = sealed
    write.patch(who("gateway"), "Observations", second, {"result": 7})
    wanted = [(first, at(0), 0.0), (second, at(1), 7.0), (third, at(2), 2.0)]
    assert everything() == wanted
    seal([DAY])
    assert everything() == wanted
    assert observation.document(observation.read(second, write_scope(who("gateway"))))["result"] == 7


def test_one_is_moved_to_another_day_and_sealed_there(who: Who, sealed: tuple[Datastream, list[int]]) -> None:
    _, (first, second, third) = sealed
    write.patch(who("gateway"), "Observations", first, {"phenomenonTime": "2026-11-16T05:00:00Z"})
    wanted = [(first, at(5, 16), 0.0), (second, at(1), 1.0), (third, at(2), 2.0)]
    assert everything() == wanted
    seal([DAY, date(2026, 11, 16)])
    assert everything() == wanted and not rows()
    write.patch(who("gateway"), "Observations", first, {"result": 9})
    assert everything()[0] == (first, at(5, 16), 9.0)


def test_one_is_deleted(who: Who, sealed: tuple[Datastream, list[int]]) -> None:
    _, (first, second, third) = sealed
    write.delete(who("gateway"), "Observations", first)
    assert [row[0] for row in everything()] == [second, third]
    with pytest.raises(NotFound):
        write.delete(who("gateway"), "Observations", first)
    with pytest.raises(NotFound):
        write.patch(who("gateway"), "Observations", first, {"result": 1})


def test_a_datastream_is_deleted_with_what_is_sealed(who: Who, sealed: tuple[Datastream, list[int]]) -> None:
    one, _ = sealed
    write.delete(who("gateway"), "Datastreams", one.pk)
    assert not everything() and GoneStream.objects.get().datastream == one.pk
